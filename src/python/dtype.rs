//! dtype objects: `rustgrad.float32` and its siblings.
use crate::{
    dtype::DType as Core,
    trace::{default_dtype, set_default_dtype},
};
use pyo3::{exceptions::PyTypeError, prelude::*, sync::PyOnceLock};

/// The type of a tensor's elements.
#[pyclass(frozen, eq, hash, name = "dtype", module = "rustgrad")]
#[derive(PartialEq, Hash)]
pub struct DType(pub Core);

static OBJECTS: PyOnceLock<Vec<Py<DType>>> = PyOnceLock::new();
/// The one object of this dtype.
pub fn object(py: Python<'_>, dtype: Core) -> PyResult<Py<DType>> {
    let all = OBJECTS
        .get_or_try_init(py, || Core::ALL.iter().map(|&d| Py::new(py, DType(d))).collect::<PyResult<Vec<_>>>())?;
    Ok(all[dtype as usize].clone_ref(py))
}

#[pymethods]
impl DType {
    fn __repr__(&self) -> String {
        format!("rustgrad.{}", self.0.name())
    }
    fn __reduce__(&self, py: Python<'_>) -> PyResult<(Py<PyAny>, (String,))> {
        Ok((py.import("rustgrad._core")?.getattr("_dtype_from_name")?.unbind(), (self.0.name().to_string(),)))
    }
    /// Bytes per element.
    ///
    /// >>> rg.float64.itemsize
    /// 8
    #[getter]
    fn itemsize(&self) -> usize {
        self.0.size()
    }
    /// Whether the elements are floats.
    ///
    /// >>> rg.float32.is_floating_point, rg.int64.is_floating_point
    /// (True, False)
    #[getter]
    fn is_floating_point(&self) -> bool {
        self.0.is_float()
    }
    /// Whether the elements are complex numbers.
    ///
    /// >>> rg.complex64.is_complex
    /// True
    #[getter]
    fn is_complex(&self) -> bool {
        self.0.is_complex()
    }
}

/// A dtype argument: one of ours, a Python type, or anything NumPy takes as a dtype.
#[derive(Clone, Copy)]
pub struct Arg(pub Core);
impl<'a, 'py> FromPyObject<'a, 'py> for Arg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Arg> {
        if let Ok(d) = obj.cast::<DType>() {
            return Ok(Arg(d.get().0));
        }
        if obj.is_none() {
            // NumPy would take it for float64.
            return Err(PyTypeError::new_err("dtype: expected a dtype, not None"));
        }
        let py = obj.py();
        let builtin = |t: Bound<'py, pyo3::types::PyType>| obj.is(&t);
        if builtin(py.get_type::<pyo3::types::PyFloat>()) {
            return Ok(Arg(Core::F64));
        }
        if builtin(py.get_type::<pyo3::types::PyBool>()) {
            return Ok(Arg(Core::Bool));
        }
        if builtin(py.get_type::<pyo3::types::PyInt>()) {
            return Ok(Arg(Core::I64));
        }
        if builtin(py.get_type::<pyo3::types::PyComplex>()) {
            return Ok(Arg(Core::C128));
        }
        let name: String = py.import("numpy")?.call_method1("dtype", (obj,))?.getattr("name")?.extract()?;
        from_name(&name).map(Arg).ok_or_else(|| {
            PyTypeError::new_err(format!(
                "dtype: {name} is not supported; use bool, uint8, int32, int64, float32, float64, complex64 or complex128"
            ))
        })
    }
}
pub fn from_name(name: &str) -> Option<Core> {
    Core::ALL.into_iter().find(|d| d.name() == name)
}
#[pyfunction]
fn _dtype_from_name(py: Python<'_>, name: &str) -> PyResult<Py<DType>> {
    object(py, from_name(name).ok_or_else(|| PyTypeError::new_err(format!("dtype: {name} is unknown")))?)
}
/// The dtype that floats without one get.
///
/// >>> rg.get_default_dtype()
/// rustgrad.float32
#[pyfunction]
fn get_default_dtype(py: Python<'_>) -> PyResult<Py<DType>> {
    object(py, default_dtype())
}
/// Change the dtype that floats without one get; raises TypeError for what is not float32 or float64.
///
/// >>> rg.set_default_dtype(rg.float64)
/// >>> rg.tensor(1.5).dtype
/// rustgrad.float64
/// >>> rg.set_default_dtype(rg.float32)
#[pyfunction(name = "set_default_dtype")]
fn set_default(d: Arg) -> PyResult<()> {
    if !d.0.is_float() {
        return Err(PyTypeError::new_err(format!("set_default_dtype: {} is not float32 or float64", d.0)));
    }
    set_default_dtype(d.0);
    Ok(())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<DType>()?;
    for d in Core::ALL {
        m.add(d.name(), object(m.py(), d)?)?;
    }
    for (alias, d) in [
        ("float", Core::F32),
        ("double", Core::F64),
        ("int", Core::I32),
        ("long", Core::I64),
        ("cfloat", Core::C64),
        ("cdouble", Core::C128),
    ] {
        m.add(alias, object(m.py(), d)?)?;
    }
    m.add_function(wrap_pyfunction!(_dtype_from_name, m)?)?;
    m.add_function(wrap_pyfunction!(get_default_dtype, m)?)?;
    m.add_function(wrap_pyfunction!(set_default, m)?)
}
