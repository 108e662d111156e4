//! Reading by index tensors: `gather`, `index_select`, masks and their coordinates.
use super::super::{export_with_out, tensor::Tensor};
use crate::{
    array::Array,
    dtype::DType,
    error::Error,
    ops::{expand, indexing},
    shape::{axis, show, Dims as Shape},
    trace::Value,
};
use pyo3::{prelude::*, types::PyTuple};

#[pymethods]
impl Tensor {
    /// The slices that the vector `index` names along `dim`.
    ///
    /// Shape: the length of the index at `dim`. The index holds integers from 0 on; raises IndexError for an index or
    /// a dimension that is out of range, TypeError for another dtype. Any dtype, kept.
    ///
    /// Derivative: that of the identity; gradients of slices taken several times are summed.
    ///
    /// >>> rg.index_select(rg.tensor([[1, 2], [3, 4]]), 1, rg.tensor([1, 1]))
    /// tensor([[2, 2],
    ///         [4, 4]])
    fn index_select(&self, dim: i64, index: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(indexing::index_select(&x, axis("index_select", dim, x.rank())?, &index.value()?)?.into())
    }
    /// Elements that `index` names along `dim`, at their own place in the other dimensions.
    ///
    /// Shape: that of the index, which may be smaller in the other dimensions. The index holds integers from 0 on; raises
    /// IndexError for an index or a dimension that is out of range, TypeError for another dtype, ValueError for another
    /// number of dimensions. Any dtype, kept.
    ///
    /// Derivative: that of the identity; gradients of elements taken several times are summed.
    ///
    /// >>> rg.gather(rg.tensor([[1, 2], [3, 4]]), 1, rg.tensor([[0], [1]]))
    /// tensor([[1],
    ///         [4]])
    #[pyo3(signature = (dim, index, *, sparse_grad=false))]
    fn gather(&self, dim: i64, index: &Tensor, sparse_grad: bool) -> PyResult<Tensor> {
        let _ = sparse_grad; // gradients are dense
        let x = self.value()?;
        Ok(indexing::gather("gather", &x, axis("gather", dim, x.rank())?, &index.value()?)?.into())
    }
    /// Elements that `indices` name along `dim`, both broadcast in the other dimensions; without `dim` of the flattened
    /// tensor.
    ///
    /// Shape: the common shape, with the size of the indices at `dim`, where negative ones count from the end; raises as
    /// `gather`.
    ///
    /// Derivative: as `gather`.
    ///
    /// >>> x = rg.tensor([[3, 1], [2, 4]])
    /// >>> rg.take_along_dim(x, rg.argsort(x, 1), 1)
    /// tensor([[1, 3],
    ///         [2, 4]])
    #[pyo3(signature = (indices, dim=None))]
    fn take_along_dim(&self, indices: &Tensor, dim: Option<i64>) -> PyResult<Tensor> {
        let (x, at) = (self.value()?, indices.value()?);
        let Some(dim) = dim else {
            let (x, at) =
                (crate::ops::reshape::reshape(&x, &[x.len()])?, crate::ops::reshape::reshape(&at, &[at.len()])?);
            return Ok(indexing::gather("take_along_dim", &x, 0, &at)?.into());
        };
        let a = axis("take_along_dim", dim, x.rank())?;
        if x.rank() != at.rank() {
            return Err(Error::shape(
                "take_along_dim",
                format!(
                    "index of shape {} and tensor of shape {} must have as many dimensions",
                    show(at.shape()),
                    show(x.shape())
                ),
            )
            .into());
        }
        // Broadcast all but the gathered dimension.
        let (mut from, mut to) = (Shape::from_slice(x.shape()), Shape::from_slice(at.shape()));
        (from[a], to[a]) = (1, 1);
        let common = crate::shape::broadcast("take_along_dim", &from, &to)?;
        (from, to) = (common.clone(), common);
        (from[a], to[a]) = (x.shape()[a], at.shape()[a]);
        let (x, at) = (expand::to("take_along_dim", &x, &from)?, expand::to("take_along_dim", &at, &to)?);
        Ok(indexing::gather("take_along_dim", &x, a, &at)?.into())
    }
    /// Elements of the flattened tensor by number.
    ///
    /// Shape: that of the index, which holds integers; raises IndexError where one is out of range, TypeError for
    /// another dtype. Any dtype, kept.
    ///
    /// Derivative: that of the identity; gradients of elements taken several times are summed.
    ///
    /// >>> rg.take(rg.tensor([[1, 2], [3, 4]]), rg.tensor([3, 0]))
    /// tensor([4, 1])
    fn take(&self, index: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        let flat = crate::ops::reshape::reshape(&x, &[x.len()])?;
        Ok(indexing::take_axis("take", &flat, 0, &index.value()?)?.into())
    }
    /// Elements where the mask is true, as a vector.
    ///
    /// Shapes: both broadcast; raises ValueError if they cannot. The mask is bool; raises TypeError for another dtype.
    /// Any dtype, kept.
    ///
    /// Derivative: 1 by the elements that were selected, 0 by the others.
    ///
    /// >>> x = rg.tensor([1.0, -2.0, 3.0])
    /// >>> rg.masked_select(x, x > 0)
    /// tensor([1., 3.])
    fn masked_select(&self, mask: &Tensor) -> PyResult<Tensor> {
        let mask = mask.value()?;
        if mask.dtype() != DType::Bool {
            return Err(Error::dtype(
                "masked_select",
                format!("the mask must be bool, not {}; compare it first", mask.dtype()),
            )
            .into());
        }
        Ok(indexing::masked_select(&self.value()?, &mask)?.into())
    }
    /// Coordinates of the elements that are not zero, one row each; with `as_tuple`, a vector for each dimension.
    ///
    /// Shape: (count, dimensions), in int64.
    ///
    /// Derivative: none, the result is int64.
    ///
    /// >>> rg.nonzero(rg.tensor([[0, 1], [1, 0]]))
    /// tensor([[0, 1],
    ///         [1, 0]])
    #[pyo3(signature = (*, as_tuple=false))]
    fn nonzero<'py>(&self, py: Python<'py>, as_tuple: bool) -> PyResult<Bound<'py, PyAny>> {
        let x = self.value()?;
        if x.rank() == 0 && !as_tuple {
            let n = indexing::nonzero("nonzero", &crate::ops::reshape::reshape(&x, &[1])?)?[0].len();
            let empty = Array::zeros("nonzero", Shape::from_slice(&[n, 0]), DType::I64)?;
            return Ok(Bound::new(py, Tensor::new(Value::Array(empty)))?.into_any());
        }
        let x = if x.rank() == 0 { crate::ops::reshape::reshape(&x, &[1])? } else { x };
        let axes = indexing::nonzero("nonzero", &x)?;
        if as_tuple {
            return Ok(PyTuple::new(py, axes.into_iter().map(Tensor::new))?.into_any());
        }
        Ok(Bound::new(py, Tensor::new(crate::ops::join::stack(&axes, 1)?))?.into_any())
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export_with_out(m, &["index_select", "gather", "take_along_dim", "take", "masked_select", "nonzero"])
}
