//! Losses: one number for how far results are from what they should be.
use super::{super::tensor::Tensor, optional};
use crate::{
    error::Error,
    ops::{nn, nn::Reduction},
};
use pyo3::prelude::*;

fn reduction(op: &'static str, name: &str) -> Result<Reduction, Error> {
    match name {
        "none" => Ok(Reduction::None),
        "mean" => Ok(Reduction::Mean),
        "sum" => Ok(Reduction::Sum),
        other => Err(Error::value(op, format!("reduction must be \"none\", \"mean\" or \"sum\", not {other:?}"))),
    }
}
fn old_form(op: &'static str, a: Option<bool>, b: Option<bool>) -> Result<(), Error> {
    match a.or(b) {
        None => Ok(()),
        Some(_) => Err(Error::value(op, "size_average and reduce are gone; use reduction=")),
    }
}
/// Cross entropy of scores with class numbers, or with probabilities of all classes.
///
/// Shapes: scores (N, C, …) with classes (N, …) or probabilities (N, C, …), or without N; raises ValueError for others.
/// `reduction` is "mean", "sum" or "none"; raises ValueError for another. `weight` counts classes, those numbered
/// `ignore_index` count nothing, `label_smoothing` mixes in equal probabilities. Raises IndexError for a class out of
/// range.
///
/// Derivative: softmax(input) minus the target's probabilities, weighted and reduced as the loss.
///
/// >>> rg.nn.functional.cross_entropy(rg.tensor([[0.0, 0.0]]), rg.tensor([1]))
/// tensor(0.6931)
#[pyfunction]
#[pyo3(signature = (input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0))]
fn cross_entropy(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    size_average: Option<bool>,
    ignore_index: i64,
    reduce: Option<bool>,
    reduction: &str,
    label_smoothing: f64,
) -> PyResult<Tensor> {
    old_form("cross_entropy", size_average, reduce)?;
    let r = self::reduction("cross_entropy", reduction)?;
    Ok(nn::cross_entropy(
        &input.value()?,
        &target.value()?,
        optional(weight)?.as_ref(),
        ignore_index,
        r,
        label_smoothing,
    )
    .map_err(|e| e.named("cross_entropy"))?
    .into())
}
/// Negative log likelihood of class numbers under log probabilities.
///
/// Shapes: (N, C, …) with classes (N, …), or (C) with one class; raises ValueError for others, IndexError for a class
/// out of range. `reduction` is "mean", "sum" or "none"; raises ValueError for another. `weight` counts classes, those
/// numbered `ignore_index` count nothing.
///
/// Derivative: -weight at the class, divided by the sum of weights for "mean"; 0 elsewhere.
///
/// >>> rg.nn.functional.nll_loss(rg.tensor([[-0.5, -1.0]]), rg.tensor([1]))
/// tensor(1.)
#[pyfunction]
#[pyo3(signature = (input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"))]
fn nll_loss(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    size_average: Option<bool>,
    ignore_index: i64,
    reduce: Option<bool>,
    reduction: &str,
) -> PyResult<Tensor> {
    old_form("nll_loss", size_average, reduce)?;
    let r = self::reduction("nll_loss", reduction)?;
    Ok(nn::nll(&input.value()?, &target.value()?, optional(weight)?.as_ref(), ignore_index, r)?.into())
}
/// Half the squared difference d up to `delta`, linear beyond: delta (|d| - delta / 2) (Huber 1964).
///
/// Shapes: both broadcast; the result is a number, or the common shape without reduction. `reduction` is "mean", "sum"
/// or "none"; raises ValueError for another.
///
/// Derivative: d limited to [-delta, delta] by the input, the opposite by the target; divided by the count for "mean".
///
/// >>> rg.nn.functional.huber_loss(rg.tensor([0.0, 0.0]), rg.tensor([1.0, 3.0]), reduction="none")
/// tensor([0.5000, 2.5000])
#[pyfunction]
#[pyo3(signature = (input, target, reduction="mean", delta=1.0))]
fn huber_loss(input: &Tensor, target: &Tensor, reduction: &str, delta: f64) -> PyResult<Tensor> {
    Ok(nn::huber(&input.value()?, &target.value()?, delta, self::reduction("huber_loss", reduction)?)?.into())
}
/// Cross entropy of two classes from scores, p t log(1 + exp(-x)) + (1 - t) log(1 + exp(x)), without overflow.
///
/// Shapes: that of the input for both; the result is a number, or of that shape without reduction. `reduction` is
/// "mean", "sum" or "none"; raises ValueError for another. `weight` multiplies every term, `pos_weight` (p above) those of
/// the positive class; both broadcast.
///
/// Derivative: σ(x) - t by the input, -x by the target, for p = 1; divided by the count for "mean".
///
/// >>> rg.nn.functional.binary_cross_entropy_with_logits(rg.tensor([0.0]), rg.tensor([1.0]))
/// tensor(0.6931)
#[pyfunction]
#[pyo3(signature = (input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None))]
fn binary_cross_entropy_with_logits(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    size_average: Option<bool>,
    reduce: Option<bool>,
    reduction: &str,
    pos_weight: Option<&Tensor>,
) -> PyResult<Tensor> {
    old_form("binary_cross_entropy_with_logits", size_average, reduce)?;
    let r = self::reduction("binary_cross_entropy_with_logits", reduction)?;
    let (weight, positive) = (optional(weight)?, optional(pos_weight)?);
    Ok(nn::bce_with_logits(&input.value()?, &target.value()?, weight.as_ref(), positive.as_ref(), r)?.into())
}
macro_rules! losses { ($($(#[$doc:meta])* $name:ident $f:path;)*) => {
    $(
        $(#[$doc])*
        #[doc = "\nShapes: both broadcast, raises ValueError if they cannot; the result is a number, or with reduction=\"none\" \
            the common shape. `reduction` is \"mean\", \"sum\" or \"none\"; raises ValueError for another."]
        #[pyfunction]
        #[pyo3(signature = (input, target, size_average=None, reduce=None, reduction="mean"))]
        fn $name(input: &Tensor, target: &Tensor, size_average: Option<bool>, reduce: Option<bool>, reduction: &str) -> PyResult<Tensor> {
            old_form(stringify!($name), size_average, reduce)?;
            let r = self::reduction(stringify!($name), reduction)?;
            Ok($f(&input.value()?, &target.value()?, r).map_err(|e| e.named(stringify!($name)))?.into())
        }
    )*
    fn register_losses(m: &Bound<'_, PyModule>) -> PyResult<()> {
        $(m.add_function(wrap_pyfunction!($name, m)?)?;)*
        Ok(())
    }
} }
losses! {
    /// Squared difference, (input - target)².
    ///
    /// Derivative: 2 (input - target) by the input, the opposite by the target; divided by the count for "mean".
    ///
    /// >>> rg.nn.functional.mse_loss(rg.tensor([1.0, 2.0]), rg.tensor([1.0, 4.0]))
    /// tensor(2.)
    mse_loss nn::mse;
    /// Absolute difference, |input - target|.
    ///
    /// Derivative: sign(input - target) by the input, the opposite by the target; divided by the count for "mean".
    ///
    /// >>> rg.nn.functional.l1_loss(rg.tensor([1.0, 2.0]), rg.tensor([1.0, 4.0]))
    /// tensor(1.)
    l1_loss nn::l1;
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_losses(m)?;
    m.add_function(wrap_pyfunction!(cross_entropy, m)?)?;
    m.add_function(wrap_pyfunction!(nll_loss, m)?)?;
    m.add_function(wrap_pyfunction!(huber_loss, m)?)?;
    m.add_function(wrap_pyfunction!(binary_cross_entropy_with_logits, m)?)
}
