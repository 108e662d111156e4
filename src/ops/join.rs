//! cat and what is made of it: stack, roll, repeat.
use super::{convert, expand, reshape::reshape, views};
use crate::{
    array::{assign, Array},
    dtype::Promotion,
    error::{Error, Result},
    op::{batch_all, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    ops::slice::Span,
    shape::{show, Dims},
    trace::{apply, default_dtype, Value},
};

/// Arrays one behind the other along `axis`; equal in all other sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cat {
    pub axis: usize,
}
fn part(x: &Value, axis: usize, start: usize, size: usize) -> Result<Value> {
    views::call(views::along(x.shape(), axis, Span { start, step: 1, size }), x)
}
impl Op for Cat {
    const NAME: &'static str = "cat";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::ALL)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let mut shape = Dims::from_slice(xs[0].shape());
        shape[self.axis] = xs.iter().map(|x| x.shape()[self.axis]).sum();
        let out = Array::new("cat", shape, xs[0].dtype())?;
        let whole = Value::Array(out.clone());
        let mut start = 0;
        for x in xs {
            let size = x.shape()[self.axis];
            assign("cat", part(&whole, self.axis, start, size)?.array()?, x)?;
            start += size;
        }
        drop(whole);
        Ok(one(out))
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let full: Vec<Value> =
            ts.iter().zip(xs).map(|(t, x)| t.clone().map_or_else(|| x.full_like(0.0), Ok)).collect::<Result<_>>()?;
        Ok(one(Some(self.call(&full.iter().collect::<Vec<_>>())?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::AVALS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let mut start = 0;
        let mut out = Slopes::new();
        for i in 0.. {
            let Ok(aval) = at.aval(i) else { break };
            let size = aval.shape[self.axis];
            out.push(match &gs[0] {
                Some(g) if at.needs.has(i) => Some(part(g, self.axis, start, size)?),
                _ => None,
            });
            start += size;
        }
        Ok(out)
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(Cat { axis: self.axis + 1 }, xs, batched, n)
    }
}
/// Values of one rank, promoted, one behind the other along `axis`. Empty 1-d tensors fit anything, as in PyTorch.
pub fn cat(xs: &[Value], axis: usize) -> Result<Value> {
    let promotion = xs.iter().fold(Promotion::default(), |p, x| p.tensor(x.dtype(), x.rank()));
    let dtype = promotion.result(default_dtype());
    let fitting: Vec<&Value> = xs.iter().filter(|x| x.shape() != [0]).collect();
    let Some(first) = fitting.first() else {
        return xs.first().cloned().ok_or_else(|| Error::value("cat", "got no tensors; give at least one"));
    };
    let mut parts = Vec::with_capacity(fitting.len());
    for (i, x) in fitting.iter().enumerate() {
        let fits = x.rank() == first.rank()
            && x.shape().iter().zip(first.shape()).enumerate().all(|(a, (m, n))| a == axis || m == n);
        if !fits || x.rank() == 0 {
            return Err(Error::shape(
                "cat",
                format!(
                    "cannot join shapes {} and {} (tensor {i}) along dimension {axis}; all other sizes must be equal",
                    show(first.shape()),
                    show(x.shape())
                ),
            ));
        }
        parts.push(convert::to(x, dtype)?);
    }
    let mut ys = apply(Cat { axis }, &parts.iter().collect::<Vec<_>>())?;
    ys.pop().ok_or_else(|| Error::graph("cat", "gave no result"))
}
/// Values of one shape along a new axis.
pub fn stack(xs: &[Value], axis: usize) -> Result<Value> {
    let Some(first) = xs.first() else { return Err(Error::value("stack", "got no tensors; give at least one")) };
    let mut parts = Vec::with_capacity(xs.len());
    for (i, x) in xs.iter().enumerate() {
        if x.shape() != first.shape() {
            return Err(Error::shape(
                "stack",
                format!(
                    "cannot stack shapes {} and {} (tensor {i}); all must be equal",
                    show(first.shape()),
                    show(x.shape())
                ),
            ));
        }
        let mut shape = Dims::from_slice(x.shape());
        shape.insert(axis, 1);
        parts.push(reshape(x, &shape)?);
    }
    cat(&parts, axis)
}
/// `x` shifted along axes, what leaves at one end entering at the other.
pub fn roll(x: &Value, shifts: &[(usize, i64)]) -> Result<Value> {
    let (mut y, mut moved) = (x.clone(), false);
    for &(axis, shift) in shifts {
        let n = y.shape()[axis];
        if n == 0 {
            continue;
        }
        let cut = n - shift.rem_euclid(n as i64) as usize;
        if cut != n {
            y = cat(&[part(&y, axis, cut, n - cut)?, part(&y, axis, 0, cut)?], axis)?;
            moved = true;
        }
    }
    // The result must not share memory with `x`, even where nothing moves.
    if moved {
        Ok(y)
    } else {
        convert::Copy.call(&[&y])
    }
}
/// `x` repeated as often as `times` says along each axis.
pub fn repeat(x: &Value, times: &[usize]) -> Result<Value> {
    let new = times.len().checked_sub(x.rank()).ok_or_else(|| {
        Error::shape("repeat", format!("got {} repeats for a tensor with {} dimensions", times.len(), x.rank()))
    })?;
    let sizes: Dims = std::iter::repeat_n(1, new).chain(x.shape().iter().copied()).collect();
    // Each axis becomes (times, size), the first of them broadcast, then both are merged.
    let (mut apart, mut wide, mut merged) = (Dims::new(), Dims::new(), Dims::new());
    for (&t, &n) in times.iter().zip(&sizes) {
        apart.extend([1, n]);
        wide.extend([t, n]);
        merged.push(crate::shape::count("repeat", &[t, n])?);
    }
    crate::shape::count("repeat", &merged)?;
    if wide.len() > crate::shape::MAX_RANK {
        return Err(Error::shape("repeat", format!("a tensor with {} dimensions has too many to repeat", times.len())));
    }
    let spread = expand::to("repeat", &reshape(x, &apart)?, &wide)?;
    // The result must not share memory with `x`, even where the reshapes would be views.
    reshape(&convert::Copy.call(&[&spread])?, &merged)
}
