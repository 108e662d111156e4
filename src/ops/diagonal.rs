//! Diagonals and triangles.
use super::{
    compare::{compare, Order},
    create,
    reshape::reshape,
    select,
    window::{PutInto, Scatter, Window},
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::{Error, Result},
    op::{linear, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{axis, show, Dims},
    trace::{apply, Value},
};

/// The diagonal of axes `a` and `b`, `offset` above the main one, as the last axis; the result is a view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagonal {
    offset: i64,
    a: u8,
    b: u8,
}
pub type DiagonalInto = PutInto<Diagonal>;
pub type DiagonalScatter = Scatter<Diagonal>;

impl Diagonal {
    /// Dimensions as users give them, for a tensor of `rank` dimensions.
    pub fn new(op: &'static str, rank: usize, offset: i64, dim1: i64, dim2: i64) -> Result<Diagonal> {
        if rank < 2 {
            return Err(Error::shape(op, format!("needs at least two dimensions, not {rank}")));
        }
        let (a, b) = (axis(op, dim1, rank)?, axis(op, dim2, rank)?);
        if a == b {
            return Err(Error::value(op, format!("needs two different dimensions, not {dim1} and {dim2}")));
        }
        Ok(Diagonal { offset, a: a as u8, b: b as u8 })
    }
}
impl Window for Diagonal {
    const SCATTER: &'static str = "diagonal_scatter";
    const INTO: &'static str = "diagonal_into";
    fn of(&self, x: &Array) -> Result<Array> {
        let (a, b) = (self.a as usize, self.b as usize);
        let skipped = usize::try_from(self.offset.unsigned_abs()).unwrap_or(usize::MAX);
        let (above, below) = if self.offset < 0 { (0, skipped) } else { (skipped, 0) };
        let size = x.shape()[a].saturating_sub(below).min(x.shape()[b].saturating_sub(above));
        // An empty diagonal may lie outside; it starts nowhere.
        let start = if size == 0 { 0 } else { below as isize * x.strides()[a] + above as isize * x.strides()[b] };
        let rest = (0..x.rank()).filter(|&i| i != a && i != b);
        let shape = rest.clone().map(|i| x.shape()[i]).chain([size]).collect();
        let strides = rest.map(|i| x.strides()[i]).chain([x.strides()[a] + x.strides()[b]]).collect();
        x.view("diagonal", shape, strides, start)
    }
    fn batched(&self, _: usize) -> Diagonal {
        Diagonal { a: self.a + 1, b: self.b + 1, ..*self }
    }
}
impl Op for Diagonal {
    const NAME: &'static str = "diagonal";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::FIRST)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        Ok(one(self.of(xs[0])?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::AVALS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&DiagonalInto { window: *self, shape: at.aval(0)?.shape.as_slice().into() }, gs)
    }
    fn batch(&self, xs: &[Value], _: Which, n: usize) -> Result<Values> {
        apply(self.batched(n), &[&xs[0]])
    }
}
/// The diagonal of axes `a` and `b` as the last axis.
pub fn diagonal(x: &Value, offset: i64, a: usize, b: usize) -> Result<Value> {
    Diagonal::new("diagonal", x.rank(), offset, a as i64, b as i64)?.call(&[x])
}
/// Zeros with the last axis of `x` on the diagonals of axes `dim1` and `dim2` of the result.
pub fn diag_embed(x: &Value, offset: i64, dim1: i64, dim2: i64) -> Result<Value> {
    let op = "diag_embed";
    let k = x.shape().last().copied().ok_or_else(|| Error::shape(op, "a 0-d tensor has no diagonal"))?;
    let n = usize::try_from(offset.unsigned_abs())
        .ok()
        .and_then(|skipped| k.checked_add(skipped))
        .ok_or_else(|| Error::memory(op, format!("cannot hold a diagonal {offset} away from the main one")))?;
    let window = Diagonal::new(op, x.rank() + 1, offset, dim1, dim2)?;
    let mut rest = x.shape()[..x.rank() - 1].iter().copied();
    let size = |i: usize| if [window.a, window.b].contains(&(i as u8)) { Some(n) } else { rest.next() };
    let shape = (0..=x.rank()).filter_map(size).collect();
    DiagonalInto { window, shape }.call(&[x])
}
/// `x` with `source` on a diagonal.
pub fn scatter(x: &Value, source: &Value, offset: i64, dim1: i64, dim2: i64) -> Result<Value> {
    let op = DiagonalScatter::NAME;
    let window = Diagonal::new(op, x.rank(), offset, dim1, dim2)?;
    let shown = window.call(&[&x.unwatched()])?;
    if shown.shape() != source.shape() || x.dtype() != source.dtype() {
        return Err(Error::shape(
            op,
            format!(
                "a source of {} {} does not fit the diagonal of {} {}",
                source.dtype(),
                show(source.shape()),
                x.dtype(),
                show(shown.shape())
            ),
        ));
    }
    DiagonalScatter { window }.call(&[x, source])
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
