//! Sum over a set of axes: the transpose of broadcasting.
use super::{convert, expand, reshape};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, Result},
    kernels::reduce,
    op::{batch_all, linear, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{Axes, Dims},
    trace::Value,
};

/// Sum over `axes`; those in `kept` stay as axes of size 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    pub axes: Axes,
    pub kept: Axes,
}
impl Sum {
    fn shape(&self, from: &[usize]) -> Dims {
        let dropped = Axes(self.axes.0 & !self.kept.0);
        dropped.removed_from(&self.axes.kept_in(from))
    }
}
impl Op for Sum {
    const NAME: &'static str = "sum";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Along(self.axes)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("sum", self.shape(x.shape()), x.dtype())?;
        macro_rules! run {
            ($t:ty) => {
                reduce::sum(x.strided::<$t>()?, self.axes.0, y.slice_mut()?)
            };
        }
        match x.dtype() {
            DType::F32 => run!(f32),
            DType::F64 => run!(f64),
            DType::I64 => run!(i64),
            DType::C64 => run!(num_complex::Complex<f32>),
            DType::C128 => run!(num_complex::Complex<f64>),
            d => return Err(Error::dtype("sum", format!("cannot add up {d}; convert to int64 first"))),
        }
        Ok(one(y))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::AVALS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        let shape = &at.aval(0)?.shape;
        let g = reshape::reshape(g, &self.axes.kept_in(shape))?;
        Ok(one(Some(expand::to("sum", &g, shape)?)))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Sum { axes: self.axes.shifted(), kept: self.kept.shifted() }, xs, batched, n)
    }
}
/// Sum over axes, integers and booleans in int64.
pub fn sum(x: &Value, axes: Axes, keepdim: bool, dtype: Option<DType>) -> Result<Value> {
    let dtype = dtype.unwrap_or(if x.dtype().is_integral() { DType::I64 } else { x.dtype() });
    let wide = if matches!(dtype, DType::Bool | DType::U8 | DType::I32) { DType::I64 } else { dtype };
    let y = Sum { axes, kept: if keepdim { axes } else { Axes(0) } }.call(&[&convert::to(x, wide)?])?;
    convert::to(&y, dtype)
}
