//! How views lie in their base: whether they alias it, and how what is written through one reaches it.
use crate::{
    error::{Error, Result},
    op::{Call, Prim},
    ops::{
        complex::{AsComplex, AsReal},
        convert,
        diagonal::DiagonalScatter,
        reshape::Permute,
        slice::SliceScatter,
    },
    shape::Strides,
    trace::{self, Kind, Value},
};

/// Whether a view op really gave a view, and not a copy.
pub(super) fn shares(a: &Value, b: &Value) -> bool {
    a.storage().shares_storage(b.storage())
}
/// Whether two plain values show the same elements in the same arrangement.
pub(super) fn same_geometry(a: &Value, b: &Value) -> bool {
    match (a.plain(), b.plain()) {
        (Some(a), Some(b)) => {
            // What is not computed yet has no address to compare.
            let same_start = a == b || a.data() == b.data() && !a.data().is_null();
            same_start && a.shape() == b.shape() && a.strides() == b.strides()
        }
        _ => false,
    }
}
/// The steps through memory of a value's numbers, one lane's if it stands for many.
fn steps(value: &Value) -> Strides {
    match value {
        Value::Array(a) => Strides::from_slice(a.strides()),
        Value::Taped(t) => Strides::from_slice(t.array.strides()),
        Value::Traced(t) => match &t.kind {
            Kind::Batch(stack) => Strides::from_slice(steps(stack).get(1..).unwrap_or_default()),
            kind => steps(kind.inner()),
        },
    }
}
/// A new value laid out as the old one was, so that the same views of it alias.
pub(super) fn arranged(old: &Value, new: Value) -> Result<Value> {
    let (from, to) = (steps(&new), steps(old));
    let differs = |a: usize| from[a] != to[a] && new.shape()[a] > 1;
    if from.len() != to.len() || !(0..from.len()).any(differs) {
        return Ok(new);
    }
    // Axes from the widest step to the narrowest: in this order the old elements lay in a row.
    let mut order: Vec<u8> = (0..to.len() as u8).collect();
    order.sort_by_key(|&a| std::cmp::Reverse(to[usize::from(a)].unsigned_abs()));
    let forth = Permute { order: order.into_iter().collect() };
    let back = forth.inverse();
    back.call(&[&convert::Copy.call(&[&forth.call(&[&new])?])?])
}
/// `base` with what `path` shows of it replaced by `new`. `written`: storage holds the numbers already, so only the
/// history is made.
pub(super) fn scatter(base: &Value, path: &[Prim], new: &Value, written: bool) -> Result<Value> {
    let Some((first, rest)) = path.split_first() else { return Ok(new.clone()) };
    let part = trace::apply(first.clone(), &[base])?.swap_remove(0);
    let part = scatter(&part, rest, new, written)?;
    let finish = |op: Prim, xs: &[&Value]| match written {
        true => trace::relabel(op, xs, base.array()?.clone()),
        false => Ok(trace::apply(op, xs)?.swap_remove(0)),
    };
    match first {
        Prim::Slice(slice) => finish(SliceScatter { window: slice.clone() }.into(), &[base, &part]),
        Prim::Diagonal(diagonal) => finish(DiagonalScatter { window: *diagonal }.into(), &[base, &part]),
        Prim::Permute(permute) => finish(permute.inverse().into(), &[&part]),
        Prim::Reshape(_) => finish(crate::ops::reshape::Reshape { shape: base.shape().into() }.into(), &[&part]),
        Prim::AsReal(_) => finish(AsComplex.into(), &[&part]),
        Prim::AsComplex(_) => finish(AsReal.into(), &[&part]),
        Prim::Expand(_) => Err(Error::graph("expand", "cannot write through an expanded view; clone() it first")),
        other => Err(Error::graph(other.name(), "cannot write through this view; clone() it first")),
    }
}
