//! Rows by number: the one gather and the one scatter that all indexing comes down to.
//!
//! A tensor is seen as rows of equal length; positions name rows. `Take` reads them, `PutAdd` is its transpose, `Put`
//! overwrites. The functions in `indexing` turn every way of indexing into positions.
use super::{arith::Add, binary::Binary, convert, create, expand, reshape, Fixed};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::{Error, Result},
    kernels::gather::{check_indices, put_axis, take_axis},
    op::{one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{contiguous_strides, show, Dims},
    trace::Value,
    with_element,
};

/// Rows `positions` (any shape S) of `x` (shape [rows, length]) → S + [length].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Take;
/// Rows of `g` (S + [length]) added up at their positions (S) in zeros of shape [rows, length].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PutAdd {
    pub rows: usize,
}
/// `x` ([rows, length]) with the rows at `positions` replaced by those of `source`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Put;
/// Positions checked against `size`, negative ones counted from the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckIndex {
    pub size: usize,
    pub op: &'static str,
    /// Whether negative positions count from the end, or are refused.
    pub wrap: bool,
}

/// The length of the rows of a matrix.
fn row_length(op: &'static str, x: &Array, positions: &Array) -> Result<usize> {
    if x.rank() != 2 || positions.dtype() != DType::I64 {
        return Err(Error::shape(op, format!("cannot take rows {positions:?} of {x:?}")));
    }
    Ok(x.shape()[1])
}
/// `x` as rows of `length` elements.
fn matrix(op: &'static str, x: &Array, rows: usize, length: usize) -> Result<Array> {
    if x.rank() == 2 {
        return Ok(x.clone());
    }
    let shape = Dims::from_slice(&[rows, length]);
    let strides = contiguous_strides(&shape);
    x.contiguous(op)?.view(op, shape, strides, 0)
}
/// Lanes of a batch as one tall matrix: positions move on by `rows` per lane.
fn tall(x: &Value, positions: &Value, batched: Which, n: usize) -> Result<(Value, Value)> {
    let x = if batched.has(0) { x.clone() } else { expand::leading(x, n)? };
    let positions = if batched.has(1) { positions.clone() } else { expand::leading(positions, n)? };
    let (rows, length) = (x.shape()[1], x.shape()[2]);
    Ok((reshape::reshape(&x, &[n * rows, length])?, shifted(&positions, n, rows)?))
}
/// Positions of every lane (first axis) moved on by `rows` per lane.
fn shifted(positions: &Value, n: usize, rows: usize) -> Result<Value> {
    let mut shape = Dims::from_elem(1, positions.rank());
    shape[0] = n;
    let lanes = reshape::reshape(&Value::Array(create::arange_i64(n, rows as i64)?), &shape)?;
    Add::of(positions, &lanes)
}
impl Op for Take {
    const NAME: &'static str = "take";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::FIRST)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let length = row_length("take", x, xs[1])?;
        let positions = xs[1].contiguous("take")?;
        let mut shape = Dims::from_slice(xs[1].shape());
        shape.push(length);
        let mut out = Array::new("take", shape, x.dtype())?;
        let at = positions.slice::<i64>().unwrap_or_default();
        check_indices("take", at, x.shape()[0])?;
        with_element!(x.dtype(), T => take_axis(x.strided::<T>()?, 0, at, out.slice_mut::<T>()?));
        Ok(one(out))
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        Ok(one(ts[0].as_ref().map(|t| self.call(&[t, &xs[1]])).transpose()?))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which(2), outputs: false, avals: true }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let rows = at.aval(0)?.shape[0];
        let g = gs[0].as_ref().map(|g| PutAdd { rows }.call(&[g, at.input(1)?])).transpose()?;
        Ok(Slopes::from_iter([g, None]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        if !batched.has(0) {
            return Ok(one(self.call(&[&xs[0], &xs[1]])?));
        }
        let (x, positions) = tall(&xs[0], &xs[1], batched, n)?;
        Ok(one(self.call(&[&x, &positions])?))
    }
}
impl Op for PutAdd {
    const NAME: &'static str = "put_add";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::AddsRows
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let positions = xs[1].contiguous("put_add")?;
        let length = xs[0].shape().last().copied().unwrap_or(1);
        let g = matrix("put_add", xs[0], positions.len(), length)?;
        let mut out = Array::zeros("put_add", Dims::from_slice(&[self.rows, length]), g.dtype())?;
        let at = positions.slice::<i64>().unwrap_or_default();
        check_indices("put_add", at, self.rows)?;
        let shape = [self.rows, length];
        macro_rules! run {
            ($($d:ident $t:ty),*) => { match g.dtype() {
                $(DType::$d => put_axis(out.slice_mut::<$t>()?, &shape, 0, at, g.strided()?, true),)*
                d => return Err(Error::dtype("put_add", format!("cannot add up {d}; convert it first"))),
            } };
        }
        run!(F32 f32, F64 f64, I32 i32, I64 i64, C64 num_complex::Complex<f32>, C128 num_complex::Complex<f64>);
        Ok(one(out))
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        Ok(one(ts[0].as_ref().map(|t| self.call(&[t, &xs[1]])).transpose()?))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which(2), ..Saves::NOTHING }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let g = gs[0].as_ref().map(|g| Take.call(&[g, at.input(1)?])).transpose()?;
        Ok(Slopes::from_iter([g, None]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        let g = if batched.has(0) { xs[0].clone() } else { expand::leading(&xs[0], n)? };
        let positions = if batched.has(1) { xs[1].clone() } else { expand::leading(&xs[1], n)? };
        let length = g.shape().last().copied().unwrap_or(1);
        let y = PutAdd { rows: n * self.rows }.call(&[&g, &shifted(&positions, n, self.rows)?])?;
        Ok(one(reshape::reshape(&y, &[n, self.rows, length])?))
    }
}
impl Op for Put {
    const NAME: &'static str = "put";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which(0b101))
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let (x, length) = (xs[0], row_length("put", xs[0], xs[1])?);
        let (positions, source) = (xs[1].contiguous("put")?, xs[2]);
        if source.len() != positions.len() * length || source.dtype() != x.dtype() {
            return Err(Error::shape("put", format!("cannot put {source:?} at {} rows of {x:?}", positions.len())));
        }
        let source = matrix("put", source, positions.len(), length)?;
        let mut out = x.copied("put")?;
        let at = positions.slice::<i64>().unwrap_or_default();
        check_indices("put", at, x.shape()[0])?;
        with_element!(x.dtype(), T => {
            put_axis(out.slice_mut::<T>()?, x.shape(), 0, at, source.strided()?, false);
        });
        Ok(one(out))
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let zero = |t: &Option<Value>, x: &Value| t.clone().map_or_else(|| x.full_like(0.0), Ok);
        Ok(one(Some(self.call(&[&zero(&ts[0], &xs[0])?, &xs[1], &zero(&ts[2], &xs[2])?])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which(2), outputs: false, avals: true }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(Slopes::from_iter([None, None, None])) };
        let positions = at.input(1)?;
        let source = at.needs.has(2).then(|| Take.call(&[g, positions])).transpose()?;
        let rest = match at.needs.has(0) {
            true => {
                let zero = Array::full("put", Dims::new(), g.dtype(), Scalar::Int(0))?;
                let zeros = expand::to("put", &Value::Array(zero), &at.aval(2)?.shape)?;
                Some(self.call(&[g, positions, &zeros])?)
            }
            false => None,
        };
        Ok(Slopes::from_iter([rest, None, source]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        let (x, positions) = tall(&xs[0], &xs[1], batched, n)?;
        let source = if batched.has(2) { xs[2].clone() } else { expand::leading(&xs[2], n)? };
        let (rows, length) = (x.shape()[0] / n.max(1), x.shape()[1]);
        let y = self.call(&[&x, &positions, &source])?;
        Ok(one(reshape::reshape(&y, &[n, rows, length])?))
    }
}
impl Op for CheckIndex {
    const NAME: &'static str = "check_index";
    const DIFFERENTIABLE: bool = false;
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let mut out = xs[0].copied(self.op)?;
        let shape = show(xs[0].shape());
        let size = self.size as i64;
        for (i, p) in out.slice_mut::<i64>()?.iter_mut().enumerate() {
            if *p < if self.wrap { -size } else { 0 } || *p >= size {
                return Err(Error::index(
                    self.op,
                    format!("index {p} (element {i} of an index of shape {shape}) is out of range for size {size}"),
                ));
            }
            if *p < 0 {
                *p += size;
            }
        }
        Ok(one(out))
    }
    fn jvp(&self, _: &[Value], _: &[Value], _: &[Option<Value>]) -> Result<Slopes> {
        Ok(one(None))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, _: &[Option<Value>]) -> Result<Slopes> {
        Ok(one(None))
    }
    fn batch(&self, xs: &[Value], _: Which, _: usize) -> Result<Values> {
        crate::trace::apply(*self, &[&xs[0]])
    }
}
/// Positions as int64, checked and not negative.
pub fn positions(op: &'static str, index: &Value, size: usize) -> Result<Value> {
    checked(op, index, size, wraps(op))
}
/// Whether negative positions count from the end; PyTorch refuses them in these functions, which often stand for "none".
pub fn wraps(op: &str) -> bool {
    !["gather", "index_select", "index_add", "index_copy", "index_reduce"].contains(&op)
}
/// As `positions`, saying whether negative ones are allowed.
pub fn checked(op: &'static str, index: &Value, size: usize, wrap: bool) -> Result<Value> {
    if !index.dtype().is_integral() || index.dtype() == DType::Bool {
        return Err(Error::dtype(
            op,
            format!("an index must be an integer tensor, not {}; convert it with .long()", index.dtype()),
        ));
    }
    CheckIndex { size, op, wrap }.call(&[&convert::to(index, DType::I64)?])
}
/// `positions * factor`, on integers.
pub fn times(positions: &Value, factor: usize) -> Result<Value> {
    if factor == 1 {
        return Ok(positions.clone());
    }
    super::arith::Mul::fixed(positions, Fixed::Right(Scalar::Int(factor as i64)))
}
