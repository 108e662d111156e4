//! Sorting: positions are found by a kernel, values are gathered, so every mode follows from gather.
use super::{indexing, reduce::no_derivative};
use crate::{
    array::{room, Array},
    dtype::DType,
    error::{Error, Result},
    kernels::sort,
    op::{batch_all, one, Arrays, Call, Op, Saved, Saves, Slopes, Values, Which},
    shape::{show, Dims},
    trace::Value,
};

/// Positions that sort along `axis`, stable; the first `count` of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArgSort {
    pub axis: usize,
    pub descending: bool,
    pub count: usize,
}
impl Op for ArgSort {
    const NAME: &'static str = "argsort";
    no_derivative!();
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        let mut shape = Dims::from_slice(x.shape());
        shape[self.axis] = self.count;
        let mut y = Array::new("argsort", shape, DType::I64)?;
        // A copy of the lines, and for each element of one a key with its position, twice while they are merged.
        room("argsort", x.len().saturating_mul(x.dtype().size() + 32))?;
        macro_rules! run {
            ($($d:ident $t:ty),*) => { match x.dtype() {
                $(DType::$d => sort::argsort(x.strided::<$t>()?, self.axis, self.descending, self.count, y.slice_mut()?),)*
                d => return Err(Error::dtype("sort", format!("cannot order {d} tensors of shape {}", show(x.shape())))),
            } };
        }
        run!(Bool u8, U8 u8, I32 i32, I64 i64, F32 f32, F64 f64);
        Ok(one(y))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(ArgSort { axis: self.axis + 1, ..*self }, xs, batched, n)
    }
}
/// Sorted values and their positions.
pub fn sort(op: &'static str, x: &Value, axis: usize, descending: bool) -> Result<(Value, Value)> {
    let count = x.shape().get(axis).copied().unwrap_or(1);
    top(op, x, axis, descending, count)
}
/// The first `count` in sorted order.
pub fn top(op: &'static str, x: &Value, axis: usize, descending: bool, count: usize) -> Result<(Value, Value)> {
    if x.rank() == 0 {
        if count != 1 {
            return Err(Error::shape(
                op,
                format!("a 0-d tensor has 1 element to take, not {count}; reshape it to (1,)"),
            ));
        }
        let (v, i) = top(op, &super::reshape::reshape(x, &[1])?, 0, descending, count)?;
        return Ok((super::reshape::reshape(&v, &[])?, super::reshape::reshape(&i, &[])?));
    }
    if count > x.shape()[axis] {
        return Err(Error::shape(
            op,
            format!(
                "cannot take {count} of {} elements along dimension {axis} of shape {}",
                x.shape()[axis],
                show(x.shape())
            ),
        ));
    }
    let at = ArgSort { axis, descending, count }.call(&[&x.unwatched()])?;
    Ok((indexing::gather(op, x, axis, &at)?, at))
}
