//! Sources of random numbers, and the default one.
use super::{
    super::{convert::check_device, tensor::Tensor},
    rewind::remember,
};
use crate::{array::Array, dtype::DType, error::Error, kernels::random::Philox, trace::Value};
use pyo3::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A source of random numbers with a state of its own.
#[pyclass(frozen, module = "rustgrad")]
pub struct Generator(Mutex<Philox>);
static DEFAULT: Mutex<Philox> = Mutex::new(Philox { seed: 67_280_421_310_721, offset: 0 });
fn lock(mutex: &Mutex<Philox>) -> MutexGuard<'_, Philox> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
/// The source of the given or the default generator.
fn source<'a>(generator: Option<&'a Bound<'_, Generator>>) -> &'a Mutex<Philox> {
    match generator {
        Some(g) => &g.get().0,
        None => &DEFAULT,
    }
}
/// Continue the given or the default generator from a state.
pub fn set_to(generator: Option<&Bound<'_, Generator>>, state: Philox) {
    *lock(source(generator)) = state;
}
/// As `set_to`, for the user: it can be undone where programs run again.
fn restart(generator: Option<&Bound<'_, Generator>>, state: Philox) {
    let before = std::mem::replace(&mut *lock(source(generator)), state);
    remember(generator, before);
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
        restart(Some(&slf), Philox::new(seed_of(seed)?));
        Ok(slf)
    }
    /// Start over from a seed of the system's choice; returns it.
    ///
    /// >>> rg.Generator().seed() >= 0
    /// True
    fn seed(slf: &Bound<'_, Self>) -> u64 {
        let seed = fresh_seed();
        restart(Some(slf), Philox::new(seed));
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
    fn set_state(slf: &Bound<'_, Self>, new_state: &Tensor) -> PyResult<()> {
        restart(Some(slf), from_state(new_state)?);
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
    restart(None, Philox::new(seed));
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
pub fn with<T>(generator: Option<&Bound<'_, Generator>>, f: impl FnOnce(&mut Philox) -> T) -> T {
    let mut p = lock(source(generator));
    let before = *p;
    let drawn = f(&mut p);
    drop(p);
    remember(generator, before);
    drawn
}
/// Start the default generator over from a seed; raises ValueError for what is not an integer of 64 bits.
///
/// >>> rg.manual_seed(7)
/// >>> rg.initial_seed()
/// 7
#[pyfunction]
fn manual_seed(seed: &Bound<'_, PyAny>) -> PyResult<()> {
    restart(None, Philox::new(seed_of(seed)?));
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
    restart(None, from_state(new_state)?);
    Ok(())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Generator>()?;
    m.add_function(wrap_pyfunction!(manual_seed, m)?)?;
    m.add_function(wrap_pyfunction!(initial_seed, m)?)?;
    m.add_function(wrap_pyfunction!(seed, m)?)?;
    m.add_function(wrap_pyfunction!(_generator_at, m)?)?;
    m.add_function(wrap_pyfunction!(get_rng_state, m)?)?;
    m.add_function(wrap_pyfunction!(set_rng_state, m)?)
}
