//! History that a write under `no_grad` leaves as it was: that of the tensor which is written.
use super::{level::records, mode::bottom_records, Kind, Taped, Value};
use crate::{error::Result, graph::Edge, ops::expand};

/// Whether any tape that could follow plain values is silent now.
pub fn silent() -> bool {
    !bottom_records()
}
/// What a tensor with the value `old` holds once `new` is written into it: where a tape is silent, only the numbers
/// change, and the place in the graph stays.
pub fn keeping_history(old: &Value, new: Value) -> Result<Value> {
    let outer = match &new {
        Value::Traced(n) => !matches!(old, Value::Traced(o) if o.level.id() >= n.level.id()),
        _ => false,
    };
    match (old, &new) {
        // A later level watches the new value only: what the old one had lies underneath.
        (_, Value::Traced(n)) if outer => Ok(match &n.kind {
            Kind::Dual { primal, tangent } => {
                let primal = keeping_history(old, primal.clone())?;
                Value::traced(&n.level, Kind::Dual { primal, tangent: tangent.clone() })
            }
            Kind::Taped { value, edge } if records(Some(&n.level)) => {
                let value = keeping_history(old, value.clone())?;
                Value::traced(&n.level, Kind::Taped { value, edge: edge.clone() })
            }
            Kind::Taped { value, .. } => keeping_history(old, value.clone())?,
            _ => new,
        }),
        (Value::Taped(t), Value::Array(array) | Value::Taped(Taped { array, .. })) if !bottom_records() => {
            Ok(Value::Taped(Taped { array: array.clone(), edge: t.edge.clone() }))
        }
        (Value::Array(_), Value::Taped(t)) if !bottom_records() => Ok(Value::Array(t.array.clone())),
        (Value::Traced(o), _) => {
            let level = &o.level;
            let wrapped = |value: Value, edge: &Edge| Value::traced(level, Kind::Taped { value, edge: edge.clone() });
            Ok(match (&o.kind, new.at(level)) {
                (Kind::Taped { value, edge }, now) => match (now, records(Some(level))) {
                    (Some(Kind::Taped { value: now, edge }), true) => {
                        wrapped(keeping_history(value, now.clone())?, edge)
                    }
                    (Some(kind), false) => wrapped(keeping_history(value, kind.inner().clone())?, edge),
                    (None, false) => wrapped(keeping_history(value, new)?, edge),
                    (_, true) => keeping_history(value, new)?,
                },
                (Kind::Batch(stack), Some(Kind::Batch(now))) => {
                    Value::traced(level, Kind::Batch(keeping_history(stack, now.clone())?))
                }
                (Kind::Batch(stack), None) => {
                    let now = expand::leading(&new, stack.shape().first().copied().unwrap_or(0))?;
                    Value::traced(level, Kind::Batch(keeping_history(stack, now)?))
                }
                (Kind::Dual { primal, tangent }, Some(Kind::Dual { primal: p, tangent: t })) => {
                    let primal = keeping_history(primal, p.clone())?;
                    let tangent = keeping_history(tangent, t.clone())?;
                    Value::traced(level, Kind::Dual { primal, tangent })
                }
                (Kind::Dual { primal, .. }, None) => keeping_history(primal, new)?,
                _ => new,
            })
        }
        _ => Ok(new),
    }
}
/// Whether two values hang on the same places in all graphs: nothing was recorded between them.
pub fn same_history(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(_), Value::Array(_)) => true,
        (Value::Taped(a), Value::Taped(b)) => a.edge == b.edge,
        (Value::Traced(a), Value::Traced(b)) if a.level.id() == b.level.id() => match (&a.kind, &b.kind) {
            (Kind::Taped { value: v, edge: e }, Kind::Taped { value: w, edge: f }) => e == f && same_history(v, w),
            (Kind::Batch(v), Kind::Batch(w)) => same_history(v, w),
            (Kind::Dual { primal: p, tangent: t }, Kind::Dual { primal: q, tangent: u }) => {
                same_history(p, q) && same_history(t, u)
            }
            _ => false,
        },
        _ => false,
    }
}
