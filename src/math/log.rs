//! ln, log2, log10, log1p.
//!
//! After fdlibm: x = 2ᵉ·(1+f) with 1+f in [√½, √2), s = f/(2+f), and ln(1+f) = f − (f²/2 − s·(f²/2 + R(s²))).
//! The forms with a pair keep the rounding errors, for functions built on a logarithm.
use super::bits::{fast_two_sum, multiply, polynomial, two_sum, Float, Pair};

/// `x = m·2^e` for any positive finite `x`.
#[inline(always)]
pub fn split<T: Float>(x: T) -> Pair<T> {
    let tiny = x < T::MIN_POSITIVE;
    let (m, e) = T::split(T::select(tiny, x * T::NORMALISING.0, x));
    (m, T::select(tiny, e - T::NORMALISING.1, e))
}
/// `s·(f²/2 + R)` of the formula above, and f²/2.
#[inline(always)]
fn series<T: Float>(f: T) -> (T, T) {
    let s = f / (T::TWO + f);
    let z = s * s;
    let half = T::HALF * f * f;
    (s * z.mul_add(polynomial(z, T::LN), half), half)
}
/// ln(2ᵉ·(1 + f + tail)).
#[inline(always)]
fn ln_reduced<T: Float>(f: T, tail: T, e: T) -> Pair<T> {
    let (series, half) = series(f);
    let half_error = (T::HALF * f).mul_add(f, -half);
    let (a, a_error) = fast_two_sum(e * T::LN2.0, f);
    let (b, b_error) = fast_two_sum(a, -half);
    // d ln(1+f) = df/(1+f); to first order, for df below the last place of f.
    let tail = tail * half.mul_add(T::TWO, T::ONE - f);
    fast_two_sum(b, e.mul_add(T::LN2.1, series - half_error + tail) + (b_error + a_error))
}
/// ln(x), for positive finite `x`.
#[inline(always)]
pub fn ln_pair<T: Float>(x: T) -> Pair<T> {
    let (m, e) = split(x);
    ln_reduced(m - T::ONE, -T::ZERO, e)
}
/// ln(x + y + z) for positive normal `x`, where `y` is below its last place and `z` below that of `y`.
///
/// With x = 1 and y tiny the result is still accurate relative to y: this is log1p.
#[inline(always)]
pub fn ln_of_sum<T: Float>(x: T, y: T, z: T) -> Pair<T> {
    let (m, e) = T::split(x);
    // Where x is huge the tails do not matter; the bound keeps the power of two in range.
    let inverse = T::power_of_two(T::MAGIC - T::select(e > T::EXP_RANGE.1, T::EXP_RANGE.1, e));
    let (f, error) = two_sum(m - T::ONE, y * inverse);
    ln_reduced(f, z.mul_add(inverse, error), e)
}
/// `value`, but for the arguments of a logarithm that are not positive and finite.
#[inline(always)]
pub fn guarded<T: Float>(x: T, value: T) -> T {
    let outside = T::select(x == T::ZERO, -T::INFINITY, T::NAN);
    let outside = T::select(x == T::INFINITY, T::INFINITY, outside);
    T::select((x > T::ZERO) & (x < T::INFINITY), value, outside)
}
#[inline(always)]
fn ln_of<T: Float>((m, e): Pair<T>) -> T {
    let f = m - T::ONE;
    let (series, half) = series(f);
    e.mul_add(T::LN2.0, f - (half - e.mul_add(T::LN2.1, series)))
}
#[inline(always)]
pub fn ln<T: Float>(x: T) -> T {
    guarded(x, ln_of(split(x)))
}
#[inline(always)]
pub fn fits<T: Float>(x: T) -> bool {
    (x >= T::MIN_POSITIVE) & (x < T::INFINITY)
}
/// ln(x) of a positive normal number.
#[inline(always)]
pub fn ln_fast<T: Float>(x: T) -> T {
    ln_of(T::split(x))
}
#[inline(always)]
pub fn log2<T: Float>(x: T) -> T {
    let (m, e) = split(x);
    let (high, low) = multiply(ln_reduced(m - T::ONE, -T::ZERO, T::ZERO), T::LOG2_E);
    let (high, error) = fast_two_sum(e, high);
    guarded(x, high + (error + low))
}
#[inline(always)]
pub fn log10<T: Float>(x: T) -> T {
    let (high, low) = multiply(ln_pair(x), T::LOG10_E);
    guarded(x, high + low)
}
#[inline(always)]
pub fn log1p<T: Float>(x: T) -> T {
    let (u, error) = two_sum(T::ONE, x);
    let (high, low) = ln_of_sum(u, error, -T::ZERO);
    let value = guarded(u, high + low);
    // Not only for the sign of zero: scaled tails of subnormal numbers lose bits.
    T::select(x.abs() < T::MIN_POSITIVE, x, value)
}
