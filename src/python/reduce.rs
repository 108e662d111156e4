//! Reductions in Python.
use super::{
    args::{axes, dtype, either, keep, Dims},
    dtype::Arg,
    export_with_out,
    tensor::{run, Operand, Tensor},
};
use crate::{
    dtype::DType,
    error::Error,
    ops::{
        arith::{Maximum, Minimum},
        binary::Binary,
        convert, norm, prod, reduce, softmax, sum, variance,
    },
    shape::{axis, Axes},
    trace::Value,
};
use pyo3::{prelude::*, IntoPyObjectExt};

/// Bytes answer in bytes, as in PyTorch.
fn truth(x: &Value, axes: Axes, keepdim: bool, all: bool) -> Result<Value, Error> {
    let answer = reduce::truth(x, axes, keepdim, all)?;
    convert::to(&answer, if x.dtype() == DType::U8 { DType::U8 } else { DType::Bool })
}
/// What all reductions do with `dim`.
macro_rules! dims { () => {
    "\nShape: `dim` (an int, a tuple, or None for all; also `axis`) is dropped, or kept as size 1 with `keepdim`; raises \
    IndexError where it is out of range."
} }
macro_rules! simple { ($($(#[$doc:meta])* $name:ident |$x:ident, $axes:ident, $keep:ident| $body:expr;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
        #[doc = dims!()]
        #[pyo3(signature = (dim=None, keepdim=false, *, axis=None, keepdims=None))]
        fn $name(&self, py: Python<'_>, dim: Option<Dims>, keepdim: bool, axis: Option<Dims>, keepdims: Option<bool>) -> PyResult<Tensor> {
            let $x = &self.value()?;
            let $axes = axes(stringify!($name), dim, axis, $x.rank())?;
            let $keep = keep(keepdim, keepdims);
            Ok(run(py, $x.len(), || $body)?.into())
        }
    )* }
    const SIMPLE: &[&str] = &[$(stringify!($name)),*];
} }
simple! {
    /// Largest element over dimensions; NaN wins.
    ///
    /// The dtype is kept; raises TypeError for complex numbers, ValueError for the extreme of nothing.
    ///
    /// Derivative: 1, in equal shares among the elements that are the largest.
    ///
    /// >>> rg.amax(rg.tensor([[1.0, 5.0], [4.0, 2.0]]), dim=0)
    /// tensor([4., 5.])
    amax |x, axes, keep| reduce::extreme(x, axes, keep, true);
    /// Smallest element over dimensions; NaN wins.
    ///
    /// The dtype is kept; raises TypeError for complex numbers, ValueError for the extreme of nothing.
    ///
    /// Derivative: 1, in equal shares among the elements that are the smallest.
    ///
    /// >>> rg.amin(rg.tensor([[1.0, 5.0], [4.0, 2.0]]), dim=0)
    /// tensor([1., 2.])
    amin |x, axes, keep| reduce::extreme(x, axes, keep, false);
    /// Whether any element over dimensions is not zero.
    ///
    /// Any dtype, the result is bool, or uint8 for uint8.
    ///
    /// Derivative: none, the result is bool.
    ///
    /// >>> rg.any(rg.tensor([[0, 1], [0, 0]]), dim=1)
    /// tensor([ True, False])
    any |x, axes, keep| truth(x, axes, keep, false);
    /// Whether all elements over dimensions are not zero.
    ///
    /// Any dtype, the result is bool, or uint8 for uint8.
    ///
    /// Derivative: none, the result is bool.
    ///
    /// >>> rg.all(rg.tensor([[1, 1], [0, 1]]), dim=1)
    /// tensor([ True, False])
    all |x, axes, keep| truth(x, axes, keep, true);
    /// Logarithm of the sum of exponentials over dimensions, without overflow.
    ///
    /// Integers and booleans become the default dtype; raises TypeError for complex numbers.
    ///
    /// Derivative: the softmax over the same dimensions.
    ///
    /// >>> rg.logsumexp(rg.tensor([1000.0, 1000.0]))
    /// tensor(1000.6932)
    logsumexp |x, axes, keep| softmax::logsumexp(x, axes, keep);
}
macro_rules! typed { ($($(#[$doc:meta])* $name:ident |$x:ident, $axes:ident, $keep:ident, $dtype:ident| $body:expr;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
        #[doc = dims!()]
        #[pyo3(signature = (dim=None, keepdim=false, *, dtype=None, axis=None, keepdims=None))]
        fn $name(&self, py: Python<'_>, dim: Option<Dims>, keepdim: bool, dtype: Option<Arg>, axis: Option<Dims>, keepdims: Option<bool>) -> PyResult<Tensor> {
            let $x = &self.value()?;
            let $axes = axes(stringify!($name), dim, axis, $x.rank())?;
            let ($keep, $dtype) = (keep(keepdim, keepdims), self::dtype(dtype));
            Ok(run(py, $x.len(), || $body)?.into())
        }
    )* }
    const TYPED: &[&str] = &[$(stringify!($name)),*];
} }
typed! {
    /// Sum over dimensions.
    ///
    /// Integers and booleans are summed in int64; `dtype` converts first.
    ///
    /// Derivative: 1 by every element.
    ///
    /// >>> x = rg.tensor([[1.0, 2.0], [3.0, 4.0]])
    /// >>> rg.sum(x)
    /// tensor(10.)
    /// >>> rg.sum(x, dim=0)
    /// tensor([4., 6.])
    sum |x, axes, keep, dtype| sum::sum(x, axes, keep, dtype);
    /// Mean over dimensions; NaN of nothing.
    ///
    /// Floats and complex numbers; `dtype` converts first, and without it raises TypeError for integers and booleans.
    ///
    /// Derivative: 1 / n by each of the n elements.
    ///
    /// >>> rg.mean(rg.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    /// tensor([1.5000, 3.5000])
    mean |x, axes, keep, dtype| reduce::mean(x, axes, keep, dtype);
    /// Product over dimensions.
    ///
    /// Integers and booleans are multiplied in int64; `dtype` converts first.
    ///
    /// Derivative: by each element the product of all others, right also with zeros among them.
    ///
    /// >>> rg.prod(rg.tensor([2.0, 3.0, 4.0]))
    /// tensor(24.)
    prod |x, axes, keep, dtype| prod::prod(x, axes, keep, dtype);
}
fn correction(correction: Option<f64>, unbiased: Option<bool>, ddof: Option<f64>) -> f64 {
    correction.or(ddof).unwrap_or(if unbiased == Some(false) { 0.0 } else { 1.0 })
}
/// `var(dim, unbiased, keepdim)`: PyTorch also takes `unbiased` as the only positional argument.
fn spread(
    x: &Value,
    op: &'static str,
    dim: Option<&Bound<'_, PyAny>>,
    unbiased: Option<bool>,
    axis: Option<Dims>,
) -> PyResult<(crate::shape::Axes, Option<bool>)> {
    match dim {
        Some(d) if d.is_instance_of::<pyo3::types::PyBool>() => {
            Ok((axes(op, None, axis, x.rank())?, Some(d.extract()?)))
        }
        Some(d) if !d.is_none() => Ok((axes(op, Some(d.extract()?), axis, x.rank())?, unbiased)),
        _ => Ok((axes(op, None, axis, x.rank())?, unbiased)),
    }
}
pub fn pair(py: Python<'_>, name: &str, a: Value, b: Value) -> PyResult<Py<PyAny>> {
    let class = py.import("rustgrad._results")?.getattr(name)?;
    Ok(class.call1((Tensor::new(a), Tensor::new(b)))?.unbind())
}
/// `max()`, `max(dim)`, `max(other)`.
fn extreme<B: Binary>(
    py: Python<'_>,
    t: &Tensor,
    dim: Option<&Bound<'_, PyAny>>,
    keepdim: bool,
    largest: bool,
) -> PyResult<Py<PyAny>>
where
    crate::ops::Map2<B>: Into<crate::ops::Prim>,
{
    let x = t.value()?;
    let op = if largest { "max" } else { "min" };
    let Some(dim) = dim.filter(|d| !d.is_none()) else {
        let all = crate::shape::Axes::all(x.rank());
        return Tensor::new(run(py, x.len(), || reduce::extreme(&x, all, false, largest)).map_err(|e| e.named(op))?)
            .into_py_any(py);
    };
    if !dim.is_instance_of::<Tensor>() {
        if let Ok(d) = dim.extract::<i64>() {
            let a = axis(op, d, x.rank())?;
            let (value, at) = run(py, x.len(), || reduce::extreme_along(&x, a, keepdim, largest))?;
            return pair(py, op, value, at);
        }
    }
    let other: Operand = dim.extract()?;
    Tensor::new(super::arith::binary::<B>(&x, other)?).into_py_any(py)
}
#[pymethods]
impl Tensor {
    /// Variance over dimensions, Σ (x - mean)² / (n - correction).
    ///
    /// Shape: `dim` (an int, a tuple, or None for all; also `axis`) is dropped, or kept as size 1 with `keepdim`.
    /// `correction` (1; also `ddof`, or `unbiased` for 0 and 1) is taken off the count; NaN where nothing is left of
    /// it. Raises TypeError for integers and booleans. Raises IndexError for a `dim` that is out of range.
    ///
    /// Derivative: 2 (x - mean) / (n - correction).
    ///
    /// >>> rg.var(rg.tensor([1.0, 2.0, 3.0, 4.0]))
    /// tensor(1.6667)
    /// >>> rg.var(rg.tensor([1.0, 2.0, 3.0, 4.0]), correction=0)
    /// tensor(1.2500)
    #[pyo3(signature = (dim=None, unbiased=None, keepdim=false, *, correction=None, axis=None, keepdims=None, ddof=None))]
    fn var(
        &self,
        py: Python<'_>,
        dim: Option<&Bound<'_, PyAny>>,
        unbiased: Option<bool>,
        keepdim: bool,
        correction: Option<f64>,
        axis: Option<Dims>,
        keepdims: Option<bool>,
        ddof: Option<f64>,
    ) -> PyResult<Tensor> {
        let x = self.value()?;
        let (axes, unbiased) = spread(&x, "var", dim, unbiased, axis)?;
        let c = self::correction(correction, unbiased, ddof);
        Ok(run(py, x.len(), || variance::var(&x, axes, keep(keepdim, keepdims), c))?.into())
    }
    /// Standard deviation over dimensions, the square root of `var`.
    ///
    /// Shape: `dim` (an int, a tuple, or None for all; also `axis`) is dropped, or kept as size 1 with `keepdim`.
    /// `correction`, `ddof` and `unbiased` as for `var`. Raises TypeError for integers and booleans. Raises IndexError
    /// for a `dim` that is out of range.
    ///
    /// Derivative: (x - mean) / ((n - correction) std), 0 where all elements are equal.
    ///
    /// >>> rg.std(rg.tensor([1.0, 2.0, 3.0, 4.0]))
    /// tensor(1.2910)
    #[pyo3(signature = (dim=None, unbiased=None, keepdim=false, *, correction=None, axis=None, keepdims=None, ddof=None))]
    fn std(
        &self,
        py: Python<'_>,
        dim: Option<&Bound<'_, PyAny>>,
        unbiased: Option<bool>,
        keepdim: bool,
        correction: Option<f64>,
        axis: Option<Dims>,
        keepdims: Option<bool>,
        ddof: Option<f64>,
    ) -> PyResult<Tensor> {
        let x = self.value()?;
        let (axes, unbiased) = spread(&x, "std", dim, unbiased, axis)?;
        let c = self::correction(correction, unbiased, ddof);
        Ok(run(py, x.len(), || variance::std(&x, axes, keep(keepdim, keepdims), c))?.into())
    }
    /// Largest element; with `dim`, a pair (values, indices); with a tensor, `maximum` of both.
    ///
    /// Shape: a number, or `dim` dropped, kept as size 1 with `keepdim`. The dtype is kept, indices are int64; raises
    /// TypeError for complex numbers, ValueError for the extreme of nothing, IndexError for a `dim` that is out of
    /// range.
    ///
    /// Derivative: without `dim` 1 in equal shares among the largest; with `dim` 1 by the element at the index.
    ///
    /// >>> x = rg.tensor([[1.0, 5.0], [4.0, 2.0]])
    /// >>> rg.max(x)
    /// tensor(5.)
    /// >>> rg.max(x, 1).indices
    /// tensor([1, 0])
    #[pyo3(signature = (dim=None, keepdim=false))]
    fn max(&self, py: Python<'_>, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<Py<PyAny>> {
        extreme::<Maximum>(py, self, dim, keepdim, true)
    }
    /// Smallest element; with `dim`, a pair (values, indices); with a tensor, `minimum` of both.
    ///
    /// Shapes, dtypes and errors: as `max`.
    ///
    /// Derivative: without `dim` 1 in equal shares among the smallest; with `dim` 1 by the element at the index.
    ///
    /// >>> x = rg.tensor([[1.0, 5.0], [4.0, 2.0]])
    /// >>> rg.min(x)
    /// tensor(1.)
    /// >>> rg.min(x, 1).values
    /// tensor([1., 2.])
    #[pyo3(signature = (dim=None, keepdim=false))]
    fn min(&self, py: Python<'_>, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<Py<PyAny>> {
        extreme::<Minimum>(py, self, dim, keepdim, false)
    }
    /// Position of the largest element along a dimension, or in the flattened tensor; the first of equals.
    ///
    /// Shape: a number, or `dim` (also `axis`) dropped, kept as size 1 with `keepdim`. The result is int64; raises
    /// TypeError for complex numbers, ValueError for the extreme of nothing, IndexError for a `dim` that is out of
    /// range.
    ///
    /// Derivative: none, the result is int64.
    ///
    /// >>> rg.argmax(rg.tensor([[1.0, 5.0], [4.0, 2.0]]), dim=1)
    /// tensor([1, 0])
    #[pyo3(signature = (dim=None, keepdim=false, *, axis=None))]
    fn argmax(&self, dim: Option<i64>, keepdim: bool, axis: Option<i64>) -> PyResult<Tensor> {
        self.position("argmax", either("argmax", dim, axis)?, keepdim, true)
    }
    /// Position of the smallest element along a dimension, or in the flattened tensor; the first of equals.
    ///
    /// Shapes, dtypes and errors: as `argmax`.
    ///
    /// Derivative: none, the result is int64.
    ///
    /// >>> rg.argmin(rg.tensor([[1.0, 5.0], [4.0, 2.0]]), dim=1)
    /// tensor([0, 1])
    #[pyo3(signature = (dim=None, keepdim=false, *, axis=None))]
    fn argmin(&self, dim: Option<i64>, keepdim: bool, axis: Option<i64>) -> PyResult<Tensor> {
        self.position("argmin", either("argmin", dim, axis)?, keepdim, false)
    }
    /// The p-norm over dimensions, (Σ |x|ᵖ)^(1/p); `p` is a number, infinity, or "fro" for 2.
    ///
    /// Shape: `dim` (an int, a tuple, or None for all) is dropped, or kept as size 1 with `keepdim`. Floats, or
    /// converted by `dtype`; raises TypeError for integers and booleans, ValueError for another `p`, IndexError for a
    /// `dim` that is out of range.
    ///
    /// Derivative: x / ‖x‖ for p = 2, and 0 at the origin; for other p sign(x) |x|ᵖ⁻¹ / ‖x‖ᵖ⁻¹.
    ///
    /// >>> rg.norm(rg.tensor([3.0, 4.0]))
    /// tensor(5.)
    /// >>> rg.norm(rg.tensor([3.0, -4.0]), 1)
    /// tensor(7.)
    #[pyo3(signature = (p=None, dim=None, keepdim=false, dtype=None))]
    fn norm(
        &self,
        p: Option<&Bound<'_, PyAny>>,
        dim: Option<Dims>,
        keepdim: bool,
        dtype: Option<Arg>,
    ) -> PyResult<Tensor> {
        let mut x = self.value()?;
        if let Some(d) = dtype {
            x = convert::to(&x, d.0)?;
        }
        let p = match p {
            None => 2.0,
            Some(p) => match p.extract::<f64>() {
                Ok(p) => p,
                Err(_) if matches!(p.extract::<&str>(), Ok("fro")) => 2.0,
                Err(_) if p.is_none() => 2.0,
                Err(_) => return Err(Error::value("norm", format!("p must be a number or \"fro\", not {p}")).into()),
            },
        };
        let axes = axes("norm", dim, None, x.rank())?;
        Ok(norm::vector_norm(&x, p, axes, keepdim)?.into())
    }
}
impl Tensor {
    fn position(&self, op: &'static str, dim: Option<i64>, keepdim: bool, largest: bool) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = dim.map(|d| axis(op, d, x.rank())).transpose()?;
        if x.is_empty() && a.is_none() {
            return Err(
                Error::shape(op, format!("there is no extreme in shape {}", crate::shape::show(x.shape()))).into()
            );
        }
        Ok(reduce::arg_extreme(&x, a, keepdim, largest)?.into())
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export_with_out(m, SIMPLE)?;
    export_with_out(m, TYPED)?;
    export_with_out(m, &["var", "std", "max", "min", "argmax", "argmin", "norm"])
}
