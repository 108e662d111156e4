//! Layers: linear maps, embeddings, normalisation and padding.
use super::{
    super::{
        args,
        convert::fits,
        tensor::{run, Tensor},
    },
    optional,
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::Error,
    ops::{arith::Add, binary::Binary, indexing, matmul, nn, views},
    shape::Dims as Shape,
    trace::{set_grad_enabled, Value},
};
use pyo3::prelude::*;

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
    if x.dtype().is_integral() && x.numbers().is_some_and(|a| a.to_vec::<i64>().is_ok_and(|v| v.iter().any(|&i| i < 0)))
    {
        return Err(Error::value("one_hot", "class numbers must not be negative").into());
    }
    Ok(nn::one_hot(&x, classes)?.into())
}
/// Rows of `weight` by number; the row `padding_idx` receives no gradient.
///
/// Shapes: numbers (…) and a matrix (rows, width) give (…, width); raises ValueError for others, IndexError for a number
/// out of range, TypeError unless the numbers are integers. With `max_norm`, rows in use whose norm of order `norm_type`
/// is larger are first scaled down to it, in `weight` itself.
///
/// Derivative: that of the identity; gradients of rows used several times are summed, or with `scale_grad_by_freq`
/// averaged. They are dense also with `sparse`.
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
    let _ = sparse; // a matter of layout: gradients are dense here, with the same numbers
    let (numbers, w) = (input.value()?, weight.value()?);
    if w.rank() != 2 {
        return Err(Error::shape(
            "embedding",
            format!("the weight must be a matrix, not of shape {}", crate::shape::show(w.shape())),
        )
        .into());
    }
    let w = match max_norm {
        None => w,
        Some(longest) => {
            let recording = set_grad_enabled(false);
            let done = weight.variable()?.write("embedding", |w| nn::shortened(w, &numbers, longest, norm_type));
            set_grad_enabled(recording);
            done?;
            weight.value()?
        }
    };
    Ok(nn::embedding(&numbers, &w, padding_idx, scale_grad_by_freq)?.into())
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
    normalized_shape: args::Dims,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> PyResult<Tensor> {
    let shape = args::sizes("layer_norm", &normalized_shape.0)?;
    let (x, w, b) = (input.value()?, optional(weight)?, optional(bias)?);
    Ok(run(py, 8 * x.len(), || nn::layer_norm(&x, &shape, w.as_ref(), b.as_ref(), eps))?.into())
}
/// A border around a tensor: pairs (before, after), the last dimension first; negative sizes cut off.
///
/// The border holds `value`, or with `mode="reflect"` the elements mirrored at the edge, with "replicate" those of the
/// edge, with "circular" those of the other end.
///
/// Shape: each size with its border; raises ValueError for too many or an odd number of sizes, for other modes, and for
/// borders that are wider than what they repeat.
///
/// Derivative: 1 by the elements that are left; gradients of elements that the border repeats are summed.
///
/// >>> rg.nn.functional.pad(rg.tensor([1.0, 2.0]), (1, 2))
/// tensor([0., 1., 2., 0., 0.])
#[pyfunction]
#[pyo3(signature = (input, pad, mode="constant", value=None))]
fn pad(input: &Tensor, pad: Vec<i64>, mode: &str, value: Option<f64>) -> PyResult<Tensor> {
    let x = input.value()?;
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
    if mode != "constant" {
        if value.is_some_and(|v| v != 0.0) {
            return Err(Error::value("pad", format!("mode={mode:?} has no use for a value; leave it out")).into());
        }
        return Ok(repeating(x, &pad, mode)?.into());
    }
    fits("pad", Scalar::Float(value.unwrap_or(0.0)), x.dtype())?;
    let mut y = x;
    for (k, sizes) in pad.chunks_exact(2).enumerate() {
        let a = y.rank() - 1 - k;
        let n = y.shape()[a] as i64;
        let (before, after) = (sizes[0], sizes[1]);
        let whole = n.checked_add(before).and_then(|n| n.checked_add(after));
        let left = n.checked_add(before.min(0)).and_then(|n| n.checked_add(after.min(0)));
        if whole.is_none_or(|n| n < 0) || left.is_none_or(|n| n < 0) {
            return Err(Error::shape(
                "pad",
                format!("a border of {before}, {after} does not fit size {n} of dimension {a}"),
            )
            .into());
        }
        y = views::narrow(&y, a, (-before).max(0) as usize, (n + before.min(0) + after.min(0)) as usize)?;
        let border = |size: i64, like: &Value| {
            let mut shape = Shape::from_slice(like.shape());
            shape[a] = size as usize;
            Array::full("pad", shape, like.dtype(), Scalar::Float(value.unwrap_or(0.0))).map(Value::Array)
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
/// A border of elements that the tensor holds already.
fn repeating(x: Value, pad: &[i64], mode: &str) -> Result<Value, Error> {
    let mut y = x;
    for (k, sizes) in pad.chunks_exact(2).enumerate() {
        let a = y.rank() - 1 - k;
        let n = y.shape()[a] as i64;
        let widest = match mode {
            "reflect" => n - 1,
            "circular" => n,
            "replicate" if n > 0 => i64::MAX,
            "replicate" => 0,
            _ => {
                let known = "\"constant\", \"reflect\", \"replicate\" or \"circular\"";
                return Err(Error::value("pad", format!("mode must be {known}, not {mode:?}")));
            }
        };
        let whole = n.checked_add(sizes[0]).and_then(|n| n.checked_add(sizes[1])).filter(|n| *n >= 0);
        let (Some(whole), true) = (whole, sizes[0].max(sizes[1]) <= widest.max(0)) else {
            return Err(Error::shape(
                "pad",
                format!(
                    "a border of {}, {} does not fit size {n} of dimension {a} with mode={mode:?}",
                    sizes[0], sizes[1]
                ),
            ));
        };
        let source = |i: i64| match mode {
            "reflect" if i < 0 => -i,
            "reflect" if i >= n => 2 * (n - 1) - i,
            "circular" => i.rem_euclid(n),
            _ => i.clamp(0, n - 1),
        };
        // The array refuses absurd lengths.
        let mut at = Array::zeros("pad", Shape::from_elem(whole as usize, 1), DType::I64)?;
        at.slice_mut()?.iter_mut().zip(-sizes[0]..).for_each(|(at, i)| *at = source(i));
        y = indexing::take_axis("pad", &y, a, &Value::Array(at))?;
    }
    Ok(y)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(linear, m)?)?;
    m.add_function(wrap_pyfunction!(one_hot, m)?)?;
    m.add_function(wrap_pyfunction!(embedding, m)?)?;
    m.add_function(wrap_pyfunction!(layer_norm, m)?)?;
    m.add_function(wrap_pyfunction!(pad, m)?)
}
