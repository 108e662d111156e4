//! Variance and standard deviation.
use super::{
    arith::{Mul, Sub},
    binary::{Binary, Scale},
    compare::{compare_number, Order},
    power::Sqrt,
    product::Slope,
    reduce::{mean, real, settle, sum_kept, times_slope},
    select,
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
    shape::Axes,
    trace::Value,
};

/// Variance over `axes`, which stay with size 1; `correction` is taken off the count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Var {
    pub axes: Axes,
    pub correction: f64,
}
/// Distance from the mean.
#[derive(Clone, Copy)]
struct Deviation;
impl Slope for Deviation {
    const NAME: &'static str = "var";
    const COST: usize = 1;
    #[inline(always)]
    fn slope<T: Real>(&self, x: T, mean: T) -> T {
        x - mean
    }
}
impl Var {
    /// `t * (x - mean)`.
    fn deviations(&self, t: &Value, x: &Value) -> Result<Value> {
        let mean = mean(x, self.axes, true, None)?;
        times_slope(Deviation, t, x, &mean, || Sub::of(x, &mean))
    }
    /// `v * 2 / (n - correction)`.
    fn spread(&self, v: &Value, shape: &[usize]) -> Result<Value> {
        let n = (self.axes.count(shape) as f64 - self.correction).max(0.0);
        let factor = Fixed::Right(Scalar::Float(2.0 / n));
        // Of nothing left of the count the slope is infinite, which matters only where something comes in.
        if n > 0.0 {
            Mul::fixed(v, factor)
        } else {
            Scale::fixed(v, factor)
        }
    }
}
impl Op for Var {
    const NAME: &'static str = "var";
    fn locality(&self) -> Locality {
        Locality::Along(self.axes)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("var", self.axes.kept_in(x.shape()), x.dtype())?;
        match x.dtype() {
            DType::F32 => kernel::var(x.strided::<f32>()?, self.axes.0, self.correction, y.slice_mut()?),
            DType::F64 => kernel::var(x.strided::<f64>()?, self.axes.0, self.correction, y.slice_mut()?),
            d => return Err(Error::dtype("var", format!("needs a float tensor, not {d}; convert it with .float()"))),
        }
        Ok(one(y))
    }
    // Σ (x - m)² does not change with m to first order, so the mean counts as a constant here; as a function of x it
    // takes part in the second derivative.
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        let moved = sum_kept(&self.deviations(t, &xs[0])?, self.axes)?;
        Ok(one(Some(self.spread(&moved, xs[0].shape())?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::INPUTS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        let x = at.input(0)?;
        Ok(one(Some(self.deviations(&self.spread(g, x.shape())?, x)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Var { axes: self.axes.shifted(), correction: self.correction }, xs, batched, n)
    }
}
/// Variance with `correction` taken off the count (1: the unbiased estimate).
pub fn var(x: &Value, axes: Axes, keepdim: bool, correction: f64) -> Result<Value> {
    real("var", x)?;
    settle(&Var { axes, correction }.call(&[x])?, axes, keepdim)
}
/// √x that has slope 0 at 0.
fn root(x: &Value) -> Result<Value> {
    let zero = compare_number(Order::Equal, x, Scalar::Float(0.0))?;
    let safe = select::choose_by(&zero, &x.full_like(1.0)?, x)?;
    select::choose_by(&zero, &x.full_like(0.0)?, &Sqrt.of(&safe)?)
}
/// Standard deviation; its slope is 0 where it is 0, as in PyTorch.
pub fn std(x: &Value, axes: Axes, keepdim: bool, correction: f64) -> Result<Value> {
    real("std", x)?;
    root(&var(x, axes, keepdim, correction)?)
}
