//! Reverse mode in Python: gradients and history of tensors, hooks, and the modes that switch recording.
mod backward;
mod custom;
mod hooks;
mod inside;
mod lanes;
mod node;
mod rule;
mod tensor;

use super::tensor::Tensor;
use crate::{error::Error, graph::running, trace};
pub use lanes::asks_for_numbers;
pub use node::Node;
use pyo3::prelude::*;
pub use rule::{outside_of_rules, reading};

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
/// The number of the sweep that runs on this thread, if one does.
#[pyfunction]
fn _sweep_id() -> Option<u64> {
    running::id()
}
/// Which of the tensors the running sweep comes to.
#[pyfunction]
fn _sweep_reaches(tensors: Vec<Py<Tensor>>) -> PyResult<Vec<bool>> {
    let node = |t: &Py<Tensor>| Ok(t.get().variable()?.edge()?.map(|edge| edge.node));
    let nodes = tensors.iter().map(node).collect::<PyResult<Vec<_>>>()?;
    let mut found = running::reaches(&nodes.iter().flatten().cloned().collect::<Vec<_>>()).into_iter();
    Ok(nodes.iter().map(|n| n.is_some() && found.next().unwrap_or(false)).collect())
}
/// Whether zero cotangents times infinite slopes are to be NaN; returns what was set.
#[pyfunction]
fn _set_weak_zeros(on: bool) -> bool {
    trace::set_weak_zeros(on)
}
/// Set from how many bytes of an operand on elementwise ops under forward mode are gathered, and the bytes of a piece that
/// goes through them at a time; returns what was set.
#[pyfunction]
fn _set_gathering(from_bytes: usize, piece_bytes: usize) -> (usize, usize) {
    trace::set_gathering(from_bytes, piece_bytes)
}
/// The place of a tensor in the graph: (node, output number).
#[pyfunction]
fn _edge_of(tensor: &Tensor) -> PyResult<(Node, u32)> {
    let edge = tensor.variable()?.edge()?.ok_or_else(|| {
        Error::graph("get_gradient_edge", "the tensor does not require a gradient and has no place in the graph")
    })?;
    Ok((Node(edge.node), edge.slot))
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Node>()?;
    m.add_class::<hooks::RemovableHandle>()?;
    m.add_class::<rule::_Rule>()?;
    backward::register(m)?;
    custom::register(m)?;
    m.add_function(wrap_pyfunction!(_sweep_id, m)?)?;
    m.add_function(wrap_pyfunction!(_sweep_reaches, m)?)?;
    m.add_function(wrap_pyfunction!(_set_weak_zeros, m)?)?;
    m.add_function(wrap_pyfunction!(_set_gathering, m)?)?;
    m.add_function(wrap_pyfunction!(_edge_of, m)?)?;
    m.add_function(wrap_pyfunction!(is_grad_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_grad_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(is_inference_mode_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_inference, m)?)
}
