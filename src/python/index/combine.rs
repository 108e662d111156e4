//! Writing where several values may arrive at one place: sums, products, means and extremes of them.
use super::super::{export_with_out, tensor::Tensor};
use crate::{
    error::Result,
    ops::scatter::{index_reduce, scatter_reduce, Reduce},
    shape::axis,
    trace::Value,
};
use pyo3::prelude::*;

const SCATTERED: &[&str] = &["sum", "prod", "mean", "amax", "amin"];
const INDEXED: &[&str] = &["prod", "mean", "amax", "amin"];

fn scattered(x: &Value, dim: i64, index: &Value, src: &Value, reduce: &str, own: bool) -> Result<Value> {
    let op = "scatter_reduce";
    scatter_reduce(op, x, axis(op, dim, x.rank())?, index, src, Reduce::named(op, reduce, SCATTERED)?, own)
}
fn indexed(x: &Value, dim: i64, index: &Value, source: &Value, reduce: &str, own: bool) -> Result<Value> {
    let op = "index_reduce";
    index_reduce(x, axis(op, dim, x.rank())?, index, source, Reduce::named(op, reduce, INDEXED)?, own)
}
#[pymethods]
impl Tensor {
    /// A copy with the elements of `src` combined where `index` points along `dim`, by "sum", "prod", "mean", "amax" or
    /// "amin", together with what was there unless `include_self` is false.
    ///
    /// Shapes and errors: as `scatter`; ValueError for another `reduce`. One dtype for both.
    ///
    /// Derivative: that of the sum, product, mean or extreme of all that arrive at a place; extremes share theirs in
    /// equal parts among those that attain it.
    ///
    /// >>> rg.scatter_reduce(rg.ones(2), 0, rg.tensor([0, 0, 1]), rg.tensor([2.0, 3.0, 4.0]), "prod")
    /// tensor([6., 4.])
    #[pyo3(signature = (dim, index, src, reduce, *, include_self=true))]
    fn scatter_reduce(
        &self,
        dim: i64,
        index: &Tensor,
        src: &Tensor,
        reduce: &str,
        include_self: bool,
    ) -> PyResult<Tensor> {
        Ok(scattered(&self.value()?, dim, &index.value()?, &src.value()?, reduce, include_self)?.into())
    }
    /// In-place form of `scatter_reduce`.
    #[pyo3(signature = (dim, index, src, reduce, *, include_self=true))]
    fn scatter_reduce_<'py>(
        slf: Bound<'py, Self>,
        dim: i64,
        index: &Tensor,
        src: &Tensor,
        reduce: &str,
        include_self: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let (index, src) = (index.value()?, src.value()?);
        slf.get().variable()?.write("scatter_reduce_", |x| scattered(x, dim, &index, &src, reduce, include_self))?;
        Ok(slf)
    }
    /// A copy with the slices of `source` combined at the places that the vector `index` names along `dim`, by "prod",
    /// "mean", "amax" or "amin", together with what was there unless `include_self` is false.
    ///
    /// Shapes and errors: as `index_add`; ValueError for another `reduce`.
    ///
    /// Derivative: as `scatter_reduce`.
    ///
    /// >>> rg.index_reduce(rg.ones(2), 0, rg.tensor([0, 0, 1]), rg.tensor([2.0, 3.0, 4.0]), "amax")
    /// tensor([3., 4.])
    #[pyo3(signature = (dim, index, source, reduce, *, include_self=true))]
    fn index_reduce(
        &self,
        dim: i64,
        index: &Tensor,
        source: &Tensor,
        reduce: &str,
        include_self: bool,
    ) -> PyResult<Tensor> {
        Ok(indexed(&self.value()?, dim, &index.value()?, &source.value()?, reduce, include_self)?.into())
    }
    /// In-place form of `index_reduce`.
    #[pyo3(signature = (dim, index, source, reduce, *, include_self=true))]
    fn index_reduce_<'py>(
        slf: Bound<'py, Self>,
        dim: i64,
        index: &Tensor,
        source: &Tensor,
        reduce: &str,
        include_self: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let (index, source) = (index.value()?, source.value()?);
        slf.get().variable()?.write("index_reduce_", |x| indexed(x, dim, &index, &source, reduce, include_self))?;
        Ok(slf)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export_with_out(m, &["scatter_reduce", "index_reduce"])
}
