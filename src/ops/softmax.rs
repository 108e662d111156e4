//! Softmax, its logarithm, and the logarithm of a sum of exponentials: none of them overflows.
use super::{
    arith::Sub,
    binary::{Binary, Scale},
    convert,
    exponential::Exp,
    product::Slope,
    reduce::{real, settle, sum_kept, times_slope},
    reshape::reshape,
    unary::Unary,
};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, Result},
    kernels::reduce as kernel,
    math::Real,
    op::{batch_all, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{Axes, Dims},
    trace::Value,
};

/// softmax along one axis, or its logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softmax {
    pub axis: usize,
    pub log: bool,
}
impl Softmax {
    /// `p · (t - Σ p t)` or, for the logarithm, `t - Σ p t`, where p is softmax.
    fn tangent(&self, y: &Value, t: &Value) -> Result<Value> {
        let p = if self.log { Exp.of(y)? } else { y.clone() };
        let mean = sum_kept(&Scale::of(t, &p)?, Axes::one(self.axis))?;
        let moved = Sub::of(t, &mean)?;
        if self.log {
            Ok(moved)
        } else {
            Scale::of(&moved, &p)
        }
    }
    /// The transposed Jacobian times `g` over plain numbers, in one go: `y · (g - Σ y g)`, or `g - exp(y) · Σ g`.
    fn transposed(&self, y: &Array, g: &Array) -> Result<Array> {
        let mut out = Array::new("softmax", Dims::from_slice(y.shape()), y.dtype())?;
        macro_rules! run {
            ($t:ty) => {{
                let (y, g) = (y.strided::<$t>()?, g.strided::<$t>()?);
                match self.log {
                    true => kernel::log_softmax_transposed(y, g, self.axis, out.slice_mut()?),
                    false => kernel::softmax_transposed(y, g, self.axis, out.slice_mut()?),
                }
            }};
        }
        match y.dtype() {
            DType::F32 => run!(f32),
            _ => run!(f64),
        }
        Ok(out)
    }
}
impl Op for Softmax {
    const NAME: &'static str = "softmax";
    fn locality(&self) -> Locality {
        Locality::Along(Axes::one(self.axis))
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("softmax", Dims::from_slice(x.shape()), x.dtype())?;
        macro_rules! run {
            ($t:ty) => {
                match self.log {
                    true => kernel::log_softmax(x.strided::<$t>()?, self.axis, y.slice_mut()?),
                    false => kernel::softmax(x.strided::<$t>()?, self.axis, y.slice_mut()?),
                }
            };
        }
        match x.dtype() {
            DType::F32 => run!(f32),
            DType::F64 => run!(f64),
            d => {
                return Err(Error::dtype("softmax", format!("needs a float tensor, not {d}; convert it with .float()")))
            }
        }
        Ok(one(y))
    }
    fn jvp(&self, _: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        Ok(one(Some(match (&ys[0], t) {
            // The Jacobian of softmax is symmetric.
            (Value::Array(y), Value::Array(t)) if !self.log => Value::Array(self.transposed(y, t)?),
            (y, t) => self.tangent(y, t)?,
        })))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::OUTPUTS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        let y = at.output(0)?;
        if let (Value::Array(y), Value::Array(g)) = (y, g) {
            return Ok(one(Some(Value::Array(self.transposed(y, g)?))));
        }
        if !self.log {
            return Ok(one(Some(self.tangent(y, g)?)));
        }
        let total = sum_kept(g, Axes::one(self.axis))?;
        Ok(one(Some(Sub::of(g, &Scale::of(&total, &Exp.of(y)?)?)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Softmax { axis: self.axis + 1, log: self.log }, xs, batched, n)
    }
}
pub fn softmax(x: &Value, axis: usize, log: bool, dtype: Option<DType>) -> Result<Value> {
    let x = convert::to(x, dtype.unwrap_or(x.dtype()))?;
    if x.rank() == 0 {
        return reshape(&Softmax { axis: 0, log }.call(&[&reshape(&x, &[1])?])?, &[]);
    }
    Softmax { axis, log }.call(&[&x])
}

/// log Σ exp(x) over `axes`, which stay with size 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSumExp {
    pub axes: Axes,
}
/// An element's part in the sum: its softmax.
#[derive(Clone, Copy)]
struct Part;
impl Slope for Part {
    const NAME: &'static str = "logsumexp";
    const COST: usize = 12;
    #[inline(always)]
    fn slope<T: Real>(&self, x: T, y: T) -> T {
        (x - y).exp()
    }
}
fn parts(t: &Value, x: &Value, y: &Value) -> Result<Value> {
    times_slope(Part, t, x, y, || Exp.of(&Sub::of(x, y)?))
}
impl Op for LogSumExp {
    const NAME: &'static str = "logsumexp";
    fn locality(&self) -> Locality {
        Locality::Along(self.axes)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("logsumexp", self.axes.kept_in(x.shape()), x.dtype())?;
        match x.dtype() {
            DType::F32 => kernel::logsumexp(x.strided::<f32>()?, self.axes.0, y.slice_mut()?),
            DType::F64 => kernel::logsumexp(x.strided::<f64>()?, self.axes.0, y.slice_mut()?),
            d => return Err(Error::dtype("logsumexp", format!("needs a float tensor, not {d}"))),
        }
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        Ok(one(Some(sum_kept(&parts(t, &xs[0], &ys[0])?, self.axes)?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, outputs: true, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        Ok(one(Some(parts(g, at.input(0)?, at.output(0)?)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(LogSumExp { axes: self.axes.shifted() }, xs, batched, n)
    }
}
/// log Σ exp(x) over axes; -∞ of nothing.
pub fn logsumexp(x: &Value, axes: Axes, keepdim: bool) -> Result<Value> {
    let x = &if x.dtype().is_integral() { convert::to(x, crate::trace::default_dtype())? } else { x.clone() };
    real("logsumexp", x)?;
    settle(&LogSumExp { axes }.call(&[x])?, axes, keepdim)
}
