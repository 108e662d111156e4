//! Parts of a tensor: slices along a dimension, pieces, diagonals and triangles.
use super::super::{export, tensor::Tensor};
use crate::{
    array::room,
    dtype::DType,
    error::Error,
    op::Call,
    ops::{
        convert::Copy,
        diagonal::{self, Diagonal},
        views,
    },
    shape::{axis, show},
};
use pyo3::{prelude::*, types::PyTuple};

/// Rough bytes of a view with its header: so many pieces must fit into memory before the first is made.
const PER_PIECE: usize = 256;
pub fn many(parts: Vec<Tensor>, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, parts)
}
impl Tensor {
    fn narrowed(&self, dim: i64, start: i64, length: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::narrow_op("narrow", s, dim, start, length))
    }
    fn size_along(&self, op: &'static str, dim: i64) -> PyResult<i64> {
        let value = self.value()?;
        if value.rank() == 0 {
            return Err(Error::shape(op, "a 0-d tensor has no dimension to cut").into());
        }
        Ok(value.shape()[axis(op, dim, value.rank())?] as i64)
    }
}
#[pymethods]
impl Tensor {
    /// A view of `length` elements along `dim` from `start` on.
    ///
    /// Shape: size `length` at `dim`; raises IndexError for elements or a dimension out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.narrow(rg.tensor([1, 2, 3, 4]), 0, 1, 2)
    /// tensor([2, 3])
    fn narrow(&self, dim: i64, start: &Bound<'_, PyAny>, length: i64) -> PyResult<Tensor> {
        if let Ok(t) = start.cast::<Tensor>() {
            let at = t.get().value()?;
            if at.rank() != 0 || at.dtype() == DType::Bool || !at.dtype().is_integral() {
                return Err(Error::dtype(
                    "narrow",
                    format!("start must be an int or a 0-d integer tensor, not {} {}", at.dtype(), show(at.shape())),
                )
                .into());
            }
        }
        self.narrowed(dim, start.extract()?, length)
    }
    /// A view of the slice `index` along `dim`, without that dimension.
    ///
    /// Shape: without `dim`; raises IndexError for an index or a dimension that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.select(rg.tensor([[1, 2], [3, 4]]), 1, 0)
    /// tensor([1, 3])
    fn select(&self, dim: i64, index: i64) -> PyResult<Tensor> {
        let value = self.value()?;
        if value.rank() == 0 {
            return Err(Error::index("select", "a 0-d tensor has no dimension to select from").into());
        }
        let a = axis("select", dim, value.rank())?;
        let n = value.shape()[a] as i64;
        if index < -n || index >= n {
            return Err(Error::index(
                "select",
                format!("index {index} is out of range for size {n} of dimension {a} of shape {}", show(value.shape())),
            )
            .into());
        }
        self.view_by(|s| views::narrow_op("select", s, dim, index, 1))?
            .view_by(|s| views::squeeze(s, Some(&[a as i64])))
    }
    /// Views of consecutive pieces along `dim`, as a tuple: of one size, the last the rest, or of the sizes given.
    ///
    /// Shapes: the pieces' sizes at `dim`; raises ValueError for sizes that do not add up, IndexError for a dimension
    /// that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.split(rg.arange(5), 2)
    /// (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    #[pyo3(signature = (split_size_or_sections, dim=0))]
    fn split<'py>(
        &self,
        py: Python<'py>,
        split_size_or_sections: &Bound<'py, PyAny>,
        dim: i64,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let n = self.size_along("split", dim)?;
        let lengths: Vec<i64> = match split_size_or_sections.extract::<i64>() {
            Ok(s) if s <= 0 && n > 0 => {
                return Err(Error::value("split", format!("the size of pieces must be positive, not {s}")).into())
            }
            Ok(_) if n == 0 => vec![0],
            Ok(s) => {
                room("split", ((n / s) as usize).saturating_mul(PER_PIECE))?;
                (0..n).step_by(s as usize).map(|i| s.min(n - i)).collect()
            }
            Err(_) => split_size_or_sections.extract()?,
        };
        if lengths.iter().sum::<i64>() != n || lengths.iter().any(|&l| l < 0) {
            return Err(Error::value(
                "split",
                format!("the sizes {lengths:?} do not add up to {n}, the size of dimension {dim}"),
            )
            .into());
        }
        let mut start = 0;
        let parts = lengths.into_iter().map(|l| {
            let part = self.narrowed(dim, start, l);
            start += l;
            part
        });
        many(parts.collect::<PyResult<_>>()?, py)
    }
    /// Views of at most so many consecutive pieces along `dim`, of one size but the last, as a tuple.
    ///
    /// Shapes: the pieces' sizes at `dim`; raises ValueError for no pieces, IndexError for a dimension that is out of
    /// range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.chunk(rg.arange(5), 2)
    /// (tensor([0, 1, 2]), tensor([3, 4]))
    #[pyo3(signature = (chunks, dim=0))]
    fn chunk<'py>(&self, py: Python<'py>, chunks: i64, dim: i64) -> PyResult<Bound<'py, PyTuple>> {
        if chunks <= 0 {
            return Err(Error::value("chunk", format!("the number of chunks must be positive, not {chunks}")).into());
        }
        let n = self.size_along("chunk", dim)?;
        if n == 0 {
            room("chunk", (chunks as usize).saturating_mul(PER_PIECE))?;
            let all = (0..chunks).map(|_| self.narrowed(dim, 0, 0)).collect::<PyResult<_>>()?;
            return many(all, py);
        }
        let size = (n - 1) / chunks + 1;
        self.split(py, pyo3::types::PyInt::new(py, size).as_any(), dim)
    }
    /// Views of all slices along a dimension, as a tuple.
    ///
    /// Shapes: without `dim`; raises IndexError for a dimension that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.unbind(rg.tensor([[1, 2], [3, 4]]))
    /// (tensor([1, 2]), tensor([3, 4]))
    #[pyo3(signature = (dim=0))]
    fn unbind<'py>(&self, py: Python<'py>, dim: i64) -> PyResult<Bound<'py, PyTuple>> {
        let n = self.size_along("unbind", dim)?;
        many((0..n).map(|i| self.select(dim, i)).collect::<PyResult<_>>()?, py)
    }
    /// The diagonal of two dimensions as the last dimension, as a view.
    ///
    /// Shape: the other dimensions, then the length of the diagonal `offset` to the right of the main one; raises
    /// ValueError for fewer than two dimensions, IndexError for one that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.diagonal(rg.tensor([[1, 2], [3, 4]]))
    /// tensor([1, 4])
    #[pyo3(signature = (offset=0, dim1=0, dim2=1))]
    fn diagonal(&self, offset: i64, dim1: i64, dim2: i64) -> PyResult<Tensor> {
        self.view_by(|s| Ok(Diagonal::new("diagonal", s.len(), offset, dim1, dim2)?.into()))
    }
    /// A copy with `src` on the diagonal of two dimensions.
    ///
    /// Shape: kept; the source has that of `diagonal`, and the same dtype; raises ValueError for others.
    ///
    /// Derivative: 1 by the source; by the tensor 0 on the diagonal, 1 elsewhere.
    ///
    /// >>> rg.diagonal_scatter(rg.zeros(2, 2), rg.tensor([1.0, 2.0]))
    /// tensor([[1., 0.],
    ///         [0., 2.]])
    #[pyo3(signature = (src, offset=0, dim1=0, dim2=1))]
    fn diagonal_scatter(&self, src: &Tensor, offset: i64, dim1: i64, dim2: i64) -> PyResult<Tensor> {
        Ok(diagonal::scatter(&self.value()?, &src.value()?, offset, dim1, dim2)?.into())
    }
    /// The diagonal of a matrix, or the matrix with a vector on its diagonal.
    ///
    /// Shape: (m, n) gives a vector, (n) a square matrix; raises ValueError for others. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.diag(rg.tensor([1, 2]))
    /// tensor([[1, 0],
    ///         [0, 2]])
    #[pyo3(signature = (diagonal=0))]
    fn diag(&self, diagonal: i64) -> PyResult<Tensor> {
        let x = self.value()?;
        match x.rank() {
            1 => Ok(diagonal::diag_embed(&x, diagonal, 0, 1).map_err(|e| e.named("diag"))?.into()),
            2 => Ok(Copy.call(&[&diagonal::diagonal(&x, diagonal, 0, 1)?])?.into()),
            _ => Err(Error::shape("diag", format!("needs a vector or a matrix, not shape {}", show(x.shape()))).into()),
        }
    }
    /// Matrices with the last dimension on their diagonals, zeros elsewhere.
    ///
    /// Shape: (…, n) gives (…, n, n), larger by `offset`, the place of the diagonal, the matrices along `dim1` and `dim2`
    /// of the result; raises ValueError for a number or equal dimensions. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.diag_embed(rg.tensor([[1, 2], [3, 4]])).shape
    /// (2, 2, 2)
    #[pyo3(signature = (offset=0, dim1=-2, dim2=-1))]
    fn diag_embed(&self, offset: i64, dim1: i64, dim2: i64) -> PyResult<Tensor> {
        Ok(diagonal::diag_embed(&self.value()?, offset, dim1, dim2)?.into())
    }
    /// The lower triangle of matrices up to a `diagonal`, zeros elsewhere.
    ///
    /// Shape: (…, m, n), kept; raises ValueError for fewer than two dimensions. Any dtype, kept.
    ///
    /// Derivative: 1 by the elements of the triangle, 0 by the others.
    ///
    /// >>> rg.tril(rg.ones(2, 2))
    /// tensor([[1., 0.],
    ///         [1., 1.]])
    #[pyo3(signature = (diagonal=0))]
    pub fn tril(&self, diagonal: i64) -> PyResult<Tensor> {
        Ok(diagonal::triangle("tril", &self.value()?, diagonal, true)?.into())
    }
    /// The upper triangle of matrices from a `diagonal` on, zeros elsewhere.
    ///
    /// Shape: (…, m, n), kept; raises ValueError for fewer than two dimensions. Any dtype, kept.
    ///
    /// Derivative: 1 by the elements of the triangle, 0 by the others.
    ///
    /// >>> rg.triu(rg.ones(2, 2))
    /// tensor([[1., 1.],
    ///         [0., 1.]])
    #[pyo3(signature = (diagonal=0))]
    pub fn triu(&self, diagonal: i64) -> PyResult<Tensor> {
        Ok(diagonal::triangle("triu", &self.value()?, diagonal, false)?.into())
    }
    /// Sum of the diagonal of a matrix.
    ///
    /// Shape: (m, n) gives a number; raises ValueError for others. Integers are summed in int64.
    ///
    /// Derivative: 1 by the elements of the diagonal, 0 by the others.
    ///
    /// >>> rg.trace(rg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    /// tensor(5.)
    #[pyo3(signature = (offset=0))]
    fn trace(&self, offset: i64) -> PyResult<Tensor> {
        let x = self.value()?;
        if x.rank() != 2 {
            return Err(Error::shape("trace", format!("needs a matrix, not shape {}", show(x.shape()))).into());
        }
        let d = diagonal::diagonal(&x, offset, 0, 1)?;
        Ok(crate::ops::sum::sum(&d, crate::shape::Axes::one(0), false, None)?.into())
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export(
        m,
        &[
            "narrow",
            "select",
            "split",
            "chunk",
            "unbind",
            "diagonal",
            "diagonal_scatter",
            "diag",
            "diag_embed",
            "tril",
            "triu",
            "trace",
        ],
    )
}
