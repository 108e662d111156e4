//! Reverse mode in Python: gradients and history of tensors, hooks, and the modes that switch recording.
mod backward;
mod hooks;
mod node;
mod tensor;

use crate::trace;
pub use node::Node;
use pyo3::prelude::*;

/// Whether operations are being recorded.
///
/// >>> with rg.no_grad():
/// ...     rg.is_grad_enabled()
/// False
#[pyfunction]
fn is_grad_enabled() -> bool {
    trace::grad_enabled()
}
#[pyfunction]
fn _set_grad_enabled(on: bool) -> bool {
    trace::set_grad_enabled(on)
}
/// Whether inference mode is on.
///
/// >>> rg.is_inference_mode_enabled()
/// False
#[pyfunction]
fn is_inference_mode_enabled() -> bool {
    trace::inference()
}
#[pyfunction]
fn _set_inference(on: bool) -> bool {
    trace::set_inference(on)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Node>()?;
    m.add_class::<hooks::RemovableHandle>()?;
    backward::register(m)?;
    m.add_function(wrap_pyfunction!(is_grad_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_grad_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(is_inference_mode_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_inference, m)?)
}
