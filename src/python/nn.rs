//! `rustgrad.nn.functional`, and the activations that PyTorch also has at the top.
use super::{
    arith::binary,
    dtype::Arg,
    export,
    tensor::{run, Operand, Tensor},
};
use crate::{
    array::Array,
    error::Error,
    ops::{
        activation::LogSigmoid,
        arith::{Add, Div, Mul, Sub},
        binary::Binary,
        matmul, nn,
        nn::Reduction,
        unary::Unary,
        views,
    },
    shape::{axis, Dims as Shape},
    trace::Value,
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
fn optional(t: Option<&Tensor>) -> Result<Option<Value>, Error> {
    t.map(Tensor::value).transpose()
}
#[pymethods]
impl Tensor {
    /// softmax(dim, dtype=None)
    /// --
    ///
    /// Exponentials divided by their sum along a dimension.
    #[pyo3(signature = (dim, dtype=None))]
    fn softmax(&self, py: Python<'_>, dim: i64, dtype: Option<Arg>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = axis("softmax", dim, x.rank())?;
        Ok(run(py, 16 * x.len(), || nn::softmax(&x, a, false, dtype.map(|d| d.0)))?.into())
    }
    /// log_softmax(dim, dtype=None)
    /// --
    ///
    /// Logarithm of softmax, without overflow.
    #[pyo3(signature = (dim, dtype=None))]
    fn log_softmax(&self, py: Python<'_>, dim: i64, dtype: Option<Arg>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = axis("log_softmax", dim, x.rank())?;
        Ok(run(py, 16 * x.len(), || nn::softmax(&x, a, true, dtype.map(|d| d.0)))?.into())
    }
    /// clamp(min=None, max=None)
    /// --
    ///
    /// Elements limited to [min, max].
    #[pyo3(signature = (min=None, max=None))]
    fn clamp(&self, min: Option<Operand>, max: Option<Operand>) -> PyResult<Tensor> {
        Ok(clamped(&self.value()?, min, max)?.into())
    }
    /// As clamp.
    #[pyo3(signature = (min=None, max=None))]
    fn clip(&self, min: Option<Operand>, max: Option<Operand>) -> PyResult<Tensor> {
        self.clamp(min, max)
    }
    /// In-place form of clamp.
    #[pyo3(signature = (min=None, max=None))]
    fn clamp_<'py>(slf: Bound<'py, Self>, min: Option<Operand>, max: Option<Operand>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("clamp_", |x| clamped(x, min, max))?;
        Ok(slf)
    }
    /// Elements limited from below.
    fn clamp_min(&self, min: Operand) -> PyResult<Tensor> {
        self.clamp(Some(min), None)
    }
    /// Elements limited from above.
    fn clamp_max(&self, max: Operand) -> PyResult<Tensor> {
        self.clamp(None, Some(max))
    }
    /// lerp(end, weight)
    /// --
    ///
    /// `self + weight * (end - self)`.
    fn lerp(&self, end: Operand, weight: Operand) -> PyResult<Tensor> {
        let x = self.value()?;
        let way = Sub::of(&end.value()?, &x)?;
        Ok(Add::of(&x, &binary::<Mul>(&way, weight)?)?.into())
    }
    /// addcmul(tensor1, tensor2, *, value=1)
    /// --
    ///
    /// `self + value * tensor1 * tensor2`.
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcmul(&self, tensor1: &Tensor, tensor2: &Tensor, value: Option<Operand>) -> PyResult<Tensor> {
        Ok(added(&self.value()?, Mul::of(&tensor1.value()?, &tensor2.value()?)?, value)?.into())
    }
    /// `self + value * tensor1 / tensor2`.
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcdiv(&self, tensor1: &Tensor, tensor2: &Tensor, value: Option<Operand>) -> PyResult<Tensor> {
        Ok(added(&self.value()?, Div::of(&tensor1.value()?, &tensor2.value()?)?, value)?.into())
    }
    /// In-place form of addcmul.
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcmul_<'py>(
        slf: Bound<'py, Self>,
        tensor1: &Tensor,
        tensor2: &Tensor,
        value: Option<Operand>,
    ) -> PyResult<Bound<'py, Self>> {
        let product = Mul::of(&tensor1.value()?, &tensor2.value()?)?;
        slf.get().variable()?.write("addcmul_", |x| added(x, product, value))?;
        Ok(slf)
    }
    /// In-place form of addcdiv.
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcdiv_<'py>(
        slf: Bound<'py, Self>,
        tensor1: &Tensor,
        tensor2: &Tensor,
        value: Option<Operand>,
    ) -> PyResult<Bound<'py, Self>> {
        let quotient = Div::of(&tensor1.value()?, &tensor2.value()?)?;
        slf.get().variable()?.write("addcdiv_", |x| added(x, quotient, value))?;
        Ok(slf)
    }
}
fn added(x: &Value, y: Value, value: Option<Operand>) -> Result<Value, Error> {
    match value {
        None => Add::of(x, &y),
        Some(v) => Add::of(x, &binary::<Mul>(&y, v)?),
    }
}
fn clamped(x: &Value, min: Option<Operand>, max: Option<Operand>) -> Result<Value, Error> {
    if min.is_none() && max.is_none() {
        return Err(Error::value("clamp", "needs at least one of min and max"));
    }
    let bound = |b: Option<Operand>| {
        b.map(|b| match b {
            // A plain number takes the tensor's dtype unless it is a float among integers.
            Operand::Number(s) if s.category() <= x.dtype().category() => {
                Array::full("clamp", Shape::new(), x.dtype(), s).map(Value::Array)
            }
            other => other.value(),
        })
        .transpose()
    };
    nn::clamp(x, bound(min)?.as_ref(), bound(max)?.as_ref())
}
macro_rules! activations { ($($(#[$doc:meta])* fn $name:ident($x:ident $(, $arg:ident: $t:ty = $default:expr)*) $body:expr;)*) => {
    $(
        $(#[$doc])*
        #[pyfunction]
        #[pyo3(signature = (input $(, $arg=$default)*, inplace=false))]
        fn $name(py: Python<'_>, input: &Tensor $(, $arg: $t)*, inplace: bool) -> PyResult<Tensor> {
            if inplace {
                return Err(Error::value(stringify!($name), "inplace=True is not supported; use the result").into());
            }
            let $x = &input.value()?;
            Ok(run(py, 16 * $x.len(), || $body)?.into())
        }
    )*
    fn register_activations(m: &Bound<'_, PyModule>) -> PyResult<()> {
        $(m.add_function(wrap_pyfunction!($name, m)?)?;)*
        Ok(())
    }
} }
activations! {
    /// Product of x and the logistic function.
    fn silu(x) nn::silu(x);
    /// Exponential linear unit: (x where positive, else alpha (exp(x) - 1)).
    fn elu(x, alpha: f64 = 1.0) nn::elu(x, alpha, 1.0, 1.0);
    /// Self-normalising exponential unit (Klambauer et al. 2017).
    fn selu(x) nn::elu(x, 1.673_263_242_354_377_2, 1.050_700_987_355_480_5, 1.0);
    /// The input where positive, else a small multiple.
    fn leaky_relu(x, negative_slope: f64 = 0.01) nn::leaky_relu(x, negative_slope);
    /// Limited to [min_val, max_val].
    fn hardtanh(x, min_val: f64 = -1.0, max_val: f64 = 1.0) nn::clamp(x, Some(&x.full_like(min_val)?), Some(&x.full_like(max_val)?));
    /// Limited to [0, 6].
    fn relu6(x) nn::clamp(x, Some(&x.full_like(0.0)?), Some(&x.full_like(6.0)?));
}
/// gelu(input, approximate="none")
/// --
///
/// Product of x and the normal distribution function, or its tanh approximation.
#[pyfunction]
#[pyo3(signature = (input, approximate="none"))]
fn gelu(py: Python<'_>, input: &Tensor, approximate: &str) -> PyResult<Tensor> {
    let x = input.value()?;
    let tanh = match approximate {
        "none" => false,
        "tanh" => true,
        other => {
            return Err(Error::value("gelu", format!("approximate must be \"none\" or \"tanh\", not {other:?}")).into())
        }
    };
    Ok(run(py, 32 * x.len(), || nn::gelu(&x, tanh))?.into())
}
/// softplus(input, beta=1, threshold=20)
/// --
///
/// Smooth form of relu, log(1 + exp(beta x)) / beta.
#[pyfunction]
#[pyo3(signature = (input, beta=1.0, threshold=20.0))]
fn softplus(py: Python<'_>, input: &Tensor, beta: f64, threshold: f64) -> PyResult<Tensor> {
    let x = input.value()?;
    Ok(run(py, 32 * x.len(), || nn::softplus(&x, beta, threshold))?.into())
}
/// logsigmoid(input)
/// --
///
/// Logarithm of the logistic function.
#[pyfunction]
fn logsigmoid(input: &Tensor) -> PyResult<Tensor> {
    Ok(LogSigmoid.of(&input.value()?)?.into())
}
/// linear(input, weight, bias=None)
/// --
///
/// `input @ weight.T + bias`.
#[pyfunction]
#[pyo3(signature = (input, weight, bias=None))]
fn linear(py: Python<'_>, input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> PyResult<Tensor> {
    let (x, w, b) = (input.value()?, weight.value()?, optional(bias)?);
    let wt = if w.rank() == 2 { views::call(views::transpose("linear", 2, 0, 1)?, &w)? } else { w };
    let y = run(py, x.len() * wt.shape().last().copied().unwrap_or(1), || matmul::matmul(&x, &wt))
        .map_err(|e| e.named("linear"))?;
    Ok(match b {
        Some(b) => Add::of(&y, &b)?,
        None => y,
    }
    .into())
}
/// cross_entropy(input, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0)
/// --
///
/// Cross entropy of scores with class numbers, or with probabilities of all classes.
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
fn old_form(op: &'static str, a: Option<bool>, b: Option<bool>) -> Result<(), Error> {
    match a.or(b) {
        None => Ok(()),
        Some(_) => Err(Error::value(op, "size_average and reduce are gone; use reduction=")),
    }
}
/// nll_loss(input, target, weight=None, *, ignore_index=-100, reduction="mean")
/// --
///
/// Negative log likelihood of class numbers under log probabilities.
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
macro_rules! losses { ($($(#[$doc:meta])* $name:ident $f:path;)*) => {
    $(
        $(#[$doc])*
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
    /// Squared difference.
    mse_loss nn::mse;
    /// Absolute difference.
    l1_loss nn::l1;
}
/// huber_loss(input, target, reduction="mean", delta=1.0)
/// --
///
/// Squared for small differences, absolute for large ones.
#[pyfunction]
#[pyo3(signature = (input, target, reduction="mean", delta=1.0))]
fn huber_loss(input: &Tensor, target: &Tensor, reduction: &str, delta: f64) -> PyResult<Tensor> {
    Ok(nn::huber(&input.value()?, &target.value()?, delta, self::reduction("huber_loss", reduction)?)?.into())
}
/// binary_cross_entropy_with_logits(input, target, weight=None, *, reduction="mean")
/// --
///
/// Cross entropy of two classes from scores.
#[pyfunction]
#[pyo3(signature = (input, target, weight=None, size_average=None, reduce=None, reduction="mean"))]
fn binary_cross_entropy_with_logits(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    size_average: Option<bool>,
    reduce: Option<bool>,
    reduction: &str,
) -> PyResult<Tensor> {
    old_form("binary_cross_entropy_with_logits", size_average, reduce)?;
    let r = self::reduction("binary_cross_entropy_with_logits", reduction)?;
    Ok(nn::bce_with_logits(&input.value()?, &target.value()?, optional(weight)?.as_ref(), r)?.into())
}
/// one_hot(tensor, num_classes=-1)
/// --
///
/// Class numbers as vectors with a single 1.
#[pyfunction]
#[pyo3(signature = (tensor, num_classes=-1))]
fn one_hot(tensor: &Tensor, num_classes: i64) -> PyResult<Tensor> {
    let x = tensor.value()?;
    let classes = if num_classes >= 0 {
        num_classes as usize
    } else {
        let numbers = tensor.numbers("one_hot")?;
        let all = crate::shape::Axes::all(numbers.rank());
        if numbers.is_empty() {
            return Err(Error::value(
                "one_hot",
                "cannot tell the number of classes from no elements; pass num_classes",
            )
            .into());
        }
        let largest = crate::ops::reduce::extreme(&Value::Array(numbers), all, false, true)?;
        (largest.array()?.item()?.to_i64() + 1).max(0) as usize
    };
    if x.dtype().is_integral()
        && tensor.numbers("one_hot").is_ok_and(|a| a.to_vec::<i64>().is_ok_and(|v| v.iter().any(|&i| i < 0)))
    {
        return Err(Error::value("one_hot", "class numbers must not be negative").into());
    }
    Ok(nn::one_hot(&x, classes)?.into())
}
/// embedding(input, weight, padding_idx=None)
/// --
///
/// Rows of `weight` by number.
#[pyfunction]
#[pyo3(signature = (input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=false, sparse=false))]
fn embedding(
    input: &Tensor,
    weight: &Tensor,
    padding_idx: Option<i64>,
    max_norm: Option<f64>,
    norm_type: f64,
    scale_grad_by_freq: bool,
    sparse: bool,
) -> PyResult<Tensor> {
    if max_norm.is_some() || scale_grad_by_freq || sparse || norm_type != 2.0 {
        return Err(Error::value(
            "embedding",
            "max_norm, norm_type, scale_grad_by_freq and sparse are not supported; leave them out",
        )
        .into());
    }
    let w = weight.value()?;
    if w.rank() != 2 {
        return Err(Error::shape(
            "embedding",
            format!("the weight must be a matrix, not of shape {}", crate::shape::show(w.shape())),
        )
        .into());
    }
    Ok(nn::embedding(&input.value()?, &w, padding_idx)?.into())
}
/// layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)
/// --
///
/// Zero mean and unit variance over the last dimensions.
#[pyfunction]
#[pyo3(signature = (input, normalized_shape, weight=None, bias=None, eps=1e-5))]
fn layer_norm(
    py: Python<'_>,
    input: &Tensor,
    normalized_shape: super::args::Dims,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> PyResult<Tensor> {
    let shape = super::args::sizes("layer_norm", &normalized_shape.0)?;
    let (x, w, b) = (input.value()?, optional(weight)?, optional(bias)?);
    Ok(run(py, 8 * x.len(), || nn::layer_norm(&x, &shape, w.as_ref(), b.as_ref(), eps))?.into())
}
/// pad(input, pad, mode="constant", value=None)
/// --
///
/// A border of constants: pairs (before, after), the last dimension first. Negative sizes cut off.
#[pyfunction]
#[pyo3(signature = (input, pad, mode="constant", value=None))]
fn pad(input: &Tensor, pad: Vec<i64>, mode: &str, value: Option<f64>) -> PyResult<Tensor> {
    let x = input.value()?;
    if mode != "constant" {
        return Err(Error::value("pad", format!("mode={mode:?} is not supported; use \"constant\"")).into());
    }
    if pad.len() % 2 == 1 || pad.len() > 2 * x.rank() {
        return Err(Error::value(
            "pad",
            format!(
                "{} sizes do not fit a tensor with {} dimensions; give a pair for each of the last",
                pad.len(),
                x.rank()
            ),
        )
        .into());
    }
    let mut y = x;
    for (k, sizes) in pad.chunks_exact(2).enumerate() {
        let a = y.rank() - 1 - k;
        let n = y.shape()[a] as i64;
        let (before, after) = (sizes[0], sizes[1]);
        if n + before + after < 0 || n + before.min(0) + after.min(0) < 0 {
            return Err(Error::shape(
                "pad",
                format!("pad {before}, {after} leaves nothing of size {n} in dimension {a}"),
            )
            .into());
        }
        y = views::narrow(&y, a, (-before).max(0) as usize, (n + before.min(0) + after.min(0)) as usize)?;
        let border = |size: i64, like: &Value| {
            let mut shape = Shape::from_slice(like.shape());
            shape[a] = size as usize;
            Array::full("pad", shape, like.dtype(), crate::dtype::Scalar::Float(value.unwrap_or(0.0))).map(Value::Array)
        };
        let mut parts = Vec::new();
        if before > 0 {
            parts.push(border(before, &y)?);
        }
        if after > 0 {
            parts.push(border(after, &y)?);
        }
        match (before > 0, parts.len()) {
            (_, 0) => continue,
            (true, _) => parts.insert(1, y.clone()),
            (false, _) => parts.insert(0, y.clone()),
        }
        y = crate::ops::join::cat(&parts, a)?;
    }
    let y =
        if y.shape() == input.value()?.shape() { crate::op::Call::call(&crate::ops::convert::Copy, &[&y])? } else { y };
    Ok(y.into())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_activations(m)?;
    register_losses(m)?;
    m.add_function(wrap_pyfunction!(gelu, m)?)?;
    m.add_function(wrap_pyfunction!(softplus, m)?)?;
    m.add_function(wrap_pyfunction!(logsigmoid, m)?)?;
    m.add_function(wrap_pyfunction!(linear, m)?)?;
    m.add_function(wrap_pyfunction!(cross_entropy, m)?)?;
    m.add_function(wrap_pyfunction!(nll_loss, m)?)?;
    m.add_function(wrap_pyfunction!(huber_loss, m)?)?;
    m.add_function(wrap_pyfunction!(binary_cross_entropy_with_logits, m)?)?;
    m.add_function(wrap_pyfunction!(one_hot, m)?)?;
    m.add_function(wrap_pyfunction!(embedding, m)?)?;
    m.add_function(wrap_pyfunction!(layer_norm, m)?)?;
    m.add_function(wrap_pyfunction!(pad, m)?)?;
    export(m, &["softmax", "log_softmax", "clamp", "clip", "clamp_min", "clamp_max", "lerp", "addcmul", "addcdiv"])
}
