//! Python protocols: printing, iteration, pickling, copying and DLPack.
use super::{
    autograd::{outside_of_rules, reading},
    convert::check_device,
    numpy::{from_numpy_array, to_numpy},
    tensor::Tensor,
};
use crate::trace::Value;
use pyo3::{
    exceptions::{PyBufferError, PyTypeError},
    prelude::*,
    types::{PyDict, PyTuple},
};

#[pymethods]
impl Tensor {
    fn __repr__(slf: Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let _shown = outside_of_rules();
        Ok(slf.py().import("rustgrad._repr")?.call_method1("tensor_repr", (&slf,))?.unbind())
    }
    fn __format__(slf: Bound<'_, Self>, spec: &str) -> PyResult<Py<PyAny>> {
        let _shown = outside_of_rules();
        let py = slf.py();
        let value = slf.get().value()?;
        if value.rank() == 0 && (!spec.is_empty() || value.numbers().is_some()) {
            let number = slf.call_method0("item")?;
            return Ok(py.import("builtins")?.call_method1("format", (number, spec))?.unbind());
        }
        if !spec.is_empty() {
            return Err(PyTypeError::new_err(format!(
                "format: cannot format a tensor of shape {} as {spec:?} (only 0-d tensors are numbers); format its items",
                crate::shape::show(value.shape())
            )));
        }
        Ok(slf.repr()?.into_any().unbind())
    }
    fn __iter__(slf: Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        if slf.get().value()?.rank() == 0 {
            return Err(PyTypeError::new_err("iter: a 0-d tensor cannot be iterated over"));
        }
        Ok(slf.call_method0("unbind")?.try_iter()?.into_any().unbind())
    }
    fn __reversed__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        match slf.get().value()?.rank() {
            0 => Err(PyTypeError::new_err("reversed: a 0-d tensor has no elements to go through")),
            _ => slf.call_method1("flip", (0,))?.call_method0("unbind")?.call_method0("__iter__"),
        }
    }
    fn __contains__(&self, item: super::tensor::Operand) -> PyResult<bool> {
        let equal = crate::ops::compare::compare(crate::ops::compare::Order::Equal, &self.value()?, &item.value()?)?;
        let all = crate::shape::Axes::all(equal.rank());
        let any = crate::ops::reduce::truth(&equal, all, false, false)?;
        Ok(any.numbers().ok_or_else(|| any.without_numbers("contains"))?.item()?.to_i64() != 0)
    }
    fn __reduce_ex__(slf: Bound<'_, Self>, protocol: i64) -> PyResult<Py<PyAny>> {
        Ok(slf.py().import("rustgrad._pickle")?.call_method1("reduce", (&slf, protocol))?.unbind())
    }
    fn __deepcopy__(slf: Bound<'_, Self>, memo: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
        let id = slf.as_ptr() as usize;
        if let Some(done) = memo.get_item(id)? {
            return Ok(done.unbind());
        }
        let copy = slf.py().import("rustgrad._pickle")?.call_method1("deepcopy", (&slf,))?;
        memo.set_item(id, &copy)?;
        Ok(copy.unbind())
    }
    fn __copy__(&self) -> PyResult<Tensor> {
        Ok(self.value()?.into())
    }
    #[pyo3(signature = (*, stream=None, max_version=None, dl_device=None, copy=None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<Bound<'py, PyAny>>,
        max_version: Option<Bound<'py, PyAny>>,
        dl_device: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.value()?;
        let Value::Array(array) = &value else {
            return Err(PyBufferError::new_err(
                "__dlpack__: the tensor requires a gradient or is being transformed; call detach() first",
            ));
        };
        reading("__dlpack__", &value)?;
        // NumPy makes the capsule: it follows every version of the protocol, and its array keeps the memory alive.
        let options = PyDict::new(py);
        if let Some(stream) = stream {
            options.set_item("stream", stream)?;
        }
        let numpy = py.import("numpy")?;
        let versioned = numpy.getattr("__version__")?.extract::<String>()?.starts_with('1');
        if !versioned {
            options.set_item("max_version", max_version)?;
            options.set_item("dl_device", dl_device)?;
            options.set_item("copy", copy)?;
        }
        to_numpy(py, array.clone())?.call_method("__dlpack__", (), Some(&options))
    }
    #[pyo3(signature = (ufunc, method, *inputs, **kwargs))]
    fn __array_ufunc__<'py>(
        slf: Bound<'py, Self>,
        ufunc: &Bound<'py, PyAny>,
        method: &str,
        inputs: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("rustgrad._numpy")?.call_method1("array_ufunc", (ufunc, method, inputs, kwargs))
    }
    fn __dlpack_device__(&self) -> (i32, i32) {
        (1, 0)
    }
    /// So that NumPy leaves operators with a tensor on the right to the tensor.
    #[classattr]
    #[allow(non_upper_case_globals)]
    const __array_priority__: i32 = 1000;
}
/// A tensor on the memory of any object that speaks DLPack; `copy=True` copies it.
///
/// Shape and dtype: those of the object; raises TypeError for one that does not speak DLPack.
///
/// Derivative: none, the result is a leaf.
///
/// >>> import numpy as np
/// >>> rg.from_dlpack(np.arange(3))
/// tensor([0, 1, 2])
#[pyfunction]
#[pyo3(signature = (ext_tensor, *, device=None, copy=None))]
fn from_dlpack(
    ext_tensor: &Bound<'_, PyAny>,
    device: Option<&Bound<'_, PyAny>>,
    copy: Option<bool>,
) -> PyResult<Tensor> {
    check_device(device)?;
    let py = ext_tensor.py();
    let producer = match ext_tensor.hasattr("__dlpack__")? {
        true => ext_tensor.clone(),
        false if ext_tensor.get_type().name()? != "PyCapsule" => {
            return Err(PyTypeError::new_err(format!(
                "from_dlpack: a {} does not speak DLPack",
                ext_tensor.get_type().name()?
            )))
        }
        false => py.import("rustgrad._numpy")?.call_method1("Capsule", (ext_tensor,))?, // an old-style bare capsule
    };
    let array = py.import("numpy")?.call_method1("from_dlpack", (producer,))?;
    let shared = from_numpy_array(&array)?;
    Ok(Tensor::new(Value::Array(if copy == Some(true) { shared.copied("from_dlpack")? } else { shared })))
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(from_dlpack, m)?)
}
