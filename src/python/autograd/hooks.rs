//! Python callables as hooks, and the handles that take them off again.
use super::super::{error::foreign, tensor::Tensor};
use crate::{
    error::{Error, Reason, Result},
    graph::{Edge, Hook, NodeRef, When},
    trace::{Kind, Value},
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyTuple};
use std::{any::Any, sync::Arc};

/// A Python callable as a hook on one cotangent.
struct TensorHook(Py<PyAny>);
impl Hook for TensorHook {
    fn callee(&self) -> &dyn Any {
        &self.0
    }
    fn call(&self, shown: &[Option<Value>], _: &[Option<Value>]) -> Result<Option<Vec<Option<Value>>>> {
        let Some(Some(g)) = shown.first() else { return Ok(None) };
        Python::attach(|py| {
            let out = self.0.bind(py).call1((Tensor::new(g.clone()),))?;
            if out.is_none() {
                return Ok(None);
            }
            Ok(Some(vec![Some(replacement(&out, g)?)]))
        })
        .map_err(foreign)
    }
}
/// What a hook gave in place of a gradient: a tensor of its shape and dtype.
fn replacement(given: &Bound<'_, PyAny>, g: &Value) -> PyResult<Value> {
    let tensor = given.cast::<Tensor>().map_err(|_| {
        PyTypeError::new_err(format!("hook: a tensor hook returns a tensor or None, not a {}", given.get_type()))
    })?;
    let new = tensor.get().value()?;
    if new.shape() != g.shape() {
        let (new, old) = (crate::shape::show(new.shape()), crate::shape::show(g.shape()));
        return Err(Error::shape("hook", format!("returned a gradient of shape {new} for one of shape {old}")).into());
    }
    if new.dtype() != g.dtype() {
        let text = format!("returned a {} gradient for a {} one; convert it with .to(dtype)", new.dtype(), g.dtype());
        return Err(Error::dtype("hook", text).into());
    }
    Ok(new)
}
/// A Python callable on all cotangents of a node: `hook(grad_outputs)` before, `hook(grad_inputs, grad_outputs)` after.
pub struct NodeHook {
    pub call: Py<PyAny>,
    pub after: bool,
}
impl Hook for NodeHook {
    fn callee(&self) -> &dyn Any {
        &self.call
    }
    fn call(&self, shown: &[Option<Value>], also: &[Option<Value>]) -> Result<Option<Vec<Option<Value>>>> {
        Python::attach(|py| {
            let tuple = |vs: &[Option<Value>]| {
                PyTuple::new(py, vs.iter().map(|v| v.clone().map(Tensor::new)).collect::<Vec<_>>())
            };
            let out = match self.after {
                false => self.call.bind(py).call1((tuple(shown)?,))?,
                true => self.call.bind(py).call1((tuple(shown)?, tuple(also)?))?,
            };
            if out.is_none() {
                return Ok(None);
            }
            let Ok(items) = out.cast::<PyTuple>() else {
                return Err(PyTypeError::new_err(format!(
                    "hook: a node hook returns a tuple of gradients or None, not a {}",
                    out.get_type().name()?
                )));
            };
            if items.len() != shown.len() {
                let (n, m) = (items.len(), shown.len());
                return Err(Error::graph("hook", format!("returned {n} gradients for {m}; return all of them")).into());
            }
            let each = items.iter().zip(shown).map(|(item, g)| match (item.is_none(), g) {
                (true, _) => Ok(None),
                (_, Some(g)) => replacement(&item, g).map(Some),
                (_, None) => Ok(Some(item.cast::<Tensor>().map_err(PyErr::from)?.get().value()?)),
            });
            each.collect::<PyResult<Vec<_>>>().map(Some)
        })
        .map_err(foreign)
    }
}
/// Called with a tensor after its gradient was accumulated.
struct AfterAccumulate(Py<PyAny>);
impl Hook for AfterAccumulate {
    fn callee(&self) -> &dyn Any {
        &self.0
    }
    fn call(&self, _: &[Option<Value>], _: &[Option<Value>]) -> Result<Option<Vec<Option<Value>>>> {
        Python::attach(|py| {
            let (function, weak): (Bound<'_, PyAny>, Bound<'_, PyAny>) = self.0.bind(py).extract()?;
            let tensor = weak.call0()?;
            if !tensor.is_none() {
                function.call1((tensor,))?;
            }
            Ok(None)
        })
        .map_err(|e: PyErr| foreign(e))
    }
}

/// Hooks may refer to their tensor: the garbage collector has to see such circles.
#[pymethods]
impl Tensor {
    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> std::result::Result<(), pyo3::PyTraverseError> {
        self.own_hooks(|hook| match hook.callee().downcast_ref::<Py<PyAny>>() {
            Some(callee) => visit.call(callee),
            None => Ok(()),
        })
    }
    fn __clear__(&self) {
        if let Some(node) = self.node() {
            node.clear_hooks();
        }
    }
}

/// Removes the hook it was returned for.
#[pyclass(frozen, module = "rustgrad.autograd")]
pub struct RemovableHandle {
    remove: Box<dyn Fn() + Send + Sync>,
}
#[pymethods]
impl RemovableHandle {
    /// Take the hook off.
    ///
    /// >>> x = rg.tensor(1.0, requires_grad=True)
    /// >>> x.register_hook(print).remove()
    fn remove(&self) {
        (self.remove)();
    }
    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }
    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyTuple>) {
        self.remove();
    }
}
/// Where the cotangent of a value arrives: on the innermost tape that follows it, or its primal.
fn followed(value: &Value) -> Option<Edge> {
    match value {
        Value::Array(_) => None,
        Value::Taped(t) => Some(t.edge.clone()),
        Value::Traced(t) => match &t.kind {
            Kind::Taped { edge, .. } => Some(edge.clone()),
            Kind::Batch(_) => None,
            kind => followed(kind.inner()),
        },
    }
}
pub fn handle(node: NodeRef, id: u64) -> RemovableHandle {
    RemovableHandle { remove: Box::new(move || node.remove_hook(id)) }
}

#[pymethods]
impl Tensor {
    /// Call `hook(grad)` when the gradient with respect to this tensor is computed; it may return another one.
    ///
    /// Returns a handle with `remove()`. Raises RuntimeError for a tensor that requires no gradient; a gradient of
    /// another shape raises ValueError during the sweep.
    /// Overwriting a gradient that other tensors get as well raises RuntimeError in the sweep.
    ///
    /// >>> x = rg.tensor(2.0, requires_grad=True)
    /// >>> with x.register_hook(lambda grad: 10 * grad):
    /// ...     (3 * x).backward()
    /// >>> x.grad
    /// tensor(30.)
    fn register_hook(&self, hook: Py<PyAny>) -> PyResult<RemovableHandle> {
        let value = self.value()?;
        let Some(edge) = followed(&value) else {
            let why = match value.batch_level() {
                Some(_) => "the tensor stands for many inside vmap and has no gradient of its own; hook it outside",
                None => "the tensor does not require a gradient",
            };
            return Err(Error::refused("register_hook", Reason::Hook, why).into());
        };
        let id = edge.node.add_hook(When::Tensor(edge.slot), Arc::new(TensorHook(hook)));
        Ok(handle(edge.node, id))
    }
    /// Call `hook(tensor)` after a gradient was accumulated into this leaf.
    ///
    /// Returns a handle with `remove()`. Raises RuntimeError for a tensor that is no leaf or requires no gradient.
    ///
    /// >>> x = rg.tensor(2.0, requires_grad=True)
    /// >>> handle = x.register_post_accumulate_grad_hook(lambda x: print(x.grad))
    /// >>> (3 * x).backward()
    /// tensor(3.)
    fn register_post_accumulate_grad_hook(slf: Bound<'_, Self>, hook: Py<PyAny>) -> PyResult<RemovableHandle> {
        let py = slf.py();
        let mut variable = slf.get().variable()?;
        let leaf = variable.edge()?.is_some_and(|e| e.node.is_leaf());
        let Some(cell) = variable.cell().filter(|_| leaf).cloned() else {
            return Err(Error::graph(
                "register_post_accumulate_grad_hook",
                "only a leaf that requires a gradient accumulates one",
            )
            .into());
        };
        drop(variable);
        let weak = py.import("weakref")?.call_method1("ref", (&slf,))?;
        let pair = PyTuple::new(py, [hook.into_bound(py), weak])?;
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let id = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        cell.post_hooks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push((id, Arc::new(AfterAccumulate(pair.into_any().unbind()))));
        Ok(RemovableHandle {
            remove: Box::new(move || {
                cell.post_hooks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).retain(|(i, _)| *i != id);
            }),
        })
    }
}
