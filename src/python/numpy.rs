//! NumPy arrays and tensors on the same memory, in both directions.
use super::{autograd::reading, tensor::Tensor};
use crate::{
    array::{Array, Lender, Loan},
    dtype::DType,
    error::{Error, Reason},
    shape::{Dims, Strides},
    trace::Value,
};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyDict, PyTuple},
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

impl Lender for Keep {
    fn alone(&self) -> bool {
        let Some(obj) = &self.0 else { return false };
        // An array of NumPy's own type that owns its memory, to which nothing refers but this, not even weakly.
        let alone = |obj: &Bound<'_, PyAny>| -> PyResult<bool> {
            let py = obj.py();
            // SAFETY: `obj` holds a reference to a live object.
            let references = unsafe { pyo3::ffi::Py_REFCNT(obj.as_ptr()) };
            let weak = || py.import("weakref")?.call_method1("getweakrefcount", (obj,))?.extract::<usize>();
            Ok(references == 1
                && obj.get_type().is(py.import("numpy")?.getattr("ndarray")?)
                && obj.getattr("flags")?.getattr("owndata")?.extract()?
                && weak()? == 0)
        };
        Python::try_attach(|py| alone(obj.bind(py)).unwrap_or(false)).unwrap_or(false)
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
/// A tensor on the memory of a NumPy array: writes are seen on both sides.
///
/// Shape and dtype: those of the array; raises TypeError for what is not an array or has a dtype without counterpart.
///
/// Derivative: none, the result is a leaf.
///
/// >>> import numpy as np
/// >>> a = np.zeros(2)
/// >>> t = rg.from_numpy(a)
/// >>> a[0] = 1.0
/// >>> t
/// tensor([1., 0.], dtype=rustgrad.float64)
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
struct SharedMemory(Loan);
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
    let owner = Bound::new(py, SharedMemory(array.lend()?))?;
    numpy.call_method1("asarray", (owner,))
}
#[pymethods]
impl Tensor {
    /// A NumPy array on the same memory; raises RuntimeError for a tensor that is being differentiated.
    ///
    /// `force=True` gives the numbers in any case.
    ///
    /// >>> rg.ones(2).numpy()
    /// array([1., 1.], dtype=float32)
    #[pyo3(signature = (*, force=false))]
    fn numpy<'py>(&self, py: Python<'py>, force: bool) -> PyResult<Bound<'py, PyAny>> {
        let value = self.value()?;
        if force || matches!(value, Value::Array(_)) {
            reading("numpy", &value)?;
        }
        match &value {
            Value::Array(a) => to_numpy(py, a.clone()),
            v if force => to_numpy(py, v.numbers().cloned().ok_or_else(|| v.without_numbers("numpy"))?),
            v if v.batch_level().is_some() => Err(v.without_numbers("numpy").into()),
            _ => Err(Error::refused(
                "numpy",
                Reason::Numbers,
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
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(from_numpy, m)?)
}
