//! Reverse mode: ops are recorded as they happen; the sweep reads them backwards.
use super::{apply_prim, check_complex, eval, level::records, mode::observed, Kind, LevelRef, Value};
use crate::{
    array::Array,
    error::Result,
    graph::{origin, Edge, Kept, NodeRef, Parents, SavedValue},
    op::{Op, Prim, Values, Which},
    ops::custom::Custom,
};
use smallvec::SmallVec;

/// Record on the bottom tape, where values are plain arrays.
pub(super) fn record_bottom(op: Prim, xs: &[&Value]) -> Result<Values> {
    let ys = eval(&op, xs)?;
    if !op.differentiable() || !records(None) {
        return Ok(ys.into_iter().map(Value::Array).collect());
    }
    let parents: Parents = xs.iter().map(|x| x.edge().cloned()).collect();
    let input = |i: usize| xs[i].array().map(|a: &Array| Value::Array(a.clone()));
    let ys: Values = ys.into_iter().map(Value::Array).collect();
    finish(None, op, parents, input, |i| xs[i].aval(), ys)
}
/// Record on the tape of a transformation; the levels below see the op as well.
pub(super) fn record(level: &LevelRef, op: Prim, xs: &[&Value]) -> Result<Values> {
    let mut values: SmallVec<[&Value; 4]> = SmallVec::new();
    let mut parents: Parents = SmallVec::new();
    for x in xs {
        match x.at(level) {
            Some(Kind::Taped { value, edge }) => {
                values.push(value);
                parents.push(Some(edge.clone()));
            }
            _ => {
                values.push(x);
                parents.push(None);
            }
        }
    }
    let differentiable = op.differentiable() && records(Some(level));
    if !differentiable {
        return apply_prim(op, &values);
    }
    let ys = apply_prim(op.clone(), &values)?;
    finish(Some(level), op, parents, |i| Ok(values[i].clone()), |i| values[i].aval(), ys)
}
/// Make the node and wrap the outputs that can carry a derivative.
#[inline]
fn finish(
    level: Option<&LevelRef>,
    op: Prim,
    parents: Parents,
    input: impl Fn(usize) -> Result<Value>,
    aval: impl Fn(usize) -> crate::array::Aval,
    ys: Values,
) -> Result<Values> {
    if !ys.iter().any(|y| y.dtype().is_inexact()) {
        return Ok(ys);
    }
    check_complex(&op, "reverse mode", ys.iter())?;
    if !op.on_complex() {
        for i in (0..parents.len()).filter(|&i| parents[i].is_some()) {
            check_complex(&op, "reverse mode", std::iter::once(&input(i)?))?;
        }
    }
    let needs = parents.iter().enumerate().fold(Which::NONE, |w, (i, p)| if p.is_some() { w.with(i) } else { w });
    let saves = op.saves(needs);
    let mut kept = Kept::new();
    if saves.inputs != Which::NONE {
        for i in (0..parents.len()).filter(|&i| saves.inputs.has(i)) {
            kept.push(SavedValue::keep(input(i)?)?);
        }
    }
    if saves.outputs {
        for y in &ys {
            kept.push(SavedValue::keep(y.clone())?);
        }
    }
    let avals = saves.avals.then(|| (0..parents.len()).map(aval).collect());
    let node = NodeRef::new(op, parents, kept, avals);
    if observed() {
        origin::note(&node);
    }
    Ok(ys
        .into_iter()
        .enumerate()
        .map(|(slot, y)| match y.dtype().is_inexact() {
            true => y.taped(level, Edge { node: node.clone(), slot: slot as u32 }),
            false => y,
        })
        .collect())
}
/// The result `y` of an elementwise op on values of the bottom level, with its history if any of them has one.
#[inline]
pub fn recorded<O: Op, const N: usize>(op: O, xs: [&Value; N], y: Array) -> Result<Value> {
    if xs.iter().all(|x| matches!(x, Value::Array(_))) || !O::DIFFERENTIABLE || !records(None) {
        return Ok(Value::Array(y));
    }
    let edges: [Option<&Edge>; 2] = std::array::from_fn(|i| xs.get(i).and_then(|x| x.edge()));
    let needs = (0..N).fold(Which::NONE, |needs, i| if edges[i].is_some() { needs.with(i) } else { needs });
    let saves = op.saves(needs);
    let long = N > 2 || observed() || saves.avals || (saves.outputs && saves.inputs != Which::NONE);
    if long || edges.iter().flatten().any(|e| e.slot > u8::MAX.into()) {
        return relabel(op.into(), &xs, y);
    }
    let mut kept = [None, None];
    for (x, kept) in xs.iter().zip(&mut kept).enumerate().filter(|(i, _)| saves.inputs.has(*i)).map(|(_, pair)| pair) {
        *kept = Some(SavedValue::new(Value::Array(x.array()?.clone())));
    }
    if saves.outputs {
        kept[0] = Some(SavedValue::new(Value::Array(y.clone())));
    }
    let edge = Edge { node: NodeRef::short(op.into(), N as u8, edges, kept), slot: 0 };
    Ok(Value::Array(y).taped(None, edge))
}
/// The history of `op` for numbers that were written already: nothing is computed.
pub fn relabel(op: Prim, xs: &[&Value], result: Array) -> Result<Value> {
    let parents: Parents = xs.iter().map(|x| x.edge().cloned()).collect();
    if !op.differentiable() || parents.iter().all(Option::is_none) || !records(None) {
        return Ok(Value::Array(result));
    }
    let input = |i: usize| xs[i].array().map(|a: &Array| Value::Array(a.clone()));
    let mut ys = finish(None, op, parents, input, |i| xs[i].aval(), crate::op::one(Value::Array(result)))?;
    Ok(ys.swap_remove(0))
}
/// The outputs `ys` of a function that was computed elsewhere, recorded with the reverse rule it brings along.
///
/// `xs`: its inputs as this level sees them; `kept`: what the rule reads, the inputs (as the level below sees them) and
/// then any other values; `constant`: outputs without a derivative.
pub fn record_custom(
    level: Option<&LevelRef>,
    op: Custom,
    xs: &[Value],
    kept: &[Value],
    ys: Values,
    constant: &[bool],
) -> Result<Values> {
    let edge = |x: &Value| match level {
        None => x.edge().cloned(),
        Some(level) => match x.at(level) {
            Some(Kind::Taped { edge, .. }) => Some(edge.clone()),
            _ => None,
        },
    };
    let mut parents: Parents = xs.iter().map(edge).collect();
    if parents.iter().all(Option::is_none) || !records(level.map(|l| &**l)) {
        return Ok(ys);
    }
    parents.resize(kept.len().max(parents.len()), None);
    let needs = parents.iter().enumerate().fold(Which::NONE, |w, (i, p)| if p.is_some() { w.with(i) } else { w });
    let saves = op.saves(needs);
    let mut values = Kept::new();
    for (_, value) in kept.iter().enumerate().filter(|(i, _)| saves.inputs.has(*i)) {
        values.push(SavedValue::keep(value.clone())?);
    }
    if saves.outputs {
        for y in &ys {
            values.push(SavedValue::keep(y.clone())?);
        }
    }
    let node = NodeRef::new(op.into(), parents, values, None);
    if observed() {
        origin::note(&node);
    }
    let carries = |slot: usize, y: &Value| y.dtype().is_inexact() && !constant.get(slot).copied().unwrap_or(false);
    Ok(ys
        .into_iter()
        .enumerate()
        .map(|(slot, y)| match carries(slot, &y) {
            true => y.taped(level, Edge { node: node.clone(), slot: slot as u32 }),
            false => y,
        })
        .collect())
}
