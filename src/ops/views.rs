//! Shape changes as single view ops: each function says which op shows the elements in the new geometry.
use super::{
    reshape::{Permute, Reshape},
    slice::{Slice, Span, Spans},
};
use crate::{
    error::{Error, Result},
    op::Prim,
    shape::{axis, present_axis, show, Axes, Dims},
    trace::Value,
};

fn spans(shape: &[usize]) -> Spans {
    shape.iter().map(|&n| Span::whole(n)).collect()
}
pub fn permute(op: &'static str, rank: usize, dims: &[i64]) -> Result<Prim> {
    if dims.len() != rank {
        return Err(Error::shape(op, format!("got {} dims {dims:?} for a tensor with {rank} dimensions", dims.len())));
    }
    let mut seen = Axes(0);
    let mut order = Vec::with_capacity(rank);
    for &d in dims {
        let a = axis(op, d, rank)?;
        if seen.has(a) {
            return Err(Error::value(op, format!("dim {d} appears twice in {dims:?}")));
        }
        seen = seen.with(a);
        order.push(a as u8);
    }
    Ok(Permute { order: order.into() }.into())
}
pub fn transpose(op: &'static str, rank: usize, a: i64, b: i64) -> Result<Prim> {
    let (a, b) = (axis(op, a, rank)?, axis(op, b, rank)?);
    let mut order: Vec<u8> = (0..rank as u8).collect();
    if rank > 0 {
        order.swap(a, b);
    }
    Ok(Permute { order: order.into() }.into())
}
pub fn movedim(rank: usize, from: &[i64], to: &[i64]) -> Result<Prim> {
    let op = "movedim";
    if from.len() != to.len() {
        return Err(Error::value(op, format!("source {from:?} and destination {to:?} must be of equal length")));
    }
    let source = from.iter().map(|&d| axis(op, d, rank)).collect::<Result<Vec<_>>>()?;
    let target = to.iter().map(|&d| axis(op, d, rank)).collect::<Result<Vec<_>>>()?;
    let repeated = |v: &[usize]| v.iter().enumerate().any(|(i, a)| v[..i].contains(a));
    if repeated(&source) || repeated(&target) {
        return Err(Error::value(op, format!("a dim appears twice in {from:?} or {to:?}")));
    }
    let mut rest = (0..rank).filter(|a| !source.contains(a));
    let order = (0..rank)
        .map(|place| match target.iter().position(|&t| t == place) {
            Some(k) => source[k] as u8,
            None => rest.next().unwrap_or(0) as u8,
        })
        .collect();
    Ok(Permute { order }.into())
}
pub fn reshape(shape: Dims) -> Prim {
    Reshape { shape: shape.as_slice().into() }.into()
}
pub fn unsqueeze(shape: &[usize], dim: i64) -> Result<Prim> {
    let a = axis("unsqueeze", dim, shape.len() + 1)?;
    let mut to = Dims::from_slice(shape);
    to.insert(a, 1);
    Ok(reshape(to))
}
/// Without the axes of size 1 (all of them, or those among `dims`).
pub fn squeeze(shape: &[usize], dims: Option<&[i64]>) -> Result<Prim> {
    let axes = Axes::from_dims("squeeze", dims, shape.len())?;
    Ok(reshape(shape.iter().enumerate().filter(|&(a, &n)| n != 1 || !axes.has(a)).map(|(_, &n)| n).collect()))
}
pub fn flatten(shape: &[usize], start: i64, end: i64) -> Result<Prim> {
    if shape.is_empty() {
        return Ok(reshape(Dims::from_slice(&[1])));
    }
    let (a, b) = (axis("flatten", start, shape.len())?, axis("flatten", end, shape.len())?);
    if a > b {
        return Err(Error::value("flatten", format!("start_dim {start} lies behind end_dim {end}")));
    }
    let mut to = Dims::from_slice(&shape[..a]);
    to.push(shape[a..=b].iter().product());
    to.extend_from_slice(&shape[b + 1..]);
    Ok(reshape(to))
}
pub fn unflatten(shape: &[usize], dim: i64, sizes: &[i64]) -> Result<Prim> {
    let a = present_axis("unflatten", dim, shape.len())?;
    let inner = super::reshape::resolve("unflatten", shape[a], &shape[a..=a], sizes)?;
    Ok(reshape(shape[..a].iter().chain(&inner).chain(&shape[a + 1..]).copied().collect()))
}
/// The op that keeps `span` along one axis.
pub fn along(shape: &[usize], a: usize, span: Span) -> Prim {
    let mut all = spans(shape);
    all[a] = span;
    Slice::new(&all).into()
}
pub fn narrow_op(op: &'static str, shape: &[usize], dim: i64, start: i64, length: i64) -> Result<Prim> {
    if shape.is_empty() {
        return Err(Error::shape(op, "a 0-d tensor has no dimension to cut"));
    }
    let a = axis(op, dim, shape.len())?;
    let n = shape[a] as i64;
    let from = if start < 0 { start + n } else { start };
    if from < 0 || length < 0 || from + length > n {
        return Err(Error::index(
            op,
            format!("start {start} and length {length} do not fit size {n} of dimension {a} of shape {}", show(shape)),
        ));
    }
    Ok(along(shape, a, Span { start: from as usize, step: 1, size: length as usize }))
}
pub fn flip(shape: &[usize], dims: &[i64]) -> Result<Prim> {
    let axes = Axes::from_dims("flip", Some(dims), shape.len())?;
    let mut all = spans(shape);
    for a in axes.iter().filter(|&a| a < shape.len()) {
        all[a] = Span { start: shape[a].saturating_sub(1), step: -1, size: shape[a] };
    }
    Ok(Slice::new(&all).into())
}
/// `x[..., start : start + size, ...]` along one axis.
pub fn narrow(x: &Value, a: usize, start: usize, size: usize) -> Result<Value> {
    if start == 0 && x.shape()[a] == size {
        return Ok(x.clone());
    }
    call(along(x.shape(), a, Span { start, step: 1, size }), x)
}
/// Apply an op with one input and one result.
pub fn call(op: Prim, x: &Value) -> Result<Value> {
    let mut ys = crate::trace::apply(op, &[x])?;
    ys.pop().ok_or_else(|| Error::graph("view", "gave no result"))
}
