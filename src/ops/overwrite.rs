//! What is left of a tensor that constants were written over: it stays followed, with slope 0.
use crate::{
    array::Array,
    error::Result,
    op::{batch_all, linear, one, Arrays, Locality, Op, Saved, Saves, Slopes, Values, Which},
    trace::Value,
};

/// The history of constants in place of a computed tensor: zeros reach what it was computed from, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overwrite;
impl Op for Overwrite {
    const NAME: &'static str = "overwrite";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        Ok(one(Array::zeros("overwrite", xs[0].shape().into(), xs[0].dtype())?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(self, gs)
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(*self, xs, batched, n)
    }
}
