//! The node of a leaf: where a sweep accumulates. It has no inputs and computes nothing.
use crate::{
    array::Array,
    error::{Error, Result},
    op::{Arrays, Op, Saved, Saves, Slopes, Values, Which},
    trace::Value,
};

/// Marks the graph node of a tensor that requires a gradient and was not computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leaf;
fn not_applied<T>() -> Result<T> {
    Err(Error::graph(Leaf::NAME, "is a place in the graph, not an operation"))
}
impl Op for Leaf {
    const NAME: &'static str = "accumulate_grad";
    fn eval(&self, _: &[&Array]) -> Result<Arrays> {
        not_applied()
    }
    fn jvp(&self, _: &[Value], _: &[Value], _: &[Option<Value>]) -> Result<Slopes> {
        not_applied()
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, _: &[Option<Value>]) -> Result<Slopes> {
        not_applied()
    }
    fn batch(&self, _: &[Value], _: Which, _: usize) -> Result<Values> {
        not_applied()
    }
}
