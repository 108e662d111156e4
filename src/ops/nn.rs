//! Functions of networks as compositions: losses, activations, normalisation.
use super::{
    activation::LogSigmoid,
    arith::{Add, Div, Mul, Neg, Sub},
    binary::{Binary, Scale},
    compare::{compare_number, Order},
    convert, index, indexing,
    limit::Limit,
    power::{Reciprocal, Rsqrt, Square},
    reduce,
    reshape::reshape,
    rounding::Abs,
    select,
    softmax::softmax,
    special::Ndtr,
    sum::sum,
    unary::Unary,
    Fixed,
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::{Error, Result},
    op::Call,
    shape::{show, Axes, Dims},
    trace::Value,
};

/// How a loss over many samples becomes one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reduction {
    None,
    Mean,
    Sum,
}
impl Reduction {
    pub fn apply(self, x: &Value) -> Result<Value> {
        match self {
            Reduction::None => Ok(x.clone()),
            Reduction::Mean => reduce::mean(x, Axes::all(x.rank()), false, None),
            Reduction::Sum => sum(x, Axes::all(x.rank()), false, None),
        }
    }
}
fn times(x: &Value, c: f64) -> Result<Value> {
    Mul::fixed(x, Fixed::Right(Scalar::Float(c)))
}
/// `a` where `x < c`, else `b`.
fn below(x: &Value, c: f64, a: &Value, b: &Value) -> Result<Value> {
    select::choose_by(&compare_number(Order::Less, x, Scalar::Float(c))?, a, b)
}
/// Negative log likelihood: `-weight[target] · log_probabilities[.., target, ..]` over classes in axis 1 (0 for one sample).
pub fn nll(x: &Value, target: &Value, weight: Option<&Value>, ignore: i64, reduction: Reduction) -> Result<Value> {
    let axis = usize::from(x.rank() > 1);
    if x.rank() == 0 {
        return Err(Error::shape("nll_loss", "the input needs a dimension of classes"));
    }
    let classes = x.shape()[axis];
    let expected: Dims = x.shape().iter().enumerate().filter(|(a, _)| *a != axis).map(|(_, &n)| n).collect();
    if target.shape() != expected.as_slice() {
        return Err(Error::shape(
            "nll_loss",
            format!(
                "targets of shape {} do not fit an input of shape {}; expected {}",
                show(target.shape()),
                show(x.shape()),
                show(&expected)
            ),
        ));
    }
    if !target.dtype().is_integral() {
        return Err(Error::dtype(
            "nll_loss",
            format!("targets must be integers, not {}; convert them with .long()", target.dtype()),
        ));
    }
    let target = convert::to(target, DType::I64)?;
    let ignored = compare_number(Order::Equal, &target, Scalar::Int(ignore))?;
    let zero = Value::Array(Array::zeros("nll_loss", Dims::new(), DType::I64)?);
    // A class of -1 would otherwise be the last one: nothing counts from the end here.
    let safe = index::checked("nll_loss", &select::choose_by(&ignored, &zero, &target)?, classes, false)?;
    let mut unit = Dims::from_slice(safe.shape());
    unit.insert(axis, 1);
    let picked = reshape(&indexing::gather("nll_loss", x, axis, &reshape(&safe, &unit)?)?, safe.shape())?;
    let each = match weight {
        Some(w) => indexing::take_axis("nll_loss", w, 0, &safe)?,
        None => picked.full_like(1.0)?,
    };
    let each = select::choose_by(&ignored, &each.full_like(0.0)?, &each)?;
    let loss = Neg.of(&Scale::of(&each, &picked)?)?;
    match reduction {
        Reduction::Mean => {
            let all = Axes::all(loss.rank());
            Div::of(&sum(&loss, all, false, None)?, &sum(&each, all, false, None)?)
        }
        other => other.apply(&loss),
    }
}
/// Cross entropy from scores: with class numbers, or with probabilities for every class.
pub fn cross_entropy(
    x: &Value,
    target: &Value,
    weight: Option<&Value>,
    ignore: i64,
    reduction: Reduction,
    smoothing: f64,
) -> Result<Value> {
    let axis = usize::from(x.rank() > 1);
    if x.rank() == 0 {
        return Err(Error::shape("cross_entropy", "the input needs a dimension of classes"));
    }
    let log_p = softmax(x, axis, true, None)?;
    let classes = x.shape()[axis];
    let spread = |t: &Value| -> Result<Value> {
        let weighted = match weight {
            Some(w) => {
                let mut unit = Dims::from_elem(1, x.rank());
                unit[axis] = classes;
                Mul::of(&Mul::of(&log_p, t)?, &reshape(w, &unit)?)?
            }
            None => Mul::of(&log_p, t)?,
        };
        Neg.of(&sum(&weighted, Axes::one(axis), false, None)?)
    };
    if target.dtype().is_float() {
        if target.shape() != x.shape() {
            return Err(Error::shape(
                "cross_entropy",
                format!(
                    "probabilities of shape {} do not fit an input of shape {}",
                    show(target.shape()),
                    show(x.shape())
                ),
            ));
        }
        let soft =
            Add::fixed(&times(target, 1.0 - smoothing)?, Fixed::Right(Scalar::Float(smoothing / classes as f64)))?;
        let loss = spread(&soft)?;
        let samples = loss.len() as f64; // of no samples the mean is NaN
        return match reduction {
            Reduction::Mean => {
                Div::fixed(&sum(&loss, Axes::all(loss.rank()), false, None)?, Fixed::Right(Scalar::Float(samples)))
            }
            other => other.apply(&loss),
        };
    }
    let hard = nll(&log_p, target, weight, ignore, reduction)?;
    if smoothing == 0.0 {
        return Ok(hard);
    }
    let ignored = compare_number(Order::Equal, target, Scalar::Int(ignore))?;
    let uniform = spread(&log_p.full_like(1.0 / classes as f64)?)?;
    let uniform = select::choose_by(&ignored, &uniform.full_like(0.0)?, &uniform)?;
    let uniform = match reduction {
        Reduction::Mean => {
            let counted = match weight {
                Some(w) => {
                    let zero = Value::Array(Array::zeros("cross_entropy", Dims::new(), DType::I64)?);
                    let safe = select::choose_by(&ignored, &zero, target)?;
                    let each = indexing::take_axis("cross_entropy", w, 0, &safe)?;
                    select::choose_by(&ignored, &each.full_like(0.0)?, &each)?
                }
                None => convert::to(&compare_number(Order::NotEqual, target, Scalar::Int(ignore))?, x.dtype())?,
            };
            Div::of(
                &sum(&uniform, Axes::all(uniform.rank()), false, None)?,
                &sum(&counted, Axes::all(counted.rank()), false, None)?,
            )?
        }
        other => other.apply(&uniform)?,
    };
    Add::of(&times(&hard, 1.0 - smoothing)?, &times(&uniform, smoothing)?)
}
pub fn mse(x: &Value, target: &Value, reduction: Reduction) -> Result<Value> {
    reduction.apply(&Square.of(&Sub::of(x, target)?)?)
}
pub fn l1(x: &Value, target: &Value, reduction: Reduction) -> Result<Value> {
    reduction.apply(&Abs.of(&Sub::of(x, target)?)?)
}
/// Quadratic up to `delta`, linear beyond.
pub fn huber(x: &Value, target: &Value, delta: f64, reduction: Reduction) -> Result<Value> {
    if delta <= 0.0 {
        return Err(Error::value("huber_loss", format!("delta must be positive, but is {delta}")));
    }
    // The square is that of the difference, not of its magnitude, whose second slope is 0 at 0.
    let difference = Sub::of(x, target)?;
    let d = Abs.of(&difference)?;
    let near = times(&Square.of(&difference)?, 0.5)?;
    let far = times(&Sub::fixed(&d, Fixed::Right(Scalar::Float(0.5 * delta)))?, delta)?;
    reduction.apply(&below(&d, delta, &near, &far)?)
}
/// x · Φ(x), or its tanh approximation (Hendrycks and Gimpel 2016).
pub fn gelu(x: &Value, approximate: bool) -> Result<Value> {
    if !approximate {
        return Mul::of(x, &Ndtr.of(x)?);
    }
    let cubic = Mul::of(x, &Add::fixed(&times(&Square.of(x)?, 0.044715)?, Fixed::Right(Scalar::Float(1.0)))?)?;
    let t = super::hyperbolic::Tanh.of(&times(&cubic, (2.0 / std::f64::consts::PI).sqrt())?)?;
    times(&Mul::of(x, &Add::fixed(&t, Fixed::Right(Scalar::Float(1.0)))?)?, 0.5)
}
/// log(1 + exp(βx)) / β, linear beyond `threshold`.
pub fn softplus(x: &Value, beta: f64, threshold: f64) -> Result<Value> {
    let scaled = times(x, beta)?;
    // max(s, 0) + log1p(exp(-|s|)) = -logsigmoid(-s), without overflow.
    let smooth = times(&LogSigmoid.of(&Neg.of(&scaled)?)?, -1.0 / beta)?;
    select::choose_by(&compare_number(Order::LessEqual, &scaled, Scalar::Float(threshold))?, &smooth, x)
}
/// Elements limited to [min, max], given as tensors; outside, and nowhere on the bounds, the slope is 0.
pub fn clamp(x: &Value, min: Option<&Value>, max: Option<&Value>) -> Result<Value> {
    let mut y = x.clone();
    for (bound, order) in [(min, Order::Less), (max, Order::Greater)] {
        if let Some(bound) = bound {
            let mut outside = super::compare::compare(order, &y, bound)?;
            // Every comparison with NaN is false, yet a limit that is not a number leaves none.
            let known = bound.numbers().filter(|_| bound.rank() == 0).and_then(|a| a.item().ok());
            if !bound.dtype().is_integral() && known.is_none_or(|s| s.to_f64().is_nan()) {
                let missing = super::compare::compare(Order::NotEqual, bound, bound)?;
                outside = super::logic::or(&outside, &missing)?;
            }
            y = select::choose_by(&outside, bound, &y)?;
        }
    }
    Ok(y)
}
/// Zero mean and unit variance over the last `shape.len()` dimensions, then weight and bias.
pub fn layer_norm(
    x: &Value,
    shape: &[usize],
    weight: Option<&Value>,
    bias: Option<&Value>,
    epsilon: f64,
) -> Result<Value> {
    let lead = x.rank().checked_sub(shape.len()).filter(|&l| &x.shape()[l..] == shape);
    let Some(lead) = lead.filter(|_| !shape.is_empty()) else {
        return Err(Error::shape(
            "layer_norm",
            format!("normalized_shape {} is not the end of shape {}", show(shape), show(x.shape())),
        ));
    };
    let axes = Axes(Axes::all(x.rank()).0 & !Axes::all(lead).0);
    let centred = Sub::of(x, &reduce::mean(x, axes, true, None)?)?;
    let variance = reduce::mean(&Square.of(&centred)?, axes, true, None)?;
    let scale = Rsqrt.of(&Add::fixed(&variance, Fixed::Right(Scalar::Float(epsilon)))?)?;
    let mut y = Mul::of(&centred, &scale)?;
    if let Some(w) = weight {
        y = Mul::of(&y, w)?;
    }
    if let Some(b) = bias {
        y = Add::of(&y, b)?;
    }
    Ok(y)
}
/// Class numbers as vectors that are 1 at the class and 0 elsewhere.
pub fn one_hot(x: &Value, classes: usize) -> Result<Value> {
    if classes > 1 << 36 {
        return Err(Error::memory("one_hot", format!("cannot hold {classes} classes")));
    }
    let at = index::positions("one_hot", x, classes).map_err(|e| match e {
        Error::Index { op, message } => Error::Value { op, message },
        other => other,
    })?;
    let mut unit = Dims::from_slice(x.shape());
    unit.push(1);
    let all = Value::Array(super::create::arange_i64(classes, 1)?);
    convert::to(&super::compare::compare(Order::Equal, &reshape(&at, &unit)?, &all)?, DType::I64)
}
/// How often each row of `weight` is used, as a column.
fn uses(indices: &Value, weight: &Value) -> Result<Value> {
    let at = convert::to(&reshape(&indices.unwatched(), &[indices.len()])?, DType::I64)?;
    let rows = weight.shape()[0];
    let ones = Array::full("embedding", Dims::from_slice(at.shape()), weight.dtype(), Scalar::Float(1.0))?;
    let none = Value::Array(Array::zeros("embedding", Dims::from_slice(&[rows]), weight.dtype())?);
    let meet = indexing::Meet::Add;
    reshape(&indexing::index_put_axis("embedding", &none, 0, &at, &Value::Array(ones), meet)?, &[rows, 1])
}
/// `weight` with those rows that `indices` names scaled down to norm `longest`.
pub fn shortened(weight: &Value, indices: &Value, longest: f64, order: f64) -> Result<Value> {
    let length = super::norm::vector_norm(weight, order, Axes::one(1), true)?;
    let excess = compare_number(Order::Greater, &length, Scalar::Float(longest))?;
    let used = compare_number(Order::Greater, &uses(indices, weight)?, Scalar::Int(0))?;
    // The same small number as PyTorch adds, so that results agree.
    let length = Add::fixed(&length, Fixed::Right(Scalar::Float(1e-7)))?;
    let factor = Div::fixed(&length, Fixed::Left(Scalar::Float(longest)))?;
    let scaled = Mul::of(weight, &factor)?;
    select::choose_by(&super::logic::and(&excess, &used)?, &scaled, weight)
}
/// Rows of `weight` by number; the row `padding` receives no gradient. `average`: the gradient of a row is divided by how
/// often it is used.
pub fn embedding(indices: &Value, weight: &Value, padding: Option<i64>, average: bool) -> Result<Value> {
    // Rows do not count from the end: -1 marks padding in many data sets, and must not read the last row.
    let checked = index::checked("embedding", indices, weight.shape().first().copied().unwrap_or(0), false)?;
    let indices = &checked;
    let mut y = indexing::take_axis("embedding", weight, 0, indices)?;
    if average {
        let share = Reciprocal.of(&uses(indices, weight)?)?;
        let share = indexing::take_axis("embedding", &share, 0, indices)?;
        y = super::scatter::SlopeOf.call(&[&y.detached(), &Mul::of(&y, &share)?])?;
    }
    let Some(padding) = padding else { return Ok(y) };
    let rows = weight.shape()[0] as i64;
    let row = if padding < 0 { padding + rows } else { padding };
    let mut unit = Dims::from_slice(indices.shape());
    unit.push(1);
    let padded = compare_number(Order::Equal, &reshape(indices, &unit)?, Scalar::Int(row))?;
    select::choose_by(&padded, &y.detached(), &y)
}
/// Binary cross entropy from scores, p·t·log(1 + exp(-x)) + (1 - t)·log(1 + exp(x)): no term cancels another, and every
/// slope is right at 0, which formulas with |x| are not.
pub fn bce_with_logits(
    x: &Value,
    t: &Value,
    weight: Option<&Value>,
    positive: Option<&Value>,
    reduction: Reduction,
) -> Result<Value> {
    let op = "binary_cross_entropy_with_logits";
    if x.shape() != t.shape() {
        return Err(Error::shape(
            op,
            format!("targets of shape {} do not fit an input of shape {}", show(t.shape()), show(x.shape())),
        ));
    }
    let hits = match positive {
        Some(p) => Mul::of(t, p)?,
        None => t.clone(),
    };
    let misses = Sub::fixed(t, Fixed::Left(Scalar::Float(1.0)))?;
    let (below, above) = (LogSigmoid.of(x)?, LogSigmoid.of(&Neg.of(x)?)?);
    let mut loss = Neg.of(&Add::of(&Mul::of(&hits, &below)?, &Mul::of(&misses, &above)?)?)?;
    if let Some(w) = weight {
        loss = Mul::of(&loss, w)?;
    }
    reduction.apply(&loss)
}
/// Limited to [min, max]; the slope is 0 outside and, unlike that of `clamp`, on the bounds.
pub fn hardtanh(x: &Value, min: f64, max: f64) -> Result<Value> {
    if min > max {
        return Err(Error::value("hardtanh", format!("min_val {min} is greater than max_val {max}")));
    }
    if x.dtype() == DType::U8 && min < 0.0 {
        let why = format!("cannot limit uint8 elements to {min}, which they do not hold; convert them with .to(dtype)");
        return Err(Error::value("hardtanh", why));
    }
    Limit::open(min, max).of(x).map_err(|e| e.named("hardtanh"))
}
