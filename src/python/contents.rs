//! What a tensor held at one moment, to tell later whether anybody wrote to it.
use super::tensor::Tensor;
use crate::array::Array;
use pyo3::prelude::*;

/// The contents of a tensor now. Plain tensors count their versions, followed ones take new memory: the old one is held, so
/// that nobody else gets it in between.
#[pyclass(frozen, module = "rustgrad._core")]
struct _Contents {
    tensor: Py<Tensor>,
    storage: Array,
    version: u32,
}
#[pymethods]
impl _Contents {
    #[new]
    fn of(tensor: Py<Tensor>) -> PyResult<_Contents> {
        let value = tensor.get().value()?;
        Ok(_Contents { storage: value.storage().clone(), version: value.version(), tensor })
    }
    /// Whether the tensor was written to since.
    #[getter]
    fn changed(&self) -> PyResult<bool> {
        let now = self.tensor.get().value()?;
        Ok(!now.storage().shares_storage(&self.storage) || now.version() != self.version)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<_Contents>()
}
