//! Reductions other than sum: extremes, any/all, and compositions (mean, var, prod, norms, logsumexp).
use super::{
    arith::{Add, Div, Mul, Sub},
    binary::{Binary, Scale},
    compare::{compare, Order},
    convert, create,
    exponential::Exp,
    indexing,
    power::Pow,
    reshape::reshape,
    rounding::Abs,
    select,
    sum::{sum, Sum},
    unary::Unary,
    Fixed,
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::{Error, Result},
    kernels::reduce as kernel,
    op::{batch_all, one, Arrays, Call, Op, Saved, Saves, Slopes, Values, Which},
    shape::{show, Axes, Dims},
    trace::Value,
    with_element,
};

/// The largest (or smallest) over `axes`, which stay as axes of size 1; NaN wins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extreme {
    pub axes: Axes,
    pub largest: bool,
}
impl Extreme {
    fn name(&self) -> &'static str {
        if self.largest {
            "amax"
        } else {
            "amin"
        }
    }
}
#[cold]
fn unordered(op: &'static str, dtype: DType, x: &Array) -> Error {
    Error::dtype(op, format!("cannot order {dtype} tensors of shape {}; reduce .abs() or .real", show(x.shape())))
}
/// The value's share of a slope: equal among all elements that attain the extreme.
fn shares(x: &Value, y: &Value, axes: Axes) -> Result<Value> {
    let winners = convert::to(&compare(Order::Equal, x, y)?, x.dtype())?;
    let count = Sum { axes, kept: axes }.call(&[&winners])?;
    Div::of(&winners, &count)
}
impl Op for Extreme {
    const NAME: &'static str = "amax";
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new(self.name(), self.axes.kept_in(x.shape()), x.dtype())?;
        macro_rules! run {
            ($($d:ident|$t:ty),*) => { match (x.dtype(), self.largest) { $(
                (DType::$d, true) => kernel::max(x.strided::<$t>()?, self.axes.0, y.slice_mut()?),
                (DType::$d, false) => kernel::min(x.strided::<$t>()?, self.axes.0, y.slice_mut()?),
                )*
                (d, _) => return Err(unordered(self.name(), d, x)),
            } };
        }
        run!(Bool | u8, U8 | u8, I32 | i32, I64 | i64, F32 | f32, F64 | f64).map_err(|kernel::EmptyReduction| {
            let why = "over empty dimensions; there is no extreme of nothing";
            Error::shape(self.name(), format!("cannot reduce shape {} {why}", show(x.shape())))
        })?;
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        let moved = Mul::of(t, &shares(&xs[0], &ys[0], self.axes)?)?;
        Ok(one(Some(Sum { axes: self.axes, kept: self.axes }.call(&[&moved])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, outputs: true, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        Ok(one(Some(Mul::of(g, &shares(at.input(0)?, at.output(0)?, self.axes)?)?)))
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
impl Op for ArgExtreme {
    const NAME: &'static str = "argmax";
    no_derivative!();
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let name = if self.largest { "argmax" } else { "argmin" };
        let mut y = Array::new(name, Axes::one(self.axis).kept_in(x.shape()), DType::I64)?;
        macro_rules! run {
            ($($d:ident|$t:ty),*) => { match x.dtype() {
                $(DType::$d => kernel::arg_extreme(x.strided::<$t>()?, self.axis, self.largest, y.slice_mut()?),)*
                d => return Err(unordered(name, d, x)),
            } };
        }
        run!(Bool | u8, U8 | u8, I32 | i32, I64 | i64, F32 | f32, F64 | f64).map_err(|kernel::EmptyReduction| {
            let why = format!("along the empty dimension {}; there is no extreme of nothing", self.axis);
            Error::shape(name, format!("cannot reduce shape {} {why}", show(x.shape())))
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
        let (x, axes) = (xs[0], self.axes.0);
        let mut y = Array::new("all", self.axes.kept_in(x.shape()), DType::Bool)?;
        with_element!(x.dtype(), T => match self.all {
            true => kernel::all(x.strided::<T>()?, axes, y.slice_mut()?),
            false => kernel::any(x.strided::<T>()?, axes, y.slice_mut()?),
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
fn number(x: &Value, c: f64) -> Result<Value> {
    x.full_like(c)
}
fn inexact(op: &'static str, x: &Value) -> Result<()> {
    match x.dtype().is_inexact() {
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
    inexact("mean", x)?;
    let n = axes.count(x.shape()) as f64;
    Div::fixed(&sum(x, axes, keepdim, None)?, Fixed::Right(Scalar::Float(n)))
}
/// Variance over `axes`, which stay as axes of size 1, with `correction` taken off the count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variance {
    pub axes: Axes,
    pub correction: f64,
}
impl Variance {
    /// The slope 2 (x - mean) / (n - correction).
    fn slope(&self, x: &Value) -> Result<Value> {
        let centred = Sub::of(x, &mean(x, self.axes, true, None)?)?;
        let n = (self.axes.count(x.shape()) as f64 - self.correction).max(0.0);
        Mul::fixed(&centred, Fixed::Right(Scalar::Float(2.0 / n)))
    }
}
impl Op for Variance {
    const NAME: &'static str = "var";
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("var", self.axes.kept_in(x.shape()), x.dtype())?;
        match x.dtype() {
            DType::F32 => kernel::var(x.strided::<f32>()?, self.axes.0, self.correction, y.slice_mut()?),
            DType::F64 => kernel::var(x.strided::<f64>()?, self.axes.0, self.correction, y.slice_mut()?),
            d => {
                return Err(Error::dtype(
                    "var",
                    format!("cannot take the variance of {d} tensors; take that of .real and .imag"),
                ))
            }
        }
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        let moved = Scale::of(t, &self.slope(&xs[0])?)?;
        Ok(one(Some(Sum { axes: self.axes, kept: self.axes }.call(&[&moved])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::INPUTS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        Ok(one(Some(Scale::of(g, &self.slope(at.input(0)?)?)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Variance { axes: self.axes.shifted(), ..*self }, xs, batched, n)
    }
}
/// Variance with `correction` taken off the count (1: the unbiased estimate).
pub fn var(x: &Value, axes: Axes, keepdim: bool, correction: f64) -> Result<Value> {
    inexact("var", x)?;
    settle(&Variance { axes, correction }.call(&[x])?, axes, keepdim)
}
/// Product over axes, by halving: right slopes with zeros among the factors, at every order.
pub fn prod(x: &Value, axes: Axes, keepdim: bool, dtype: Option<DType>) -> Result<Value> {
    let dtype = dtype.unwrap_or(if x.dtype().is_integral() { DType::I64 } else { x.dtype() });
    let mut y = convert::to(x, dtype)?;
    if let Value::Array(x) = &y {
        return settle(&Value::Array(product(x, axes)?), axes, keepdim);
    }
    for axis in axes.iter().filter(|&a| a < x.rank()) {
        y = prod_along(&y, axis)?;
    }
    settle(&y, Axes(axes.0 & Axes::all(x.rank()).0), keepdim)
}
/// The product of plain numbers, in one pass.
fn product(x: &Array, axes: Axes) -> Result<Array> {
    let mut y = Array::new("prod", axes.kept_in(x.shape()), x.dtype())?;
    with_element!(x.dtype(), T => kernel::prod(x.strided::<T>()?, axes.0, y.slice_mut()?));
    Ok(y)
}
fn prod_along(x: &Value, axis: usize) -> Result<Value> {
    let mut y = x.clone();
    if y.shape()[axis] == 0 {
        // One, as a function of x: it keeps its place in the graph, with slope zero.
        let none = Sum { axes: Axes::one(axis), kept: Axes::one(axis) }.call(&[&y])?;
        return Add::fixed(&none, Fixed::Right(Scalar::Int(1)));
    }
    while y.shape()[axis] > 1 {
        let n = y.shape()[axis];
        let half = n / 2;
        let pairs = Mul::of(&super::views::narrow(&y, axis, 0, half)?, &super::views::narrow(&y, axis, half, half)?)?;
        y = if n % 2 == 1 {
            let last = super::views::narrow(&y, axis, n - 1, 1)?;
            let first = Mul::of(&super::views::narrow(&pairs, axis, 0, 1)?, &last)?;
            if half == 1 {
                first
            } else {
                super::join::cat(&[first, super::views::narrow(&pairs, axis, 1, half - 1)?], axis)?
            }
        } else {
            pairs
        };
    }
    Ok(y)
}
/// The Euclidean norm over `axes`, which stay as axes of size 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    pub axes: Axes,
}
impl Norm {
    /// The slope x / y; 0 at the origin, which is a subgradient there.
    fn slope(&self, x: &Value, y: &Value) -> Result<Value> {
        let zero = super::compare::compare_number(Order::Equal, y, Scalar::Float(0.0))?;
        let safe = select::choose_by(&zero, &number(y, 1.0)?, y)?;
        Div::of(x, &safe)
    }
}
impl Op for Norm {
    const NAME: &'static str = "norm";
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("norm", self.axes.kept_in(x.shape()), x.dtype())?;
        macro_rules! run {
            ($t:ty) => {{
                let y = y.slice_mut::<$t>()?;
                kernel::sum_squares(x.strided::<$t>()?, self.axes.0, y);
                y.iter_mut().for_each(|y| *y = y.sqrt());
            }};
        }
        match x.dtype() {
            DType::F32 => run!(f32),
            DType::F64 => run!(f64),
            d => return Err(Error::dtype("norm", format!("cannot take the norm of {d} tensors; take that of .abs()"))),
        }
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        let moved = Scale::of(t, &self.slope(&xs[0], &ys[0])?)?;
        Ok(one(Some(Sum { axes: self.axes, kept: self.axes }.call(&[&moved])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, outputs: true, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        Ok(one(Some(Scale::of(g, &self.slope(at.input(0)?, at.output(0)?)?)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Norm { axes: self.axes.shifted() }, xs, batched, n)
    }
}
/// p-norm over axes.
pub fn vector_norm(x: &Value, p: f64, axes: Axes, keepdim: bool) -> Result<Value> {
    inexact("norm", x)?;
    if p == 2.0 {
        return settle(&Norm { axes }.call(&[x])?, axes, keepdim);
    }
    let size = Abs.of(x)?;
    if p.is_infinite() {
        return extreme(&size, axes, keepdim, p > 0.0);
    }
    if p == 0.0 {
        let some = super::compare::compare_number(Order::NotEqual, x, Scalar::Float(0.0))?;
        return sum(&convert::to(&some, x.dtype())?, axes, keepdim, None);
    }
    if p == 1.0 {
        return sum(&size, axes, keepdim, None);
    }
    let total = sum(&Pow::fixed(&size, Fixed::Right(Scalar::Float(p)))?, axes, keepdim, None)?;
    let zero = super::compare::compare_number(Order::Equal, &total, Scalar::Float(0.0))?;
    let safe = select::choose_by(&zero, &number(&total, 1.0)?, &total)?;
    select::choose_by(&zero, &number(&total, 0.0)?, &Pow::fixed(&safe, Fixed::Right(Scalar::Float(1.0 / p)))?)
}
/// log Σ exp(x) over `axes`, which stay as axes of size 1, without overflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSumExp {
    pub axes: Axes,
}
impl LogSumExp {
    /// The slope exp(x - y), which is softmax; nothing where all is -∞.
    fn slope(&self, x: &Value, y: &Value) -> Result<Value> {
        let nothing = super::compare::compare_number(Order::Equal, y, Scalar::Float(f64::NEG_INFINITY))?;
        let y = select::choose_by(&nothing, &number(y, 0.0)?, y)?;
        Exp.of(&Sub::of(x, &y)?)
    }
}
impl Op for LogSumExp {
    const NAME: &'static str = "logsumexp";
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("logsumexp", self.axes.kept_in(x.shape()), x.dtype())?;
        match x.dtype() {
            DType::F32 => kernel::logsumexp(x.strided::<f32>()?, self.axes.0, y.slice_mut()?),
            DType::F64 => kernel::logsumexp(x.strided::<f64>()?, self.axes.0, y.slice_mut()?),
            d => {
                return Err(Error::dtype("logsumexp", format!("cannot take {d} tensors of shape {}", show(x.shape()))))
            }
        }
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        let moved = Scale::of(t, &self.slope(&xs[0], &ys[0])?)?;
        Ok(one(Some(Sum { axes: self.axes, kept: self.axes }.call(&[&moved])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, outputs: true, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        Ok(one(Some(Scale::of(g, &self.slope(at.input(0)?, at.output(0)?)?)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(LogSumExp { axes: self.axes.shifted() }, xs, batched, n)
    }
}
pub fn logsumexp(x: &Value, axes: Axes, keepdim: bool) -> Result<Value> {
    let x = &if x.dtype().is_integral() { convert::to(x, crate::trace::default_dtype())? } else { x.clone() };
    settle(&LogSumExp { axes }.call(&[x])?, axes, keepdim)
}
