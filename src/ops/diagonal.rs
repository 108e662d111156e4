//! Diagonals and triangles.
use super::{
    compare::{compare, Order},
    create,
    index::Take,
    reshape::{reshape, Permute},
    select,
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::{Error, Result},
    op::Call,
    shape::{show, Dims},
    trace::Value,
};

/// The diagonal of axes `a` and `b`, `offset` above the main one, as the last axis.
pub fn diagonal(x: &Value, offset: i64, a: usize, b: usize) -> Result<Value> {
    if a == b {
        return Err(Error::value("diagonal", format!("needs two different dimensions of shape {}", show(x.shape()))));
    }
    let rest: Vec<usize> = (0..x.rank()).filter(|&i| i != a && i != b).collect();
    let order = [a, b].iter().chain(&rest).map(|&i| i as u8).collect();
    let front = Permute { order }.call(&[x])?;
    let (m, n) = (front.shape()[0], front.shape()[1]);
    let at = positions(m, n, offset)?;
    let tail: Dims = front.shape()[2..].into();
    let rows = reshape(&front, &[m * n, tail.iter().product()])?;
    let y = Take.call(&[&rows, &Value::Array(at.clone())])?;
    let shape: Dims = std::iter::once(at.len()).chain(tail.iter().copied()).collect();
    let y = reshape(&y, &shape)?;
    let order = (1..shape.len()).chain([0]).map(|i| i as u8).collect();
    Permute { order }.call(&[&y])
}
/// Flat places of a diagonal in an m × n matrix.
fn positions(m: usize, n: usize, offset: i64) -> Result<Array> {
    let (r, c) = ((-offset).max(0) as usize, offset.max(0) as usize);
    let count = m.saturating_sub(r).min(n.saturating_sub(c));
    Array::from_slice(DType::I64, &(0..count).map(|i| ((r + i) * n + c + i) as i64).collect::<Vec<_>>())
}
/// A matrix (in the last two axes) with the last axis of `x` on its diagonal.
pub fn diag_embed(x: &Value, offset: i64) -> Result<Value> {
    let k = x.shape().last().copied().ok_or_else(|| Error::shape("diag_embed", "a 0-d tensor has no diagonal"))?;
    let n = k + offset.unsigned_abs() as usize;
    let lead: Dims = x.shape()[..x.rank() - 1].into();
    let rows: usize = lead.iter().product();
    let flat = reshape(x, &[rows, k])?;
    let columns = Permute { order: [1, 0].into() }.call(&[&flat])?;
    let at = Value::Array(positions(n, n, offset)?);
    let y = super::index::PutAdd { rows: n * n }.call(&[&columns, &at])?;
    let y = Permute { order: [1, 0].into() }.call(&[&y])?;
    reshape(&y, &lead.iter().copied().chain([n, n]).collect::<Dims>())
}
/// The part of the matrices in the last two axes on and below (or above) the diagonal `offset`; zero elsewhere.
pub fn triangle(op: &'static str, x: &Value, offset: i64, lower: bool) -> Result<Value> {
    if x.rank() < 2 {
        return Err(Error::shape(op, format!("needs at least two dimensions, not shape {}", show(x.shape()))));
    }
    let (m, n) = (x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]);
    let row = reshape(&Value::Array(create::arange_i64(m, 1)?), &[m, 1])?;
    let column = Value::Array(create::arange_i64(n, 1)?);
    let offset = Array::full(op, Dims::new(), DType::I64, Scalar::Int(offset)).map(Value::Array)?;
    let edge = <super::arith::Add as super::binary::Binary>::of(&row, &offset)?;
    let mask = compare(if lower { Order::LessEqual } else { Order::GreaterEqual }, &column, &edge)?;
    let zero = Array::zeros(op, Dims::new(), x.dtype()).map(Value::Array)?;
    select::choose_by(&mask, x, &zero)
}
