//! In-place forms of methods that are not elementwise, of views too, and the other names that PyTorch has for methods.
use super::{
    error::foreign,
    tensor::{Operand, Tensor},
};
use crate::{
    error::Error,
    op::Prim,
    ops::{reshape::Permute, views},
};
use pyo3::prelude::*;

// `name(arguments) (signature) = the method`: written over the tensor's own elements.
macro_rules! writes { ($($name:ident $of:ident ($($arg:ident: $type:ty),*) ($($signature:tt)*) |$x:ident, $py:ident| $call:expr;)*) => {
    #[pymethods]
    impl Tensor { $(
        #[doc = concat!("In-place form of `", stringify!($of), "`.")]
        #[pyo3(signature = ($($signature)*))]
        fn $name<'py>(slf: Bound<'py, Self>, $py: Python<'py>, $($arg: $type),*) -> PyResult<Bound<'py, Self>> {
            slf.get().variable()?.write(stringify!($name), |value| {
                let $x = Tensor::new(value.clone());
                $call.map_err(foreign)?.value()
            })?;
            Ok(slf)
        }
    )* }
} }
writes! {
    addmm_ addmm (mat1: &Tensor, mat2: &Tensor, beta: Option<Operand>, alpha: Option<Operand>)
        (mat1, mat2, *, beta=None, alpha=None) |x, py| x.addmm(py, mat1, mat2, beta, alpha);
    baddbmm_ baddbmm (batch1: &Tensor, batch2: &Tensor, beta: Option<Operand>, alpha: Option<Operand>)
        (batch1, batch2, *, beta=None, alpha=None) |x, py| x.baddbmm(py, batch1, batch2, beta, alpha);
    clamp_max_ clamp (max: Operand) (max) |x, _py| x.clamp_max(max);
    clamp_min_ clamp (min: Operand) (min) |x, _py| x.clamp_min(min);
    cumprod_ cumprod (dim: i64) (dim) |x, _py| x.cumprod(Some(dim), None, None);
    cumsum_ cumsum (dim: i64) (dim) |x, _py| x.cumsum(Some(dim), None, None);
    frac_ frac () () |x, _py| x.frac();
    index_copy_ index_copy (dim: i64, index: &Tensor, source: &Tensor) (dim, index, source) |x, _py| x.index_copy(dim, index, source);
    lerp_ lerp (end: Operand, weight: Operand) (end, weight) |x, _py| x.lerp(end, weight);
    tril_ tril (diagonal: i64) (diagonal=0) |x, _py| x.tril(diagonal);
    triu_ triu (diagonal: i64) (diagonal=0) |x, _py| x.triu(diagonal);
}
impl Tensor {
    fn turned<'py>(
        slf: Bound<'py, Self>,
        op: &'static str,
        view: impl FnOnce(&[usize]) -> Result<Prim, Error>,
    ) -> PyResult<Bound<'py, Self>> {
        let mut variable = slf.get().variable()?;
        let view = view(variable.value()?.shape())?;
        variable.turn_into_view(op, view)?;
        drop(variable);
        Ok(slf)
    }
}
#[pymethods]
impl Tensor {
    /// Show the elements with two dimensions exchanged from now on; see `rustgrad.transpose`.
    ///
    /// >>> rg.zeros(2, 3).transpose_(0, 1).shape
    /// (3, 2)
    fn transpose_<'py>(slf: Bound<'py, Self>, dim0: i64, dim1: i64) -> PyResult<Bound<'py, Self>> {
        Tensor::turned(slf, "transpose_", |s| views::transpose("transpose_", s.len(), dim0, dim1))
    }
    /// Show the elements of a matrix transposed from now on; see `rustgrad.t`.
    ///
    /// >>> rg.zeros(2, 3).t_().shape
    /// (3, 2)
    fn t_(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        Tensor::turned(slf, "t_", |s| match s.len() {
            0 | 1 => Ok(Permute { order: (0..s.len() as u8).collect() }.into()),
            2 => views::transpose("t_", 2, 0, 1),
            n => Err(Error::shape("t_", format!("needs at most two dimensions, not {n}; use transpose_()"))),
        })
    }
    /// Leave out dimensions of size 1 from now on; see `rustgrad.squeeze`.
    ///
    /// >>> rg.zeros(2, 1).squeeze_().shape
    /// (2,)
    #[pyo3(signature = (dim=None))]
    fn squeeze_<'py>(slf: Bound<'py, Self>, dim: Option<super::args::Dims>) -> PyResult<Bound<'py, Self>> {
        Tensor::turned(slf, "squeeze_", |s| views::squeeze(s, dim.as_ref().map(|d| &*d.0)))
    }
    /// Add a dimension of size 1 from now on; see `rustgrad.unsqueeze`.
    ///
    /// >>> rg.zeros(2).unsqueeze_(0).shape
    /// (1, 2)
    fn unsqueeze_<'py>(slf: Bound<'py, Self>, dim: i64) -> PyResult<Bound<'py, Self>> {
        Tensor::turned(slf, "unsqueeze_", |s| views::unsqueeze(s, dim))
    }
}
/// Other names of methods, as PyTorch has them; those that end in an underscore write in place.
const ALIASES: &[(&str, &str)] = &[
    ("absolute", "abs"),
    ("absolute_", "abs_"),
    ("arccos", "acos"),
    ("arccos_", "acos_"),
    ("arccosh", "acosh"),
    ("arccosh_", "acosh_"),
    ("arcsin", "asin"),
    ("arcsin_", "asin_"),
    ("arcsinh", "asinh"),
    ("arcsinh_", "asinh_"),
    ("arctan", "atan"),
    ("arctan_", "atan_"),
    ("arctan2", "atan2"),
    ("arctan2_", "atan2_"),
    ("arctanh", "atanh"),
    ("arctanh_", "atanh_"),
    ("clip", "clamp"),
    ("clip_", "clamp_"),
    ("divide", "div"),
    ("divide_", "div_"),
    ("fix", "trunc"),
    ("fix_", "trunc_"),
    ("greater", "gt"),
    ("greater_", "gt_"),
    ("greater_equal", "ge"),
    ("greater_equal_", "ge_"),
    ("less", "lt"),
    ("less_", "lt_"),
    ("less_equal", "le"),
    ("less_equal_", "le_"),
    ("multiply", "mul"),
    ("multiply_", "mul_"),
    ("negative", "neg"),
    ("negative_", "neg_"),
    ("not_equal", "ne"),
    ("not_equal_", "ne_"),
    ("subtract", "sub"),
    ("subtract_", "sub_"),
    ("swapaxes_", "transpose_"),
    ("swapdims_", "transpose_"),
    ("true_divide_", "div_"),
];
/// Methods first: `m` must hold the functions whose other names are asked for.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let class = m.getattr("Tensor")?;
    for (alias, name) in ALIASES {
        class.setattr(alias, class.getattr(name)?)?;
        if m.hasattr(name)? {
            m.add(*alias, m.getattr(name)?)?;
        }
    }
    Ok(())
}
