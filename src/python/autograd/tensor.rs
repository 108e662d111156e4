//! What a tensor knows of its history and its gradient.
use super::{super::tensor::Tensor, node::Node, rule::detaching};
use crate::{
    error::Error,
    graph::GradCell,
    trace::{Kind, Value},
    variable::Variable,
};
use pyo3::prelude::*;
use std::sync::Arc;

/// Whether the innermost tape follows a value.
fn requires_grad(value: &Value) -> bool {
    match value {
        Value::Array(_) => false,
        Value::Taped(_) => true,
        Value::Traced(t) => match &t.kind {
            Kind::Taped { .. } => true,
            kind => requires_grad(kind.inner()),
        },
    }
}

#[pymethods]
impl Tensor {
    /// Whether operations on this tensor are recorded for its gradient.
    ///
    /// May be set on leaves of float dtypes; raises RuntimeError for others.
    ///
    /// >>> rg.ones(2).requires_grad, rg.ones(2, requires_grad=True).exp().requires_grad
    /// (False, True)
    #[getter(requires_grad)]
    fn get_requires_grad(&self) -> PyResult<bool> {
        Ok(requires_grad(&self.value()?))
    }
    #[setter(requires_grad)]
    fn set_requires_grad(&self, on: bool) -> PyResult<()> {
        Ok(self.variable()?.set_requires_grad(on)?)
    }
    /// Begin (or stop) recording operations on this tensor; returns it.
    ///
    /// Raises RuntimeError for other dtypes than floats, and for stopping at a tensor that was computed.
    ///
    /// >>> rg.ones(2).requires_grad_()
    /// tensor([1., 1.], requires_grad=True)
    #[pyo3(signature = (requires_grad=true))]
    fn requires_grad_(slf: Bound<'_, Self>, requires_grad: bool) -> PyResult<Bound<'_, Self>> {
        slf.get().variable()?.set_requires_grad(requires_grad)?;
        Ok(slf)
    }
    /// True for tensors that were not computed from others that require a gradient.
    ///
    /// >>> x = rg.ones(2, requires_grad=True)
    /// >>> x.is_leaf, (x + 1).is_leaf
    /// (True, False)
    #[getter]
    fn is_leaf(&self) -> PyResult<bool> {
        Ok(self.variable()?.edge()?.is_none_or(|e| e.node.is_leaf()))
    }
    /// The recorded op that made this tensor, or None for a leaf.
    ///
    /// >>> x = rg.ones(2, requires_grad=True)
    /// >>> x.grad_fn, x.exp().grad_fn
    /// (None, <ExpBackward0>)
    #[getter]
    fn grad_fn(&self) -> PyResult<Option<Node>> {
        let value = self.value()?;
        let edge = match &value {
            Value::Taped(t) => Some(t.edge.clone()),
            Value::Traced(t) => match &t.kind {
                Kind::Taped { edge, .. } => Some(edge.clone()),
                _ => None,
            },
            Value::Array(_) => None,
        };
        Ok(edge.filter(|e| !e.node.is_leaf()).map(|e| Node(e.node)))
    }
    /// Which output of its op this tensor is.
    ///
    /// >>> rg.ones(2, requires_grad=True).exp().output_nr
    /// 0
    #[getter]
    fn output_nr(&self) -> PyResult<u32> {
        Ok(self.variable()?.edge()?.map_or(0, |e| e.slot))
    }
    /// The accumulated gradient, of the tensor's own shape and dtype, or None; may be set.
    ///
    /// >>> x = rg.tensor([1.0, 2.0], requires_grad=True)
    /// >>> (x * x).sum().backward()
    /// >>> x.grad
    /// tensor([2., 4.])
    #[getter(grad)]
    fn get_grad(&self, py: Python<'_>) -> PyResult<Option<Py<Tensor>>> {
        let Some(cell) = self.variable()?.cell().cloned() else { return Ok(None) };
        let Some(value) = cell.get() else { return Ok(None) };
        // The same object as last time while it shows the same gradient, so that `x.grad is x.grad`.
        let companion = cell.companion.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(tensor) = companion.as_ref().and_then(|c| c.downcast_ref::<Py<Tensor>>()) {
            if same(&tensor.get().value()?, &value) {
                return Ok(Some(tensor.clone_ref(py)));
            }
        }
        let tensor = Py::new(py, Tensor::new(value))?;
        remember(&cell, tensor.clone_ref(py));
        Ok(Some(tensor))
    }
    #[setter(grad)]
    fn set_grad(&self, py: Python<'_>, gradient: Option<Py<Tensor>>) -> PyResult<()> {
        let mut variable = self.variable()?;
        let value = variable.value()?;
        let new = gradient.as_ref().map(|g| g.get().value()).transpose()?;
        if let Some(g) = &new {
            if g.shape() != value.shape() || g.dtype() != value.dtype() {
                return Err(Error::shape(
                    "grad",
                    format!(
                        "cannot set a {} tensor of shape {} as the gradient of a {} tensor of shape {}; both must be equal",
                        g.dtype(),
                        crate::shape::show(g.shape()),
                        value.dtype(),
                        crate::shape::show(value.shape())
                    ),
                )
                .into());
            }
        }
        let cell = match variable.cell() {
            Some(cell) => cell.clone(),
            None if new.is_none() => return Ok(()),
            None => variable.make_cell(),
        };
        drop(variable);
        cell.set(new);
        if let Some(g) = gradient {
            remember(&cell, g.clone_ref(py));
        }
        Ok(())
    }
    #[deleter(grad)]
    fn delete_grad(&self) -> PyResult<()> {
        if let Some(cell) = self.variable()?.cell() {
            cell.set(None);
        }
        Ok(())
    }
    /// Show another tensor's value and history from now on: what an in-place function does to its input.
    fn _rebind(&self, other: &Tensor) -> PyResult<()> {
        let value = other.value()?;
        Ok(self.variable()?.written("mark_dirty", value)?)
    }
    /// Keep the gradient of a tensor that is not a leaf in `.grad`; raises RuntimeError for one that requires none.
    ///
    /// Every sweep that passes the tensor adds to it, `autograd.grad` as well, but not those of forward mode over reverse
    /// mode or of lanes, which have no plain numbers to keep. Writing in place keeps the request.
    ///
    /// >>> y = rg.tensor(2.0, requires_grad=True) * 3
    /// >>> y.retain_grad()
    /// >>> (y * y).backward()
    /// >>> y.grad
    /// tensor(12.)
    fn retain_grad(&self) -> PyResult<()> {
        Ok(self.variable()?.retain_grad()?)
    }
    /// Whether a computed tensor keeps its gradient.
    ///
    /// >>> (rg.tensor(2.0, requires_grad=True) * 3).retains_grad
    /// False
    #[getter]
    fn retains_grad(&self) -> PyResult<bool> {
        let mut variable = self.variable()?;
        let computed = variable.edge()?.is_some_and(|e| !e.node.is_leaf());
        Ok(computed && variable.cell().is_some())
    }
    /// The same numbers without history, on the same memory.
    ///
    /// >>> rg.ones(2, requires_grad=True).exp().detach().requires_grad
    /// False
    fn detach(&self) -> PyResult<Tensor> {
        let value = self.value()?;
        detaching(&value);
        Ok(Tensor::from_variable(Variable::detached(&value)))
    }
    /// Whether both lie, at least in part, on the same memory.
    fn _shares_storage(&self, other: &Tensor) -> PyResult<bool> {
        Ok(self.value()?.storage().shares_storage(other.value()?.storage()))
    }
    /// Forget the history in place; raises RuntimeError for a view.
    ///
    /// >>> (rg.ones(2, requires_grad=True) * 2).detach_()
    /// tensor([2., 2.])
    fn detach_(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().variable()?.detach_in_place()?;
        Ok(slf)
    }
    /// The same numbers without history, on the same memory; assigning another tensor replaces the contents.
    ///
    /// >>> x = rg.ones(2, requires_grad=True)
    /// >>> x.data = rg.zeros(2)
    /// >>> x
    /// tensor([0., 0.], requires_grad=True)
    #[getter(data)]
    fn get_data(&self) -> PyResult<Tensor> {
        self.detach()
    }
    #[setter(data)]
    fn set_data(&self, new: &Tensor) -> PyResult<()> {
        let new = new.value()?.detached();
        let mut variable = self.variable()?;
        let follows = variable.edge()?.is_some_and(|e| e.node.is_leaf());
        let value = match (variable.edge()?, follows) {
            (Some(edge), true) => new.taped(None, edge),
            _ => new,
        };
        variable.rebind(value);
        Ok(())
    }
}
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a == b,
        (Value::Taped(a), Value::Taped(b)) => a.array == b.array && a.edge == b.edge,
        (Value::Traced(a), Value::Traced(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}
fn remember(cell: &GradCell, tensor: Py<Tensor>) {
    *cell.companion.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(tensor));
}
