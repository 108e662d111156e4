//! Reductions, scans and sorting in Python.
use super::{
    args::{axes, dtype, either, keep, Dims},
    dtype::Arg,
    export,
    tensor::{run, Operand, Tensor},
};
use crate::{
    error::Error,
    ops::{
        arith::{Maximum, Minimum},
        binary::Binary,
        norm, order, prod, reduce, scan, softmax, sum, variance,
    },
    shape::axis,
    trace::Value,
};
use pyo3::{prelude::*, IntoPyObjectExt};

macro_rules! simple { ($($(#[$doc:meta])* $name:ident |$x:ident, $axes:ident, $keep:ident| $body:expr;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
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
    /// Largest element over dimensions; equal ones share the slope.
    amax |x, axes, keep| reduce::extreme(x, axes, keep, true);
    /// Smallest element over dimensions; equal ones share the slope.
    amin |x, axes, keep| reduce::extreme(x, axes, keep, false);
    /// Whether any element is true.
    any |x, axes, keep| reduce::truth(x, axes, keep, false);
    /// Whether all elements are true.
    all |x, axes, keep| reduce::truth(x, axes, keep, true);
    /// Logarithm of the sum of exponentials, without overflow.
    logsumexp |x, axes, keep| softmax::logsumexp(x, axes, keep);
}
macro_rules! typed { ($($(#[$doc:meta])* $name:ident |$x:ident, $axes:ident, $keep:ident, $dtype:ident| $body:expr;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
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
    sum |x, axes, keep, dtype| sum::sum(x, axes, keep, dtype);
    /// Mean over dimensions.
    mean |x, axes, keep, dtype| reduce::mean(x, axes, keep, dtype);
    /// Product over dimensions.
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
fn pair(py: Python<'_>, name: &str, a: Value, b: Value) -> PyResult<Py<PyAny>> {
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
    if let Ok(d) = dim.extract::<i64>() {
        if !dim.is_instance_of::<Tensor>() {
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
    /// var(dim=None, *, correction=1, keepdim=False)
    /// --
    ///
    /// Variance over dimensions.
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
    /// std(dim=None, *, correction=1, keepdim=False)
    /// --
    ///
    /// Standard deviation over dimensions.
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
    /// max(dim=None, keepdim=False)
    /// --
    ///
    /// Largest element; with `dim`, a pair (values, indices); with a tensor, the larger of each two.
    #[pyo3(signature = (dim=None, keepdim=false))]
    fn max(&self, py: Python<'_>, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<Py<PyAny>> {
        extreme::<Maximum>(py, self, dim, keepdim, true)
    }
    /// Smallest element; with dim, a pair (values, indices); with a tensor, the smaller of each two.
    #[pyo3(signature = (dim=None, keepdim=false))]
    fn min(&self, py: Python<'_>, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<Py<PyAny>> {
        extreme::<Minimum>(py, self, dim, keepdim, false)
    }
    /// Position of the largest element, in the flattened tensor or along a dimension.
    #[pyo3(signature = (dim=None, keepdim=false, *, axis=None))]
    fn argmax(&self, dim: Option<i64>, keepdim: bool, axis: Option<i64>) -> PyResult<Tensor> {
        self.position("argmax", either("argmax", dim, axis)?, keepdim, true)
    }
    /// Position of the smallest element, in the flattened tensor or along a dimension.
    #[pyo3(signature = (dim=None, keepdim=false, *, axis=None))]
    fn argmin(&self, dim: Option<i64>, keepdim: bool, axis: Option<i64>) -> PyResult<Tensor> {
        self.position("argmin", either("argmin", dim, axis)?, keepdim, false)
    }
    /// norm(p=2, dim=None, keepdim=False)
    /// --
    ///
    /// The p-norm over dimensions; its slope at the origin is 0.
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
            x = crate::ops::convert::to(&x, d.0)?;
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
    /// Running sum along a dimension.
    #[pyo3(signature = (dim=None, *, dtype=None, axis=None))]
    fn cumsum(&self, dim: Option<i64>, dtype: Option<Arg>, axis: Option<i64>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = self.required("cumsum", dim, axis)?;
        Ok(scan::cumsum(&x, a, self::dtype(dtype))?.into())
    }
    /// Running product along a dimension.
    #[pyo3(signature = (dim=None, *, dtype=None, axis=None))]
    fn cumprod(&self, dim: Option<i64>, dtype: Option<Arg>, axis: Option<i64>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = self.required("cumprod", dim, axis)?;
        Ok(scan::cumprod(&x, a, self::dtype(dtype))?.into())
    }
    /// sort(dim=-1, descending=False, stable=False)
    /// --
    ///
    /// Sorted values and their positions; always stable.
    #[pyo3(signature = (dim=-1, descending=false, stable=false))]
    fn sort(&self, py: Python<'_>, dim: i64, descending: bool, stable: bool) -> PyResult<Py<PyAny>> {
        let _ = stable; // the sort is stable in any case
        let x = self.value()?;
        let a = axis("sort", dim, x.rank())?;
        let (v, i) = run(py, 20 * x.len(), || order::sort("sort", &x, a, descending))?;
        pair(py, "sort", v, i)
    }
    /// Positions that sort along a dimension; always stable.
    #[pyo3(signature = (dim=-1, descending=false, stable=false))]
    fn argsort(&self, py: Python<'_>, dim: i64, descending: bool, stable: bool) -> PyResult<Tensor> {
        let _ = stable; // the sort is stable in any case
        let x = self.value()?;
        let a = axis("argsort", dim, x.rank())?;
        Ok(run(py, 20 * x.len(), || order::sort("argsort", &x, a, descending))?.1.into())
    }
    /// topk(k, dim=-1, largest=True, sorted=True)
    /// --
    ///
    /// The k largest (or smallest) elements along a dimension, in order, and their positions.
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
    fn required(&self, op: &'static str, dim: Option<i64>, axis: Option<i64>) -> PyResult<usize> {
        let dim = either(op, dim, axis)?
            .ok_or_else(|| pyo3::exceptions::PyTypeError::new_err(format!("{op}: missing the argument dim")))?;
        Ok(self::axis(op, dim, self.value()?.rank())?)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export(m, SIMPLE)?;
    export(m, TYPED)?;
    export(m, &["var", "std", "max", "min", "argmax", "argmin", "norm", "cumsum", "cumprod", "sort", "argsort", "topk"])
}
