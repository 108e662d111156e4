//! New arrays from numbers: ranges and evenly spaced values.
use crate::{
    array::Array,
    dtype::{DType, Element, Scalar},
    error::{Error, Result},
    kernels::cast::cast,
    shape::Dims,
};

/// `n` elements by number, in memory that is refused if there is not enough.
fn counted<T: Element>(op: &'static str, dtype: DType, n: usize, value: impl Fn(usize) -> T) -> Result<Array> {
    let mut out = Array::new(op, Dims::from_slice(&[n]), dtype)?;
    out.slice_mut::<T>()?.iter_mut().enumerate().for_each(|(i, x)| *x = value(i));
    Ok(out)
}
/// 0, step, 2·step, … (n of them).
pub fn arange_i64(n: usize, step: i64) -> Result<Array> {
    counted("arange", DType::I64, n, |i| i as i64 * step)
}
/// start, start + step, … up to but without `end`.
pub fn arange(start: Scalar, end: Scalar, step: Scalar, dtype: DType) -> Result<Array> {
    let (a, b, s) = (start.to_f64(), end.to_f64(), step.to_f64());
    let whole = |s: Scalar| matches!(s, Scalar::Int(_) | Scalar::Bool(_));
    let refused = |why: &str| {
        let [from, to, by] =
            [start, end, step].map(|s| if whole(s) { s.to_i64().to_string() } else { s.to_f64().to_string() });
        Err(Error::value("arange", format!("cannot go from {from} to {to} in steps of {by}; {why}")))
    };
    if s == 0.0 || !a.is_finite() || !b.is_finite() || !s.is_finite() {
        return refused("all must be finite and the step not 0");
    }
    // Integers are compared and counted exactly: floats do not tell large ones apart.
    let integers = [start, end, step].into_iter().all(whole);
    let [first, last, by] = [start, end, step].map(|s| if integers { i128::from(s.to_i64()) } else { 0 });
    let backwards = if integers { (last - first) * by.signum() < 0 } else { (b - a) * s < 0.0 };
    if backwards {
        return refused("the step has the wrong sign");
    }
    let n = if integers { ((last - first + by - by.signum()) / by) as f64 } else { ((b - a) / s).ceil() };
    if n > (1u64 << 36) as f64 {
        return Err(Error::memory("arange", format!("cannot hold {n} elements")));
    }
    let n = n as usize;
    let wide = if whole(start) && whole(step) {
        // The product may leave the range of integers, the sum comes back into it.
        let (a, s) = (start.to_i64(), step.to_i64());
        counted("arange", DType::I64, n, |i| a.wrapping_add((i as i64).wrapping_mul(s)))?
    } else {
        counted("arange", DType::F64, n, |i| a + i as f64 * s)?
    };
    cast("arange", &wide, dtype)
}
/// `n` values from `start` to `end`, both included; computed from both ends so that both are exact.
pub fn linspace(start: f64, end: f64, n: usize, dtype: DType) -> Result<Array> {
    if n > 1 << 36 {
        return Err(Error::memory("linspace", format!("cannot hold {n} elements")));
    }
    let step = if n > 1 { (end - start) / (n - 1) as f64 } else { 0.0 };
    let value = |i: usize| if i < n / 2 || n == 1 { start + step * i as f64 } else { end - step * (n - 1 - i) as f64 };
    cast("linspace", &counted("linspace", DType::F64, n, value)?, dtype)
}
/// Ones on the diagonal.
pub fn eye(rows: usize, columns: usize, dtype: DType) -> Result<Array> {
    let mut out = Array::zeros("eye", Dims::from_slice(&[rows, columns]), DType::U8)?;
    let at = out.slice_mut::<u8>()?;
    (0..rows.min(columns)).for_each(|i| at[i * columns + i] = 1);
    cast("eye", &out, dtype)
}
