//! Product over axes. Its slope is the product of the other factors, right also where factors are zero.
//!
//! Where the product itself shows that all is well, that is y / x. Otherwise the factors are multiplied in pairs, the
//! products in pairs again, and so on; slopes go back through these products without any division.
use super::{
    arith::{Add, Mul},
    binary::{Binary, Scale},
    convert, join,
    product::Slope,
    reduce::{settle, times_slope},
    views::narrow,
};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, Result},
    kernels::reduce as kernel,
    math::Real,
    op::{batch_all, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{show, Axes},
    trace::Value,
};

/// Product over `axes`, which stay with size 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prod {
    pub axes: Axes,
}
/// The product of the other factors, where no factor is zero.
#[derive(Clone, Copy)]
struct Others;
impl Slope for Others {
    const NAME: &'static str = "prod";
    const COST: usize = 2;
    #[inline(always)]
    fn slope<T: Real>(&self, x: T, y: T) -> T {
        y / x
    }
}
/// Along `axis`: the first half, the second half, and the last element of an odd number.
fn halves(x: &Value, axis: usize) -> Result<(Value, Value, Option<Value>)> {
    let n = x.shape()[axis];
    let half = n / 2;
    let last = (n % 2 == 1).then(|| narrow(x, axis, n - 1, 1)).transpose()?;
    Ok((narrow(x, axis, 0, half)?, narrow(x, axis, half, half)?, last))
}
fn joined(parts: [Option<Value>; 3], axis: usize) -> Result<Value> {
    let parts: Vec<Value> = parts.into_iter().flatten().collect();
    join::cat(&parts, axis)
}
impl Prod {
    /// One entry for every time the number of factors along an axis is halved.
    fn steps(&self, shape: &[usize]) -> Vec<usize> {
        let along = |axis: usize| {
            let halvings = shape[axis].next_power_of_two().trailing_zeros();
            (0..halvings).map(move |_| axis)
        };
        self.axes.iter().filter(|&a| a < shape.len()).flat_map(along).collect()
    }
    /// Every factor is a finite number other than zero, as the product is.
    fn regular(y: &Value) -> bool {
        fn normal<T: Real + crate::dtype::Element>(y: &Array, classify: fn(T) -> bool) -> bool {
            y.to_vec::<T>().is_ok_and(|y| y.into_iter().all(classify))
        }
        match y {
            Value::Array(y) if y.dtype() == DType::F32 => normal(y, f32::is_normal),
            Value::Array(y) if y.dtype() == DType::F64 => normal(y, f64::is_normal),
            _ => false,
        }
    }
}
impl Op for Prod {
    const NAME: &'static str = "prod";
    fn locality(&self) -> Locality {
        Locality::Along(self.axes)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("prod", self.axes.kept_in(x.shape()), x.dtype())?;
        macro_rules! run {
            ($($d:ident $t:ty),*) => { match x.dtype() {
                $(DType::$d => kernel::prod(x.strided::<$t>()?, self.axes.0, y.slice_mut()?),)*
                d => {
                    let why = format!("cannot multiply {d} tensors of shape {}; convert to int64 first", show(x.shape()));
                    return Err(Error::dtype("prod", why));
                }
            } };
        }
        run!(I64 i64, F32 f32, F64 f64, C64 num_complex::Complex<f32>, C128 num_complex::Complex<f64>);
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        if xs[0].is_empty() {
            return Ok(one(Some(ys[0].full_like(0.0)?)));
        }
        let (mut x, mut t) = (xs[0].clone(), t.clone());
        for axis in self.steps(x.shape()) {
            let ((a, b, last), (ta, tb, t_last)) = (halves(&x, axis)?, halves(&t, axis)?);
            x = joined([Some(Mul::of(&a, &b)?), last, None], axis)?;
            t = joined([Some(Add::of(&Scale::of(&ta, &b)?, &Scale::of(&tb, &a)?)?), t_last, None], axis)?;
        }
        Ok(one(Some(t)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, outputs: true, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        let (x, y) = (at.input(0)?, at.output(0)?);
        if x.is_empty() {
            return Ok(one(Some(x.full_like(0.0)?)));
        }
        if matches!((g, x), (Value::Array(_), Value::Array(_))) && Prod::regular(y) {
            return Ok(one(Some(times_slope(Others, g, x, y, || Ok(y.clone()))?)));
        }
        let steps = self.steps(x.shape());
        let mut factors = Vec::with_capacity(steps.len());
        let mut x = x.clone();
        for &axis in &steps {
            let (a, b, last) = halves(&x, axis)?;
            x = joined([Some(Mul::of(&a, &b)?), last, None], axis)?;
            factors.push((axis, a, b));
        }
        let mut g = g.clone();
        for (axis, a, b) in factors.into_iter().rev() {
            let (half, all) = (a.shape()[axis], g.shape()[axis]);
            let last = (all > half).then(|| narrow(&g, axis, half, 1)).transpose()?;
            let pairs = narrow(&g, axis, 0, half)?;
            g = joined([Some(Scale::of(&pairs, &b)?), Some(Scale::of(&pairs, &a)?), last], axis)?;
        }
        Ok(one(Some(g)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Prod { axes: self.axes.shifted() }, xs, batched, n)
    }
}
/// Product over axes, integers and booleans in int64.
pub fn prod(x: &Value, axes: Axes, keepdim: bool, dtype: Option<DType>) -> Result<Value> {
    let dtype = dtype.unwrap_or(if x.dtype().is_integral() { DType::I64 } else { x.dtype() });
    let wide = if matches!(dtype, DType::Bool | DType::U8 | DType::I32) { DType::I64 } else { dtype };
    let y = Prod { axes }.call(&[&convert::to(x, wide)?])?;
    convert::to(&settle(&y, axes, keepdim)?, dtype)
}
