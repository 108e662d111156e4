//! Norms of vectors: the 1- and 2-norm as an op, the others as compositions.
use super::{
    binary::{Binary, Scale},
    compare::{compare_number, Order},
    convert,
    power::{Pow, Reciprocal},
    product::Slope,
    reduce::{extreme, real, settle, sum_kept, times_slope},
    rounding::{Abs, Sign},
    select,
    sum::sum,
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
    shape::{show, Axes},
    trace::Value,
};

/// √Σ x², or Σ |x|, over `axes`, which stay with size 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    pub axes: Axes,
    pub squares: bool,
}
/// x, or its sign.
#[derive(Clone, Copy)]
struct Direction(bool);
impl Slope for Direction {
    const NAME: &'static str = "norm";
    const COST: usize = 1;
    #[inline(always)]
    fn slope<T: Real>(&self, x: T, _: T) -> T {
        T::select(self.0, x, x.sign())
    }
}
impl Norm {
    /// `t * x / |x|` without the division, or `t * sign(x)`.
    fn along(&self, t: &Value, x: &Value) -> Result<Value> {
        times_slope(Direction(self.squares), t, x, x, || if self.squares { Ok(x.clone()) } else { Sign.of(x) })
    }
    /// `v / y`; 0 at the origin, the smallest of the subgradients there.
    fn unit(&self, v: &Value, y: &Value) -> Result<Value> {
        if !self.squares {
            return Ok(v.clone());
        }
        let zero = compare_number(Order::Equal, y, Scalar::Float(0.0))?;
        let inverse = Reciprocal.of(&select::choose_by(&zero, &y.full_like(1.0)?, y)?)?;
        Scale::of(v, &select::choose_by(&zero, &y.full_like(0.0)?, &inverse)?)
    }
}
impl Op for Norm {
    const NAME: &'static str = "norm";
    fn locality(&self) -> Locality {
        Locality::Along(self.axes)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("norm", self.axes.kept_in(x.shape()), x.dtype())?;
        macro_rules! run {
            ($t:ty) => {
                match self.squares {
                    true => kernel::norm(x.strided::<$t>()?, self.axes.0, y.slice_mut()?),
                    false => kernel::sum_abs(x.strided::<$t>()?, self.axes.0, y.slice_mut()?),
                }
            };
        }
        match x.dtype() {
            DType::F32 => run!(f32),
            DType::F64 => run!(f64),
            d => return Err(Error::dtype("norm", format!("needs a float tensor, not {d}; convert it with .float()"))),
        }
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        Ok(one(Some(self.unit(&sum_kept(&self.along(t, &xs[0])?, self.axes)?, &ys[0])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, outputs: self.squares, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        let x = at.input(0)?;
        let g = if self.squares { self.unit(g, at.output(0)?)? } else { g.clone() };
        Ok(one(Some(self.along(&g, x)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Norm { axes: self.axes.shifted(), squares: self.squares }, xs, batched, n)
    }
}
/// p-norm over axes.
pub fn vector_norm(x: &Value, p: f64, axes: Axes, keepdim: bool) -> Result<Value> {
    real("norm", x)?;
    if p == 2.0 || p == 1.0 {
        return settle(&Norm { axes, squares: p == 2.0 }.call(&[x])?, axes, keepdim);
    }
    if p == 0.0 {
        let some = compare_number(Order::NotEqual, x, Scalar::Float(0.0))?;
        return sum(&convert::to(&some, x.dtype())?, axes, keepdim, None);
    }
    if (p < 0.0 || p.is_infinite()) && x.is_empty() && axes.iter().any(|a| x.shape()[a] == 0) {
        return Err(Error::shape(
            "norm",
            format!("the {p}-norm of nothing does not exist (shape {}); reduce over other dimensions", show(x.shape())),
        ));
    }
    let size = Abs.of(x)?;
    if p.is_infinite() {
        return extreme(&size, axes, keepdim, p > 0.0);
    }
    let total = sum(&Pow::fixed(&size, Fixed::Right(Scalar::Float(p)))?, axes, keepdim, None)?;
    let zero = compare_number(Order::Equal, &total, Scalar::Float(0.0))?;
    let safe = select::choose_by(&zero, &total.full_like(1.0)?, &total)?;
    select::choose_by(&zero, &total.full_like(0.0)?, &Pow::fixed(&safe, Fixed::Right(Scalar::Float(1.0 / p)))?)
}
