//! Reverse mode: `backward` and `autograd.grad`.
use super::super::{convert, tensor::Tensor};
use crate::{
    error::{Error, Result},
    graph::{
        pullback::{self, Roots},
        sweep::{self, seed, sweep, Options},
        Edge, GradCell,
    },
    trace::Value,
};
use pyo3::{
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
        run_backward(slf.py(), std::slice::from_ref(&slf), &[gradient], retain_graph, create_graph, inputs)
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
    let outputs = self::tensors(tensors)?;
    let gs = gradients(grad_tensors, outputs.len(), "backward")?;
    run_backward(py, &outputs, &gs, retain_graph, create_graph, inputs)
}
/// The gradients of the outputs with respect to the inputs, as a tuple; nothing is accumulated.
///
/// Shapes: those of the inputs; `grad_outputs` has that of each output, None for single numbers. An input that was not
/// used raises RuntimeError, or gives None with `allow_unused`, zeros with `materialize_grads`.
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
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(backward, m)?)?;
    m.add_function(wrap_pyfunction!(grad, m)?)
}
