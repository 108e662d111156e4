//! `is_grads_batched`: the cotangents of many lanes pulled back at once, or one by one where a rule asks for numbers.
use super::{
    super::error::DataDependentError,
    backward::{roots, Target},
};
use crate::{
    error::Error,
    graph::{pullback, Edge},
    ops::{expand, join, reshape::reshape, views},
    shape::Dims,
    trace::{Kind, Lanes, Level, Randomness, Value},
};
use pyo3::prelude::*;
use std::collections::HashSet;

/// Where a pullback goes from and to, and what becomes of the graph.
pub(super) struct Pull<'a, 'py> {
    pub outputs: &'a [Target<'py>],
    pub places: &'a [Edge],
    pub retain_graph: bool,
    pub create_graph: bool,
}
type Found = Vec<Option<Value>>;
impl Pull<'_, '_> {
    fn of(&self, py: Python<'_>, gs: &[Option<Value>], retain_graph: bool) -> PyResult<Found> {
        let (places, create_graph) = (self.places, self.create_graph);
        let roots = roots("grad", self.outputs, gs, create_graph)?;
        Ok(py.detach(|| pullback::pullback(roots, places, retain_graph, create_graph))?)
    }
    /// Cotangents of the places from those of the outputs.
    pub fn plain(&self, py: Python<'_>, gs: &[Option<Value>]) -> PyResult<Found> {
        self.of(py, gs, self.retain_graph)
    }
    /// The same for all slices along the first axis of each cotangent.
    pub fn over_lanes(&self, py: Python<'_>, gs: &[Option<Value>]) -> PyResult<Found> {
        let n = lanes(gs)?;
        let level =
            Level::with_lanes("autograd.grad", Some(Lanes { count: n, randomness: Randomness::Same, strict: false }));
        let batched = |g: &Value| Value::traced(level.info(), Kind::Batch(g.clone()));
        let together: Vec<_> = gs.iter().map(|g| g.as_ref().map(batched)).collect();
        // The graph is kept until it is clear that it is not needed again.
        let found = self.of(py, &together, true);
        let caught = found.is_ok() && level.info().refused(); // by a rule or hook, which goes on from something else
        let found = match caught {
            true => Err(Error::DataDependent { op: "grad", level: level.info().id() }.into()),
            false => found,
        };
        match found {
            Ok(found) => {
                if !self.retain_graph {
                    pullback::release(&roots("grad", self.outputs, &together, false)?, self.places);
                }
                let stack = |g: Value| match g.at(level.info()) {
                    Some(Kind::Batch(stack)) => Ok(stack.clone()),
                    _ => expand::leading(&g, n),
                };
                Ok(found.into_iter().map(|g| g.map(stack).transpose()).collect::<Result<_, Error>>()?)
            }
            Err(refused) if n > 0 && asks_for_numbers(py, &refused, level.info().id()) => {
                let why = format!(
                    "autograd.grad: a rule asks for the numbers of gradients that is_grads_batched=True stacks, and \
                     runs lane by lane, which is slow ({})",
                    refused.value(py)
                );
                py.import("rustgrad._warning")?.call_method1("warn", (why,))?;
                drop(level);
                self.one_by_one(py, gs, n)
            }
            Err(error) => Err(error),
        }
    }
    fn one_by_one(&self, py: Python<'_>, gs: &[Option<Value>], n: usize) -> PyResult<Found> {
        let mut columns: Vec<Found> = vec![Vec::with_capacity(n); self.places.len()];
        for lane in 0..n {
            let slice = |g: &Value| reshape(&views::narrow(g, 0, lane, 1)?, &Dims::from_slice(&g.shape()[1..]));
            let own = gs.iter().map(|g| g.as_ref().map(slice).transpose()).collect::<Result<Vec<_>, Error>>()?;
            let found = self.of(py, &own, self.retain_graph || lane + 1 < n)?;
            columns.iter_mut().zip(found).for_each(|(column, g)| column.push(g));
        }
        Ok(columns.into_iter().map(stacked).collect::<Result<_, Error>>()?)
    }
}
/// The gradients of all lanes in one; a lane without one has zeros, unless none has one.
fn stacked(column: Found) -> Result<Option<Value>, Error> {
    let Some(zeros) = column.iter().flatten().next().map(|g| g.full_like(0.0)).transpose()? else { return Ok(None) };
    let filled: Vec<Value> = column.into_iter().map(|g| g.unwrap_or_else(|| zeros.clone())).collect();
    join::stack(&filled, 0).map(Some)
}
/// How many slices all the cotangents have.
pub(super) fn lanes(gs: &[Option<Value>]) -> PyResult<usize> {
    let sizes: HashSet<Option<usize>> = gs.iter().map(|g| g.as_ref()?.shape().first().copied()).collect();
    match sizes.into_iter().collect::<Vec<_>>()[..] {
        [Some(n)] => Ok(n),
        _ => {
            let why = "is_grads_batched=True needs grad_outputs for all outputs, with one first dimension";
            Err(Error::value("grad", why).into())
        }
    }
}
/// Whether plain numbers were asked of what stands for many at this level.
pub fn asks_for_numbers(py: Python<'_>, error: &PyErr, level: u64) -> bool {
    let asked = || error.value(py).getattr("level")?.extract::<u64>();
    error.is_instance_of::<DataDependentError>(py) && asked().is_ok_and(|id| id == level)
}
