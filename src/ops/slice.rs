//! Basic slicing: a view of every step-th element along each axis, and the ways back into the whole.
use crate::{
    array::{assign, Array},
    error::Result,
    op::{linear, one, Arrays, Call, Op, Saved, Saves, Slopes, Values, Which},
    ops::expand,
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

/// One span per axis; the result is a view.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    spans: Arc<[Span]>,
}
impl Slice {
    pub fn new(spans: &[Span]) -> Slice {
        Slice { spans: spans.into() }
    }
    fn batched(&self, n: usize) -> Slice {
        Slice { spans: std::iter::once(Span::whole(n)).chain(self.spans.iter().copied()).collect() }
    }
    fn of(&self, x: &Array) -> Result<Array> {
        let shape: Dims = self.spans.iter().map(|s| s.size).collect();
        let strides: Strides = self.spans.iter().zip(x.strides()).map(|(span, s)| s * span.step).collect();
        let offset = self.spans.iter().zip(x.strides()).map(|(span, s)| s * span.start as isize).sum();
        x.view("slice", shape, strides, offset)
    }
}
impl Op for Slice {
    const NAME: &'static str = "slice";
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
        linear(&SliceInto { slice: self.clone(), shape: at.aval(0)?.shape.as_slice().into() }, gs)
    }
    fn batch(&self, xs: &[Value], _: Which, n: usize) -> Result<Values> {
        apply(self.batched(n), &[&xs[0]])
    }
}

/// The transpose of [`Slice`]: zeros of shape `shape` with the input in the sliced places.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceInto {
    slice: Slice,
    shape: Arc<[usize]>,
}
impl Op for SliceInto {
    const NAME: &'static str = "slice_into";
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let out = Array::zeros("slice_into", Dims::from_slice(&self.shape), xs[0].dtype())?;
        assign("slice_into", &self.slice.of(&out)?, xs[0])?;
        Ok(one(out))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&self.slice, gs)
    }
    fn batch(&self, xs: &[Value], _: Which, n: usize) -> Result<Values> {
        let shape = std::iter::once(n).chain(self.shape.iter().copied()).collect();
        apply(SliceInto { slice: self.slice.batched(n), shape }, &[&xs[0]])
    }
}

/// The first input with the second in the sliced places: what writing through a view does to its base.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceScatter {
    pub slice: Slice,
}
impl Op for SliceScatter {
    const NAME: &'static str = "slice_scatter";
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let out = xs[0].copied("slice_scatter")?;
        assign("slice_scatter", &self.slice.of(&out)?, xs[1])?;
        Ok(one(out))
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let zero = |t: &Option<Value>, x: &Value| t.clone().map_or_else(|| x.full_like(0.0), Ok);
        Ok(one(Some(self.call(&[&zero(&ts[0], &xs[0])?, &zero(&ts[1], &xs[1])?])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::AVALS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(Slopes::from_iter([None, None])) };
        let into = at.needs.has(1).then(|| self.slice.call(&[g])).transpose()?;
        let rest = match at.needs.has(0) {
            true => {
                let zero = Array::zeros("slice_scatter", Dims::new(), g.dtype())?;
                let zero = expand::to("slice_scatter", &Value::Array(zero), &at.aval(1)?.shape)?;
                Some(self.call(&[g, &zero])?)
            }
            false => None,
        };
        Ok(Slopes::from_iter([rest, into]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        crate::op::batch_all(SliceScatter { slice: self.slice.batched(n) }, xs, batched, n)
    }
}
