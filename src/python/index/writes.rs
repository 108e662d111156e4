//! Writing by index tensors and masks, as copies and in place; filling and copying over.
use super::super::{
    arith::binary,
    convert::fits,
    export_with_out,
    tensor::{Operand, Tensor},
};
use crate::{
    array::Array,
    dtype::{Category, DType},
    error::Error,
    ops::{
        arith::Mul,
        convert, expand,
        indexing::{self, Meet},
        scatter::{scatter_reduce, Reduce},
    },
    shape::{axis, show, Dims as Shape},
    trace::Value,
};
use pyo3::prelude::*;

pub fn source(value: Operand, like: DType) -> Result<Value, Error> {
    match value {
        Operand::Number(s) if s.category() == Category::Complex && !like.is_complex() => Err(Error::dtype(
            "setitem",
            format!("cannot write a complex number into a {like} tensor; take its real part"),
        )),
        Operand::Number(s) => {
            fits("setitem", s, like)?;
            Ok(Value::Array(Array::full("setitem", Shape::new(), like, s)?))
        }
        Operand::Tensor(v) => Ok(v),
    }
}
fn scattered(x: &Value, dim: i64, index: &Value, src: Option<Operand>, reduce: Option<&str>) -> Result<Value, Error> {
    let src = match src {
        Some(Operand::Tensor(v)) => v,
        Some(number) => expand::to("scatter", &source(number, x.dtype())?, index.shape())?,
        None => return Err(Error::value("scatter", "needs src= or value=")),
    };
    let a = axis("scatter", dim, x.rank())?;
    match reduce {
        None => indexing::scatter("scatter", x, a, index, &src, Meet::Replace),
        Some("add") => indexing::scatter("scatter", x, a, index, &src, Meet::Add),
        Some(name) => {
            let reduce = Reduce::named("scatter", name, &["add", "multiply"])?;
            scatter_reduce("scatter", x, a, index, &src, reduce, true)
        }
    }
}
fn index_added(x: &Value, dim: i64, index: &Value, source: Value, alpha: Option<Operand>) -> Result<Value, Error> {
    let source = match alpha {
        Some(alpha) => binary::<Mul>(&source, alpha)?,
        None => source,
    };
    if source.dtype() != x.dtype() {
        return Err(Error::dtype(
            "index_add",
            format!("cannot add {} into {}; convert it first", source.dtype(), x.dtype()),
        ));
    }
    indexing::index_put_axis("index_add", x, axis("index_add", dim, x.rank())?, index, &source, Meet::Add)
}
fn put(x: &Value, indices: &[Py<Tensor>], values: &Value, accumulate: bool) -> Result<Value, Error> {
    let mut arrays = Vec::new();
    for t in indices {
        let v = t.get().value()?;
        if v.dtype() == DType::Bool {
            arrays.extend(indexing::nonzero("index_put", &v)?);
        } else {
            arrays.push(v);
        }
    }
    if arrays.len() > x.rank() {
        return Err(Error::index(
            "index_put",
            format!("{} indices are too many for shape {}", arrays.len(), show(x.shape())),
        ));
    }
    let axes: Vec<usize> = (0..arrays.len()).collect();
    indexing::advanced_put(x, &axes, &arrays, values, if accumulate { Meet::Add } else { Meet::Replace })
}
#[pymethods]
impl Tensor {
    /// A copy with elements of `src`, or the number `value`, put where `index` points along `dim`; `reduce="add"` adds
    /// them.
    ///
    /// Shape: kept; the index has as many dimensions, and at most the sizes of `src` and, but for `dim`, of the tensor.
    /// The index holds integers; raises IndexError for an index or a dimension that is out of range, ValueError for
    /// shapes that do not fit, TypeError for other dtypes. Where an index appears twice without `reduce`, the last one
    /// stays.
    ///
    /// Derivative: by `src`, its element's gradient at the place it was put; 0 by elements that were replaced.
    ///
    /// >>> rg.scatter(rg.zeros(3), 0, rg.tensor([2, 0]), rg.tensor([1.0, 2.0]))
    /// tensor([2., 0., 1.])
    #[pyo3(signature = (dim, index, src=None, *, value=None, reduce=None))]
    fn scatter(
        &self,
        dim: i64,
        index: &Tensor,
        src: Option<Operand>,
        value: Option<Operand>,
        reduce: Option<&str>,
    ) -> PyResult<Tensor> {
        Ok(scattered(&self.value()?, dim, &index.value()?, src.or(value), reduce)?.into())
    }
    /// In-place form of `scatter`.
    #[pyo3(signature = (dim, index, src=None, *, value=None, reduce=None))]
    fn scatter_<'py>(
        slf: Bound<'py, Self>,
        dim: i64,
        index: &Tensor,
        src: Option<Operand>,
        value: Option<Operand>,
        reduce: Option<&str>,
    ) -> PyResult<Bound<'py, Self>> {
        let index = index.value()?;
        slf.get().variable()?.write("scatter_", |x| scattered(x, dim, &index, src.or(value), reduce))?;
        Ok(slf)
    }
    /// A copy with elements of `src` added where `index` points along `dim`.
    ///
    /// Shapes and errors: as `scatter`.
    ///
    /// Derivative: 1 by the tensor; by `src`, its element's gradient at the place it was added.
    ///
    /// >>> rg.scatter_add(rg.zeros(3), 0, rg.tensor([2, 2]), rg.tensor([1.0, 2.0]))
    /// tensor([0., 0., 3.])
    fn scatter_add(&self, dim: i64, index: &Tensor, src: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(indexing::scatter(
            "scatter_add",
            &x,
            axis("scatter_add", dim, x.rank())?,
            &index.value()?,
            &src.value()?,
            Meet::Add,
        )?
        .into())
    }
    /// In-place form of `scatter_add`.
    fn scatter_add_<'py>(slf: Bound<'py, Self>, dim: i64, index: &Tensor, src: &Tensor) -> PyResult<Bound<'py, Self>> {
        let (index, src) = (index.value()?, src.value()?);
        slf.get().variable()?.write("scatter_add_", |x| {
            indexing::scatter("scatter_add_", x, axis("scatter_add_", dim, x.rank())?, &index, &src, Meet::Add)
        })?;
        Ok(slf)
    }
    /// A copy with `alpha` times the slices of `source` added at the places that the vector `index` names along `dim`.
    ///
    /// Shape: kept; the source has one slice per index. One dtype; raises TypeError for another, ValueError for a shape
    /// that does not fit, IndexError for an index out of range.
    ///
    /// Derivative: 1 by the tensor, alpha (1 if left out) by the source.
    ///
    /// >>> rg.index_add(rg.zeros(3), 0, rg.tensor([2, 2]), rg.tensor([1.0, 2.0]))
    /// tensor([0., 0., 3.])
    #[pyo3(signature = (dim, index, source, *, alpha=None))]
    fn index_add(&self, dim: i64, index: &Tensor, source: &Tensor, alpha: Option<Operand>) -> PyResult<Tensor> {
        Ok(index_added(&self.value()?, dim, &index.value()?, source.value()?, alpha)?.into())
    }
    /// In-place form of `index_add`.
    #[pyo3(signature = (dim, index, source, *, alpha=None))]
    fn index_add_<'py>(
        slf: Bound<'py, Self>,
        dim: i64,
        index: &Tensor,
        source: &Tensor,
        alpha: Option<Operand>,
    ) -> PyResult<Bound<'py, Self>> {
        let (index, source) = (index.value()?, source.value()?);
        slf.get().variable()?.write("index_add_", |x| index_added(x, dim, &index, source, alpha))?;
        Ok(slf)
    }
    /// A copy with slices of `source` put at the places that the vector `index` names along `dim`.
    ///
    /// Shape: kept; the source has one slice per index; raises ValueError for a shape that does not fit, IndexError for
    /// an index out of range.
    ///
    /// Derivative: 1 by the source, and 0 by the slices that were replaced.
    ///
    /// >>> rg.index_copy(rg.zeros(3), 0, rg.tensor([2, 0]), rg.tensor([1.0, 2.0]))
    /// tensor([2., 0., 1.])
    pub fn index_copy(&self, dim: i64, index: &Tensor, source: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(indexing::index_put_axis(
            "index_copy",
            &x,
            axis("index_copy", dim, x.rank())?,
            &index.value()?,
            &source.value()?,
            Meet::Replace,
        )?
        .into())
    }
    /// A copy with `values` put (or added, with `accumulate`) where one index tensor per leading dimension points.
    ///
    /// Shape: kept; the indices, integers or masks, broadcast together, the values to them. Raises IndexError for an
    /// index out of range or too many of them, ValueError for values that do not fit.
    ///
    /// Derivative: 1 by the values; 0 by elements that were replaced, 1 with `accumulate`.
    ///
    /// >>> rg.index_put(rg.zeros(2, 2), [rg.tensor([0, 1]), rg.tensor([1, 0])], rg.tensor([1.0, 2.0]))
    /// tensor([[0., 1.],
    ///         [2., 0.]])
    #[pyo3(signature = (indices, values, accumulate=false))]
    fn index_put(&self, indices: Vec<Py<Tensor>>, values: &Tensor, accumulate: bool) -> PyResult<Tensor> {
        Ok(put(&self.value()?, &indices, &values.value()?, accumulate)?.into())
    }
    /// In-place form of `index_put`.
    #[pyo3(signature = (indices, values, accumulate=false))]
    fn index_put_<'py>(
        slf: Bound<'py, Self>,
        indices: Vec<Py<Tensor>>,
        values: &Tensor,
        accumulate: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let values = values.value()?;
        slf.get().variable()?.write("index_put_", |x| put(x, &indices, &values, accumulate))?;
        Ok(slf)
    }
    /// A copy with a number where the mask is true.
    ///
    /// Shapes: the mask broadcasts to the tensor; raises ValueError if it cannot. The mask is bool; raises TypeError
    /// for another dtype.
    ///
    /// Derivative: 0 where the mask is true, 1 elsewhere; a 0-d tensor as value receives the rest.
    ///
    /// >>> rg.masked_fill(rg.ones(3), rg.tensor([True, False, True]), 0.0)
    /// tensor([0., 1., 0.])
    fn masked_fill(&self, mask: &Tensor, value: Operand) -> PyResult<Tensor> {
        let x = self.value()?;
        let value = source(value, x.dtype())?;
        Ok(indexing::masked_fill(&x, &mask.value()?, &value)?.into())
    }
    /// In-place form of `masked_fill`.
    fn masked_fill_<'py>(slf: Bound<'py, Self>, mask: &Tensor, value: Operand) -> PyResult<Bound<'py, Self>> {
        let mask = mask.value()?;
        slf.get().variable()?.write("masked_fill_", |x| indexing::masked_fill(x, &mask, &source(value, x.dtype())?))?;
        Ok(slf)
    }
    /// Set every element to a number; the derivative by the former contents is 0.
    ///
    /// >>> rg.zeros(2).fill_(3.0)
    /// tensor([3., 3.])
    fn fill_<'py>(slf: Bound<'py, Self>, value: Operand) -> PyResult<Bound<'py, Self>> {
        slf.get()
            .variable()?
            .write("fill_", |x| expand::to("fill_", &convert::to(&source(value, x.dtype())?, x.dtype())?, x.shape()))?;
        Ok(slf)
    }
    /// Set every element to zero; the derivative by the former contents is 0.
    ///
    /// >>> rg.ones(2).zero_()
    /// tensor([0., 0.])
    fn zero_(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        Tensor::fill_(slf, Operand::Number(crate::dtype::Scalar::Int(0)))
    }
    /// Write another tensor, broadcast and converted, into this one; the derivative by it is 1, by the former contents
    /// 0.
    ///
    /// >>> rg.zeros(2, 2).copy_(rg.tensor([1, 2]))
    /// tensor([[1., 2.],
    ///         [1., 2.]])
    #[pyo3(signature = (src, non_blocking=false))]
    fn copy_<'py>(slf: Bound<'py, Self>, src: Operand, non_blocking: bool) -> PyResult<Bound<'py, Self>> {
        let _ = non_blocking; // everything here is blocking
        slf.get()
            .variable()?
            .write("copy_", |x| expand::to("copy_", &convert::to(&source(src, x.dtype())?, x.dtype())?, x.shape()))?;
        Ok(slf)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export_with_out(m, &["scatter", "scatter_add", "index_add", "index_copy", "index_put", "masked_fill"])
}
