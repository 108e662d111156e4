//! Reverse mode: ops are recorded as they happen; the sweep reads them backwards.
use super::{apply_prim, check_complex, eval, level::records, mode::observed, Kind, LevelRef, Value};
use crate::{
    array::Array,
    error::Result,
    graph::{origin, Edge, Kept, NodeRef, Parents, SavedValue},
    op::{Op, Prim, Saves, Values, Which},
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
    match xs {
        [x] => {
            if let Some((_, arrays)) = on_one_tape([x]) {
                return record_numbers(level, op, xs, &arrays);
            }
        }
        [a, b] => {
            if let Some((_, arrays)) = on_one_tape([a, b]) {
                return record_numbers(level, op, xs, &arrays);
            }
        }
        _ => {}
    }
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
/// As `record`, of one or two values that no other level watches.
fn record_numbers(level: &LevelRef, op: Prim, xs: &[&Value], arrays: &[&Array]) -> Result<Values> {
    let ys = op.eval(arrays)?;
    if !op.differentiable() || !records(Some(level)) {
        return Ok(ys.into_iter().map(Value::Array).collect());
    }
    let edges: [Option<&Edge>; 2] = std::array::from_fn(|i| xs.get(i).and_then(|x| x.edge_at(Some(level))));
    let real = arrays.iter().all(|x| !x.dtype().is_complex());
    if let ([y], true) = (&ys[..], real) {
        let saves = op.saves(wanted(&edges));
        if let Some(node) = y.dtype().is_float().then(|| short_node(&op, saves, arrays, edges, y)).flatten() {
            return Ok(crate::op::one(Value::Array(y.clone()).taped(Some(level), Edge { node, slot: 0 })));
        }
    }
    history(Some(level), op, arrays, &edges[..xs.len()], ys.into_iter().map(Value::Array).collect())
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
/// The numbers of values that no more than one tape watches, and its level, if it is not the bottom one; `None` if there
/// is more to them.
#[inline]
pub fn on_one_tape<const N: usize>(xs: [&Value; N]) -> Option<(Option<&LevelRef>, [&Array; N])> {
    let (mut level, mut bottom): (Option<&LevelRef>, bool) = (None, false);
    let mut arrays = [xs[0].storage(); N];
    for (x, array) in xs.iter().zip(&mut arrays) {
        *array = match x {
            Value::Array(a) => a,
            Value::Taped(t) => {
                bottom = true;
                &t.array
            }
            Value::Traced(t) => match &t.kind {
                Kind::Taped { value: Value::Array(a), .. } if level.is_none_or(|l| l.id() == t.level.id()) => {
                    level = Some(&t.level);
                    a
                }
                _ => return None,
            },
        };
    }
    (level.is_none() || !bottom).then_some((level, arrays))
}
/// The result `y` of an elementwise op on the numbers of values `on_one_tape`, with its history if any of them has one.
#[inline]
pub fn recorded<O: Op, const N: usize>(op: O, level: Option<&LevelRef>, xs: [&Value; N], y: Array) -> Result<Value> {
    if let Some(level) = level {
        level.check(op.name())?;
    }
    let watched = level.is_some() || xs.iter().any(|x| matches!(x, Value::Taped(_)));
    if !watched || !O::DIFFERENTIABLE || !records(level.map(|l| &**l)) {
        return Ok(Value::Array(y));
    }
    let arrays = xs.map(Value::storage);
    let edges: [Option<&Edge>; 2] = std::array::from_fn(|i| xs.get(i).and_then(|x| x.edge_at(level)));
    match short_node(&op, op.saves(wanted(&edges)), &arrays, edges, &y) {
        Some(node) => Ok(Value::Array(y).taped(level, Edge { node, slot: 0 })),
        None => {
            let mut ys = history(level, op.into(), &arrays, &edges[..N], crate::op::one(Value::Array(y)))?;
            Ok(ys.swap_remove(0))
        }
    }
}
/// Inputs whose gradient is wanted.
#[inline]
fn wanted(edges: &[Option<&Edge>]) -> Which {
    edges.iter().enumerate().fold(Which::NONE, |wanted, (i, edge)| if edge.is_some() { wanted.with(i) } else { wanted })
}
/// The node of an op with the result `y` of floats, where it needs no more than the short form.
#[inline]
fn short_node(
    op: &(impl Clone + Into<Prim>),
    saves: Saves,
    xs: &[&Array],
    edges: [Option<&Edge>; 2],
    y: &Array,
) -> Option<NodeRef> {
    let long = xs.len() > 2 || observed() || saves.avals || (saves.outputs && saves.inputs != Which::NONE);
    if long || edges.iter().flatten().any(|e| e.slot > u8::MAX.into()) {
        return None;
    }
    let mut kept = [None, None];
    for (i, kept) in kept.iter_mut().enumerate().take(xs.len()).filter(|(i, _)| saves.inputs.has(*i)) {
        *kept = Some(SavedValue::new(Value::Array(xs[i].clone())));
    }
    if saves.outputs {
        kept[0] = Some(SavedValue::new(Value::Array(y.clone())));
    }
    Some(NodeRef::short(op.clone().into(), xs.len() as u8, edges, kept))
}
/// The long way for what `short_node` does not hold.
fn history(level: Option<&LevelRef>, op: Prim, xs: &[&Array], edges: &[Option<&Edge>], ys: Values) -> Result<Values> {
    let parents = edges.iter().map(|edge| edge.cloned()).collect();
    finish(level, op, parents, |i| Ok(Value::Array(xs[i].clone())), |i| Value::Array(xs[i].clone()).aval(), ys)
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
