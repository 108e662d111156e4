//! New tensors of random numbers.
use super::{
    super::{
        args::{self, dtype, sizes},
        arith::binary,
        convert::{check_device, fits},
        create::given_size,
        dtype::Arg,
        tensor::{Operand, Tensor},
    },
    generator::{with, Generator},
};
use crate::{
    array::{room, Array},
    dtype::{DType, Scalar},
    error::Error,
    ops::{
        arith::{Add, Mul},
        compare::{compare, Order},
        convert,
    },
    shape::{show, Dims},
    trace::{default_dtype, drawing_lanes, Kind, Value},
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyTuple};

/// What is drawn.
#[derive(Clone, Copy)]
pub enum Law {
    Uniform,
    Normal,
}
/// Random numbers of a shape; for every lane its own, where `vmap` was told so.
fn per_lane(op: &'static str, shape: Dims, fill: impl FnOnce(Dims, usize) -> PyResult<Value>) -> PyResult<Value> {
    let levels = drawing_lanes(op)?;
    let lanes = levels.iter().map(|(_, n)| n).product();
    let full = levels.iter().map(|(_, n)| *n).chain(shape).collect();
    Ok(levels.iter().fold(fill(full, lanes)?, |stack, (level, _)| Value::traced(level, Kind::Batch(stack))))
}
pub fn draw(
    op: &'static str,
    law: Law,
    shape: Dims,
    d: DType,
    generator: Option<&Bound<'_, Generator>>,
) -> PyResult<Value> {
    if !d.is_float() {
        return Err(Error::dtype(op, format!("cannot draw {d} numbers; use float32 or float64")).into());
    }
    per_lane(op, shape, |shape, _| {
        let mut x = Array::new(op, shape, DType::F64)?;
        let out = x.slice_mut::<f64>()?;
        with(generator, |g| match law {
            Law::Uniform => g.uniform(out),
            Law::Normal => g.normal(out),
        });
        if matches!((law, d), (Law::Uniform, DType::F32)) {
            // Rounding to 24 bits must not reach 1.
            out.iter_mut().for_each(|u| *u = (*u * (1 << 24) as f64).floor() / (1 << 24) as f64);
        }
        Ok(convert::to(&Value::Array(x), d)?)
    })
}
fn finish(value: Value, requires_grad: bool) -> PyResult<Tensor> {
    let t = Tensor::new(value);
    if requires_grad {
        t.variable()?.set_requires_grad(true)?;
    }
    Ok(t)
}
macro_rules! sources { ($($(#[$doc:meta])* $name:ident $like:ident $law:ident;)*) => {
    $(
        $(#[$doc])*
        #[pyfunction]
        #[pyo3(signature = (*args, size=None, generator=None, dtype=None, device=None, requires_grad=false))]
        fn $name(args: &Bound<'_, PyTuple>, size: Option<Vec<i64>>, generator: Option<&Bound<'_, Generator>>, dtype: Option<Arg>, device: Option<&Bound<'_, PyAny>>, requires_grad: bool) -> PyResult<Tensor> {
            check_device(device)?;
            let op = stringify!($name);
            let shape = given_size(op, args, size)?;
            finish(draw(op, Law::$law, shape, self::dtype(dtype).unwrap_or(default_dtype()), generator)?, requires_grad)
        }
        #[doc = concat!(
            "As `", stringify!($name), "`, with the shape of another tensor, and its dtype unless `dtype` is given.",
            "\n\nDerivative: none, the result is a new leaf.\n\n>>> rg.", stringify!($like), "(rg.zeros(2, 3)).shape\n(2, 3)"
        )]
        #[pyfunction]
        #[pyo3(signature = (input, *, generator=None, dtype=None, device=None, requires_grad=false))]
        fn $like(input: &Tensor, generator: Option<&Bound<'_, Generator>>, dtype: Option<Arg>, device: Option<&Bound<'_, PyAny>>, requires_grad: bool) -> PyResult<Tensor> {
            check_device(device)?;
            let v = input.value()?;
            let d = self::dtype(dtype).unwrap_or(v.dtype());
            finish(draw(stringify!($like), Law::$law, Dims::from_slice(v.shape()), d, generator)?, requires_grad)
        }
    )*
} }
sources! {
    /// Uniform random numbers in [0, 1).
    ///
    /// Shape: as given, by sizes, one tuple or `size=`; raises ValueError for a negative one. The default dtype, or `dtype`;
    /// raises TypeError for one that is not a float. `generator`, or the default one, is the counter-based Philox of
    /// Salmon et al. (2011).
    ///
    /// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
    ///
    /// >>> rg.rand(2, 3).shape
    /// (2, 3)
    rand rand_like Uniform;
    /// Standard normal random numbers (by Box and Muller 1958).
    ///
    /// Shape: as given, by sizes, one tuple or `size=`; raises ValueError for a negative one. The default dtype, or `dtype`;
    /// raises TypeError for one that is not a float. `generator`, or the default one, is the counter-based Philox of
    /// Salmon et al. (2011).
    ///
    /// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
    ///
    /// >>> rg.randn(2, 3).shape
    /// (2, 3)
    randn randn_like Normal;
}
pub fn whole(low: i64, high: i64, shape: Dims, d: DType, generator: Option<&Bound<'_, Generator>>) -> PyResult<Value> {
    if low >= high {
        return Err(Error::value("randint", format!("low ({low}) must be below high ({high})")).into());
    }
    // Numbers that wrap around would be drawn with other chances than asked for.
    let (least, most) = match d {
        DType::Bool => (0, 1),
        DType::U8 => (0, i64::from(u8::MAX)),
        DType::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    if low < least || high - 1 > most {
        let why =
            format!("cannot draw from {low} to {} as {d} (it holds {least} to {most}); pass another dtype", high - 1);
        return Err(Error::value("randint", why).into());
    }
    per_lane("randint", shape, |shape, _| {
        let mut x = Array::new("randint", shape, DType::I64)?;
        let out = x.slice_mut::<i64>()?;
        with(generator, |g| g.integers(low, high, out));
        Ok(convert::to(&Value::Array(x), d)?)
    })
}
/// Uniform random integers from `low` (0) up to, but without, `high`.
///
/// Shape: `size`; raises ValueError for a negative one, unless low < high, and for numbers that the dtype does not hold.
/// int64, or `dtype`. `generator`, or the default one, is the counter-based Philox of Salmon et al. (2011).
///
/// Derivative: none, the result is a new leaf.
///
/// >>> rg.randint(3, 4, (2,))
/// tensor([3, 3])
#[pyfunction]
#[pyo3(signature = (*args, low=None, high=None, size=None, generator=None, dtype=None, device=None, requires_grad=false))]
fn randint(
    args: &Bound<'_, PyTuple>,
    low: Option<i64>,
    high: Option<i64>,
    size: Option<args::Dims>,
    generator: Option<&Bound<'_, Generator>>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    check_device(device)?;
    let (mut bounds, mut shape) = (Vec::new(), size.map(|s| s.0));
    for (i, arg) in args.iter().enumerate() {
        match arg.extract::<i64>() {
            Ok(n) if bounds.len() < 2 => bounds.push(n),
            _ if i + 1 == args.len() && shape.is_none() => shape = Some(arg.extract::<args::Dims>()?.0),
            _ => return Err(PyTypeError::new_err("randint: takes low, high and size")),
        }
    }
    let (low, high) = match (&bounds[..], low, high) {
        ([l, h], None, None) => (*l, *h),
        ([h], None, None) => (0, *h),
        ([h], Some(l), None) => (l, *h),
        ([l], None, Some(h)) => (*l, h),
        ([], l, Some(h)) => (l.unwrap_or(0), h),
        _ => return Err(PyTypeError::new_err("randint: takes high, or low and high")),
    };
    let shape = shape.ok_or_else(|| PyTypeError::new_err("randint: missing the argument size"))?;
    finish(
        whole(low, high, sizes("randint", &shape)?, self::dtype(dtype).unwrap_or(DType::I64), generator)?,
        requires_grad,
    )
}
/// Uniform random integers with the shape and dtype of another tensor; see `randint`.
///
/// Shape: that of the input; raises ValueError unless low < high. The input's dtype, or `dtype`.
///
/// Derivative: none, the result is a new leaf.
///
/// >>> rg.randint_like(rg.zeros(2), 3, 4)
/// tensor([3., 3.])
#[pyfunction]
#[pyo3(signature = (input, *bounds, dtype=None))]
fn randint_like(input: &Tensor, bounds: Vec<i64>, dtype: Option<Arg>) -> PyResult<Tensor> {
    let (low, high) = match bounds[..] {
        [h] => (0, h),
        [l, h] => (l, h),
        _ => return Err(PyTypeError::new_err("randint_like: takes high, or low and high")),
    };
    let v = input.value()?;
    Ok(whole(low, high, Dims::from_slice(v.shape()), self::dtype(dtype).unwrap_or(v.dtype()), None)?.into())
}
/// The numbers from 0 to n - 1 in random order.
///
/// Shape: (n); raises ValueError for a negative n. int64, or `dtype`. `generator`, or the default one, is the
/// counter-based Philox of Salmon et al. (2011).
///
/// Derivative: none, the result is a new leaf.
///
/// >>> rg.randperm(4).sort().values
/// tensor([0, 1, 2, 3])
#[pyfunction]
#[pyo3(signature = (n, *, generator=None, dtype=None, device=None))]
fn randperm(
    n: i64,
    generator: Option<&Bound<'_, Generator>>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
) -> PyResult<Tensor> {
    check_device(device)?;
    let n = sizes("randperm", &[n])?[0];
    if n > 1 << 36 {
        return Err(Error::memory("randperm", format!("cannot hold {n} elements")).into());
    }
    let wanted = self::dtype(dtype).unwrap_or(DType::I64);
    fits("randperm", Scalar::Int(n as i64 - 1), wanted)?;
    room("randperm", n.saturating_mul(24))?;
    let x = per_lane("randperm", Dims::from_slice(&[n]), |shape, lanes| {
        let order = with(generator, |g| (0..lanes).flat_map(|_| g.permutation(n)).collect::<Vec<i64>>());
        Ok(Value::Array(Array::from_shape(DType::I64, shape, &order)?))
    })?;
    Ok(convert::to(&x, wanted)?.into())
}
/// One where a uniform number lies below `p`.
pub fn coin(p: &Value, generator: Option<&Bound<'_, Generator>>) -> PyResult<Value> {
    let p = convert::to(p, DType::F64)?;
    if p.storage().to_vec::<f64>()?.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return Err(Error::graph("bernoulli", "probabilities must lie between 0 and 1").into());
    }
    let u = draw("bernoulli", Law::Uniform, Dims::from_slice(p.shape()), DType::F64, generator)?;
    Ok(compare(Order::Less, &u, &p)?)
}
/// Ones with the probability that each element gives (or with probability `p`), else zeros.
///
/// Shape and dtype: those of the input; raises RuntimeError for a probability outside of [0, 1]. `generator`, or the
/// default one, is the counter-based Philox of Salmon et al. (2011).
///
/// Derivative: none, a draw does not depend smoothly on its probability.
///
/// >>> rg.bernoulli(rg.tensor([0.0, 1.0]))
/// tensor([0., 1.])
#[pyfunction]
#[pyo3(signature = (input, p=None, *, generator=None))]
fn bernoulli(input: &Tensor, p: Option<f64>, generator: Option<&Bound<'_, Generator>>) -> PyResult<Tensor> {
    let x = input.value()?;
    let probabilities = match p {
        Some(p) => x.detached().full_like(p)?,
        None => x.detached(),
    };
    Ok(convert::to(&coin(&probabilities, generator)?, x.dtype())?.into())
}
#[pymethods]
impl Tensor {
    /// See `rustgrad.bernoulli`.
    #[pyo3(name = "bernoulli", signature = (p=None, *, generator=None))]
    fn bernoulli_method(&self, p: Option<f64>, generator: Option<&Bound<'_, Generator>>) -> PyResult<Tensor> {
        bernoulli(self, p, generator)
    }
}
/// Normal random numbers with the means and standard deviations given, as tensors or numbers.
///
/// Shapes: both broadcast, with numbers to `size`; raises RuntimeError for a negative `std`. `generator`, or the
/// default one, is the counter-based Philox of Salmon et al. (2011).
///
/// Derivative: 1 by the mean, the standard normal number that was drawn by `std`.
///
/// >>> rg.normal(5.0, 0.0, (2,))
/// tensor([5., 5.])
#[pyfunction]
#[pyo3(signature = (mean, std=None, size=None, *, generator=None, dtype=None))]
fn normal(
    mean: Operand,
    std: Option<Operand>,
    size: Option<args::Dims>,
    generator: Option<&Bound<'_, Generator>>,
    dtype: Option<Arg>,
) -> PyResult<Tensor> {
    let std = std.unwrap_or(Operand::Number(Scalar::Float(1.0)));
    let mut shape = match size {
        Some(s) => sizes("normal", &s.0)?,
        None => Dims::new(),
    };
    let mut d = self::dtype(dtype);
    for side in [&mean, &std] {
        match side {
            Operand::Tensor(v) => {
                shape = crate::shape::broadcast("normal", &shape, v.shape())?;
                d = d.or(Some(v.dtype()));
            }
            Operand::Number(s) if s.to_f64().is_nan() => {
                return Err(Error::value("normal", "mean and std must be numbers").into())
            }
            Operand::Number(_) => {}
        }
    }
    let negative = match &std {
        Operand::Number(s) => s.to_f64() < 0.0,
        Operand::Tensor(v) => convert::to(&Value::Array(v.storage().clone()), DType::F64)
            .is_ok_and(|v| v.array().is_ok_and(|a| a.to_vec::<f64>().is_ok_and(|v| v.iter().any(|&s| s < 0.0)))),
    };
    if negative {
        return Err(Error::graph("normal", format!("std must not be negative (shape {})", show(&shape))).into());
    }
    let z = draw("normal", Law::Normal, shape, d.unwrap_or(default_dtype()), generator)?;
    let scaled = binary::<Mul>(&z, std)?;
    Ok(binary::<Add>(&scaled, mean)?.into())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(rand, m)?)?;
    m.add_function(wrap_pyfunction!(rand_like, m)?)?;
    m.add_function(wrap_pyfunction!(randn, m)?)?;
    m.add_function(wrap_pyfunction!(randn_like, m)?)?;
    m.add_function(wrap_pyfunction!(randint, m)?)?;
    m.add_function(wrap_pyfunction!(randint_like, m)?)?;
    m.add_function(wrap_pyfunction!(randperm, m)?)?;
    m.add_function(wrap_pyfunction!(bernoulli, m)?)?;
    m.add_function(wrap_pyfunction!(normal, m)?)
}
