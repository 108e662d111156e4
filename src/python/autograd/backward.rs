//! Reverse mode: `backward` and `autograd.grad`.
use super::{
    super::{convert, tensor::Tensor},
    inside,
    lanes::{lanes, Pull},
    node::Node,
};
use crate::{
    error::{Error, Result},
    graph::{
        pullback::{self, Roots},
        sweep::{self, seed, sweep, Options},
        Edge, GradCell,
    },
    ops::{expand, sum},
    shape::Axes,
    trace::{Kind, Value},
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyList, PyTuple},
};
use std::sync::Arc;

#[pymethods]
impl Tensor {
    /// Accumulate the gradient of this tensor into the `.grad` of the leaves it was computed from, or of `inputs`.
    ///
    /// Shape: `gradient` has that of the tensor, and may be left out for a single number; raises RuntimeError otherwise.
    /// The graph is released unless `retain_graph`; `create_graph` records the gradients themselves, for higher orders.
    /// Raises RuntimeError for a tensor that requires no gradient, a graph that was released, and a saved tensor that was
    /// changed.
    ///
    /// >>> x = rg.tensor([1.0, 2.0], requires_grad=True)
    /// >>> (x**2).backward(rg.tensor([1.0, 10.0]))
    /// >>> x.grad
    /// tensor([ 2., 40.])
    #[pyo3(signature = (gradient=None, retain_graph=None, create_graph=false, inputs=None))]
    fn backward(
        slf: Bound<'_, Self>,
        gradient: Option<Bound<'_, PyAny>>,
        retain_graph: Option<bool>,
        create_graph: bool,
        inputs: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let gradient = gradient.map(|g| tensor_of(&g)).transpose()?;
        run_backward(slf.py(), &[Target::Tensor(slf.clone())], &[gradient], retain_graph, create_graph, inputs)
    }
}
fn tensor_of(obj: &Bound<'_, PyAny>) -> PyResult<Value> {
    match obj.cast::<Tensor>() {
        Ok(t) => Ok(t.get().value()?),
        Err(_) => Ok(Value::Array(convert::array_of(obj, None, false)?)),
    }
}
fn zeros_like(value: &Value) -> Result<Value> {
    let shape = crate::shape::Dims::from_slice(value.shape());
    Ok(Value::Array(crate::array::Array::zeros("grad", shape, value.dtype())?))
}
/// A tensor, or a place in the graph that stands for one (`autograd.graph.GradientEdge`).
pub(super) enum Target<'py> {
    Tensor(Bound<'py, Tensor>),
    Edge(Edge),
}
impl<'py> Target<'py> {
    fn of(obj: &Bound<'py, PyAny>) -> PyResult<Option<Target<'py>>> {
        if let Ok(t) = obj.cast::<Tensor>() {
            return Ok(Some(Target::Tensor(t.clone())));
        }
        match (obj.getattr("node"), obj.getattr("output_nr")) {
            (Ok(node), Ok(slot)) => {
                let node = node.cast::<Node>()?.get().0.clone();
                Ok(Some(Target::Edge(Edge { node, slot: slot.extract()? })))
            }
            _ => Ok(None),
        }
    }
}
/// One tensor (or edge) or a sequence of them.
fn targets<'py>(op: &'static str, obj: &Bound<'py, PyAny>) -> PyResult<Vec<Target<'py>>> {
    if let Some(target) = Target::of(obj)? {
        return Ok(vec![target]);
    }
    let no_tensor = |x: &Bound<'_, PyAny>| {
        PyTypeError::new_err(format!("{op}: expected tensors or gradient edges, got {}", x.get_type()))
    };
    obj.try_iter()
        .map_err(|_| no_tensor(obj))?
        .map(|t| {
            let t = t?;
            Target::of(&t)?.ok_or_else(|| no_tensor(&t))
        })
        .collect()
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
pub(super) fn roots(
    op: &'static str,
    outputs: &[Target],
    gradients: &[Option<Value>],
    create_graph: bool,
) -> PyResult<Roots> {
    let mut roots = Roots::with_capacity(outputs.len());
    for (output, g) in outputs.iter().zip(gradients) {
        let value = match output {
            Target::Tensor(output) => output.get().value()?,
            Target::Edge(edge) => {
                let Some(g) = g.as_ref().and_then(Value::plain) else {
                    let why = "an output given as an edge has no shape of its own; give its gradient";
                    return Err(Error::graph(op, why).into());
                };
                // A stand-in with the gradient's shape: only its place is used.
                Value::Array(g.clone()).taped(None, edge.clone())
            }
        };
        if pullback::edges(&value).is_empty() {
            let why = match &value {
                Value::Traced(_) => "is followed by a func transform, not by backward; take its gradient with func.grad or func.vjp",
                _ => "does not require a gradient and was not computed from anything that does; set requires_grad=True on an input",
            };
            return Err(
                Error::graph(op, format!("the output of shape {} {why}", crate::shape::show(value.shape()))).into()
            );
        }
        let g = seed(op, &value.aval(), g.as_ref())?;
        roots.push((value, if create_graph { g } else { pullback::untaped(&g) }));
    }
    Ok(roots)
}
fn run_backward(
    py: Python<'_>,
    outputs: &[Target],
    gradients: &[Option<Value>],
    retain_graph: Option<bool>,
    create_graph: bool,
    inputs: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let roots = roots("backward", outputs, gradients, create_graph)?;
    let retain_graph = retain_graph.unwrap_or(create_graph);
    let plain: Option<Vec<(Edge, Value)>> =
        roots.iter().map(|(y, g)| Some((y.edge()?.clone(), g.plain().map(|_| g.clone())?))).collect();
    let in_one_sweep = plain.is_some();
    let cells: Vec<Arc<GradCell>>;
    let places: Vec<Edge>;
    match (inputs.filter(|i| !i.is_none()), plain) {
        (None, Some(roots)) => {
            let options =
                Options { retain_graph, create_graph, level: None, capture: None, accumulate: true, every_leaf: false };
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
            let inputs = targets("backward", &inputs)?;
            if inputs.is_empty() {
                return Err(Error::value("backward", "inputs= is empty; leave it out to reach all leaves").into());
            }
            places = places_of("backward", &inputs)?;
            cells = inputs.iter().map(cell_of).collect::<PyResult<_>>()?;
        }
    }
    let found = py.detach(|| pullback::pullback(roots, &places, retain_graph, create_graph))?;
    for ((cell, place), g) in cells.iter().zip(&places).zip(found) {
        // A computed input that retains its gradient has it from the sweep already.
        let retains = || !place.node.is_leaf() && place.node.cells().iter().any(|(_, c)| Arc::ptr_eq(c, cell));
        if let Some(g) = g.filter(|_| !in_one_sweep || !retains()) {
            sweep::deposit(cell, of_all_lanes(g)?)?;
        }
    }
    Ok(())
}
/// What lanes accumulate in a leaf that they share: the sum of theirs.
fn of_all_lanes(mut g: Value) -> Result<Value> {
    while let Some(level) = g.batch_level().cloned() {
        match g.at(&level) {
            Some(Kind::Batch(stack)) => g = sum::sum(stack, Axes::one(0), false, None)?,
            _ => {
                return Err(Error::graph("backward", "a gradient inside vmap cannot be accumulated; use autograd.grad"))
            }
        }
    }
    Ok(g)
}
/// Where the gradient of an input is accumulated.
fn cell_of(input: &Target) -> PyResult<Arc<GradCell>> {
    match input {
        Target::Tensor(t) => Ok(t.get().variable()?.make_cell()),
        Target::Edge(edge) => edge.node.cells().into_iter().next().map(|(_, cell)| cell).ok_or_else(|| {
            Error::graph("backward", "an input given as an edge must be a leaf; use autograd.grad for others").into()
        }),
    }
}
/// The places of inputs in the graph.
fn places_of(op: &'static str, inputs: &[Target]) -> PyResult<Vec<Edge>> {
    inputs
        .iter()
        .enumerate()
        .map(|(i, t)| {
            let t = match t {
                Target::Tensor(t) => t,
                Target::Edge(edge) => return Ok(edge.clone()),
            };
            let value = t.get().value()?;
            pullback::place(&value).ok_or_else(|| {
                let why = match value {
                    Value::Traced(_) => {
                        "is followed by a func transform, not by autograd; use func.grad or func.vjp there"
                    }
                    _ => "does not require a gradient; call requires_grad_() on it before the computation",
                };
                Error::graph(op, format!("input {i} {why}")).into()
            })
        })
        .collect()
}
/// Accumulate the gradients of several tensors at once, as `Tensor.backward`.
///
/// Shapes: `grad_tensors` has one gradient per tensor, None for single numbers; raises ValueError for another count.
///
/// Derivative: recorded with `create_graph`.
///
/// >>> x = rg.tensor(2.0, requires_grad=True)
/// >>> rg.autograd.backward([x * x, 3 * x])
/// >>> x.grad
/// tensor(7.)
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
    let outputs = targets("backward", tensors)?;
    let gs = gradients(grad_tensors, outputs.len(), "backward")?;
    run_backward(py, &outputs, &gs, retain_graph, create_graph, inputs)
}
/// The gradients of the outputs with respect to the inputs, as a tuple; nothing is accumulated.
///
/// Shapes: those of the inputs; `grad_outputs` has that of each output, None for single numbers. An input that was not
/// used raises RuntimeError, or gives None with `allow_unused`, zeros with `materialize_grads`. Inside of `func.grad` and
/// its like, inputs may be tensors that it follows; the outputs must then belong to the same transform.
///
/// Derivative: recorded with `create_graph`, for higher orders.
///
/// >>> x = rg.tensor(2.0, requires_grad=True)
/// >>> (slope,) = rg.autograd.grad(x**3, x, create_graph=True)
/// >>> slope.item(), rg.autograd.grad(slope, x)
/// (12.0, (tensor(12.),))
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
    let outputs = targets("grad", outputs)?;
    let gs = gradients(grad_outputs, outputs.len(), "grad")?;
    let inputs = targets("grad", inputs)?;
    if inputs.is_empty() {
        return Err(Error::value("grad", "inputs is empty; name the tensors to differentiate by").into());
    }
    let retain_graph = retain_graph.unwrap_or(create_graph);
    let found = match inside::level_of(&inputs)? {
        Some(level) if is_grads_batched => {
            let why =
                format!("is_grads_batched is not known inside of {}; use func.vmap over grad_outputs", level.name());
            return Err(Error::graph("grad", why).into());
        }
        Some(level) => inside::pulled(py, &level, &outputs, &gs, &inputs, retain_graph, create_graph)?,
        None => {
            let places = places_of("grad", &inputs)?;
            let pull = Pull { outputs: &outputs, places: &places, retain_graph, create_graph };
            if is_grads_batched { pull.over_lanes(py, &gs) } else { pull.plain(py, &gs) }?
        }
    };
    let results = PyList::empty(py);
    for (i, (input, g)) in inputs.iter().zip(found).enumerate() {
        let g = match (g, input) {
            (None, Target::Tensor(input)) if materialize_grads => {
                let zeros = zeros_like(&input.get().value()?)?;
                Some(if is_grads_batched { expand::leading(&zeros, lanes(&gs)?)? } else { zeros })
            }
            (g, _) => g,
        };
        match g {
            Some(g) => results.append(Tensor::new(g))?,
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
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(backward, m)?)?;
    m.add_function(wrap_pyfunction!(grad, m)?)
}
