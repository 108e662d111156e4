//! exp, exp2, expm1.
//!
//! Cody–Waite reduction x = n·ln 2 + r with |r| ≤ ½·ln 2, a minimax polynomial in r, and a scaling by 2ⁿ in two steps,
//! so that overflow and gradual underflow come out right.
use super::bits::{clamp, fast_two_sum, polynomial, two_product, two_sum, Float, Pair};

/// `x = n·ln 2 + r + rest`; returns r, rest and `MAGIC + n`.
#[inline(always)]
fn reduce<T: Float>(x: T) -> (T, T, T) {
    let k = x.mul_add(T::LOG2_E.0, T::MAGIC);
    let n = k - T::MAGIC;
    // Exact: the first part of ln 2 is short.
    let exact = (-n).mul_add(T::LN2.0, x);
    let r = (-n).mul_add(T::LN2.1, exact);
    (r, (-n).mul_add(T::LN2.1, exact - r), k)
}
/// `p · 2ⁿ` for `k = MAGIC + n` with |n| up to twice the exponent range.
#[inline(always)]
pub fn scale<T: Float>(p: T, k: T) -> T {
    let first = (k - T::MAGIC).mul_add(T::HALF, T::MAGIC);
    let second = (k - first) + T::MAGIC;
    p * T::power_of_two(first) * T::power_of_two(second)
}
/// e^(r + rest), for a rest below the last place of r.
#[inline(always)]
fn power<T: Float>(r: T, rest: T) -> Pair<T> {
    let (p, error) = fast_two_sum(T::ONE, r);
    let small = (r * r).mul_add(polynomial(r, T::EXP), rest.mul_add(p, error));
    fast_two_sum(p, small)
}
/// eˣ as `(p, k)`: the pair `p` in [0.7, 1.5) times 2ⁿ, `k = MAGIC + n`. `x` must lie within bounds.
#[inline(always)]
pub fn exp_pair<T: Float>(x: T) -> (Pair<T>, T) {
    let (r, rest, k) = reduce(x);
    (power(r, rest), k)
}
/// e^(x + tail), likewise.
#[inline(always)]
pub fn exp_of_sum<T: Float>(x: T, tail: T) -> (Pair<T>, T) {
    let (r, rest, k) = reduce(x);
    let (r, error) = two_sum(r, tail);
    (power(r, error + rest), k)
}
#[inline(always)]
pub fn exp<T: Float>(x: T) -> T {
    let x = clamp(x, T::EXP_RANGE.0, T::EXP_RANGE.1);
    let k = x.mul_add(T::LOG2_E.0, T::MAGIC);
    let n = k - T::MAGIC;
    let r = (-n).mul_add(T::LN2.1, (-n).mul_add(T::LN2.0, x));
    scale((r * r).mul_add(polynomial(r, T::EXP), r) + T::ONE, k)
}
#[inline(always)]
pub fn fits<T: Float>(x: T) -> bool {
    x.abs() <= T::EXP_NORMAL
}
/// eˣ where the result is a normal number: scaling adds to the exponent.
#[inline(always)]
pub fn exp_fast<T: Float>(x: T) -> T {
    let k = x.mul_add(T::LOG2_E.0, T::MAGIC);
    let n = k - T::MAGIC;
    let r = (-n).mul_add(T::LN2.1, (-n).mul_add(T::LN2.0, x));
    T::shifted((r * r).mul_add(polynomial(r, T::EXP), r) + T::ONE, k)
}
#[inline(always)]
pub fn exp2<T: Float>(x: T) -> T {
    let low = T::EXP_RANGE.0 * T::lit(1.5);
    let high = T::EXP_RANGE.1 * T::lit(1.5);
    let x = clamp(x, low, high);
    let k = x + T::MAGIC;
    let fraction = x - (k - T::MAGIC);
    let (r, e) = two_product(fraction, T::LN2_FULL.0);
    let rest = fraction.mul_add(T::LN2_FULL.1, e);
    scale((r * r).mul_add(polynomial(r, T::EXP), rest) + r + T::ONE, k)
}
/// eˣ − 1 for |x| ≤ 60.
#[inline(always)]
pub fn expm1_pair<T: Float>(x: T) -> Pair<T> {
    let (r, rest, k) = reduce(x);
    let small = (r * r).mul_add(polynomial(r, T::EXP), rest.mul_add(r, rest));
    let power = T::power_of_two(k);
    let (sum, error) = two_sum(power - T::ONE, power * r);
    fast_two_sum(sum, power.mul_add(small, error))
}
#[inline(always)]
pub fn expm1<T: Float>(x: T) -> T {
    let near = expm1_pair(clamp(x, T::lit(-60.0), T::lit(60.0)));
    let near = T::select(x == T::ZERO, x, near.0 + near.1);
    T::select(x > T::lit(50.0), exp(x), near)
}
