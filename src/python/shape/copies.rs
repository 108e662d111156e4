//! Copies: in another order, repeated, in another dtype.
use super::super::{
    args::{integers_or, sizes, Dims},
    convert::check_device,
    dtype::Arg,
    export,
    tensor::Tensor,
};
use crate::{
    dtype::DType,
    error::Error,
    op::Call,
    ops::{
        convert::{self, Copy},
        join,
        reshape::reshape,
        views,
    },
    shape::present_axis,
};
use pyo3::{
    prelude::*,
    types::{PyBool, PyTuple},
};

#[pymethods]
impl Tensor {
    /// A copy with dimensions in reverse order, given by numbers or one tuple.
    ///
    /// Shape: kept; raises IndexError for a dimension that is out of range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.flip(rg.tensor([1, 2, 3]), 0)
    /// tensor([3, 2, 1])
    #[pyo3(signature = (*args, dims=None))]
    fn flip(&self, args: &Bound<'_, PyTuple>, dims: Option<Dims>) -> PyResult<Tensor> {
        if args.is_empty() && dims.is_none() {
            return Err(Error::value("flip", "needs the dimensions to reverse, e.g. flip(0)").into());
        }
        let dims = integers_or("flip", args, dims)?;
        Ok(Copy.call(&[self.view_by(|s| views::flip(s, &dims))?.value()?].each_ref())?.into())
    }
    /// A copy shifted along dimensions, what leaves at one end entering at the other; without `dims` the flattened
    /// tensor.
    ///
    /// Shape: kept; raises ValueError unless there are as many `shifts` as `dims`, IndexError for one that is out of
    /// range. Any dtype, kept.
    ///
    /// Derivative: that of the identity, each element's gradient goes back to its place.
    ///
    /// >>> rg.roll(rg.tensor([1, 2, 3]), 1)
    /// tensor([3, 1, 2])
    #[pyo3(signature = (shifts, dims=None))]
    fn roll(&self, shifts: Dims, dims: Option<Dims>) -> PyResult<Tensor> {
        let x = self.value()?;
        let Some(&first) = shifts.0.first() else {
            return Err(Error::value("roll", "needs at least one shift").into());
        };
        let dims = dims.unwrap_or(Dims(Vec::new()));
        if dims.0.is_empty() && shifts.0.len() == 1 {
            let flat = reshape(&x, &[x.len()])?;
            return Ok(reshape(&join::roll(&flat, &[(0, first)])?, x.shape())?.into());
        }
        if dims.0.len() != shifts.0.len() {
            return Err(Error::value("roll", format!("got {} shifts for {} dims", shifts.0.len(), dims.0.len())).into());
        }
        let pairs = dims
            .0
            .iter()
            .zip(&shifts.0)
            .map(|(&d, &s)| Ok((present_axis("roll", d, x.rank())?, s)))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(join::roll(&x, &pairs)?.into())
    }
    /// A copy repeated several times along each dimension, new leading ones included; see `rustgrad.tile`.
    ///
    /// Raises ValueError for fewer numbers than dimensions.
    ///
    /// >>> rg.tensor([1, 2]).repeat(2, 2)
    /// tensor([[1, 2, 1, 2],
    ///         [1, 2, 1, 2]])
    #[pyo3(signature = (*args, repeats=None))]
    fn repeat(&self, args: &Bound<'_, PyTuple>, repeats: Option<Dims>) -> PyResult<Tensor> {
        let times = sizes("repeat", &integers_or("repeat", args, repeats)?)?;
        Ok(join::repeat(&self.value()?, &times)?.into())
    }
    /// A copy repeated several times along each dimension, the last dimensions first.
    ///
    /// Shape: the sizes times `dims`, by numbers or one tuple, where missing ones count as 1; raises ValueError for a
    /// negative one. Any dtype, kept.
    ///
    /// Derivative: that of the identity; gradients of elements that were repeated are summed.
    ///
    /// >>> rg.tile(rg.tensor([1, 2]), (2,))
    /// tensor([1, 2, 1, 2])
    #[pyo3(signature = (*args, dims=None))]
    fn tile(&self, args: &Bound<'_, PyTuple>, dims: Option<Dims>) -> PyResult<Tensor> {
        let x = self.value()?;
        let given = sizes("tile", &integers_or("tile", args, dims)?)?;
        let times: Vec<usize> = std::iter::repeat_n(1, x.rank().saturating_sub(given.len())).chain(given).collect();
        Ok(join::repeat(&x, &times)?.into())
    }
    /// A copy in memory of its own; the derivative flows through.
    ///
    /// Shape and dtype: any, kept.
    ///
    /// Derivative: 1.
    ///
    /// >>> x = rg.zeros(2)
    /// >>> rg.clone(x).add_(1), x
    /// (tensor([1., 1.]), tensor([0., 0.]))
    fn clone(&self) -> PyResult<Tensor> {
        Ok(Copy.call(&[&self.value()?])?.into())
    }
    /// The tensor itself if its elements lie in row-major order, else a copy where they do.
    ///
    /// >>> rg.zeros(2, 3).t().contiguous().stride()
    /// (2, 1)
    fn contiguous(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let value = slf.get().value()?;
        if value.numbers().is_none_or(|a| a.is_contiguous()) {
            return Ok(slf);
        }
        Bound::new(slf.py(), Tensor::new(Copy.call(&[&value])?))
    }
    /// Converted to a dtype, or to that of another tensor; itself if it has that dtype already, unless `copy`.
    ///
    /// A device may be given, which must be "cpu"; raises ValueError for others. The derivative is 1 between floats and
    /// none through other dtypes.
    ///
    /// >>> rg.tensor([1.7]).to(rg.int64)
    /// tensor([1])
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
        check_device(device)?;
        let mut target = dtype.map(|d| d.0);
        let (mut copy, mut flags) = (copy, 0);
        for arg in args.iter() {
            if let Ok(flag) = arg.cast::<PyBool>() {
                // Behind dtype or device: non_blocking, then copy.
                flags += 1;
                copy |= flags == 2 && flag.is_true();
                continue;
            }
            if let Ok(other) = arg.cast::<Tensor>() {
                target = Some(other.get().value()?.dtype());
            } else if let Ok(text) = arg.extract::<String>() {
                let device = pyo3::types::PyString::new(slf.py(), &text);
                check_device(Some(device.as_any()))?;
            } else if !arg.is_none() {
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
    /// Converted to a dtype, as `to`.
    ///
    /// >>> rg.tensor([1.7]).type(rg.int64)
    /// tensor([1])
    fn r#type(&self, dtype: Arg) -> PyResult<Tensor> {
        Ok(convert::to(&self.value()?, dtype.0)?.into())
    }
    /// Converted to the dtype of another tensor, as `to`.
    ///
    /// >>> rg.tensor([1]).type_as(rg.zeros(1))
    /// tensor([1.])
    fn type_as(&self, other: &Tensor) -> PyResult<Tensor> {
        Ok(convert::to(&self.value()?, other.value()?.dtype())?.into())
    }
    /// The tensor itself: there is only the CPU.
    ///
    /// >>> x = rg.zeros(2)
    /// >>> x.cpu() is x
    /// True
    fn cpu(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }
}
macro_rules! conversions { ($($name:ident $dtype:ident)*) => {
    #[pymethods]
    impl Tensor { $(
        /// See `Tensor.to`; converted to the dtype of this name.
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
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export(m, &["flip", "roll", "tile", "clone"])
}
