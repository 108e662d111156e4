//! sigmoid, log_sigmoid, softplus, logaddexp: e^−|x| and log1p with their rounding errors kept.
use super::{
    bits::{clamp, fast_two_sum, two_sum, Float, Pair},
    exp::{exp, exp_fast, exp_of_sum, exp_pair, scale},
    log::ln_of_sum,
};

/// eˣ for x ≤ 0.
#[inline(always)]
fn decay<T: Float>(x: T) -> Pair<T> {
    let ((high, low), k) = exp_pair(clamp(x, T::EXP_RANGE.0, T::ZERO));
    (scale(high, k), scale(low, k))
}
/// ln(1 + e), for a pair between 0 and 1.
#[inline(always)]
fn log1p_pair<T: Float>((e, low): Pair<T>) -> Pair<T> {
    let (sum, error) = fast_two_sum(T::ONE, e);
    let (error, low) = fast_two_sum(error, low);
    let y = ln_of_sum(sum, error, low);
    let tiny = e < T::MIN_POSITIVE;
    (T::select(tiny, e, y.0), T::select(tiny, low, y.1))
}
/// e^−|x| / (1 + e^−|x|) or 1 / (1 + e^−|x|): neither overflows. The rounding error of the sum is kept, that of the
/// exponential is not: it is the smaller one.
#[inline(always)]
pub fn sigmoid<T: Float>(x: T) -> T {
    sigmoid_of(x, exp(-x.abs()))
}
/// The same where e^−|x| is a normal number.
#[inline(always)]
pub fn sigmoid_fast<T: Float>(x: T) -> T {
    sigmoid_of(x, exp_fast(-x.abs()))
}
#[inline(always)]
fn sigmoid_of<T: Float>(x: T, e: T) -> T {
    let (sum, error) = fast_two_sum(T::ONE, e);
    let above = T::select(x < T::ZERO, e, T::ONE);
    let inverse = T::ONE / sum;
    let q = above * inverse;
    let rest = (-q).mul_add(error, (-q).mul_add(sum, above));
    rest.mul_add(inverse, q)
}
#[inline(always)]
pub fn softplus<T: Float>(x: T) -> T {
    let (y, low) = log1p_pair(decay(-x.abs()));
    let (high, error) = two_sum(x.max(T::ZERO), y);
    T::select(x == T::INFINITY, x, high + (error + low))
}
#[inline(always)]
pub fn log_sigmoid<T: Float>(x: T) -> T {
    -softplus(-x)
}
#[inline(always)]
pub fn logaddexp<T: Float>(x: T, y: T) -> T {
    let larger = T::select(x > y, x, y);
    let smaller = T::select(x > y, y, x);
    let (gap, error) = two_sum(smaller, -larger);
    // Far apart, or at infinity, the smaller one does not matter and the error may be NaN.
    let error = T::select(gap > T::EXP_RANGE.0, error, T::ZERO);
    let ((e, e_low), k) = exp_of_sum(clamp(gap, T::EXP_RANGE.0, T::ZERO), error);
    let (z, low) = log1p_pair((scale(e, k), scale(e_low, k)));
    let (high, error) = two_sum(larger, z);
    let sum = high + (error + low);
    let sum = T::select(larger.abs() == T::INFINITY, larger, sum);
    T::select(x.is_nan() | y.is_nan(), x + y, sum)
}
