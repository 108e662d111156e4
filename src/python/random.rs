//! Random tensors and their generators in Python.
use super::{
    args::{dtype, integers, sizes},
    convert::check_device,
    dtype::Arg,
    tensor::{Operand, Tensor},
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::Error,
    kernels::random::Philox,
    ops::{
        arith::{Add, Mul},
        binary::Binary,
        compare::{compare, Order},
        convert, expand,
        unary::Unary,
        Fixed,
    },
    shape::{show, Dims},
    trace::{default_dtype, Value},
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyTuple};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A source of random numbers with a state of its own.
#[pyclass(frozen, module = "rustgrad")]
struct Generator(Mutex<Philox>);
static DEFAULT: Mutex<Philox> = Mutex::new(Philox { seed: 67_280_421_310_721, offset: 0 });
fn lock(mutex: &Mutex<Philox>) -> MutexGuard<'_, Philox> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
fn seed_of(seed: &Bound<'_, PyAny>) -> PyResult<u64> {
    match seed.extract::<u64>() {
        Ok(s) => Ok(s),
        Err(_) => seed
            .extract::<i64>()
            .map(|s| s as u64)
            .map_err(|_| Error::value("manual_seed", "the seed must be an integer of at most 64 bits").into()),
    }
}
#[pymethods]
impl Generator {
    #[new]
    #[pyo3(signature = (device=None))]
    fn new(device: Option<&Bound<'_, PyAny>>) -> PyResult<Generator> {
        check_device(device)?;
        Ok(Generator(Mutex::new(Philox::new(67_280_421_310_721))))
    }
    /// Start over from a seed; returns the generator. Raises ValueError for what is not an integer of 64 bits.
    ///
    /// >>> a, b = (rg.rand(2, generator=rg.Generator().manual_seed(0)) for _ in range(2))
    /// >>> bool((a == b).all())
    /// True
    fn manual_seed<'py>(slf: Bound<'py, Self>, seed: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        *lock(&slf.get().0) = Philox::new(seed_of(seed)?);
        Ok(slf)
    }
    /// Start over from a seed of the system's choice; returns it.
    ///
    /// >>> rg.Generator().seed() >= 0
    /// True
    fn seed(&self) -> u64 {
        let seed = fresh_seed();
        *lock(&self.0) = Philox::new(seed);
        seed
    }
    fn __reduce__<'py>(slf: Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (u64, u64))> {
        let p = *lock(&slf.get().0);
        Ok((slf.py().import("rustgrad._core")?.getattr("_generator_at")?, (p.seed, p.offset)))
    }
    /// The seed that the generator last started from.
    ///
    /// >>> rg.Generator().manual_seed(7).initial_seed()
    /// 7
    fn initial_seed(&self) -> u64 {
        lock(&self.0).seed
    }
    /// The state as a uint8 tensor, for `set_state`.
    ///
    /// >>> rg.Generator().get_state().shape
    /// (16,)
    fn get_state(&self) -> PyResult<Tensor> {
        state(&lock(&self.0))
    }
    /// Continue from a state that `get_state` returned; raises ValueError for anything else.
    ///
    /// >>> g = rg.Generator()
    /// >>> state = g.get_state()
    /// >>> a = rg.rand(1, generator=g)
    /// >>> g.set_state(state)
    /// >>> bool(a == rg.rand(1, generator=g))
    /// True
    fn set_state(&self, new_state: &Tensor) -> PyResult<()> {
        *lock(&self.0) = from_state(new_state)?;
        Ok(())
    }
    /// Always "cpu".
    ///
    /// >>> rg.Generator().device
    /// 'cpu'
    #[getter]
    fn device(&self) -> &'static str {
        "cpu"
    }
}
/// Bits that differ from run to run.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let seed = std::collections::hash_map::RandomState::new().build_hasher().finish();
    seed >> 1
}
#[pyfunction]
fn _generator_at(seed: u64, offset: u64) -> Generator {
    Generator(Mutex::new(Philox { seed, offset }))
}
/// Start the default generator over from a seed of the system's choice; returns it.
///
/// >>> rg.seed() >= 0
/// True
#[pyfunction]
fn seed() -> u64 {
    let seed = fresh_seed();
    *lock(&DEFAULT) = Philox::new(seed);
    seed
}
fn state(p: &Philox) -> PyResult<Tensor> {
    let bytes: Vec<u8> = p.seed.to_le_bytes().into_iter().chain(p.offset.to_le_bytes()).collect();
    Ok(Tensor::new(Value::Array(Array::from_slice(DType::U8, &bytes)?)))
}
fn from_state(t: &Tensor) -> PyResult<Philox> {
    let bytes = t.numbers("set_state")?.to_vec::<u8>()?;
    let bad = || Error::value("set_state", "the state must be the uint8 tensor that get_state returned");
    let number = |b: &[u8]| b.try_into().map(u64::from_le_bytes).map_err(|_| bad());
    if bytes.len() != 16 {
        return Err(bad().into());
    }
    Ok(Philox { seed: number(&bytes[..8])?, offset: number(&bytes[8..])? })
}
/// Run `f` with the given or the default generator.
fn with<T>(generator: Option<&Bound<'_, Generator>>, f: impl FnOnce(&mut Philox) -> T) -> T {
    match generator {
        Some(g) => f(&mut lock(&g.get().0)),
        None => f(&mut lock(&DEFAULT)),
    }
}
/// What is drawn.
#[derive(Clone, Copy)]
enum Law {
    Uniform,
    Normal,
}
fn draw(
    op: &'static str,
    law: Law,
    shape: Dims,
    d: DType,
    generator: Option<&Bound<'_, Generator>>,
) -> PyResult<Value> {
    if !d.is_float() {
        return Err(Error::dtype(op, format!("cannot draw {d} numbers; use float32 or float64")).into());
    }
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
        #[pyo3(signature = (*size, generator=None, dtype=None, device=None, requires_grad=false))]
        fn $name(size: &Bound<'_, PyTuple>, generator: Option<&Bound<'_, Generator>>, dtype: Option<Arg>, device: Option<&Bound<'_, PyAny>>, requires_grad: bool) -> PyResult<Tensor> {
            check_device(device)?;
            let op = stringify!($name);
            let shape = sizes(op, &integers(op, size)?)?;
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
    /// Shape: as given, by sizes or one tuple; raises ValueError for a negative one. The default dtype, or `dtype`;
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
    /// Shape: as given, by sizes or one tuple; raises ValueError for a negative one. The default dtype, or `dtype`;
    /// raises TypeError for one that is not a float. `generator`, or the default one, is the counter-based Philox of
    /// Salmon et al. (2011).
    ///
    /// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
    ///
    /// >>> rg.randn(2, 3).shape
    /// (2, 3)
    randn randn_like Normal;
}
fn whole(low: i64, high: i64, shape: Dims, d: DType, generator: Option<&Bound<'_, Generator>>) -> PyResult<Value> {
    if low >= high {
        return Err(Error::value("randint", format!("low ({low}) must be below high ({high})")).into());
    }
    let mut x = Array::new("randint", shape, DType::I64)?;
    let out = x.slice_mut::<i64>()?;
    with(generator, |g| g.integers(low, high, out));
    Ok(convert::to(&Value::Array(x), d)?)
}
/// Uniform random integers from `low` (0) up to, but without, `high`.
///
/// Shape: `size`; raises ValueError for a negative one, and unless low < high. int64, or `dtype`. `generator`, or the
/// default one, is the counter-based Philox of Salmon et al. (2011).
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
    size: Option<super::args::Dims>,
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
            _ if i + 1 == args.len() && shape.is_none() => shape = Some(arg.extract::<super::args::Dims>()?.0),
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
    let order = with(generator, |g| g.permutation(n));
    let x = Value::Array(Array::from_slice(DType::I64, &order)?);
    Ok(convert::to(&x, self::dtype(dtype).unwrap_or(DType::I64))?.into())
}
/// One where a uniform number lies below `p`.
fn coin(p: &Value, generator: Option<&Bound<'_, Generator>>) -> PyResult<Value> {
    let Some(numbers) = p.numbers() else {
        return Err(Error::graph("bernoulli", "the probabilities are batched by vmap; draw the numbers outside").into());
    };
    let p = convert::to(&Value::Array(numbers.clone()), DType::F64)?;
    if p.array()?.to_vec::<f64>()?.iter().any(|p| !(0.0..=1.0).contains(p)) {
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
    size: Option<super::args::Dims>,
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
        Operand::Tensor(v) => v.numbers().is_some_and(|a| {
            convert::to(&Value::Array(a.clone()), DType::F64)
                .is_ok_and(|v| v.array().is_ok_and(|a| a.to_vec::<f64>().is_ok_and(|v| v.iter().any(|&s| s < 0.0))))
        }),
    };
    if negative {
        return Err(Error::graph("normal", format!("std must not be negative (shape {})", show(&shape))).into());
    }
    let z = draw("normal", Law::Normal, shape, d.unwrap_or(default_dtype()), generator)?;
    let scaled = super::arith::binary::<Mul>(&z, std)?;
    Ok(super::arith::binary::<Add>(&scaled, mean)?.into())
}
#[pymethods]
impl Tensor {
    /// Fill with uniformly distributed numbers in [from, to); raises RuntimeError where the limits are in the wrong
    /// order.
    ///
    /// >>> bool((rg.zeros(3).uniform_(1, 2) >= 1).all())
    /// True
    #[pyo3(signature = (from=0.0, to=1.0, *, generator=None))]
    fn uniform_<'py>(
        slf: Bound<'py, Self>,
        from: f64,
        to: f64,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        if from > to {
            return Err(Error::graph("uniform_", format!("from ({from}) must not be above to ({to})")).into());
        }
        redraw(&slf, "uniform_", Law::Uniform, to - from, from, generator)?;
        Ok(slf)
    }
    /// Fill with normally distributed numbers; raises RuntimeError for a negative `std`.
    ///
    /// >>> rg.zeros(2).normal_(5.0, 0.0)
    /// tensor([5., 5.])
    #[pyo3(signature = (mean=0.0, std=1.0, *, generator=None))]
    fn normal_<'py>(
        slf: Bound<'py, Self>,
        mean: f64,
        std: f64,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        if std < 0.0 {
            return Err(Error::graph("normal_", format!("std must not be negative, but is {std}")).into());
        }
        redraw(&slf, "normal_", Law::Normal, std, mean, generator)?;
        Ok(slf)
    }
    /// Fill with exponentially distributed numbers of rate `lambd`; raises RuntimeError unless it is positive.
    ///
    /// >>> bool((rg.zeros(3).exponential_() >= 0).all())
    /// True
    #[pyo3(signature = (lambd=1.0, *, generator=None))]
    fn exponential_<'py>(
        slf: Bound<'py, Self>,
        lambd: f64,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        if lambd <= 0.0 {
            return Err(Error::graph("exponential_", format!("lambd must be positive, but is {lambd}")).into());
        }
        let x = slf.get().value()?;
        let u = draw("exponential_", Law::Uniform, Dims::from_slice(x.shape()), DType::F64, generator)?;
        let negative = Mul::fixed(&u, Fixed::Right(Scalar::Float(-1.0)))?;
        let y = Mul::fixed(&crate::ops::exponential::Log1p.of(&negative)?, Fixed::Right(Scalar::Float(-1.0 / lambd)))?;
        slf.get().variable()?.write("exponential_", |x| convert::to(&y, x.dtype()))?;
        Ok(slf)
    }
    /// Fill with uniform integers: below `to`, from `from` up to `to`, or all that the dtype holds exactly.
    ///
    /// >>> rg.zeros(2).random_(3, 4)
    /// tensor([3., 3.])
    #[pyo3(signature = (*bounds, generator=None))]
    fn random_<'py>(
        slf: Bound<'py, Self>,
        bounds: Vec<i64>,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        let x = slf.get().value()?;
        // Without bounds: all integers the dtype holds exactly.
        let limit = match x.dtype() {
            DType::Bool => 2,
            DType::U8 => 256,
            DType::I32 => 1 << 31,
            DType::F32 | DType::C64 => (1 << 24) + 1,
            DType::F64 | DType::C128 => (1 << 53) + 1,
            DType::I64 => i64::MAX,
        };
        let (low, high) = match bounds[..] {
            [] => (0, limit),
            [to] => (0, to),
            [from, to] => (from, to),
            _ => return Err(PyTypeError::new_err("random_: takes to, or from and to")),
        };
        let y = whole(low, high, Dims::from_slice(x.shape()), x.dtype(), generator)?;
        slf.get().variable()?.write("random_", |_| Ok(y))?;
        Ok(slf)
    }
    /// Fill with ones with probability `p`, else zeros; raises RuntimeError for a `p` outside of [0, 1].
    ///
    /// >>> rg.zeros(2).bernoulli_(1.0)
    /// tensor([1., 1.])
    #[pyo3(signature = (p=0.5, *, generator=None))]
    fn bernoulli_<'py>(
        slf: Bound<'py, Self>,
        p: f64,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        let shape = Dims::from_slice(slf.get().value()?.shape());
        let p = Value::Array(Array::full("bernoulli_", Dims::new(), DType::F64, Scalar::Float(p))?);
        let drawn = coin(&expand::to("bernoulli_", &p, &shape)?, generator)?;
        slf.get().variable()?.write("bernoulli_", |x| convert::to(&drawn, x.dtype()))?;
        Ok(slf)
    }
}
fn redraw(
    t: &Bound<'_, Tensor>,
    op: &'static str,
    law: Law,
    scale: f64,
    shift: f64,
    generator: Option<&Bound<'_, Generator>>,
) -> PyResult<()> {
    let x = t.get().value()?;
    let z = draw(op, law, Dims::from_slice(x.shape()), x.dtype(), generator)?;
    let y = Add::fixed(&Mul::fixed(&z, Fixed::Right(Scalar::Float(scale)))?, Fixed::Right(Scalar::Float(shift)))?;
    Ok(t.get().variable()?.write(op, |_| Ok(y))?)
}
/// Start the default generator over from a seed; raises ValueError for what is not an integer of 64 bits.
///
/// >>> rg.manual_seed(7)
/// >>> rg.initial_seed()
/// 7
#[pyfunction]
fn manual_seed(seed: &Bound<'_, PyAny>) -> PyResult<()> {
    *lock(&DEFAULT) = Philox::new(seed_of(seed)?);
    Ok(())
}
/// The seed that the default generator last started from.
///
/// >>> rg.manual_seed(3)
/// >>> rg.initial_seed()
/// 3
#[pyfunction]
fn initial_seed() -> u64 {
    lock(&DEFAULT).seed
}
/// The state of the default generator, as a uint8 tensor.
///
/// Derivative: none, the result is uint8.
///
/// >>> rg.get_rng_state().dtype
/// rustgrad.uint8
#[pyfunction]
fn get_rng_state() -> PyResult<Tensor> {
    state(&lock(&DEFAULT))
}
/// Continue the default generator from a state; raises ValueError for anything that `get_rng_state` did not return.
///
/// Derivative: none, there is no result.
///
/// >>> state = rg.get_rng_state()
/// >>> a = rg.rand(1)
/// >>> rg.set_rng_state(state)
/// >>> bool(a == rg.rand(1))
/// True
#[pyfunction]
fn set_rng_state(new_state: &Tensor) -> PyResult<()> {
    *lock(&DEFAULT) = from_state(new_state)?;
    Ok(())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Generator>()?;
    m.add_function(wrap_pyfunction!(rand, m)?)?;
    m.add_function(wrap_pyfunction!(rand_like, m)?)?;
    m.add_function(wrap_pyfunction!(randn, m)?)?;
    m.add_function(wrap_pyfunction!(randn_like, m)?)?;
    m.add_function(wrap_pyfunction!(randint, m)?)?;
    m.add_function(wrap_pyfunction!(randint_like, m)?)?;
    m.add_function(wrap_pyfunction!(randperm, m)?)?;
    m.add_function(wrap_pyfunction!(bernoulli, m)?)?;
    m.add_function(wrap_pyfunction!(normal, m)?)?;
    m.add_function(wrap_pyfunction!(manual_seed, m)?)?;
    m.add_function(wrap_pyfunction!(initial_seed, m)?)?;
    m.add_function(wrap_pyfunction!(seed, m)?)?;
    m.add_function(wrap_pyfunction!(_generator_at, m)?)?;
    m.add_function(wrap_pyfunction!(get_rng_state, m)?)?;
    m.add_function(wrap_pyfunction!(set_rng_state, m)?)
}
