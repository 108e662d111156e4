//! Running sums and products, and sorting in Python.
use super::{
    args::{dtype, either},
    dtype::Arg,
    export_with_out,
    reduce::pair,
    tensor::{run, Tensor},
};
use crate::{
    error::Error,
    ops::{order, scan},
    shape::axis,
};
use pyo3::prelude::*;

impl Tensor {
    fn required(&self, op: &'static str, dim: Option<i64>, axis: Option<i64>) -> PyResult<usize> {
        let dim = either(op, dim, axis)?
            .ok_or_else(|| pyo3::exceptions::PyTypeError::new_err(format!("{op}: missing the argument dim")))?;
        Ok(self::axis(op, dim, self.value()?.rank())?)
    }
}
#[pymethods]
impl Tensor {
    /// Running sum along a dimension.
    ///
    /// Shape: kept. Integers and booleans are summed in int64; `dtype` converts first. Raises TypeError without `dim`
    /// (also `axis`), IndexError for a `dim` that is out of range.
    ///
    /// Derivative: 1 by every element up to the place.
    ///
    /// >>> rg.cumsum(rg.tensor([1.0, 2.0, 3.0]), dim=0)
    /// tensor([1., 3., 6.])
    #[pyo3(signature = (dim=None, *, dtype=None, axis=None))]
    pub fn cumsum(&self, dim: Option<i64>, dtype: Option<Arg>, axis: Option<i64>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = self.required("cumsum", dim, axis)?;
        Ok(scan::cumsum(&x, a, self::dtype(dtype))?.into())
    }
    /// Running product along a dimension.
    ///
    /// Shape: kept. Integers and booleans are multiplied in int64; `dtype` converts first. Raises TypeError without
    /// `dim` (also `axis`), IndexError for a `dim` that is out of range.
    ///
    /// Derivative: by every element up to the place the product of the others, right also with zeros among them.
    /// Method: doubling steps (Hillis and Steele 1986).
    ///
    /// >>> rg.cumprod(rg.tensor([1.0, 2.0, 3.0]), dim=0)
    /// tensor([1., 2., 6.])
    #[pyo3(signature = (dim=None, *, dtype=None, axis=None))]
    pub fn cumprod(&self, dim: Option<i64>, dtype: Option<Arg>, axis: Option<i64>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = self.required("cumprod", dim, axis)?;
        Ok(scan::cumprod(&x, a, self::dtype(dtype))?.into())
    }
    /// Sorted values and their positions along a dimension, as a pair (values, indices); always stable, NaN last.
    ///
    /// Shape: kept. The dtype is kept, indices are int64; raises TypeError for complex numbers, IndexError for a `dim`
    /// that is out of range.
    ///
    /// Derivative: 1 by the element at the index.
    ///
    /// >>> rg.sort(rg.tensor([3.0, 1.0, 2.0])).values
    /// tensor([1., 2., 3.])
    /// >>> rg.sort(rg.tensor([3.0, 1.0, 2.0]), descending=True).indices
    /// tensor([0, 2, 1])
    #[pyo3(signature = (dim=-1, descending=false, stable=false))]
    fn sort(&self, py: Python<'_>, dim: i64, descending: bool, stable: bool) -> PyResult<Py<PyAny>> {
        let _ = stable; // the sort is stable in any case
        let x = self.value()?;
        let a = axis("sort", dim, x.rank())?;
        let (v, i) = run(py, 20 * x.len(), || order::sort("sort", &x, a, descending))?;
        pair(py, "sort", v, i)
    }
    /// Positions that sort along a dimension; always stable.
    ///
    /// Shape: kept. The result is int64; raises TypeError for complex numbers, IndexError for a `dim` that is out of
    /// range.
    ///
    /// Derivative: none, the result is int64.
    ///
    /// >>> rg.argsort(rg.tensor([3.0, 1.0, 2.0]))
    /// tensor([1, 2, 0])
    #[pyo3(signature = (dim=-1, descending=false, stable=false))]
    fn argsort(&self, py: Python<'_>, dim: i64, descending: bool, stable: bool) -> PyResult<Tensor> {
        let _ = stable; // the sort is stable in any case
        let x = self.value()?;
        let a = axis("argsort", dim, x.rank())?;
        Ok(run(py, 20 * x.len(), || order::sort("argsort", &x, a, descending))?.1.into())
    }
    /// The k largest (or smallest) elements along a dimension, in order, as a pair (values, indices).
    ///
    /// Shape: size `k` along `dim`. The dtype is kept, indices are int64; raises ValueError for more than there are,
    /// TypeError for complex numbers, IndexError for a `dim` that is out of range.
    ///
    /// Derivative: 1 by the element at the index.
    ///
    /// >>> rg.topk(rg.tensor([3.0, 1.0, 2.0]), 2).values
    /// tensor([3., 2.])
    #[pyo3(signature = (k, dim=-1, largest=true, sorted=true))]
    fn topk(&self, py: Python<'_>, k: i64, dim: i64, largest: bool, sorted: bool) -> PyResult<Py<PyAny>> {
        let _ = sorted; // sorted in any case
        let x = self.value()?;
        let a = axis("topk", dim, x.rank())?;
        let k = usize::try_from(k).map_err(|_| Error::value("topk", format!("k must not be negative, but is {k}")))?;
        let (v, i) = run(py, 20 * x.len(), || order::top("topk", &x, a, largest, k))?;
        pair(py, "topk", v, i)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export_with_out(m, &["cumsum", "cumprod", "sort", "argsort", "topk"])
}
