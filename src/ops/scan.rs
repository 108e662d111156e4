//! Running sums and products along one axis.
use super::{arith::Mul, binary::Binary, convert, join, views};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, Result},
    kernels::scan,
    op::{batch_all, linear, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::Dims,
    trace::Value,
};

/// Running sum along `axis`, from the end if `reverse`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CumSum {
    pub axis: usize,
    pub reverse: bool,
}
impl Op for CumSum {
    const NAME: &'static str = "cumsum";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Running { axis: self.axis, reverse: self.reverse }
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut y = Array::new("cumsum", Dims::from_slice(x.shape()), x.dtype())?;
        macro_rules! run {
            ($($d:ident $t:ty),*) => { match x.dtype() {
                $(DType::$d => scan::cumsum(x.strided::<$t>()?, self.axis, self.reverse, y.slice_mut()?),)*
                d => return Err(Error::dtype("cumsum", format!("cannot add up {d}; convert to int64 first"))),
            } };
        }
        run!(I64 i64, F32 f32, F64 f64, C64 num_complex::Complex<f32>, C128 num_complex::Complex<f64>);
        Ok(one(y))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&CumSum { axis: self.axis, reverse: !self.reverse }, gs)
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(CumSum { axis: self.axis + 1, reverse: self.reverse }, xs, batched, n)
    }
}
/// Running sum, integers and booleans in int64.
pub fn cumsum(x: &Value, axis: usize, dtype: Option<DType>) -> Result<Value> {
    let dtype = dtype.unwrap_or(if x.dtype().is_integral() { DType::I64 } else { x.dtype() });
    let x = convert::to(x, dtype)?;
    if x.rank() == 0 {
        return convert::Copy.call(&[&x]);
    }
    CumSum { axis, reverse: false }.call(&[&x])
}
/// Running product in log₂ n doubling steps (Hillis and Steele 1986): slopes are right with zeros among the factors.
pub fn cumprod(x: &Value, axis: usize, dtype: Option<DType>) -> Result<Value> {
    let dtype = dtype.unwrap_or(if x.dtype().is_integral() { DType::I64 } else { x.dtype() });
    let mut y = convert::to(x, dtype)?;
    let n = x.shape().get(axis).copied().unwrap_or(1);
    if n < 2 {
        return convert::Copy.call(&[&y]); // memory of its own
    }
    let mut step = 1;
    while step < n {
        let head = views::narrow(&y, axis, 0, step)?;
        let products = Mul::of(&views::narrow(&y, axis, step, n - step)?, &views::narrow(&y, axis, 0, n - step)?)?;
        y = join::cat(&[head, products], axis)?;
        step *= 2;
    }
    Ok(y)
}
