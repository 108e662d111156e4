//! `autograd.grad` by tensors that `func.grad` or `func.vjp` follows: a sweep of that transform's own tape.
use super::{super::tensor::Tensor, backward::Target};
use crate::{
    error::Error,
    graph::{
        sweep::{seed, sweep, Options},
        Edge,
    },
    shape::show,
    trace::{reach, Kind, LevelRef, SilentTape, Value},
};
use pyo3::prelude::*;

/// The level whose tape follows the inputs, if it is not the bottom one.
pub(super) fn level_of(inputs: &[Target]) -> PyResult<Option<LevelRef>> {
    for input in inputs {
        let Target::Tensor(input) = input else { continue };
        match input.get().value()? {
            Value::Traced(t) if matches!(t.kind, Kind::Taped { .. }) => return Ok(Some(t.level.clone())),
            _ => {}
        }
    }
    Ok(None)
}
/// The value of a tensor of this level, and its place on the level's tape.
fn place(target: &Target, level: &LevelRef, what: &str) -> PyResult<(Value, Edge)> {
    let tensor: &Bound<'_, Tensor> = match target {
        Target::Tensor(tensor) => tensor,
        Target::Edge(_) => {
            let why = format!("{what} is an edge, but the inputs belong to {}; give the tensor itself", level.name());
            return Err(Error::graph("grad", why).into());
        }
    };
    let value = tensor.get().value()?;
    reach::settled("grad", &value, level)?;
    match value.edge_at(Some(level)).cloned() {
        Some(edge) => Ok((value, edge)),
        None => {
            let why = format!(
                "{what}, of shape {}, does not belong to the {} that follows the inputs; take the gradient by the \
                 arguments of one transform at a time",
                show(value.shape()),
                level.name()
            );
            Err(Error::graph("grad", why).into())
        }
    }
}
/// Cotangents of the inputs from those of the outputs; with `create_graph` the level follows them, too.
pub(super) fn pulled(
    py: Python<'_>,
    level: &LevelRef,
    outputs: &[Target],
    cotangents: &[Option<Value>],
    inputs: &[Target],
    retain_graph: bool,
    create_graph: bool,
) -> PyResult<Vec<Option<Value>>> {
    level.check("grad")?;
    let mut roots = Vec::with_capacity(outputs.len());
    for (i, (output, g)) in outputs.iter().zip(cotangents).enumerate() {
        let (value, edge) = place(output, level, &format!("output {i}"))?;
        let g = seed("grad", &value.aval(), g.as_ref())?;
        let g = match g.at(level) {
            Some(Kind::Taped { value, .. }) if !create_graph => value.clone(),
            _ => g,
        };
        roots.push((edge, g));
    }
    let mut places = Vec::with_capacity(inputs.len());
    for (i, input) in inputs.iter().enumerate() {
        places.push(place(input, level, &format!("input {i}"))?.1);
    }
    let options = Options {
        retain_graph,
        create_graph,
        level: Some(level),
        capture: Some(&places),
        accumulate: false,
        every_leaf: false,
    };
    // What is recorded does not depend on `no_grad` around the call, as elsewhere.
    let _recording = create_graph.then(|| SilentTape::during_sweep(true));
    Ok(py.detach(|| sweep(roots, &options))?)
}
