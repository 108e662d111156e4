//! Between Python and tensors: nested lists, NumPy arrays without copies, the buffer they share.
use super::{
    dtype::{from_name, Arg},
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
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyDict, PyList, PyTuple},
};

/// Keeps a Python object alive behind an array; released with the interpreter attached.
struct Keep(Option<Py<PyAny>>);
impl Drop for Keep {
    fn drop(&mut self) {
        if let Some(obj) = self.0.take() {
            // After the interpreter ended nobody can take the object back: leave it.
            let _ = Python::try_attach(|_| drop(obj));
        }
    }
}

/// The array behind a NumPy array, sharing its memory.
pub fn from_numpy_array(obj: &Bound<'_, PyAny>) -> PyResult<Array> {
    let interface = obj.getattr("__array_interface__")?;
    let interface = interface.cast::<PyDict>()?;
    let get = |key: &str| {
        interface
            .get_item(key)?
            .ok_or_else(|| PyTypeError::new_err(format!("from_numpy: the array interface has no {key}")))
    };
    let code: String = get("typestr")?.extract()?;
    let native = if cfg!(target_endian = "little") { '<' } else { '>' };
    let dtype = match code.strip_prefix(['|', native]) {
        Some("b1") => Some(DType::Bool),
        Some("u1") => Some(DType::U8),
        Some("i4") => Some(DType::I32),
        Some("i8") => Some(DType::I64),
        Some("f4") => Some(DType::F32),
        Some("f8") => Some(DType::F64),
        Some("c8") => Some(DType::C64),
        Some("c16") => Some(DType::C128),
        _ => None,
    };
    let Some(dtype) = dtype else {
        let name = obj.getattr("dtype")?.str()?.to_string();
        return Err(PyTypeError::new_err(format!(
            "from_numpy: cannot share an array of dtype {name}; convert it with .astype() to bool, uint8, int32, int64, float32, float64, complex64 or complex128 in native byte order"
        )));
    };
    let (address, read_only): (usize, bool) = get("data")?.extract()?;
    let shape: Vec<usize> = get("shape")?.extract()?;
    let size = dtype.size() as isize;
    let strides: Strides = match interface.get_item("strides")? {
        Some(s) if !s.is_none() => {
            let bytes: Vec<isize> = s.extract()?;
            if bytes.iter().any(|b| b % size != 0) {
                return Err(PyValueError::new_err(
                    "from_numpy: the strides are not multiples of the element size; copy the array first",
                ));
            }
            bytes.iter().map(|b| b / size).collect()
        }
        _ => crate::shape::contiguous_strides(&shape),
    };
    if address % (dtype.size().min(8)) != 0 {
        return Err(PyValueError::new_err("from_numpy: the array is not aligned; copy it first"));
    }
    if shape.len() > crate::shape::MAX_RANK {
        return Err(PyValueError::new_err(format!(
            "from_numpy: {} dimensions are more than {}",
            shape.len(),
            crate::shape::MAX_RANK
        )));
    }
    let keep = Box::new(Keep(Some(obj.clone().unbind())));
    // SAFETY: NumPy vouches for address, shape and strides as long as the array object lives, which `keep` holds.
    let array =
        unsafe { Array::foreign(address as *mut u8, dtype, Dims::from_slice(&shape), strides, keep, !read_only) };
    Ok(array?)
}
/// A NumPy array or scalar as an array (arrays are shared, scalars copied); `None` for other objects.
pub fn array_like(obj: &Bound<'_, PyAny>) -> PyResult<Option<Array>> {
    if !obj.hasattr("__array_interface__")? {
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
/// An array of a Python object: copied unless it is a NumPy array or tensor and `share` is asked for.
pub fn array_of(obj: &Bound<'_, PyAny>, dtype: Option<DType>, share: bool) -> PyResult<Array> {
    // NumPy's scalars derive from Python's numbers but bring their own dtype.
    let builtin = obj.get_type().module().is_ok_and(|m| m == "builtins");
    if let Some(s) = scalar(obj).filter(|_| builtin) {
        let natural = Promotion::default().number(s.category()).result(default_dtype());
        return Ok(Array::full("tensor", Dims::new(), dtype.unwrap_or(natural), s)?);
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
/// tensor(data, *, dtype=None, device=None, requires_grad=False)
/// --
///
/// A new tensor with a copy of `data`: numbers, nested lists, NumPy arrays or tensors.
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
/// as_tensor(data, dtype=None, device=None)
/// --
///
/// `data` as a tensor, sharing memory where it can: tensors of the right dtype are returned as they are.
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
/// from_numpy(ndarray)
/// --
///
/// A tensor on the memory of a NumPy array: writes are seen on both sides.
#[pyfunction]
fn from_numpy(ndarray: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let numpy = ndarray.py().import("numpy")?;
    if !ndarray.is_instance(&numpy.getattr("ndarray")?)? {
        return Err(PyTypeError::new_err(format!(
            "from_numpy: expected a numpy.ndarray, not a {}",
            ndarray.get_type().name()?
        )));
    }
    Ok(Tensor::new(Value::Array(from_numpy_array(ndarray)?)))
}

/// Owns an array for a NumPy array that shows it.
#[pyclass(frozen, module = "rustgrad._core")]
struct SharedMemory(Array);
#[pymethods]
impl SharedMemory {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let a = &self.0;
        let size = a.dtype().size();
        let kind = match a.dtype() {
            DType::Bool => "|b",
            DType::U8 => "|u",
            DType::I32 | DType::I64 => "<i",
            DType::F32 | DType::F64 => "<f",
            DType::C64 | DType::C128 => "<c",
        };
        let kind = if cfg!(target_endian = "big") { kind.replace('<', ">") } else { kind.into() };
        let d = PyDict::new(py);
        d.set_item("version", 3)?;
        d.set_item("typestr", format!("{kind}{size}"))?;
        d.set_item("shape", PyTuple::new(py, a.shape())?)?;
        d.set_item("strides", PyTuple::new(py, a.strides().iter().map(|s| s * size as isize))?)?;
        // NumPy wants a non-null address even for nothing.
        d.set_item("data", (if a.is_empty() { 64 } else { a.data() as usize }, !a.is_writable()))?;
        Ok(d)
    }
}
/// The NumPy array on this array's memory.
pub fn to_numpy<'py>(py: Python<'py>, array: Array) -> PyResult<Bound<'py, PyAny>> {
    let numpy = py.import("numpy")?;
    let owner = Bound::new(py, SharedMemory(array))?;
    numpy.call_method1("asarray", (owner,))
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
    /// numpy(*, force=False)
    /// --
    ///
    /// A NumPy array on the same memory.
    #[pyo3(signature = (*, force=false))]
    fn numpy<'py>(&self, py: Python<'py>, force: bool) -> PyResult<Bound<'py, PyAny>> {
        let value = self.value()?;
        match &value {
            Value::Array(a) => to_numpy(py, a.clone()),
            v if force => to_numpy(
                py,
                v.numbers()
                    .cloned()
                    .ok_or_else(|| Error::graph("numpy", "a tensor batched by vmap has no numbers of its own"))?,
            ),
            _ => Err(Error::graph(
                "numpy",
                "the tensor is part of a computation that is being differentiated; call detach() first",
            )
            .into()),
        }
    }
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let array = self.numpy(py, false)?;
        let same = match &dtype {
            Some(d) => array.getattr("dtype")?.eq(py.import("numpy")?.call_method1("dtype", (d,))?)?,
            None => true,
        };
        match (same, copy) {
            (true, Some(true)) => array.call_method0("copy"),
            (true, _) => Ok(array),
            (false, Some(false)) => {
                Err(PyValueError::new_err("__array__: the conversion needs a copy, and copy=False forbids it"))
            }
            (false, _) => array.call_method1("astype", (dtype,)),
        }
    }
    /// tolist()
    /// --
    ///
    /// The numbers as nested Python lists.
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
    m.add_function(wrap_pyfunction!(as_tensor, m)?)?;
    m.add_function(wrap_pyfunction!(from_numpy, m)?)
}
