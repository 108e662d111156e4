//! Change of dtype, and plain copies.
use crate::{
    array::Array,
    dtype::DType,
    error::Result,
    kernels::cast::cast,
    op::{batch_all, linear, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    trace::Value,
};

/// Elements converted to `dtype`. The derivative flows between floats; through integers there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convert {
    pub dtype: DType,
}
impl Op for Convert {
    const NAME: &'static str = "to";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        Ok(one(cast("to", xs[0], self.dtype)?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::AVALS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&Convert { dtype: at.aval(0)?.dtype }, gs)
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(*self, xs, batched, n)
    }
}
/// `x` as `dtype`; itself if it is that already.
pub fn to(x: &Value, dtype: DType) -> Result<Value> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    Convert { dtype }.call(&[x])
}

/// The same numbers in contiguous storage of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copy;
impl Op for Copy {
    const NAME: &'static str = "clone";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        Ok(one(xs[0].copied("clone")?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        Ok(one(gs[0].clone()))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(*self, xs, batched, n)
    }
}
