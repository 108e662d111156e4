//! sinh, cosh, tanh and their inverses, on the exponential and the logarithm with their rounding errors kept.
use super::{
    bits::{clamp, divide, fast_two_sum, polynomial, two_sum, Float, Pair},
    exp::{exp_pair, expm1_pair, scale},
    log::{guarded, ln_of_sum},
};

/// e^|x| / 2 as a pair; only infinite where the hyperbolic functions are.
#[inline(always)]
fn half_exp<T: Float>(x: T) -> Pair<T> {
    let ((high, low), k) = exp_pair(clamp(x.abs(), T::ZERO, T::EXP_RANGE.1 + T::TWO));
    (scale(high, k - T::ONE), scale(low, k - T::ONE))
}
#[inline(always)]
pub fn sinh<T: Float>(x: T) -> T {
    let (e, low) = half_exp(x);
    let other = T::lit(0.25) / e;
    let far = e - (other - low);
    let z = x * x;
    let near = (x * z).mul_add(polynomial(z, T::SINH), x);
    T::select(x.abs() < T::ONE, near, far.copysign(x))
}
#[inline(always)]
pub fn cosh<T: Float>(x: T) -> T {
    let (e, low) = half_exp(x);
    e + (T::lit(0.25) / e + low)
}
/// (e²ˣ − 1)/(e²ˣ + 1).
#[inline(always)]
pub fn tanh<T: Float>(x: T) -> T {
    let a = clamp(x.abs(), T::ZERO, T::lit(22.0));
    let (high, low) = expm1_pair(a + a);
    let (denominator, error) = two_sum(high, T::TWO);
    let (q, rest) = divide((high, low), (denominator, error + low));
    (q + rest).copysign(x)
}
/// ln(|x| + √(x²+1)), as log1p(|x| + x²/(1+√(x²+1))).
#[inline(always)]
pub fn asinh<T: Float>(x: T) -> T {
    let a = x.abs();
    let huge = a > T::ONE / T::MIN_POSITIVE.sqrt().sqrt();
    let b = T::select(huge, T::ONE, a);
    let z = b * b;
    let growth = z / (T::ONE + (z + T::ONE).sqrt());
    let (u, u_error) = two_sum(b, growth);
    let (sum, error) = two_sum(T::ONE, u);
    let (sum, error) = (T::select(huge, a, sum), T::select(huge, T::ZERO, error + u_error));
    let (high, low) = ln_of_sum(sum, error, T::ZERO);
    let doubled = T::select(huge, T::LN2_FULL.0, T::ZERO);
    let y = guarded(sum, doubled + high + low);
    T::select(a < T::MIN_POSITIVE, x, y.copysign(x))
}
/// ln(x + √(x²−1)), as log1p(t + √(2t+t²)) with t = x − 1.
#[inline(always)]
pub fn acosh<T: Float>(x: T) -> T {
    let huge = x > T::ONE / T::MIN_POSITIVE.sqrt().sqrt();
    let t = T::select(huge, T::ONE, x - T::ONE);
    let (u, u_error) = two_sum(t, t.mul_add(t, t + t).sqrt());
    let (sum, error) = two_sum(T::ONE, u);
    let (sum, error) = (T::select(huge, x, sum), T::select(huge, T::ZERO, error + u_error));
    let (high, low) = ln_of_sum(sum, error, T::ZERO);
    let doubled = T::select(huge, T::LN2_FULL.0, T::ZERO);
    T::select(x < T::ONE, T::NAN, guarded(sum, doubled + high + low))
}
/// ½·log1p(2x/(1−x)).
#[inline(always)]
pub fn atanh<T: Float>(x: T) -> T {
    let a = x.abs();
    let (q, rest) = divide((a + a, T::ZERO), two_sum(T::ONE, -a));
    let (sum, error) = two_sum(T::ONE, q);
    let (error, rest) = fast_two_sum(error, rest);
    let (high, low) = ln_of_sum(sum, error, rest);
    let y = T::select(a == T::ONE, T::INFINITY, T::HALF * (high + low));
    let y = T::select(a <= T::ONE, y, T::NAN);
    T::select(a < T::MIN_POSITIVE, x, y.copysign(x))
}
