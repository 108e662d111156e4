//! Reverse mode in Python: requires_grad, backward, grad, hooks, and the modes that switch recording.
use super::{error::foreign, tensor::Tensor};
use crate::{
    error::{Error, Result},
    graph::{
        pullback::{self, Roots},
        sweep::{self, seed, sweep, Options},
        Edge, GradCell, Hook, NodeRef, When,
    },
    trace::{self, Kind, Value},
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyList, PyTuple},
};
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
            let t = out.cast::<Tensor>().map_err(|_| {
                PyTypeError::new_err(format!("hook: a tensor hook returns a tensor or None, not a {}", out.get_type()))
            })?;
            let new = t.get().value()?;
            if new.shape() != g.shape() {
                return Err(Error::shape(
                    "hook",
                    format!(
                        "returned a gradient of shape {} for one of shape {}",
                        crate::shape::show(new.shape()),
                        crate::shape::show(g.shape())
                    ),
                )
                .into());
            }
            Ok(Some(vec![Some(new)]))
        })
        .map_err(foreign)
    }
}
/// A Python callable on all cotangents of a node: `hook(grad_outputs)` before, `hook(grad_inputs, grad_outputs)` after.
struct NodeHook {
    call: Py<PyAny>,
    after: bool,
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
            let items: Vec<Option<PyRef<'_, Tensor>>> = out.extract()?;
            items
                .into_iter()
                .map(|t| t.map(|t| t.value()).transpose().map_err(PyErr::from))
                .collect::<PyResult<Vec<_>>>()
                .map(Some)
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
struct RemovableHandle {
    remove: Box<dyn Fn() + Send + Sync>,
}
#[pymethods]
impl RemovableHandle {
    /// Take the hook off.
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
fn handle(node: NodeRef, id: u64) -> RemovableHandle {
    RemovableHandle { remove: Box::new(move || node.remove_hook(id)) }
}

/// A recorded op, as `tensor.grad_fn` shows it.
#[pyclass(frozen, module = "rustgrad.autograd", weakref)]
pub struct Node(NodeRef);
#[pymethods]
impl Node {
    /// name()
    /// --
    ///
    /// The name of the recorded op, as PyTorch writes it.
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
    #[getter]
    fn next_functions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let items = self.0.parents().map(|p| match p {
            Some((node, slot)) => Ok((Some(Py::new(py, Node(node.clone()))?), slot)),
            None => Ok((None, 0)),
        });
        PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)
    }
    /// Call `hook(grad_inputs, grad_outputs)` after the node ran.
    fn register_hook(&self, hook: Py<PyAny>) -> RemovableHandle {
        handle(self.0.clone(), self.0.add_hook(When::After, Arc::new(NodeHook { call: hook, after: true })))
    }
    /// Call `hook(grad_outputs)` before the node runs.
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

/// The edge of a value on the innermost tape that follows it.
fn requires_grad(value: &Value) -> bool {
    match value {
        Value::Array(_) => false,
        Value::Taped(_) => true,
        Value::Traced(t) => match &t.kind {
            Kind::Taped { .. } => true,
            Kind::Dual { primal: inner, .. } | Kind::Batch(inner) => requires_grad(inner),
        },
    }
}

#[pymethods]
impl Tensor {
    /// Whether operations on this tensor are recorded for its gradient.
    #[getter(requires_grad)]
    fn get_requires_grad(&self) -> PyResult<bool> {
        Ok(requires_grad(&self.value()?))
    }
    #[setter(requires_grad)]
    fn set_requires_grad(&self, on: bool) -> PyResult<()> {
        Ok(self.variable()?.set_requires_grad(on)?)
    }
    /// requires_grad_(requires_grad=True)
    /// --
    ///
    /// Begin (or stop) recording operations on this tensor; returns it.
    #[pyo3(signature = (requires_grad=true))]
    fn requires_grad_(slf: Bound<'_, Self>, requires_grad: bool) -> PyResult<Bound<'_, Self>> {
        slf.get().variable()?.set_requires_grad(requires_grad)?;
        Ok(slf)
    }
    /// True for tensors that were not computed from others that require a gradient.
    #[getter]
    fn is_leaf(&self) -> PyResult<bool> {
        Ok(self.variable()?.edge()?.is_none_or(|e| e.node.is_leaf()))
    }
    /// The recorded op that made this tensor, or None for a leaf.
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
    #[getter]
    fn output_nr(&self) -> PyResult<u32> {
        Ok(self.variable()?.edge()?.map_or(0, |e| e.slot))
    }
    /// The accumulated gradient, or None.
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
                        "cannot set {:?} as the gradient of {:?}; shape and dtype must be equal",
                        g.aval(),
                        value.aval()
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
    /// retain_grad()
    /// --
    ///
    /// Keep the gradient of a tensor that is not a leaf in `.grad`.
    fn retain_grad(&self) -> PyResult<()> {
        Ok(self.variable()?.retain_grad()?)
    }
    /// Whether a computed tensor keeps its gradient.
    #[getter]
    fn retains_grad(&self) -> PyResult<bool> {
        let mut variable = self.variable()?;
        let computed = variable.edge()?.is_some_and(|e| !e.node.is_leaf());
        Ok(computed && variable.cell().is_some())
    }
    /// detach()
    /// --
    ///
    /// The same numbers without history, on the same memory.
    fn detach(&self) -> PyResult<Tensor> {
        Ok(self.value()?.detached().into())
    }
    /// Forget the history in place.
    fn detach_(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().variable()?.detach_in_place()?;
        Ok(slf)
    }
    /// The same numbers without history; assigning replaces the contents.
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
    /// register_hook(hook)
    /// --
    ///
    /// Call `hook(grad)` when the gradient with respect to this tensor is computed; it may return another one.
    fn register_hook(&self, hook: Py<PyAny>) -> PyResult<RemovableHandle> {
        let Some(edge) = self.variable()?.edge()? else {
            return Err(Error::graph("register_hook", "the tensor does not require a gradient").into());
        };
        let id = edge.node.add_hook(When::Tensor(edge.slot), Arc::new(TensorHook(hook)));
        Ok(handle(edge.node, id))
    }
    /// register_post_accumulate_grad_hook(hook)
    /// --
    ///
    /// Call `hook(tensor)` after a gradient was accumulated into this leaf.
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
    /// backward(gradient=None, retain_graph=None, create_graph=False, inputs=None)
    /// --
    ///
    /// Accumulate the gradient of this tensor into the `.grad` of the leaves it was computed from.
    #[pyo3(signature = (gradient=None, retain_graph=None, create_graph=false, inputs=None))]
    fn backward(
        slf: Bound<'_, Self>,
        gradient: Option<Bound<'_, PyAny>>,
        retain_graph: Option<bool>,
        create_graph: bool,
        inputs: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let gradient = gradient.map(|g| tensor_of(&g)).transpose()?;
        run_backward(slf.py(), std::slice::from_ref(&slf), &[gradient], retain_graph, create_graph, inputs)
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
fn tensor_of(obj: &Bound<'_, PyAny>) -> PyResult<Value> {
    match obj.cast::<Tensor>() {
        Ok(t) => Ok(t.get().value()?),
        Err(_) => Ok(Value::Array(super::convert::array_of(obj, None, false)?)),
    }
}
fn zeros_like(value: &Value) -> Result<Value> {
    let shape = crate::shape::Dims::from_slice(value.shape());
    Ok(Value::Array(crate::array::Array::zeros("grad", shape, value.dtype())?))
}
/// One tensor or a sequence of them.
fn tensors<'py>(obj: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, Tensor>>> {
    match obj.cast::<Tensor>() {
        Ok(t) => Ok(vec![t.clone()]),
        Err(_) => obj.try_iter()?.map(|t| Ok(t?.cast_into::<Tensor>()?)).collect(),
    }
}
/// One gradient, a sequence of them, or none.
fn gradients(obj: Option<&Bound<'_, PyAny>>, n: usize, op: &'static str) -> PyResult<Vec<Option<Value>>> {
    let Some(obj) = obj.filter(|o| !o.is_none()) else { return Ok(vec![None; n]) };
    let found: Vec<Option<Value>> = match obj.cast::<Tensor>() {
        Ok(t) => vec![Some(t.get().value()?)],
        Err(_) => obj
            .try_iter()?
            .map(|g| g.and_then(|g| if g.is_none() { Ok(None) } else { tensor_of(&g).map(Some) }))
            .collect::<PyResult<_>>()?,
    };
    if found.len() != n {
        return Err(Error::value(op, format!("got {} gradients for {n} outputs", found.len())).into());
    }
    Ok(found)
}
/// Outputs that a backward may start from, with their cotangents.
fn roots(
    op: &'static str,
    outputs: &[Bound<'_, Tensor>],
    gradients: &[Option<Value>],
    create_graph: bool,
) -> PyResult<Roots> {
    let mut roots = Roots::with_capacity(outputs.len());
    for (output, g) in outputs.iter().zip(gradients) {
        let value = output.get().value()?;
        if pullback::edges(&value).is_empty() {
            let why = match &value {
                Value::Traced(_) => "is followed by a func transform, not by backward; take its gradient with func.grad or func.vjp",
                _ => "does not require a gradient and was not computed from anything that does; set requires_grad=True on an input",
            };
            return Err(
                Error::graph(op, format!("the output of shape {} {why}", crate::shape::show(value.shape()))).into()
            );
        }
        let g = seed(op, &value, g.as_ref())?;
        roots.push((value, if create_graph { g } else { pullback::untaped(&g) }));
    }
    Ok(roots)
}
fn run_backward(
    py: Python<'_>,
    outputs: &[Bound<'_, Tensor>],
    gradients: &[Option<Value>],
    retain_graph: Option<bool>,
    create_graph: bool,
    inputs: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let roots = roots("backward", outputs, gradients, create_graph)?;
    let retain_graph = retain_graph.unwrap_or(create_graph);
    let plain: Option<Vec<(Edge, Value)>> =
        roots.iter().map(|(y, g)| Some((y.edge()?.clone(), g.plain().map(|_| g.clone())?))).collect();
    let cells: Vec<Arc<GradCell>>;
    let places: Vec<Edge>;
    match (inputs.filter(|i| !i.is_none()), plain) {
        (None, Some(roots)) => {
            let options = Options { retain_graph, create_graph, level: None, capture: None, accumulate: true };
            py.detach(|| sweep(roots, &options))?;
            return Ok(());
        }
        (None, None) => {
            // Dual outputs give dual gradients: look up the leaves, and ask for theirs.
            let leaves = pullback::leaves(roots.iter().map(|(y, _)| y));
            cells = leaves.iter().flat_map(|leaf| leaf.cells()).map(|(_, cell)| cell).collect();
            places = leaves.into_iter().map(|node| Edge { node, slot: 0 }).collect();
        }
        (Some(inputs), _) => {
            let inputs = tensors(&inputs)?;
            if inputs.is_empty() {
                return Err(Error::value("backward", "inputs= is empty; leave it out to reach all leaves").into());
            }
            places = places_of("backward", &inputs)?;
            cells = inputs.iter().map(|t| Ok(t.get().variable()?.make_cell())).collect::<PyResult<_>>()?;
        }
    }
    let found = py.detach(|| pullback::pullback(roots, &places, retain_graph, create_graph))?;
    for (cell, g) in cells.iter().zip(found) {
        if let Some(g) = g {
            sweep::deposit(cell, g, false)?;
        }
    }
    Ok(())
}
/// The places of inputs in the graph.
fn places_of(op: &'static str, inputs: &[Bound<'_, Tensor>]) -> PyResult<Vec<Edge>> {
    inputs
        .iter()
        .enumerate()
        .map(|(i, t)| {
            pullback::place(&t.get().value()?).ok_or_else(|| {
                let why = "does not require a gradient; call requires_grad_() on it before the computation";
                Error::graph(op, format!("input {i} {why}")).into()
            })
        })
        .collect()
}
/// backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None)
/// --
///
/// Accumulate the gradients of several tensors at once.
#[pyfunction]
#[pyo3(signature = (tensors, grad_tensors=None, retain_graph=None, create_graph=false, inputs=None))]
fn backward(
    py: Python<'_>,
    tensors: &Bound<'_, PyAny>,
    grad_tensors: Option<&Bound<'_, PyAny>>,
    retain_graph: Option<bool>,
    create_graph: bool,
    inputs: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let outputs = self::tensors(tensors)?;
    let gs = gradients(grad_tensors, outputs.len(), "backward")?;
    run_backward(py, &outputs, &gs, retain_graph, create_graph, inputs)
}
/// grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=None, materialize_grads=False)
/// --
///
/// The gradients of the outputs with respect to the inputs, as a tuple; nothing is accumulated.
#[pyfunction]
#[pyo3(signature = (outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=false, allow_unused=None, is_grads_batched=false, materialize_grads=false))]
fn grad<'py>(
    py: Python<'py>,
    outputs: &Bound<'py, PyAny>,
    inputs: &Bound<'py, PyAny>,
    grad_outputs: Option<&Bound<'py, PyAny>>,
    retain_graph: Option<bool>,
    create_graph: bool,
    allow_unused: Option<bool>,
    is_grads_batched: bool,
    materialize_grads: bool,
) -> PyResult<Bound<'py, PyTuple>> {
    if is_grads_batched {
        return Err(Error::value("grad", "is_grads_batched=True is not supported; use func.vmap over func.vjp").into());
    }
    let outputs = tensors(outputs)?;
    let gs = gradients(grad_outputs, outputs.len(), "grad")?;
    let roots = roots("grad", &outputs, &gs, create_graph)?;
    let inputs = tensors(inputs)?;
    if inputs.is_empty() {
        return Err(Error::value("grad", "inputs is empty; name the tensors to differentiate by").into());
    }
    let places = places_of("grad", &inputs)?;
    let retain_graph = retain_graph.unwrap_or(create_graph);
    let found = py.detach(|| pullback::pullback(roots, &places, retain_graph, create_graph))?;
    let results = PyList::empty(py);
    for (i, (input, g)) in inputs.iter().zip(found).enumerate() {
        match g {
            Some(g) => results.append(Tensor::new(g))?,
            None if materialize_grads => results.append(Tensor::new(zeros_like(&input.get().value()?)?))?,
            None if allow_unused == Some(true) => results.append(py.None())?,
            None => {
                return Err(Error::graph(
                    "grad",
                    format!("input {i} was not used to compute the outputs; pass allow_unused=True to get None for it"),
                )
                .into())
            }
        }
    }
    Ok(results.to_tuple())
}
/// Whether operations are being recorded.
#[pyfunction]
fn is_grad_enabled() -> bool {
    trace::grad_enabled()
}
#[pyfunction]
fn _set_grad_enabled(on: bool) -> bool {
    trace::set_grad_enabled(on)
}
/// Whether inference mode is on.
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
    m.add_class::<RemovableHandle>()?;
    m.add_function(wrap_pyfunction!(backward, m)?)?;
    m.add_function(wrap_pyfunction!(grad, m)?)?;
    m.add_function(wrap_pyfunction!(is_grad_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_grad_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(is_inference_mode_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_inference, m)?)
}
