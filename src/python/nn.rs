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
    /// Exponentials divided by their sum along a dimension, without overflow.
    ///
    /// Shape: any, kept. Floats, or converted by `dtype`; raises TypeError for others, IndexError for a dimension that
    /// is out of range.
    ///
    /// Derivative: yᵢ (δᵢⱼ - yⱼ) of element i by element j at the result y.
    ///
    /// >>> rg.softmax(rg.tensor([1.0, 1.0, 1.0, 1.0]), 0)
    /// tensor([0.2500, 0.2500, 0.2500, 0.2500])
    #[pyo3(signature = (dim, dtype=None))]
    fn softmax(&self, py: Python<'_>, dim: i64, dtype: Option<Arg>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = axis("softmax", dim, x.rank())?;
        Ok(run(py, 16 * x.len(), || nn::softmax(&x, a, false, dtype.map(|d| d.0)))?.into())
    }
    /// Logarithm of the softmax along a dimension, x - log Σ exp(x), without overflow.
    ///
    /// Shape: any, kept. Floats, or converted by `dtype`; raises TypeError for others, IndexError for a dimension that
    /// is out of range.
    ///
    /// Derivative: δᵢⱼ - exp(yⱼ) of element i by element j at the result y.
    ///
    /// >>> rg.log_softmax(rg.tensor([0.0, 0.0]), 0)
    /// tensor([-0.6931, -0.6931])
    #[pyo3(signature = (dim, dtype=None))]
    fn log_softmax(&self, py: Python<'_>, dim: i64, dtype: Option<Arg>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = axis("log_softmax", dim, x.rank())?;
        Ok(run(py, 16 * x.len(), || nn::softmax(&x, a, true, dtype.map(|d| d.0)))?.into())
    }
    /// Elements limited to [min, max], each a number or a tensor, either of which may be left out.
    ///
    /// Shape: all broadcast; raises ValueError if they cannot, and without a limit. Dtypes are promoted to a common
    /// one; raises TypeError for complex numbers.
    ///
    /// Derivative: 1 from `min` to `max` inclusive, 0 outside, where a limit given as a tensor has derivative 1.
    ///
    /// >>> rg.clamp(rg.tensor([-2.0, 0.5, 2.0]), -1, 1)
    /// tensor([-1.0000,  0.5000,  1.0000])
    #[pyo3(signature = (min=None, max=None))]
    fn clamp(&self, min: Option<Operand>, max: Option<Operand>) -> PyResult<Tensor> {
        Ok(clamped(&self.value()?, min, max)?.into())
    }
    /// Same as `clamp`.
    #[pyo3(signature = (min=None, max=None))]
    fn clip(&self, min: Option<Operand>, max: Option<Operand>) -> PyResult<Tensor> {
        self.clamp(min, max)
    }
    /// In-place form of `clamp`.
    #[pyo3(signature = (min=None, max=None))]
    fn clamp_<'py>(slf: Bound<'py, Self>, min: Option<Operand>, max: Option<Operand>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("clamp_", |x| clamped(x, min, max))?;
        Ok(slf)
    }
    /// Same as `clamp` with a lower limit only.
    fn clamp_min(&self, min: Operand) -> PyResult<Tensor> {
        self.clamp(Some(min), None)
    }
    /// Same as `clamp` with an upper limit only.
    fn clamp_max(&self, max: Operand) -> PyResult<Tensor> {
        self.clamp(None, Some(max))
    }
    /// Linear interpolation, `input + weight * (end - input)`.
    ///
    /// Shapes: all broadcast; raises ValueError if they cannot. Dtypes are promoted to a common one.
    ///
    /// Derivative: 1 - weight by the input, weight by `end`, end - input by `weight`.
    ///
    /// >>> rg.lerp(rg.tensor([0.0, 10.0]), rg.tensor([10.0, 20.0]), 0.5)
    /// tensor([ 5., 15.])
    fn lerp(&self, end: Operand, weight: Operand) -> PyResult<Tensor> {
        let x = self.value()?;
        let way = Sub::of(&end.value()?, &x)?;
        Ok(Add::of(&x, &binary::<Mul>(&way, weight)?)?.into())
    }
    /// A product added, `input + value * tensor1 * tensor2`.
    ///
    /// Shapes: all broadcast; raises ValueError if they cannot. Dtypes are promoted to a common one; `value` is 1 if
    /// left out.
    ///
    /// Derivative: 1 by the input, value tensor2 by tensor1, value tensor1 by tensor2.
    ///
    /// >>> rg.addcmul(rg.tensor([1.0]), rg.tensor([2.0]), rg.tensor([3.0]), value=10)
    /// tensor([61.])
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcmul(&self, tensor1: &Tensor, tensor2: &Tensor, value: Option<Operand>) -> PyResult<Tensor> {
        Ok(added(&self.value()?, Mul::of(&tensor1.value()?, &tensor2.value()?)?, value)?.into())
    }
    /// A quotient added, `input + value * tensor1 / tensor2`.
    ///
    /// Shapes: all broadcast; raises ValueError if they cannot. Dtypes are promoted to a common float; `value` is 1 if
    /// left out.
    ///
    /// Derivative: 1 by the input, value / tensor2 by tensor1, -value tensor1 / tensor2² by tensor2.
    ///
    /// >>> rg.addcdiv(rg.tensor([1.0]), rg.tensor([6.0]), rg.tensor([3.0]))
    /// tensor([3.])
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcdiv(&self, tensor1: &Tensor, tensor2: &Tensor, value: Option<Operand>) -> PyResult<Tensor> {
        Ok(added(&self.value()?, Div::of(&tensor1.value()?, &tensor2.value()?)?, value)?.into())
    }
    /// In-place form of `addcmul`.
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
    /// In-place form of `addcdiv`.
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
        #[doc = "\nShape: any, kept. Floats keep their dtype, integers are computed as floats where the formula asks for it; raises \
            TypeError for complex numbers, ValueError for inplace=True."]
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
    /// Product of x and the logistic function, x σ(x) (Elfwing et al. 2018).
    ///
    /// Derivative: σ(x) (1 + x (1 - σ(x))).
    ///
    /// >>> rg.nn.functional.silu(rg.tensor([-1.0, 1.0]))
    /// tensor([-0.2689,  0.7311])
    fn silu(x) nn::silu(x);
    /// Exponential linear unit: x where positive, else alpha (exp(x) - 1) (Clevert et al. 2016).
    ///
    /// Derivative: 1 where x > 0, else alpha exp(x).
    ///
    /// >>> rg.nn.functional.elu(rg.tensor([-1.0, 1.0]))
    /// tensor([-0.6321,  1.0000])
    fn elu(x, alpha: f64 = 1.0) nn::elu(x, alpha, 1.0, 1.0);
    /// Self-normalising exponential unit: elu times 1.0507 with alpha 1.6733 (Klambauer et al. 2017).
    ///
    /// Derivative: 1.0507 where x > 0, else 1.7581 exp(x).
    ///
    /// >>> rg.nn.functional.selu(rg.tensor([-1.0, 1.0]))
    /// tensor([-1.1113,  1.0507])
    fn selu(x) nn::elu(x, 1.673_263_242_354_377_2, 1.050_700_987_355_480_5, 1.0);
    /// The input where positive, else `negative_slope` times it (Maas et al. 2013).
    ///
    /// Derivative: 1 where x > 0, else negative_slope.
    ///
    /// >>> rg.nn.functional.leaky_relu(rg.tensor([-1.0, 1.0]))
    /// tensor([-0.0100,  1.0000])
    fn leaky_relu(x, negative_slope: f64 = 0.01) nn::leaky_relu(x, negative_slope);
    /// The input limited to [min_val, max_val].
    ///
    /// Derivative: 1 inside and on the limits, 0 outside.
    ///
    /// >>> rg.nn.functional.hardtanh(rg.tensor([-2.0, 0.5, 2.0]))
    /// tensor([-1.0000,  0.5000,  1.0000])
    fn hardtanh(x, min_val: f64 = -1.0, max_val: f64 = 1.0) nn::clamp(x, Some(&x.full_like(min_val)?), Some(&x.full_like(max_val)?));
    /// The input limited to [0, 6].
    ///
    /// Derivative: 1 inside and on the limits, 0 outside.
    ///
    /// >>> rg.nn.functional.relu6(rg.tensor([-1.0, 3.0, 8.0]))
    /// tensor([0., 3., 6.])
    fn relu6(x) nn::clamp(x, Some(&x.full_like(0.0)?), Some(&x.full_like(6.0)?));
}
/// Product of x and the normal distribution function, x Φ(x), or with approximate="tanh" its approximation (Hendrycks
/// and Gimpel 2016).
///
/// Shape: any, kept. Floats keep their dtype, integers become the default dtype; raises ValueError for another
/// approximation.
///
/// Derivative: Φ(x) + x exp(-x²/2) / √(2π), or that of the approximation.
///
/// >>> rg.nn.functional.gelu(rg.tensor([-1.0, 1.0]))
/// tensor([-0.1587,  0.8413])
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
/// Smooth form of relu, log(1 + exp(beta x)) / beta; x itself where beta x exceeds `threshold`.
///
/// Shape: any, kept. Floats keep their dtype, integers become the default dtype.
///
/// Derivative: σ(beta x), and 1 above the threshold.
///
/// >>> rg.nn.functional.softplus(rg.tensor([0.0, 100.0]))
/// tensor([  0.6931, 100.0000])
#[pyfunction]
#[pyo3(signature = (input, beta=1.0, threshold=20.0))]
fn softplus(py: Python<'_>, input: &Tensor, beta: f64, threshold: f64) -> PyResult<Tensor> {
    let x = input.value()?;
    Ok(run(py, 32 * x.len(), || nn::softplus(&x, beta, threshold))?.into())
}
/// Logarithm of the logistic function, -log(1 + exp(-x)), without overflow.
///
/// Shape: any, kept. Floats keep their dtype, integers become the default dtype.
///
/// Derivative: σ(-x).
///
/// >>> rg.nn.functional.logsigmoid(rg.tensor([0.0, -100.0]))
/// tensor([  -0.6931, -100.0000])
#[pyfunction]
fn logsigmoid(input: &Tensor) -> PyResult<Tensor> {
    Ok(LogSigmoid.of(&input.value()?)?.into())
}
/// Linear map of a layer, `input @ weight.T + bias`.
///
/// Shapes: (…, in), (out, in) and (out) give (…, out); raises ValueError for others, TypeError for different dtypes.
///
/// Derivative: for the cotangent G and samples as rows, G W by the input, Gᵀ X by the weight, and the sum of G over
/// samples by the bias.
///
/// >>> rg.nn.functional.linear(rg.tensor([1.0, 2.0]), rg.tensor([[3.0, 4.0]]), rg.tensor([10.0]))
/// tensor([21.])
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
fn old_form(op: &'static str, a: Option<bool>, b: Option<bool>) -> Result<(), Error> {
    match a.or(b) {
        None => Ok(()),
        Some(_) => Err(Error::value(op, "size_average and reduce are gone; use reduction=")),
    }
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
/// Cross entropy of two classes from scores, log(1 + exp(-|x|)) + max(x, 0) - x t, without overflow.
///
/// Shapes: both broadcast; the result is a number, or the common shape without reduction. `reduction` is "mean", "sum"
/// or "none"; raises ValueError for another. `weight` multiplies each.
///
/// Derivative: σ(x) - t by the input, -x by the target; divided by the count for "mean".
///
/// >>> rg.nn.functional.binary_cross_entropy_with_logits(rg.tensor([0.0]), rg.tensor([1.0]))
/// tensor(0.6931)
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
/// Class numbers as vectors with a single 1.
///
/// Shape: (…) gives (…, num_classes), by default one more than the largest number. Integers; raises TypeError for
/// others, ValueError for negative ones.
///
/// Derivative: none, the result is int64.
///
/// >>> rg.nn.functional.one_hot(rg.tensor([0, 2]))
/// tensor([[1, 0, 0],
///         [0, 0, 1]])
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
/// Rows of `weight` by number; the row `padding_idx` receives no gradient.
///
/// Shapes: numbers (…) and a matrix (rows, width) give (…, width); raises ValueError for others and for PyTorch's other
/// options, IndexError for a number out of range, TypeError unless the numbers are integers.
///
/// Derivative: that of the identity; gradients of rows used several times are summed.
///
/// >>> rg.nn.functional.embedding(rg.tensor([1, 1]), rg.tensor([[1.0, 2.0], [3.0, 4.0]]))
/// tensor([[3., 4.],
///         [3., 4.]])
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
/// Zero mean and unit variance over the last dimensions, then times `weight` plus `bias` (Ba et al. 2016).
///
/// Shapes: (…, normalized_shape), kept; weight and bias of normalized_shape; raises ValueError for others.
///
/// Derivative: (g - mean(g) - y mean(g y)) / √(var + eps) for the cotangent g, before weight and bias, and the result
/// y.
///
/// >>> rg.nn.functional.layer_norm(rg.tensor([1.0, 3.0]), (2,))
/// tensor([-1.0000,  1.0000])
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
/// A border of constants: pairs (before, after), the last dimension first; negative sizes cut off.
///
/// Shape: each size with its border; raises ValueError for too many or an odd number of sizes, and for other modes.
///
/// Derivative: 1 by the elements that are left; the border has none.
///
/// >>> rg.nn.functional.pad(rg.tensor([1.0, 2.0]), (1, 2))
/// tensor([0., 1., 2., 0., 0.])
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
