//! Broadcasting: repeat along axes of size 1 and along new leading axes, as a view.
use super::{reshape, sum::Sum};
use crate::{
    array::Array,
    error::{Error, Result},
    op::{linear, one, Arrays, Call, Locality, Op, Prim, Saved, Saves, Slopes, Values, Which},
    shape::{broadcast, show, Axes, Dims, Strides},
    trace::{apply, Value},
};
use std::sync::Arc;

/// Repeat `x` so that it has shape `shape`: `new` axes in front, and the axes `stretched`, which were of size 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Expand(Arc<Target>);
#[derive(Debug, PartialEq)]
struct Target {
    shape: Dims,
    new: usize,
    stretched: Axes,
}
impl Expand {
    fn new(shape: Dims, new: usize, stretched: Axes) -> Expand {
        Expand(Arc::new(Target { shape, new, stretched }))
    }
}
impl Op for Expand {
    const NAME: &'static str = "expand";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::FIRST)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let Target { shape, new, stretched } = &*self.0;
        let strides: Strides =
            (0..shape.len()).map(|a| if a < *new || stretched.has(a) { 0 } else { xs[0].strides()[a - new] }).collect();
        Ok(one(xs[0].view("expand", shape.clone(), strides, 0)?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Target { new, stretched, .. } = &*self.0;
        let axes = Axes(stretched.0 | Axes::all(*new).0);
        linear(&Sum { axes, kept: *stretched }, gs)
    }
    fn batch(&self, xs: &[Value], _: Which, n: usize) -> Result<Values> {
        let Target { shape, new, stretched } = &*self.0;
        let mut unit: Dims = Dims::from_slice(&[n]);
        unit.extend(std::iter::repeat_n(1, *new));
        unit.extend_from_slice(&xs[0].shape()[1..]);
        let x = reshape::reshape(&xs[0], &unit)?;
        let mut target: Dims = Dims::from_slice(&[n]);
        target.extend_from_slice(shape);
        let stretched = Axes((stretched.0 | Axes::all(*new).0) << 1);
        apply(Expand::new(target, 0, stretched), &[&x])
    }
}

/// The op that broadcasts `from` to `shape`; none where they are equal.
pub fn op_to(op: &'static str, from: &[usize], shape: &[usize]) -> Result<Option<Prim>> {
    if from == shape {
        return Ok(None);
    }
    let cannot = || {
        Error::shape(
            op,
            format!(
                "cannot expand shape {} to {} (sizes must be equal, or 1 where they grow)",
                show(from),
                show(shape)
            ),
        )
    };
    let new = shape.len().checked_sub(from.len()).ok_or_else(cannot)?;
    let mut stretched = Axes(0);
    for (axis, (&a, &b)) in from.iter().zip(&shape[new..]).enumerate() {
        match (a, b) {
            _ if a == b => {}
            (1, _) => stretched = stretched.with(axis + new),
            _ => return Err(cannot()),
        }
    }
    Ok(Some(Expand::new(Dims::from_slice(shape), new, stretched).into()))
}
/// `x` broadcast to `shape`.
pub fn to(op: &'static str, x: &Value, shape: &[usize]) -> Result<Value> {
    match op_to(op, x.shape(), shape)? {
        None => Ok(x.clone()),
        Some(expand) => super::views::call(expand, x),
    }
}
/// Both operands at their common shape.
pub fn pair(op: &'static str, a: &Value, b: &Value) -> Result<(Value, Value)> {
    if a.shape() == b.shape() {
        return Ok((a.clone(), b.clone()));
    }
    let shape = broadcast(op, a.shape(), b.shape())?;
    Ok((to(op, a, &shape)?, to(op, b, &shape)?))
}
/// `x` repeated `n` times along a new leading axis, without copies.
pub fn leading(x: &Value, n: usize) -> Result<Value> {
    let mut shape: Dims = Dims::from_slice(&[n]);
    shape.extend_from_slice(x.shape());
    Expand::new(shape, 1, Axes(0)).call(&[x])
}
