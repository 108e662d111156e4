//! Several tensors put together: one behind the other, stacked, or at their common shape.
use super::{
    super::{
        args::{either, values},
        tensor::Tensor,
    },
    parts::many,
};
use crate::{
    error::Error,
    ops::join,
    shape::{axis, broadcast},
    trace::Value,
};
use pyo3::{prelude::*, types::PyTuple};

/// Tensors one behind the other along a dimension, in a copy.
///
/// Shapes: equal but for `dim` (also `axis`), whose sizes add up; raises ValueError for others, for numbers and for no
/// tensors, IndexError for a dimension that is out of range. Dtypes are promoted to a common one.
///
/// Derivative: that of the identity, each element's gradient goes back to its place.
///
/// >>> rg.cat([rg.tensor([1, 2]), rg.tensor([3])])
/// tensor([1, 2, 3])
#[pyfunction]
#[pyo3(signature = (tensors, dim=None, axis=None))]
fn cat(tensors: &Bound<'_, PyAny>, dim: Option<i64>, axis: Option<i64>) -> PyResult<Tensor> {
    let xs = values("cat", tensors)?;
    let dim = either("cat", dim, axis)?.unwrap_or(0);
    let rank = xs.iter().find(|x| x.shape() != [0]).or(xs.first()).map_or(1, Value::rank);
    if rank == 0 {
        return Err(Error::shape("cat", "0-d tensors cannot be joined; use stack()").into());
    }
    Ok(join::cat(&xs, self::axis("cat", dim, rank)?)?.into())
}
/// Tensors of one shape along a new dimension, in a copy.
///
/// Shapes: all equal; the result has their number at `dim` (also `axis`). Raises ValueError for others and for no
/// tensors, IndexError for a dimension that is out of range. Dtypes are promoted to a common one.
///
/// Derivative: that of the identity, each element's gradient goes back to its place.
///
/// >>> rg.stack([rg.tensor([1, 2]), rg.tensor([3, 4])])
/// tensor([[1, 2],
///         [3, 4]])
#[pyfunction]
#[pyo3(signature = (tensors, dim=None, axis=None))]
fn stack(tensors: &Bound<'_, PyAny>, dim: Option<i64>, axis: Option<i64>) -> PyResult<Tensor> {
    let xs = values("stack", tensors)?;
    let dim = either("stack", dim, axis)?.unwrap_or(0);
    let rank = xs.first().map_or(0, Value::rank);
    Ok(join::stack(&xs, self::axis("stack", dim, rank + 1)?)?.into())
}
fn joined(op: &'static str, tensors: &Bound<'_, PyAny>, rank: usize, dim: impl Fn(usize) -> usize) -> PyResult<Tensor> {
    let mut xs = values(op, tensors)?;
    for x in &mut xs {
        if x.rank() < rank {
            let missing = rank - x.rank();
            let shape: Vec<usize> = std::iter::repeat_n(1, missing).chain(x.shape().iter().copied()).collect();
            *x = crate::ops::reshape::reshape(x, &shape)?;
        }
    }
    let dim = dim(xs.first().map_or(1, Value::rank));
    Ok(join::cat(&xs, dim)?.into())
}
/// Tensors side by side: joined along the second dimension, vectors and numbers along the first.
///
/// Shapes: equal but for that dimension; raises ValueError for others. Dtypes are promoted to a common one.
///
/// Derivative: that of the identity, each element's gradient goes back to its place.
///
/// >>> rg.hstack([rg.tensor([1, 2]), rg.tensor([3])])
/// tensor([1, 2, 3])
#[pyfunction]
fn hstack(tensors: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    joined("hstack", tensors, 1, |r| usize::from(r > 1))
}
/// Tensors one above the other: joined along the first dimension, vectors and numbers as rows.
///
/// Shapes: equal but for that dimension; raises ValueError for others. Dtypes are promoted to a common one.
///
/// Derivative: that of the identity, each element's gradient goes back to its place.
///
/// >>> rg.vstack([rg.tensor([1, 2]), rg.tensor([3, 4])])
/// tensor([[1, 2],
///         [3, 4]])
#[pyfunction]
fn vstack(tensors: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    joined("vstack", tensors, 2, |_| 0)
}
/// Views of all tensors at their common shape, as a tuple.
///
/// Shapes: all broadcast; raises ValueError if they cannot. Any dtypes, kept.
///
/// Derivative: that of the identity; gradients of elements that were repeated are summed.
///
/// >>> rg.broadcast_tensors(rg.tensor([1, 2]), rg.tensor([[3], [4]]))[0]
/// tensor([[1, 2],
///         [1, 2]])
#[pyfunction]
#[pyo3(signature = (*tensors))]
fn broadcast_tensors<'py>(tensors: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyTuple>> {
    let mut shape = crate::shape::Dims::new();
    for v in values("broadcast_tensors", tensors.as_any())? {
        shape = broadcast("broadcast_tensors", &shape, v.shape())?;
    }
    let out = tensors.iter().map(|t| t.cast::<Tensor>()?.get().broadcast(&shape)).collect::<PyResult<Vec<_>>>()?;
    many(out, tensors.py())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(cat, m)?)?;
    m.add("concat", m.getattr("cat")?)?;
    m.add("concatenate", m.getattr("cat")?)?;
    m.add_function(wrap_pyfunction!(stack, m)?)?;
    m.add_function(wrap_pyfunction!(hstack, m)?)?;
    m.add_function(wrap_pyfunction!(vstack, m)?)?;
    m.add_function(wrap_pyfunction!(broadcast_tensors, m)?)
}
