//! Reverse mode on values that carry tangents as well: forward over reverse for plain `backward` and `autograd.grad`.
//!
//! With x = p + εt, the gradient of L at x is ∇L(p) + ε·∇(the tangent of L)(p): both parts are sweeps of the same tape.
use super::{
    node::{Edge, NodeRef},
    sweep::{sweep, Options},
};
use crate::{
    error::Result,
    trace::{Kind, LevelRef, Value},
};
use std::collections::HashSet;

/// Outputs with their cotangents.
pub type Roots = Vec<(Value, Value)>;

/// The innermost level at which any of these is dual.
fn innermost<'a>(values: impl Iterator<Item = &'a Value>) -> Option<LevelRef> {
    let level = |v: &Value| match v {
        Value::Traced(t) if matches!(t.kind, Kind::Dual { .. }) => Some(t.level.clone()),
        _ => None,
    };
    values.filter_map(level).max_by_key(|l| l.id())
}
fn parts(value: &Value, level: &LevelRef) -> (Value, Option<Value>) {
    match value.at(level) {
        Some(Kind::Dual { primal, tangent }) => (primal.clone(), Some(tangent.clone())),
        _ => (value.clone(), None),
    }
}
/// Cotangents at `inputs`, themselves dual where the roots are; `None` where there is no dependence.
pub fn pullback(roots: Roots, inputs: &[Edge], retain_graph: bool, create_graph: bool) -> Result<Vec<Option<Value>>> {
    let Some(level) = innermost(roots.iter().flat_map(|(y, g)| [y, g])) else {
        return plain(roots, inputs, retain_graph, create_graph);
    };
    let (mut primal, mut tangent) = (Roots::new(), Roots::new());
    for (y, g) in &roots {
        let ((y, dy), (g, dg)) = (parts(y, &level), parts(g, &level));
        tangent.extend(dy.map(|dy| (dy, g.clone())));
        tangent.extend(dg.map(|dg| (y.clone(), dg)));
        primal.push((y, g));
    }
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
    sweep(roots, &Options { retain_graph, create_graph, level: None, capture: Some(inputs), accumulate: false })
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
