//! Views by shape: the same storage and history under other sizes and strides.
use super::super::{
    args::{self, integers, integers_or, Dims},
    dtype::Arg,
    export,
    tensor::Tensor,
};
use crate::{
    error::Error,
    op::Prim,
    ops::{
        expand,
        reshape::{resolve, view_strides},
        views,
    },
    shape::show,
    trace::Value,
};
use pyo3::{prelude::*, types::PyTuple};

impl Tensor {
    /// The view that `op`, made from this tensor's shape, shows.
    pub fn view_by(&self, op: impl FnOnce(&[usize]) -> Result<Prim, Error>) -> PyResult<Tensor> {
        let mut variable = self.variable()?;
        let op = op(variable.value()?.shape())?;
        Ok(Tensor::from_variable(variable.view(op)?))
    }
    pub fn broadcast(&self, shape: &[usize]) -> PyResult<Tensor> {
        let mut variable = self.variable()?;
        let value = variable.value()?;
        Ok(match expand::op_to("expand", value.shape(), shape)? {
            Some(op) => Tensor::from_variable(variable.view(op)?),
            None => Tensor::from_variable(variable.view(views::reshape(shape.into()))?),
        })
    }
}
#[pymethods]
impl Tensor {
    /// The same elements in another shape, as a view where possible; one size may be -1.
    ///
    /// Shape: as given, by sizes or one tuple; raises ValueError where the number of elements differs. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.reshape(rg.arange(6), 2, -1)
    /// tensor([[0, 1, 2],
    ///         [3, 4, 5]])
    #[pyo3(signature = (*args, shape=None))]
    pub fn reshape(&self, args: &Bound<'_, PyTuple>, shape: Option<Dims>) -> PyResult<Tensor> {
        let wanted = integers_or("reshape", args, shape)?;
        self.view_by(|s| Ok(views::reshape(resolve("reshape", s.iter().product(), s, &wanted)?)))
    }
    /// The same elements in another shape, never a copy; see `rustgrad.reshape`. With a dtype, the same bytes read as that.
    ///
    /// Raises ValueError where only a copy has that shape, RuntimeError for the bytes of a tensor that is differentiated.
    ///
    /// >>> rg.arange(4).view(2, 2)
    /// tensor([[0, 1],
    ///         [2, 3]])
    /// >>> rg.tensor([1.0]).view(rg.int32)
    /// tensor([1065353216], dtype=rustgrad.int32)
    #[pyo3(signature = (*shape))]
    fn view(&self, shape: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
        if let (1, Ok(Arg(dtype))) = (shape.len(), shape.get_borrowed_item(0)?.extract::<Arg>()) {
            return match self.value()? {
                Value::Array(array) => Ok(Value::Array(array.bits_as(dtype)?).into()),
                _ => Err(Error::not_differentiable(
                    "view",
                    format!("reading the bytes of a tensor as {dtype} has no derivative; detach() it, or convert with .to()"),
                )
                .into()),
            };
        }
        let wanted = integers("view", shape)?;
        let value = self.value()?;
        let to = resolve("view", value.len(), value.shape(), &wanted)?;
        if let Some(a) = value.numbers() {
            if view_strides(a.shape(), a.strides(), &to).is_none() && !a.is_contiguous() {
                return Err(Error::shape(
                    "view",
                    format!(
                        "cannot view shape {} with strides {:?} as {} without a copy; use reshape()",
                        show(a.shape()),
                        a.strides(),
                        show(&to)
                    ),
                )
                .into());
            }
        }
        self.view_by(|_| Ok(views::reshape(to)))
    }
    /// The same elements in the shape of another tensor; see `rustgrad.reshape`.
    ///
    /// >>> rg.arange(4).view_as(rg.zeros(2, 2))
    /// tensor([[0, 1],
    ///         [2, 3]])
    fn view_as(&self, other: &Tensor) -> PyResult<Tensor> {
        let to = other.value()?;
        self.view_by(|s| {
            Ok(views::reshape(resolve(
                "view_as",
                s.iter().product(),
                s,
                &to.shape().iter().map(|&n| n as i64).collect::<Vec<_>>(),
            )?))
        })
    }
    /// Same as `Tensor.view_as`.
    fn reshape_as(&self, other: &Tensor) -> PyResult<Tensor> {
        self.view_as(other)
    }
    /// A view with the dimensions in another order.
    ///
    /// Shape: the sizes in the order of `dims`, by numbers or one tuple; raises ValueError unless each is named once,
    /// IndexError for one that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.permute(rg.zeros(2, 3, 4), (2, 0, 1)).shape
    /// (4, 2, 3)
    #[pyo3(signature = (*args, dims=None))]
    fn permute(&self, args: &Bound<'_, PyTuple>, dims: Option<Dims>) -> PyResult<Tensor> {
        let dims = integers_or("permute", args, dims)?;
        self.view_by(|s| views::permute("permute", s.len(), &dims))
    }
    /// A view with two dimensions exchanged.
    ///
    /// Shape: two sizes exchanged; raises IndexError for a dimension that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.transpose(rg.tensor([[1, 2], [3, 4]]), 0, 1)
    /// tensor([[1, 3],
    ///         [2, 4]])
    fn transpose(&self, dim0: i64, dim1: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::transpose("transpose", s.len(), dim0, dim1))
    }
    /// Same as `transpose`.
    fn swapaxes(&self, axis0: i64, axis1: i64) -> PyResult<Tensor> {
        self.transpose(axis0, axis1)
    }
    /// Same as `transpose`.
    fn swapdims(&self, dim0: i64, dim1: i64) -> PyResult<Tensor> {
        self.transpose(dim0, dim1)
    }
    /// The transpose of a matrix, as a view; vectors and numbers as they are.
    ///
    /// Shape: (m, n) gives (n, m); raises ValueError for more than two dimensions. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.t(rg.tensor([[1, 2], [3, 4]]))
    /// tensor([[1, 3],
    ///         [2, 4]])
    fn t(&self) -> PyResult<Tensor> {
        self.view_by(|s| match s.len() {
            0 | 1 => Ok(views::reshape(s.into())),
            2 => views::transpose("t", 2, 0, 1),
            n => Err(Error::shape(
                "t",
                format!("needs at most two dimensions, not {n} (shape {}); use .mT or transpose()", show(s)),
            )),
        })
    }
    /// A view with all dimensions in reverse order.
    ///
    /// >>> rg.zeros(2, 3, 4).T.shape
    /// (4, 3, 2)
    #[getter]
    #[allow(non_snake_case)]
    fn T(&self) -> PyResult<Tensor> {
        self.view_by(|s| views::permute("T", s.len(), &(0..s.len() as i64).rev().collect::<Vec<_>>()))
    }
    /// A view with the last two dimensions exchanged; raises ValueError for fewer than two.
    ///
    /// >>> rg.zeros(2, 3, 4).mT.shape
    /// (2, 4, 3)
    #[getter]
    #[allow(non_snake_case)]
    fn mT(&self) -> PyResult<Tensor> {
        self.view_by(|s| match s.len() {
            0 | 1 => Err(Error::shape("mT", format!("needs at least two dimensions, not shape {}", show(s)))),
            n => views::transpose("mT", n, -2, -1),
        })
    }
    /// A view with dimensions moved to other places, the others in their order.
    ///
    /// Shape: the sizes in the new order; raises ValueError unless `source` and `destination`, ints or tuples, name as
    /// many dimensions, each once, IndexError for one that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.movedim(rg.zeros(2, 3, 4), 0, -1).shape
    /// (3, 4, 2)
    fn movedim(&self, source: Dims, destination: Dims) -> PyResult<Tensor> {
        self.view_by(|s| views::movedim(s.len(), &source.0, &destination.0))
    }
    /// Same as `movedim`.
    fn moveaxis(&self, source: Dims, destination: Dims) -> PyResult<Tensor> {
        self.movedim(source, destination)
    }
    /// A view with a new dimension of size 1.
    ///
    /// Shape: a 1 at `dim`, which may be one behind the last; raises IndexError for a dimension that is out of range.
    /// Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.unsqueeze(rg.tensor([1, 2]), 0)
    /// tensor([[1, 2]])
    fn unsqueeze(&self, dim: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::unsqueeze(s, dim))
    }
    /// A view without dimensions of size 1: all of them, or those in `dim`.
    ///
    /// Shape: without those sizes, others stay; raises IndexError for a dimension that is out of range. Any dtype,
    /// kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.squeeze(rg.zeros(1, 2, 1)).shape
    /// (2,)
    #[pyo3(signature = (dim=None))]
    fn squeeze(&self, dim: Option<Dims>) -> PyResult<Tensor> {
        self.view_by(|s| views::squeeze(s, dim.as_ref().map(|d| &d.0[..])))
    }
    /// The dimensions from `start_dim` to `end_dim` merged into one, as a view where possible.
    ///
    /// Shape: their product in their place; raises ValueError where the end lies before the start, IndexError for a
    /// dimension that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.flatten(rg.zeros(2, 3, 4), 1).shape
    /// (2, 12)
    #[pyo3(signature = (start_dim=0, end_dim=-1))]
    fn flatten(&self, start_dim: i64, end_dim: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::flatten(s, start_dim, end_dim))
    }
    /// Same as `flatten` of all dimensions.
    fn ravel(&self) -> PyResult<Tensor> {
        self.flatten(0, -1)
    }
    /// A view with one dimension split into several.
    ///
    /// Shape: `sizes` in the place of `dim`, one of which may be -1; raises ValueError where their product is another
    /// size, IndexError for a dimension that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.unflatten(rg.zeros(6, 2), 0, (2, -1)).shape
    /// (2, 3, 2)
    fn unflatten(&self, dim: i64, sizes: Dims) -> PyResult<Tensor> {
        self.view_by(|s| views::unflatten(s, dim, &sizes.0))
    }
    /// A view repeated along dimensions of size 1 and new leading ones; -1 keeps a size. See `rustgrad.broadcast_to`.
    ///
    /// >>> rg.tensor([[1], [2]]).expand(-1, 3)
    /// tensor([[1, 1, 1],
    ///         [2, 2, 2]])
    #[pyo3(signature = (*args, size=None))]
    fn expand(&self, args: &Bound<'_, PyTuple>, size: Option<Dims>) -> PyResult<Tensor> {
        let wanted = integers_or("expand", args, size)?;
        let value = self.value()?;
        let new = wanted.len().checked_sub(value.rank()).ok_or_else(|| {
            Error::shape(
                "expand",
                format!("cannot expand shape {} to {} dimensions", show(value.shape()), wanted.len()),
            )
        })?;
        let mut full = Vec::with_capacity(wanted.len());
        for (i, &n) in wanted.iter().enumerate() {
            full.push(match n {
                -1 if i >= new => value.shape()[i - new] as i64,
                n => n,
            });
        }
        let shape = args::sizes("expand", &full)?;
        self.broadcast(&shape)
    }
    /// A view repeated to the shape of another tensor; see `rustgrad.broadcast_to`.
    ///
    /// >>> rg.tensor([[1], [2]]).expand_as(rg.zeros(2, 2))
    /// tensor([[1, 1],
    ///         [2, 2]])
    fn expand_as(&self, other: &Tensor) -> PyResult<Tensor> {
        self.broadcast(other.value()?.shape())
    }
    /// A view repeated along dimensions of size 1 and new leading ones; -1 keeps a size.
    ///
    /// Shape: as given, by sizes or one tuple; raises ValueError where a size other than 1 would change. Any dtype,
    /// kept.
    ///
    /// Derivative: that of the identity; gradients of elements that were repeated are summed.
    ///
    /// >>> rg.broadcast_to(rg.tensor([1, 2]), (2, 2))
    /// tensor([[1, 2],
    ///         [1, 2]])
    #[pyo3(signature = (*args, size=None))]
    fn broadcast_to(&self, args: &Bound<'_, PyTuple>, size: Option<Dims>) -> PyResult<Tensor> {
        self.expand(args, size)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export(
        m,
        &[
            "reshape",
            "permute",
            "transpose",
            "swapaxes",
            "swapdims",
            "t",
            "movedim",
            "moveaxis",
            "unsqueeze",
            "squeeze",
        ],
    )?;
    export(m, &["flatten", "ravel", "unflatten", "broadcast_to"])
}
