//! Windows: views that show each element of a part of their input once, and the two ways back into the whole.
use super::expand;
use crate::{
    array::{assign, Array},
    error::Result,
    op::{batch_all, linear, one, Arrays, Call, Locality, Op, Prim, Saved, Saves, Slopes, Values, Which},
    shape::Dims,
    trace::{apply, Value},
};
use std::sync::Arc;

/// An op whose result is a window.
pub trait Window: Op {
    const SCATTER: &'static str;
    const INTO: &'static str;
    /// The view itself, of any array of the shape the window was made for.
    fn of(&self, x: &Array) -> Result<Array>;
    /// The same window one axis further on; the new first axis, of length `n`, is shown whole.
    fn batched(&self, n: usize) -> Self;
}

/// The transpose of a window: zeros of shape `shape` with the input in the places it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct PutInto<W> {
    pub window: W,
    pub shape: Arc<[usize]>,
}
impl<W: Window> Op for PutInto<W>
where
    PutInto<W>: Into<Prim>,
{
    const NAME: &'static str = W::INTO;
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::FIRST)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let out = Array::zeros(W::INTO, Dims::from_slice(&self.shape), xs[0].dtype())?;
        assign(W::INTO, &self.window.of(&out)?, xs[0])?;
        Ok(one(out))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&self.window, gs)
    }
    fn batch(&self, xs: &[Value], _: Which, n: usize) -> Result<Values> {
        let shape = std::iter::once(n).chain(self.shape.iter().copied()).collect();
        apply(PutInto { window: self.window.batched(n), shape }, &[&xs[0]])
    }
}

/// The first input with the second in the places a window shows: what writing through a view does to its base.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter<W> {
    pub window: W,
}
impl<W: Window> Op for Scatter<W>
where
    Scatter<W>: Into<Prim>,
{
    const NAME: &'static str = W::SCATTER;
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which(0b11))
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let out = xs[0].copied(W::SCATTER)?;
        assign(W::SCATTER, &self.window.of(&out)?, xs[1])?;
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
        let into = at.needs.has(1).then(|| self.window.call(&[g])).transpose()?;
        let rest = match at.needs.has(0) {
            true => {
                let zero = Array::zeros(W::SCATTER, Dims::new(), g.dtype())?;
                let zero = expand::to(W::SCATTER, &Value::Array(zero), &at.aval(1)?.shape)?;
                Some(self.call(&[g, &zero])?)
            }
            false => None,
        };
        Ok(Slopes::from_iter([rest, into]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Scatter { window: self.window.batched(n) }, xs, batched, n)
    }
}
