//! Reaching a level from outside of later ones that are still open: dual levels may be entered and left by hand.
//!
//! A value wraps later levels around earlier ones. Duals and lanes are linear maps of what they hold, so that an earlier
//! level's part can be put in and taken out underneath them; beneath anything else it is refused.
use super::{Kind, LevelRef, Traced, Value};
use crate::{
    error::{Error, Result},
    ops::expand,
};

/// The later level that holds the value, if there is one.
fn later<'a>(value: &'a Value, level: &LevelRef) -> Option<&'a Traced> {
    match value {
        Value::Traced(t) if t.level.id() > level.id() => Some(t),
        _ => None,
    }
}
#[cold]
fn out_of_reach(op: &'static str, by: &Traced, level: &LevelRef) -> Error {
    let (inner, outer) = (by.level.name(), level.name());
    let way = match &by.kind {
        Kind::Dual { .. } => "unpack the tensor and exit that level before the function returns",
        _ => "enter the dual level inside of it",
    };
    Error::graph(op, format!("a tensor of {outer} is held by {inner}, which was entered later and is not over; {way}"))
}
/// An error if a later level that is not over holds the value, so that `level` cannot see what it is owed.
#[inline]
pub fn settled(op: &'static str, value: &Value, level: &LevelRef) -> Result<()> {
    let Some(by) = later(value, level) else { return Ok(()) };
    by.level.check(op)?;
    Err(out_of_reach(op, by, level))
}
/// `primal` travelling with `tangent` at a level, underneath later ones.
pub fn dual(op: &'static str, level: &LevelRef, primal: Value, tangent: Value) -> Result<Value> {
    let top = [&primal, &tangent].into_iter().filter_map(|v| later(v, level)).max_by_key(|t| t.level.id());
    let Some(top) = top else {
        if matches!(primal.at(level), Some(Kind::Dual { .. })) {
            return Err(Error::graph(op, "the tensor has a tangent at this level already; unpack it first"));
        }
        return Ok(Value::traced(level, Kind::Dual { primal, tangent }));
    };
    top.level.check(op)?;
    let inner = &top.level;
    match &top.kind {
        Kind::Dual { .. } => {
            let ((p, dp), (t, dt)) = (parts(op, &primal, inner)?, parts(op, &tangent, inner)?);
            let change = dual(op, level, or_zeros(dp, &p)?, or_zeros(dt, &t)?)?;
            Ok(Value::traced(inner, Kind::Dual { primal: dual(op, level, p, t)?, tangent: change }))
        }
        Kind::Batch(stack) => {
            let n = stack.shape()[0];
            let stacked = |v: &Value| match v.at(inner) {
                Some(Kind::Batch(stack)) => Ok(stack.clone()),
                _ => expand::leading(v, n),
            };
            Ok(Value::traced(inner, Kind::Batch(dual(op, level, stacked(&primal)?, stacked(&tangent)?)?)))
        }
        _ => Err(out_of_reach(op, top, level)),
    }
}
/// (primal, tangent or None) of a value at a level, also underneath later ones.
pub fn parts(op: &'static str, value: &Value, level: &LevelRef) -> Result<(Value, Option<Value>)> {
    if let Some(Kind::Dual { primal, tangent }) = value.at(level) {
        return Ok((released(op, primal, false)?, Some(released(op, tangent, true)?)));
    }
    let Some(by) = later(value, level) else { return Ok((value.clone(), None)) };
    by.level.check(op)?;
    let inner = &by.level;
    match &by.kind {
        Kind::Dual { primal, tangent } => {
            let ((p, dp), (t, dt)) = (parts(op, primal, level)?, parts(op, tangent, level)?);
            let change = match (dp, dt) {
                (None, None) => None,
                (dp, dt) => {
                    let (primal, tangent) = (or_zeros(dp, &p)?, or_zeros(dt, &t)?);
                    Some(Value::traced(inner, Kind::Dual { primal, tangent }))
                }
            };
            Ok((Value::traced(inner, Kind::Dual { primal: p, tangent: t }), change))
        }
        Kind::Batch(stack) => {
            let (p, t) = parts(op, stack, level)?;
            let lanes = |stack| Value::traced(inner, Kind::Batch(stack));
            Ok((lanes(p), t.map(lanes)))
        }
        _ => Err(out_of_reach(op, by, level)),
    }
}
/// A part of a dual that leaves its level: what was put off is computed. `alone`: ops hand tangents on as they are, so that
/// one may be that of other tensors, too, which a write to it must not reach; views are meant to share.
fn released(op: &'static str, part: &Value, alone: bool) -> Result<Value> {
    if let Value::Array(array) = part {
        array.ready()?;
        if alone && array.is_shared() {
            return Ok(Value::Array(array.copied(op)?));
        }
    }
    Ok(part.clone())
}
fn or_zeros(tangent: Option<Value>, primal: &Value) -> Result<Value> {
    tangent.map_or_else(|| primal.full_like(0.0), Ok)
}
