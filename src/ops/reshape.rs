//! reshape and permute: the same elements under another geometry, as views wherever strides allow.
use crate::{
    array::Array,
    error::{Error, Result},
    op::{linear, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{count, show, Dims, Strides},
    trace::{apply, Value},
};
use std::sync::Arc;

/// The elements of `x` in row-major order under another shape: a view where strides allow, else a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    pub shape: Arc<[usize]>,
}
/// Strides that read an array of these dimensions as `shape` without a copy, if there are any.
pub fn view_strides(from: &[usize], strides: &[isize], shape: &[usize]) -> Option<Strides> {
    // Merge runs of axes that step as one, then split them again as `shape` asks (the algorithm of NumPy's reshape).
    let mut out: Strides = Strides::from_elem(0, shape.len());
    let old: Vec<(usize, isize)> = from.iter().zip(strides).filter(|(&n, _)| n != 1).map(|(&n, &s)| (n, s)).collect();
    let (mut i, mut j) = (0, 0);
    while i < old.len() {
        let (mut size, mut i2) = (old[i].0, i + 1);
        let (mut wanted, mut j2) = (1, j);
        while wanted != size {
            if wanted < size {
                wanted *= *shape.get(j2)?;
                j2 += 1;
            } else {
                // One more old axis joins: it must continue the run.
                let (n, s) = *old.get(i2)?;
                if old[i2 - 1].1 != s * n as isize {
                    return None;
                }
                size *= n;
                i2 += 1;
            }
        }
        let mut step = old[i2 - 1].1;
        for k in (j..j2).rev() {
            out[k] = step;
            step *= shape[k] as isize;
        }
        (i, j) = (i2, j2);
    }
    Some(out)
}
impl Op for Reshape {
    const NAME: &'static str = "reshape";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::FIRST)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        if count("reshape", &self.shape)? != x.len() {
            return Err(Error::shape(
                "reshape",
                format!(
                    "cannot give {} elements of shape {} the shape {}",
                    x.len(),
                    show(x.shape()),
                    show(&self.shape)
                ),
            ));
        }
        let shape = Dims::from_slice(&self.shape);
        let strides = if x.is_contiguous() {
            Some(crate::shape::contiguous_strides(&shape))
        } else {
            view_strides(x.shape(), x.strides(), &shape)
        };
        Ok(one(match strides {
            Some(strides) => x.view("reshape", shape, strides, 0)?,
            None => {
                let copy = x.copied("reshape")?;
                let strides = crate::shape::contiguous_strides(&shape);
                copy.view("reshape", shape, strides, 0)?
            }
        }))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::AVALS
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&Reshape { shape: at.aval(0)?.shape.as_slice().into() }, gs)
    }
    fn batch(&self, xs: &[Value], _: Which, n: usize) -> Result<Values> {
        apply(Reshape { shape: std::iter::once(n).chain(self.shape.iter().copied()).collect() }, &[&xs[0]])
    }
}
/// `x` with another shape of as many elements.
pub fn reshape(x: &Value, shape: &[usize]) -> Result<Value> {
    if x.shape() == shape {
        return Ok(x.clone());
    }
    Reshape { shape: shape.into() }.call(&[x])
}
/// The sizes a reshape asks for, one of which may be -1.
pub fn resolve(op: &'static str, len: usize, from: &[usize], sizes: &[i64]) -> Result<Dims> {
    let cannot = |why: &str| {
        Error::shape(op, format!("cannot give shape {} ({len} elements) the shape {sizes:?} ({why})", show(from)))
    };
    let mut known: usize = 1;
    let mut open = None;
    for (i, &n) in sizes.iter().enumerate() {
        match n {
            -1 if open.is_some() => return Err(cannot("only one size can be -1")),
            -1 => open = Some(i),
            n if n < 0 => return Err(cannot("sizes are at least 0, or -1 once")),
            n => known = known.checked_mul(n as usize).ok_or_else(|| cannot("too many elements"))?,
        }
    }
    let mut shape: Dims = sizes.iter().map(|&n| n.max(0) as usize).collect();
    if let Some(i) = open {
        if known == 0 || !len.is_multiple_of(known) {
            return Err(cannot("-1 has no size that fits"));
        }
        shape[i] = len / known;
    } else if known != len {
        return Err(cannot("the number of elements differs"));
    }
    Ok(shape)
}

/// Axis `i` of the result is axis `order[i]` of the input, as a view.
#[derive(Clone, Debug, PartialEq)]
pub struct Permute {
    pub order: Arc<[u8]>,
}
impl Permute {
    pub fn inverse(&self) -> Permute {
        let mut order = vec![0; self.order.len()];
        for (i, &a) in self.order.iter().enumerate() {
            order[a as usize] = i as u8;
        }
        Permute { order: order.into() }
    }
}
impl Op for Permute {
    const NAME: &'static str = "permute";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Moves(Which::FIRST)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let shape = self.order.iter().map(|&a| xs[0].shape()[a as usize]).collect();
        let strides = self.order.iter().map(|&a| xs[0].strides()[a as usize]).collect();
        Ok(one(xs[0].view("permute", shape, strides, 0)?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        linear(self, ts)
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        linear(&self.inverse(), gs)
    }
    fn batch(&self, xs: &[Value], _: Which, _: usize) -> Result<Values> {
        apply(Permute { order: std::iter::once(0).chain(self.order.iter().map(|a| a + 1)).collect() }, &[&xs[0]])
    }
}
/// Two axes swapped.
pub fn swap(x: &Value, a: usize, b: usize) -> Result<Value> {
    let mut order: Vec<u8> = (0..x.rank() as u8).collect();
    order.swap(a, b);
    Permute { order: order.into() }.call(&[x])
}
