//! Extremes and their places, any and all, mean; and what the rules of other reductions share.
use super::{
    arith::{Div, Mul},
    binary::{Binary, Scale},
    compare::{compare, Order},
    convert, create, expand, indexing,
    power::Reciprocal,
    product::{Product, Slope},
    reshape::reshape,
    sum::{sum, Sum},
    unary::Unary,
    Fixed,
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::{Error, Result},
    kernels::reduce as kernel,
    math::Real,
    op::{batch_all, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{show, Axes, Dims},
    trace::Value,
    with_element,
};

/// `t * slope(a, b)`, all broadcast to the shape of `a`: one pass over plain numbers, else the slope as a formula.
pub(super) fn times_slope<S: Slope>(
    s: S,
    t: &Value,
    a: &Value,
    b: &Value,
    formula: impl FnOnce() -> Result<Value>,
) -> Result<Value> {
    if let (Value::Array(_), Value::Array(x), Value::Array(_)) = (t, a, b) {
        let (t, b) = (expand::to(S::NAME, t, a.shape())?, expand::to(S::NAME, b, a.shape())?);
        return Product::new(s, t.array()?, Some(x), Some(b.array()?), None)?.value().map(Value::Array);
    }
    Scale::by(s.gates(), t, &formula()?)
}
/// Sum over axes, which stay with size 1.
pub(super) fn sum_kept(x: &Value, axes: Axes) -> Result<Value> {
    Sum { axes, kept: axes }.call(&[x])
}
/// For ops without a derivative: the rules that no mode will call.
macro_rules! no_derivative {
    () => {
        const DIFFERENTIABLE: bool = false;
        fn jvp(&self, _: &[Value], _: &[Value], _: &[Option<Value>]) -> Result<Slopes> {
            Ok(one(None))
        }
        fn saves(&self, _: Which) -> Saves {
            Saves::NOTHING
        }
        fn vjp(&self, _: &Saved, _: &[Option<Value>]) -> Result<Slopes> {
            Ok(one(None))
        }
    };
}
pub(super) use no_derivative;

/// The largest (or smallest) over `axes`, which stay as axes of size 1; NaN wins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extreme {
    pub axes: Axes,
    pub largest: bool,
}
/// Whether the element is the extreme.
#[derive(Clone, Copy)]
struct Attains;
impl Slope for Attains {
    const NAME: &'static str = "amax";
    const COST: usize = 1;
    #[inline(always)]
    fn slope<T: Real>(&self, x: T, y: T) -> T {
        T::select(x == y, T::lit(1.0), T::lit(0.0))
    }
    #[inline(always)]
    fn gates(&self) -> bool {
        true
    }
}
/// `t` where `x` attains the extreme, else 0.
fn at_winners(t: &Value, x: &Value, y: &Value) -> Result<Value> {
    times_slope(Attains, t, x, y, || convert::to(&compare(Order::Equal, x, y)?, x.dtype()))
}
impl Extreme {
    fn nothing(&self, x: &Array) -> Error {
        Error::shape(
            if self.largest { "amax" } else { "amin" },
            format!("cannot reduce shape {} over empty dimensions; there is no extreme of nothing", show(x.shape())),
        )
    }
    /// One part in how many elements attain the extreme: equal ones share the slope.
    fn share(&self, x: &Value, y: &Value) -> Result<Value> {
        let (Value::Array(xs), Value::Array(ys)) = (x, y) else {
            let winners = convert::to(&compare(Order::Equal, x, y)?, x.dtype())?;
            return Reciprocal.of(&sum_kept(&winners, self.axes)?);
        };
        let mut count = Array::new(Self::NAME, Dims::from_slice(y.shape()), x.dtype())?;
        let ys = ys.contiguous(Self::NAME)?;
        macro_rules! run {
            ($t:ty) => {
                kernel::count_equal(
                    xs.strided::<$t>()?,
                    self.axes.0,
                    ys.slice().unwrap_or_default(),
                    count.slice_mut()?,
                )
            };
        }
        match x.dtype() {
            DType::F32 => run!(f32),
            _ => run!(f64),
        }
        Reciprocal.of(&Value::Array(count))
    }
}
impl Op for Extreme {
    const NAME: &'static str = "amax";
    fn locality(&self) -> Locality {
        Locality::Along(self.axes)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("amax", self.axes.kept_in(x.shape()), x.dtype())?;
        macro_rules! run {
            ($($d:ident|$t:ty),*) => { match x.dtype() {
                $(DType::$d => match self.largest {
                    true => kernel::max(x.strided::<$t>()?, self.axes.0, y.slice_mut()?),
                    false => kernel::min(x.strided::<$t>()?, self.axes.0, y.slice_mut()?),
                },)*
                d => return Err(Error::dtype("amax", format!("cannot order {d} tensors of shape {}", show(x.shape())))),
            } };
        }
        run!(Bool | u8, U8 | u8, I32 | i32, I64 | i64, F32 | f32, F64 | f64).map_err(|_| self.nothing(x))?;
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        let moved = sum_kept(&at_winners(t, &xs[0], &ys[0])?, self.axes)?;
        // NaN equals nothing: 0 · 1/0 gives NaN, as it should.
        Ok(one(Some(Mul::of(&moved, &self.share(&xs[0], &ys[0])?)?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, outputs: true, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        let (x, y) = (at.input(0)?, at.output(0)?);
        Ok(one(Some(at_winners(&Scale::of(g, &self.share(x, y)?)?, x, y)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Extreme { axes: self.axes.shifted(), largest: self.largest }, xs, batched, n)
    }
}
/// Position of the largest (or smallest) along one axis, which stays with size 1; the first of equals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArgExtreme {
    pub axis: usize,
    pub largest: bool,
}
/// Whether any (or all) elements over `axes` are true; the axes stay with size 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    pub axes: Axes,
    pub all: bool,
}
impl Op for ArgExtreme {
    const NAME: &'static str = "argmax";
    no_derivative!();
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("argmax", Axes::one(self.axis).kept_in(x.shape()), DType::I64)?;
        macro_rules! run {
            ($($d:ident|$t:ty),*) => { match x.dtype() {
                $(DType::$d => kernel::arg_extreme(x.strided::<$t>()?, self.axis, self.largest, y.slice_mut()?),)*
                d => return Err(Error::dtype("argmax", format!("cannot order {d} tensors of shape {}", show(x.shape())))),
            } };
        }
        run!(Bool | u8, U8 | u8, I32 | i32, I64 | i64, F32 | f32, F64 | f64).map_err(|_| {
            Error::shape(
                "argmax",
                format!("cannot find an extreme of shape {} along the empty dimension {}", show(x.shape()), self.axis),
            )
        })?;
        Ok(one(y))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(ArgExtreme { axis: self.axis + 1, largest: self.largest }, xs, batched, n)
    }
}
impl Op for Truth {
    const NAME: &'static str = "all";
    no_derivative!();
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("all", self.axes.kept_in(x.shape()), DType::Bool)?;
        with_element!(x.dtype(), T => match self.all {
            true => kernel::all(x.strided::<T>()?, self.axes.0, y.slice_mut()?),
            false => kernel::any(x.strided::<T>()?, self.axes.0, y.slice_mut()?),
        });
        Ok(one(y))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Truth { axes: self.axes.shifted(), all: self.all }, xs, batched, n)
    }
}

/// Drop the reduced axes that were kept, unless they are wanted.
pub fn settle(y: &Value, axes: Axes, keepdim: bool) -> Result<Value> {
    if keepdim {
        return Ok(y.clone());
    }
    reshape(y, &axes.removed_from(y.shape()))
}
pub fn extreme(x: &Value, axes: Axes, keepdim: bool, largest: bool) -> Result<Value> {
    settle(&Extreme { axes, largest }.call(&[x])?, axes, keepdim)
}
/// Position of the extreme along `axis`, or in the flattened tensor.
pub fn arg_extreme(x: &Value, axis: Option<usize>, keepdim: bool, largest: bool) -> Result<Value> {
    match axis {
        Some(axis) if x.rank() > 0 => settle(&ArgExtreme { axis, largest }.call(&[x])?, Axes::one(axis), keepdim),
        _ => {
            let flat = reshape(x, &[x.len()])?;
            let shape = if keepdim { Dims::from_elem(1, x.rank()) } else { Dims::new() };
            reshape(&ArgExtreme { axis: 0, largest }.call(&[&flat])?, &shape)
        }
    }
}
/// Extreme along one axis with its position; the slope goes to that one element, as in PyTorch.
pub fn extreme_along(x: &Value, axis: usize, keepdim: bool, largest: bool) -> Result<(Value, Value)> {
    if x.rank() == 0 {
        return Ok((x.clone(), reshape(&Value::Array(create::arange_i64(1, 1)?), &[])?));
    }
    let at = ArgExtreme { axis, largest }.call(&[&x.unwatched()])?;
    let value = indexing::gather(if largest { "max" } else { "min" }, x, axis, &at)?;
    let axes = Axes::one(axis);
    Ok((settle(&value, axes, keepdim)?, settle(&at, axes, keepdim)?))
}
pub fn truth(x: &Value, axes: Axes, keepdim: bool, all: bool) -> Result<Value> {
    settle(&Truth { axes, all }.call(&[x])?, axes, keepdim)
}
/// An error unless `x` holds floats.
pub(super) fn real(op: &'static str, x: &Value) -> Result<()> {
    match x.dtype().is_float() {
        true => Ok(()),
        false => Err(Error::dtype(
            op,
            format!(
                "needs a float tensor, not {} of shape {}; convert it with .float() or pass dtype=",
                x.dtype(),
                show(x.shape())
            ),
        )),
    }
}
pub fn mean(x: &Value, axes: Axes, keepdim: bool, dtype: Option<DType>) -> Result<Value> {
    let x = &convert::to(x, dtype.unwrap_or(x.dtype()))?;
    if !x.dtype().is_complex() {
        real("mean", x)?;
    }
    let n = axes.count(x.shape()) as f64;
    Div::fixed(&sum(x, axes, keepdim, None)?, Fixed::Right(Scalar::Float(n)))
}
