//! Recorded ops as Python sees them.
use super::hooks::{handle, NodeHook, RemovableHandle};
use crate::graph::{NodeRef, When};
use pyo3::{prelude::*, types::PyTuple};
use std::sync::Arc;

/// A recorded op, as `tensor.grad_fn` shows it.
#[pyclass(frozen, module = "rustgrad.autograd", weakref)]
pub struct Node(pub NodeRef);
#[pymethods]
impl Node {
    /// The name of the recorded op, as PyTorch writes it.
    ///
    /// >>> rg.sin(rg.tensor(1.0, requires_grad=True)).grad_fn.name()
    /// 'SinBackward0'
    fn name(&self) -> String {
        let op = self.0.op.name();
        if self.0.is_leaf() {
            return "AccumulateGrad".into();
        }
        let camel: String = op
            .split('_')
            .map(|w| {
                let mut c = w.chars();
                c.next().map(|f| f.to_uppercase().chain(c).collect::<String>()).unwrap_or_default()
            })
            .collect();
        format!("{camel}Backward0")
    }
    /// Pairs (node, output number) of the inputs, None for inputs without gradient.
    ///
    /// >>> (rg.tensor(1.0, requires_grad=True) * rg.tensor(2.0)).grad_fn.next_functions
    /// ((<AccumulateGrad>, 0), (None, 0))
    #[getter]
    fn next_functions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let items = self.0.parents().map(|p| match p {
            Some((node, slot)) => Ok((Some(Py::new(py, Node(node.clone()))?), slot)),
            None => Ok((None, 0)),
        });
        PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)
    }
    /// Call `hook(grad_inputs, grad_outputs)` after the node ran; it may return other gradients of the inputs.
    ///
    /// >>> y = 3 * rg.tensor(1.0, requires_grad=True)
    /// >>> handle = y.grad_fn.register_hook(lambda inputs, outputs: print(inputs, outputs))
    /// >>> y.backward()
    /// (tensor(3.),) (tensor(1.),)
    fn register_hook(&self, hook: Py<PyAny>) -> RemovableHandle {
        handle(self.0.clone(), self.0.add_hook(When::After, Arc::new(NodeHook { call: hook, after: true })))
    }
    /// Call `hook(grad_outputs)` before the node runs; it may return other gradients of the outputs.
    ///
    /// >>> y = 3 * rg.tensor(1.0, requires_grad=True)
    /// >>> handle = y.grad_fn.register_prehook(print)
    /// >>> y.backward()
    /// (tensor(1.),)
    fn register_prehook(&self, hook: Py<PyAny>) -> RemovableHandle {
        handle(self.0.clone(), self.0.add_hook(When::Before, Arc::new(NodeHook { call: hook, after: false })))
    }
    fn _sequence_nr(&self) -> u64 {
        self.0.seq
    }
    fn __repr__(&self) -> String {
        format!("<{}>", self.name())
    }
    fn __hash__(&self) -> usize {
        self.0.id()
    }
    fn __eq__(&self, other: &Node) -> bool {
        self.0 == other.0
    }
}
