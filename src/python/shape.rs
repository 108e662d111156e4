//! Shape changes in Python: views that share storage and history, joins and copies.
use super::{
    args::{either, integers, sizes, values, Dims},
    dtype::Arg,
    export,
    tensor::Tensor,
};
use crate::{
    dtype::DType,
    error::Error,
    op::{Call, Prim},
    ops::{
        convert::{self, Copy},
        diagonal, expand, join,
        reshape::{resolve, view_strides},
        views,
    },
    shape::{axis, broadcast, show},
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
}
fn many(parts: Vec<Tensor>, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, parts)
}

#[pymethods]
impl Tensor {
    /// reshape(*shape)
    /// --
    ///
    /// The same elements in another shape, as a view where possible; one size may be -1.
    #[pyo3(signature = (*shape))]
    pub fn reshape(&self, shape: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
        let wanted = integers("reshape", shape)?;
        self.view_by(|s| Ok(views::reshape(resolve("reshape", s.iter().product(), s, &wanted)?)))
    }
    /// view(*shape)
    /// --
    ///
    /// As reshape, but an error where the result would not be a view.
    #[pyo3(signature = (*shape))]
    fn view(&self, shape: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
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
    /// As view to the shape of another tensor.
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
    /// As reshape to the shape of another tensor.
    fn reshape_as(&self, other: &Tensor) -> PyResult<Tensor> {
        self.view_as(other)
    }
    /// permute(*dims)
    /// --
    ///
    /// A view with the dimensions in another order.
    #[pyo3(signature = (*dims))]
    fn permute(&self, dims: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
        let dims = integers("permute", dims)?;
        self.view_by(|s| views::permute("permute", s.len(), &dims))
    }
    /// transpose(dim0, dim1)
    /// --
    ///
    /// A view with two dimensions exchanged.
    fn transpose(&self, dim0: i64, dim1: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::transpose("transpose", s.len(), dim0, dim1))
    }
    /// As transpose.
    fn swapaxes(&self, axis0: i64, axis1: i64) -> PyResult<Tensor> {
        self.transpose(axis0, axis1)
    }
    /// As transpose.
    fn swapdims(&self, dim0: i64, dim1: i64) -> PyResult<Tensor> {
        self.transpose(dim0, dim1)
    }
    /// t()
    /// --
    ///
    /// The transpose of a matrix; vectors and numbers as they are.
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
    /// All dimensions in reverse order.
    #[getter]
    #[allow(non_snake_case)]
    fn T(&self) -> PyResult<Tensor> {
        self.view_by(|s| views::permute("T", s.len(), &(0..s.len() as i64).rev().collect::<Vec<_>>()))
    }
    /// Matrices in the last two dimensions transposed.
    #[getter]
    #[allow(non_snake_case)]
    fn mT(&self) -> PyResult<Tensor> {
        self.view_by(|s| match s.len() {
            0 | 1 => Err(Error::shape("mT", format!("needs at least two dimensions, not shape {}", show(s)))),
            n => views::transpose("mT", n, -2, -1),
        })
    }
    /// A view with dimensions moved to other places.
    fn movedim(&self, source: Dims, destination: Dims) -> PyResult<Tensor> {
        self.view_by(|s| views::movedim(s.len(), &source.0, &destination.0))
    }
    /// As movedim.
    fn moveaxis(&self, source: Dims, destination: Dims) -> PyResult<Tensor> {
        self.movedim(source, destination)
    }
    /// A view with a new dimension of size 1.
    fn unsqueeze(&self, dim: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::unsqueeze(s, dim))
    }
    /// A view without dimensions of size 1.
    #[pyo3(signature = (dim=None))]
    fn squeeze(&self, dim: Option<Dims>) -> PyResult<Tensor> {
        self.view_by(|s| views::squeeze(s, dim.as_ref().map(|d| &d.0[..])))
    }
    /// Dimensions from start_dim to end_dim merged into one.
    #[pyo3(signature = (start_dim=0, end_dim=-1))]
    fn flatten(&self, start_dim: i64, end_dim: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::flatten(s, start_dim, end_dim))
    }
    /// As flatten() of all dimensions.
    fn ravel(&self) -> PyResult<Tensor> {
        self.flatten(0, -1)
    }
    /// A view with one dimension split into several.
    fn unflatten(&self, dim: i64, sizes: Dims) -> PyResult<Tensor> {
        self.view_by(|s| views::unflatten(s, dim, &sizes.0))
    }
    /// narrow(dim, start, length)
    /// --
    ///
    /// A view of `length` elements along `dim` from `start` on.
    fn narrow(&self, dim: i64, start: i64, length: i64) -> PyResult<Tensor> {
        self.view_by(|s| views::narrow_op("narrow", s, dim, start, length))
    }
    /// select(dim, index)
    /// --
    ///
    /// The slice `index` along `dim`, without that dimension.
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
    /// expand(*sizes)
    /// --
    ///
    /// A view repeated along dimensions of size 1 and new leading ones; -1 keeps a size.
    #[pyo3(signature = (*sizes))]
    fn expand(&self, sizes: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
        let wanted = integers("expand", sizes)?;
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
        let shape = super::args::sizes("expand", &full)?;
        self.broadcast(&shape)
    }
    /// A view repeated to the shape of another tensor.
    fn expand_as(&self, other: &Tensor) -> PyResult<Tensor> {
        self.broadcast(other.value()?.shape())
    }
    /// A view repeated to a shape, as expand.
    #[pyo3(signature = (*shape))]
    fn broadcast_to(&self, shape: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
        self.expand(shape)
    }
    /// Copied with dimensions in reverse order.
    fn flip(&self, dims: Dims) -> PyResult<Tensor> {
        Ok(Copy.call(&[self.view_by(|s| views::flip(s, &dims.0))?.value()?].each_ref())?.into())
    }
    /// Shifted along dimensions, what leaves at one end entering at the other.
    #[pyo3(signature = (shifts, dims=None))]
    fn roll(&self, shifts: Dims, dims: Option<Dims>) -> PyResult<Tensor> {
        let x = self.value()?;
        let Some(dims) = dims else {
            let flat = crate::ops::reshape::reshape(&x, &[x.len()])?;
            let rolled = join::roll(&flat, &[(0, shifts.0.iter().sum())])?;
            return Ok(crate::ops::reshape::reshape(&rolled, x.shape())?.into());
        };
        if dims.0.len() != shifts.0.len() {
            return Err(Error::value("roll", format!("got {} shifts for {} dims", shifts.0.len(), dims.0.len())).into());
        }
        let pairs = dims
            .0
            .iter()
            .zip(&shifts.0)
            .map(|(&d, &s)| Ok((axis("roll", d, x.rank())?, s)))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(join::roll(&x, &pairs)?.into())
    }
    /// Copied several times along each dimension.
    #[pyo3(signature = (*repeats))]
    fn repeat(&self, repeats: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
        let times = sizes("repeat", &integers("repeat", repeats)?)?;
        Ok(join::repeat(&self.value()?, &times)?.into())
    }
    /// Copied several times along each dimension, the last dimensions first.
    #[pyo3(signature = (*dims))]
    fn tile(&self, dims: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
        let x = self.value()?;
        let given = sizes("tile", &integers("tile", dims)?)?;
        let times: Vec<usize> = std::iter::repeat_n(1, x.rank().saturating_sub(given.len())).chain(given).collect();
        Ok(join::repeat(&x, &times)?.into())
    }
    /// split(split_size_or_sections, dim=0)
    /// --
    ///
    /// Views of consecutive pieces along `dim`: of one size, or of the sizes given.
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
            Ok(s) => (0..n).step_by(s as usize).map(|i| s.min(n - i)).collect(),
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
            let part = self.narrow(dim, start, l);
            start += l;
            part
        });
        many(parts.collect::<PyResult<_>>()?, py)
    }
    /// Views of nearly equal consecutive pieces along a dimension.
    #[pyo3(signature = (chunks, dim=0))]
    fn chunk<'py>(&self, py: Python<'py>, chunks: i64, dim: i64) -> PyResult<Bound<'py, PyTuple>> {
        if chunks <= 0 {
            return Err(Error::value("chunk", format!("the number of chunks must be positive, not {chunks}")).into());
        }
        let n = self.size_along("chunk", dim)?;
        let size = ((n + chunks - 1) / chunks).max(1);
        self.split(py, pyo3::types::PyInt::new(py, size).as_any(), dim)
    }
    /// All slices along a dimension, as a tuple of views.
    #[pyo3(signature = (dim=0))]
    fn unbind<'py>(&self, py: Python<'py>, dim: i64) -> PyResult<Bound<'py, PyTuple>> {
        let n = self.size_along("unbind", dim)?;
        many((0..n).map(|i| self.select(dim, i)).collect::<PyResult<_>>()?, py)
    }
    /// The diagonal of two dimensions, as the last dimension.
    #[pyo3(signature = (offset=0, dim1=0, dim2=1))]
    fn diagonal(&self, offset: i64, dim1: i64, dim2: i64) -> PyResult<Tensor> {
        let x = self.value()?;
        if x.rank() < 2 {
            return Err(Error::shape(
                "diagonal",
                format!("needs at least two dimensions, not shape {}", show(x.shape())),
            )
            .into());
        }
        Ok(diagonal::diagonal(&x, offset, axis("diagonal", dim1, x.rank())?, axis("diagonal", dim2, x.rank())?)?.into())
    }
    /// The diagonal of a matrix, or the matrix with a vector on its diagonal.
    #[pyo3(signature = (diagonal=0))]
    fn diag(&self, diagonal: i64) -> PyResult<Tensor> {
        let x = self.value()?;
        match x.rank() {
            1 => Ok(diagonal::diag_embed(&x, diagonal)?.into()),
            2 => Ok(diagonal::diagonal(&x, diagonal, 0, 1)?.into()),
            _ => Err(Error::shape("diag", format!("needs a vector or a matrix, not shape {}", show(x.shape()))).into()),
        }
    }
    /// Matrices with the last dimension on their diagonals.
    #[pyo3(signature = (offset=0))]
    fn diag_embed(&self, offset: i64) -> PyResult<Tensor> {
        Ok(diagonal::diag_embed(&self.value()?, offset)?.into())
    }
    /// The lower triangle of matrices, zeros elsewhere.
    #[pyo3(signature = (diagonal=0))]
    fn tril(&self, diagonal: i64) -> PyResult<Tensor> {
        Ok(diagonal::triangle("tril", &self.value()?, diagonal, true)?.into())
    }
    /// The upper triangle of matrices, zeros elsewhere.
    #[pyo3(signature = (diagonal=0))]
    fn triu(&self, diagonal: i64) -> PyResult<Tensor> {
        Ok(diagonal::triangle("triu", &self.value()?, diagonal, false)?.into())
    }
    /// Sum of the diagonal of a matrix.
    #[pyo3(signature = (offset=0))]
    fn trace(&self, offset: i64) -> PyResult<Tensor> {
        let x = self.value()?;
        if x.rank() != 2 {
            return Err(Error::shape("trace", format!("needs a matrix, not shape {}", show(x.shape()))).into());
        }
        let d = diagonal::diagonal(&x, offset, 0, 1)?;
        Ok(crate::ops::sum::sum(&d, crate::shape::Axes::one(0), false, None)?.into())
    }
    /// clone()
    /// --
    ///
    /// A copy in memory of its own; the derivative flows through.
    fn clone(&self) -> PyResult<Tensor> {
        Ok(Copy.call(&[&self.value()?])?.into())
    }
    /// The tensor itself if its elements lie in row-major order, else a copy where they do.
    fn contiguous(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let value = slf.get().value()?;
        if value.numbers().is_none_or(|a| a.is_contiguous()) {
            return Ok(slf);
        }
        Bound::new(slf.py(), Tensor::new(Copy.call(&[&value])?))
    }
    /// to(dtype)
    /// --
    ///
    /// Converted to a dtype; itself if it has that dtype already.
    #[pyo3(signature = (*args, dtype=None, device=None, copy=false, non_blocking=false))]
    fn to<'py>(
        slf: Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        dtype: Option<Arg>,
        device: Option<&Bound<'py, PyAny>>,
        copy: bool,
        non_blocking: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let _ = non_blocking; // everything here is blocking
        super::convert::check_device(device)?;
        let mut target = dtype.map(|d| d.0);
        for arg in args.iter() {
            if let Ok(other) = arg.cast::<Tensor>() {
                target = Some(other.get().value()?.dtype());
            } else if let Ok(text) = arg.extract::<String>() {
                let device = pyo3::types::PyString::new(slf.py(), &text);
                super::convert::check_device(Some(device.as_any()))?;
            } else {
                target = Some(arg.extract::<Arg>()?.0);
            }
        }
        let value = slf.get().value()?;
        let target = target.unwrap_or(value.dtype());
        if target == value.dtype() && !copy {
            return Ok(slf);
        }
        let y = if target == value.dtype() { Copy.call(&[&value])? } else { convert::to(&value, target)? };
        Bound::new(slf.py(), Tensor::new(y))
    }
    /// Converted to a dtype.
    fn r#type(&self, dtype: Arg) -> PyResult<Tensor> {
        Ok(convert::to(&self.value()?, dtype.0)?.into())
    }
    /// Converted to the dtype of another tensor.
    fn type_as(&self, other: &Tensor) -> PyResult<Tensor> {
        Ok(convert::to(&self.value()?, other.value()?.dtype())?.into())
    }
    /// The tensor itself: there is only the CPU.
    fn cpu(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }
}
macro_rules! conversions { ($($name:ident $dtype:ident)*) => {
    #[pymethods]
    impl Tensor { $(
        /// Converted to the dtype of this name.
        fn $name(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
            let value = slf.get().value()?;
            if value.dtype() == DType::$dtype {
                return Ok(slf);
            }
            Bound::new(slf.py(), Tensor::new(convert::to(&value, DType::$dtype)?))
        }
    )* }
} }
conversions! { float F32 double F64 int I32 long I64 bool Bool byte U8 cfloat C64 cdouble C128 }
impl Tensor {
    fn size_along(&self, op: &'static str, dim: i64) -> PyResult<i64> {
        let value = self.value()?;
        if value.rank() == 0 {
            return Err(Error::shape(op, "a 0-d tensor has no dimension to cut").into());
        }
        Ok(value.shape()[axis(op, dim, value.rank())?] as i64)
    }
    fn broadcast(&self, shape: &[usize]) -> PyResult<Tensor> {
        let mut variable = self.variable()?;
        let value = variable.value()?;
        Ok(match expand::op_to("expand", value.shape(), shape)? {
            Some(op) => Tensor::from_variable(variable.view(op)?),
            None => Tensor::from_variable(variable.view(views::reshape(shape.into()))?),
        })
    }
}
/// cat(tensors, dim=0)
/// --
///
/// Tensors one behind the other along a dimension.
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
/// stack(tensors, dim=0)
/// --
///
/// Tensors of one shape along a new dimension.
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
/// hstack(tensors)
/// --
///
/// Joined along the second dimension, vectors along the first.
#[pyfunction]
fn hstack(tensors: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    joined("hstack", tensors, 1, |r| usize::from(r > 1))
}
/// vstack(tensors)
/// --
///
/// Joined along the first dimension, vectors as rows.
#[pyfunction]
fn vstack(tensors: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    joined("vstack", tensors, 2, |_| 0)
}
/// broadcast_tensors(*tensors)
/// --
///
/// Views of all tensors at their common shape.
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
    m.add_function(wrap_pyfunction!(broadcast_tensors, m)?)?;
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
            "flatten",
            "ravel",
            "unflatten",
            "narrow",
            "select",
            "broadcast_to",
            "flip",
            "roll",
            "tile",
            "split",
            "chunk",
            "unbind",
            "diagonal",
            "diag",
            "diag_embed",
            "tril",
            "triu",
            "trace",
            "clone",
        ],
    )
}
