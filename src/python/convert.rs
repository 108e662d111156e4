//! Between Python's objects and tensors: numbers, nested lists, whatever has an array in it.
use super::{
    dtype::{from_name, Arg},
    numpy::from_numpy_array,
    tensor::{scalar, scalar_object, Tensor},
};
use crate::{
    array::Array,
    dtype::{Category, DType, Promotion, Scalar},
    error::Error,
    ops::convert::to,
    shape::{Dims, Strides},
    trace::{default_dtype, Value},
};
use pyo3::{
    exceptions::{PyOverflowError, PyTypeError, PyValueError},
    prelude::*,
    types::{PyDict, PyInt, PyList, PyTuple},
};

/// A NumPy array or scalar as an array (arrays are shared, scalars copied); `None` for other objects.
pub fn array_like(obj: &Bound<'_, PyAny>) -> PyResult<Option<Array>> {
    if !obj.hasattr("__array_interface__")? {
        if obj.is_instance_of::<PyInt>() {
            return Err(PyOverflowError::new_err(format!(
                "tensor: the integer {} does not fit int64; write it as a float where rounding is meant",
                obj.str()?
            )));
        }
        return Ok(None);
    }
    let numpy = obj.py().import("numpy")?;
    let array = numpy.call_method1("asarray", (obj,))?;
    let kind: String = array.getattr("dtype")?.getattr("name")?.extract()?;
    if from_name(&kind).is_none() {
        return Err(PyTypeError::new_err(format!(
            "tensor: cannot hold NumPy dtype {kind}; convert it with .astype() first"
        )));
    }
    from_numpy_array(&array).map(Some)
}

/// Nested sequences of numbers, read depth first.
#[derive(Default)]
struct Nested {
    shape: Vec<usize>,
    numbers: Vec<Scalar>,
    promotion: Promotion,
}
impl Nested {
    fn read(&mut self, obj: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        let ragged = |expected: usize, found: usize| {
            PyValueError::new_err(format!(
                "tensor: expected a sequence of length {expected} at dimension {depth} (got {found})"
            ))
        };
        if let Some(s) = scalar(obj) {
            if depth < self.shape.len() {
                return Err(PyValueError::new_err(format!(
                    "tensor: a number stands where a sequence of length {} is expected",
                    self.shape[depth]
                )));
            }
            self.promotion = self.promotion.number(s.category());
            self.numbers.push(s);
            return Ok(());
        }
        if depth > crate::shape::MAX_RANK {
            return Err(PyValueError::new_err("tensor: the lists are nested too deeply"));
        }
        let array = if let Ok(t) = obj.cast::<Tensor>() { Some(t.get().numbers("tensor")?) } else { array_like(obj)? };
        if let Some(array) = array {
            for (i, &n) in array.shape().iter().enumerate() {
                match self.shape.get(depth + i) {
                    Some(&m) if m != n => return Err(ragged(m, n)),
                    Some(_) => {}
                    None => self.shape.push(n),
                }
            }
            self.promotion = self.promotion.tensor(array.dtype(), 1);
            let flat = Value::Array(array.contiguous("tensor")?);
            let flat = crate::ops::reshape::reshape(&flat, &[array.len()])?;
            for i in 0..array.len() {
                let element = flat.array()?.view("tensor", Dims::new(), Strides::new(), i as isize)?;
                self.numbers.push(element.item()?);
            }
            return Ok(());
        }
        let items: Vec<Bound<'_, PyAny>> = if obj.is_instance_of::<PyList>()
            || obj.is_instance_of::<PyTuple>()
            || (obj.hasattr("__len__")?
                && obj.hasattr("__getitem__")?
                && !obj.is_instance_of::<pyo3::types::PyString>()
                && !obj.is_instance_of::<PyDict>())
        {
            obj.try_iter()?.collect::<PyResult<_>>()?
        } else {
            let kind = obj.get_type().name()?.to_string();
            return Err(PyTypeError::new_err(format!(
                "tensor: cannot make a tensor of a {kind}; give numbers, nested lists or arrays"
            )));
        };
        match self.shape.get(depth) {
            Some(&n) if n != items.len() => return Err(ragged(n, items.len())),
            Some(_) => {}
            None if !self.numbers.is_empty() => return Err(ragged(0, items.len())),
            None => self.shape.push(items.len()),
        }
        items.iter().try_for_each(|item| self.read(item, depth + 1))
    }
    fn array(self, dtype: Option<DType>) -> Result<Array, Error> {
        let natural = if self.numbers.is_empty() { default_dtype() } else { self.promotion.result(default_dtype()) };
        let target = dtype.unwrap_or(natural);
        let shape = Dims::from_slice(&self.shape);
        self.numbers.iter().try_for_each(|&s| fits("tensor", s, target))?;
        let all = self.numbers.iter();
        let wide = match natural.category() {
            Category::Complex => {
                Array::from_shape(DType::C128, shape, &all.map(|s| s.to_complex()).collect::<Vec<_>>())
            }
            Category::Float => Array::from_shape(DType::F64, shape, &all.map(|s| s.to_f64()).collect::<Vec<_>>()),
            _ => Array::from_shape(DType::I64, shape, &all.map(|s| s.to_i64()).collect::<Vec<_>>()),
        }?;
        Ok(to(&Value::Array(wide), target)?.array()?.clone())
    }
}
/// That an integer dtype can hold a plain number, which would wrap around otherwise; negative bytes may, as in PyTorch.
pub fn fits(op: &'static str, number: Scalar, dtype: DType) -> Result<(), Error> {
    if matches!(number, Scalar::Complex(..)) && !dtype.is_complex() {
        return Err(Error::dtype(op, format!("cannot convert a complex number to {dtype}; take its real part")));
    }
    let most = match dtype {
        DType::U8 => f64::from(u8::MAX),
        DType::I32 => f64::from(i32::MAX),
        DType::I64 => i64::MAX as f64,
        _ => return Ok(()),
    };
    let held = match number {
        Scalar::Bool(_) | Scalar::Complex(..) => true,
        Scalar::Int(i) => dtype == DType::I64 || (-most - 1.0..=most).contains(&(i as f64)),
        // 2^63 itself is the first float above an int64.
        Scalar::Float(f) => (-most - 1.0..most + 1.0).contains(&f) && (dtype != DType::I64 || f < most),
    };
    if held {
        return Ok(());
    }
    let shown = match number {
        Scalar::Int(i) => i.to_string(),
        other => other.to_f64().to_string(),
    };
    Err(Error::value(
        op,
        format!("cannot convert {shown} to {dtype} (it does not hold this number); pass a wider dtype"),
    ))
}
/// An array of a Python object: copied unless it is a NumPy array or tensor and `share` is asked for.
pub fn array_of(obj: &Bound<'_, PyAny>, dtype: Option<DType>, share: bool) -> PyResult<Array> {
    // NumPy's scalars derive from Python's numbers but bring their own dtype.
    let builtin = obj.get_type().module().is_ok_and(|m| m == "builtins");
    if let Some(s) = scalar(obj).filter(|_| builtin) {
        let natural = Promotion::default().number(s.category()).result(default_dtype());
        let dtype = dtype.unwrap_or(natural);
        fits("tensor", s, dtype)?;
        return Ok(Array::full("tensor", Dims::new(), dtype, s)?);
    }
    let existing = if let Ok(t) = obj.cast::<Tensor>() { Some(t.get().numbers("tensor")?) } else { array_like(obj)? };
    if let Some(array) = existing {
        return Ok(match dtype {
            Some(d) if d != array.dtype() => to(&Value::Array(array), d)?.array()?.clone(),
            _ if share => array,
            _ => array.copied("tensor")?,
        });
    }
    let mut nested = Nested::default();
    nested.read(obj, 0)?;
    Ok(nested.array(dtype)?)
}
/// The one place where devices are looked at.
pub fn check_device(device: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    match device {
        Some(d) if !d.is_none() && !d.str()?.to_string().starts_with("cpu") => Err(PyValueError::new_err(format!(
            "device: {} is not available (rustgrad computes on the CPU); leave device out or pass \"cpu\"",
            d.str()?
        ))),
        _ => Ok(()),
    }
}
/// A new tensor with a copy of `data`: numbers, nested lists, NumPy arrays or tensors.
///
/// Shape: that of the nesting; raises ValueError where it is uneven. Python's floats and complex numbers take the
/// default dtype, integers int64, arrays keep theirs; `dtype` converts. Raises TypeError for what is not a number.
///
/// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
///
/// >>> rg.tensor([[1, 2], [3, 4]])
/// tensor([[1, 2],
///         [3, 4]])
/// >>> rg.tensor(1.5, requires_grad=True)
/// tensor(1.5000, requires_grad=True)
#[pyfunction]
#[pyo3(signature = (data, *, dtype=None, device=None, requires_grad=false))]
fn tensor(
    data: &Bound<'_, PyAny>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    check_device(device)?;
    let t = Tensor::new(Value::Array(array_of(data, dtype.map(|d| d.0), false)?));
    if requires_grad {
        t.variable()?.set_requires_grad(true)?;
    }
    Ok(t)
}
/// `data` as a tensor, sharing memory where it can; raises as `tensor`.
///
/// Shape and dtype: as `tensor`. A tensor of the right dtype is returned as it is, a NumPy array shares its memory.
///
/// Derivative: 1 through a tensor, also one that is converted between floats; lists and arrays have none.
///
/// >>> x = rg.ones(2)
/// >>> rg.as_tensor(x) is x
/// True
#[pyfunction]
#[pyo3(signature = (data, dtype=None, device=None))]
fn as_tensor(
    py: Python<'_>,
    data: &Bound<'_, PyAny>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Tensor>> {
    check_device(device)?;
    if let Ok(t) = data.cast::<Tensor>() {
        let value = t.get().value()?;
        return match dtype {
            Some(d) if d.0 != value.dtype() => Py::new(py, Tensor::new(to(&value, d.0)?)),
            _ => Ok(t.clone().unbind()),
        };
    }
    Py::new(py, Tensor::new(Value::Array(array_of(data, dtype.map(|d| d.0), true)?)))
}
fn nested_list<'py>(
    py: Python<'py>,
    numbers: &mut impl Iterator<Item = Scalar>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    match shape.split_first() {
        None => match numbers.next() {
            Some(s) => Ok(scalar_object(py, s)?.into_bound(py)),
            None => Err(PyValueError::new_err("tolist: too few elements")),
        },
        Some((&n, rest)) => {
            let list = PyList::empty(py);
            for _ in 0..n {
                list.append(nested_list(py, numbers, rest)?)?;
            }
            Ok(list.into_any())
        }
    }
}
#[pymethods]
impl Tensor {
    /// The numbers as nested Python lists; a 0-d tensor as a number.
    ///
    /// >>> rg.tensor([[1, 2], [3, 4]]).tolist()
    /// [[1, 2], [3, 4]]
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let array = self.numbers("tolist")?;
        if array.rank() == 0 {
            return Ok(scalar_object(py, array.item()?)?.into_bound(py));
        }
        let flat = array.contiguous("tolist")?;
        let mut numbers = (0..flat.len()).map(|i| {
            flat.view("tolist", Dims::new(), Strides::new(), i as isize)
                .and_then(|e| e.item())
                .unwrap_or(Scalar::Int(0))
        });
        nested_list(py, &mut numbers, array.shape())
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(tensor, m)?)?;
    m.add_function(wrap_pyfunction!(as_tensor, m)?)
}
