//! Reverse mode on values that carry tangents as well: forward over reverse for plain `backward` and `autograd.grad`.
//!
//! With x = p + εt, the gradient of L at x is ∇L(p) + ε·∇(the tangent of L)(p): both parts are sweeps of the same tape.
use super::{
    node::{Edge, NodeRef},
    sweep::{self, sweep, Options},
};
use crate::{
    error::Result,
    ops::{
        binary::{Binary, Scale},
        create, expand, reshape,
    },
    shape::Dims,
    trace::{Kind, LevelRef, Value},
};
use std::{cell::Cell, collections::HashSet};

thread_local! {
    /// How many pullbacks of this thread sweep primal and tangent apart.
    static APART: Cell<usize> = const { Cell::new(0) };
}
/// Marks such a pullback until it is dropped.
struct Apart;
impl Apart {
    fn enter() -> Apart {
        APART.set(APART.get() + 1);
        Apart
    }
}
impl Drop for Apart {
    fn drop(&mut self) {
        APART.set(APART.get() - 1);
    }
}
/// Whether cotangents arrive in parts, of which only linear maps may be taken.
pub fn in_parts() -> bool {
    APART.get() > 0
}
/// Outputs with their cotangents.
pub type Roots = Vec<(Value, Value)>;

/// The innermost level that has to be taken off before the bottom tape can be swept, and whether it batches: one at which
/// an output or its cotangent is dual, or an output stands for many.
fn innermost(roots: &Roots) -> Option<(LevelRef, bool)> {
    let level = |v: &Value, output: bool| match v {
        Value::Traced(t) if matches!(t.kind, Kind::Dual { .. }) => Some((t.level.clone(), false)),
        Value::Traced(t) if output && matches!(t.kind, Kind::Batch(_)) => Some((t.level.clone(), true)),
        _ => None,
    };
    roots.iter().flat_map(|(y, g)| [level(y, true), level(g, false)]).flatten().max_by_key(|(l, _)| l.id())
}
/// Outputs that stand for many as their stacks: the cotangent of each lane meets its own slice of the stack alone, so
/// that what comes back stands for many as well.
fn stacked(roots: Roots, level: &LevelRef) -> Result<Roots> {
    let one = |(y, g): (Value, Value)| {
        let Some(Kind::Batch(stack)) = y.at(level) else { return Ok((y, g)) };
        let n = stack.shape()[0];
        let gs = match g.at(level) {
            Some(Kind::Batch(gs)) => gs.clone(),
            _ => expand::leading(&g, n)?,
        };
        let rank = gs.rank() + 1;
        let mut shape = Dims::from_elem(1, rank);
        (shape[0], shape[1]) = (n, n);
        let full: Dims = [n].into_iter().chain(gs.shape().iter().copied()).collect();
        let lanes = Value::Array(create::eye(n, n, gs.dtype())?);
        let lanes = expand::to("grad", &reshape::reshape(&lanes, &shape)?, &full)?;
        let mut single = Dims::from_slice(gs.shape());
        single.insert(1, 1);
        let gs = expand::to("grad", &reshape::reshape(&gs, &single)?, &full)?;
        // Strongly zero: another lane's infinity is none of this lane's business.
        Ok((stack.clone(), Value::traced(level, Kind::Batch(Scale::of(&lanes, &gs)?))))
    };
    roots.into_iter().map(one).collect()
}
fn parts(value: &Value, level: &LevelRef) -> (Value, Option<Value>) {
    match value.at(level) {
        Some(Kind::Dual { primal, tangent }) => (primal.clone(), Some(tangent.clone())),
        _ => (value.clone(), None),
    }
}
/// Cotangents at `inputs`, themselves dual where the roots are; `None` where there is no dependence.
pub fn pullback(roots: Roots, inputs: &[Edge], retain_graph: bool, create_graph: bool) -> Result<Vec<Option<Value>>> {
    let level = match innermost(&roots) {
        None => return plain(roots, inputs, retain_graph, create_graph),
        Some((level, true)) => return pullback(stacked(roots, &level)?, inputs, retain_graph, create_graph),
        Some((level, false)) => level,
    };
    let (mut primal, mut tangent) = (Roots::new(), Roots::new());
    for (y, g) in &roots {
        let ((y, dy), (g, dg)) = (parts(y, &level), parts(g, &level));
        tangent.extend(dy.map(|dy| (dy, g.clone())));
        tangent.extend(dg.map(|dg| (y.clone(), dg)));
        primal.push((y, g));
    }
    let _apart = Apart::enter();
    // The second sweep goes through the same graph.
    let primals = pullback(primal, inputs, true, create_graph)?;
    let tangents = pullback(tangent, inputs, retain_graph, create_graph)?;
    primals
        .into_iter()
        .zip(tangents)
        .map(|(primal, tangent)| {
            Ok(match (primal, tangent) {
                (Some(primal), Some(tangent)) => Some(Value::traced(&level, Kind::Dual { primal, tangent })),
                (None, Some(tangent)) => {
                    let primal = tangent.full_like(0.0)?;
                    Some(Value::traced(&level, Kind::Dual { primal, tangent }))
                }
                (primal, None) => primal,
            })
        })
        .collect()
}
fn plain(roots: Roots, inputs: &[Edge], retain_graph: bool, create_graph: bool) -> Result<Vec<Option<Value>>> {
    let roots = roots.into_iter().filter_map(|(y, g)| Some((y.edge()?.clone(), g))).collect();
    sweep(
        roots,
        &Options {
            retain_graph,
            create_graph,
            level: None,
            capture: Some(inputs),
            accumulate: false,
            every_leaf: false,
        },
    )
}
/// Give up what is saved between outputs and places, as a pullback does that need not retain its graph.
pub fn release(roots: &Roots, places: &[Edge]) {
    sweep::release(roots.iter().flat_map(|(y, _)| edges(y)).map(|edge| edge.node), places);
}
/// Where the cotangent of a value arrives: its place on the bottom tape, or that of its primal.
pub fn place(value: &Value) -> Option<Edge> {
    match value {
        Value::Taped(t) => Some(t.edge.clone()),
        Value::Traced(t) => match &t.kind {
            Kind::Dual { primal, .. } => place(primal),
            _ => None,
        },
        Value::Array(_) => None,
    }
}
/// Places on the bottom tape that a value hangs on: of a dual one, those of both parts.
pub fn edges(value: &Value) -> Vec<Edge> {
    match value {
        Value::Taped(t) => vec![t.edge.clone()],
        Value::Traced(t) => match &t.kind {
            Kind::Dual { primal, tangent } => [edges(primal), edges(tangent)].concat(),
            Kind::Batch(stack) => edges(stack),
            _ => Vec::new(),
        },
        Value::Array(_) => Vec::new(),
    }
}
/// The leaves that these values depend on.
pub fn leaves<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<NodeRef> {
    let mut stack: Vec<NodeRef> = values.flat_map(edges).map(|e| e.node).collect();
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    while let Some(node) = stack.pop() {
        if !seen.insert(node.clone()) {
            continue;
        }
        stack.extend(node.parents().flatten().map(|(parent, _)| parent.clone()));
        if node.is_leaf() {
            found.push(node);
        }
    }
    found
}
/// The same numbers and tangents without a place on the bottom tape.
pub fn untaped(value: &Value) -> Value {
    match value {
        Value::Traced(t) => match &t.kind {
            Kind::Dual { primal, tangent } => {
                Value::traced(&t.level, Kind::Dual { primal: untaped(primal), tangent: untaped(tangent) })
            }
            _ => value.detached(),
        },
        _ => value.detached(),
    }
}
