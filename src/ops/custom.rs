//! Ops whose reverse rule comes from outside the crate: nodes of functions written in Python.
use crate::{
    array::Array,
    error::{Error, Result},
    op::{Arrays, Op, Saved, Saves, Slopes, Values, Which},
    trace::Value,
};
use std::{fmt::Debug, sync::Arc};

/// A reverse rule from outside.
pub trait Reverse: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes>;
}

/// The node of a function that was computed elsewhere. It is recorded, never applied: every level asked the function
/// itself what to do before the level below saw it.
#[derive(Clone, Debug)]
pub struct Custom {
    pub rule: Arc<dyn Reverse>,
    /// Inputs (and, behind them, further values) that the rule reads.
    pub saves: Which,
    pub outputs: bool,
}
impl PartialEq for Custom {
    fn eq(&self, other: &Custom) -> bool {
        Arc::ptr_eq(&self.rule, &other.rule)
    }
}
impl Custom {
    fn not_applied<T>(&self) -> Result<T> {
        Err(Error::graph(self.rule.name(), "is a place in the graph, not an operation"))
    }
}
impl Op for Custom {
    const NAME: &'static str = "custom";
    fn name(&self) -> &'static str {
        self.rule.name()
    }
    fn eval(&self, _: &[&Array]) -> Result<Arrays> {
        self.not_applied()
    }
    fn jvp(&self, _: &[Value], _: &[Value], _: &[Option<Value>]) -> Result<Slopes> {
        self.not_applied()
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: self.saves, outputs: self.outputs, avals: false }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        self.rule.vjp(at, gs)
    }
    fn batch(&self, _: &[Value], _: Which, _: usize) -> Result<Values> {
        self.not_applied()
    }
}
