//! Basic slicing: a view of every step-th element along each axis.
use super::window::{PutInto, Scatter, Window};
use crate::{
    array::Array,
    error::Result,
    op::{linear, one, Arrays, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{Dims, Strides},
    trace::{apply, Value},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// Along one axis: `size` elements from `start` on, `step` apart (negative for backwards).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub start: usize,
    pub step: isize,
    pub size: usize,
}
impl Span {
    pub fn whole(size: usize) -> Span {
        Span { start: 0, step: 1, size }
    }
}
pub type Spans = SmallVec<[Span; 4]>;
pub type SliceInto = PutInto<Slice>;
pub type SliceScatter = Scatter<Slice>;

/// One span per axis; the result is a view.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    spans: Arc<[Span]>,
}
impl Slice {
    pub fn new(spans: &[Span]) -> Slice {
        Slice { spans: spans.into() }
    }
}
impl Window for Slice {
    const SCATTER: &'static str = "slice_scatter";
    const INTO: &'static str = "slice_into";
    fn of(&self, x: &Array) -> Result<Array> {
        let shape: Dims = self.spans.iter().map(|s| s.size).collect();
        let strides: Strides = self.spans.iter().zip(x.strides()).map(|(span, s)| s * span.step).collect();
        let offset = self.spans.iter().zip(x.strides()).map(|(span, s)| s * span.start as isize).sum();
        x.view("slice", shape, strides, offset)
    }
    fn batched(&self, n: usize) -> Slice {
        Slice { spans: std::iter::once(Span::whole(n)).chain(self.spans.iter().copied()).collect() }
    }
}
impl Op for Slice {
    const NAME: &'static str = "slice";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::FIRST)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        Ok(one(self.of(xs[0])?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::AVALS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&SliceInto { window: self.clone(), shape: at.aval(0)?.shape.as_slice().into() }, gs)
    }
    fn batch(&self, xs: &[Value], _: Which, n: usize) -> Result<Values> {
        apply(self.batched(n), &[&xs[0]])
    }
}
