//! erf, erfc, ndtr, erfinv.
//!
//! Up to 1 an odd polynomial. Beyond, erfc(x) = e^(−x²)·g(x), where (x+K)·g is a smooth function of (x−K)/(x+K) on the
//! whole half line (M. Shepherd and J. Laframboise, Math. Comp. 36, 1981). The argument may be a pair, which makes the
//! tails of the normal distribution as accurate as erfc itself.
use super::{
    bits::{clamp, fast_two_sum, multiply, polynomial, polynomial_pair, two_product, two_sum, Float, Pair},
    exp::{exp, exp_of_sum, scale},
    log::ln,
};

/// erfc(x + rest) for x ≥ 0, as a pair times 2ⁿ, `k = MAGIC + n`.
#[inline(always)]
fn erfc_pair<T: Float>(x: T, rest: T) -> (Pair<T>, T) {
    let (sum, sum_error) = two_sum(x, T::ERFCX_CENTRE);
    let (difference, difference_error) = two_sum(x, -T::ERFCX_CENTRE);
    let (sum_error, difference_error) = (sum_error + rest, difference_error + rest);
    let inverse = T::ONE / sum;
    let q = difference * inverse;
    let remainder = (-q).mul_add(sum, difference) + (-q).mul_add(sum_error, difference_error);
    let (t, t_error) = fast_two_sum(q, remainder * inverse);
    let (p, rounding) = polynomial_pair(t, T::ERFCX);
    // dp/dt from g′ = 2x·g − 2/√π: the effect of the rounding of t.
    let g = p * inverse;
    let slope = (x + x).mul_add(g, -T::lit(std::f64::consts::FRAC_2_SQRT_PI)).mul_add(sum, g);
    let p_error = rounding + t_error * slope * (sum * sum) * T::lit(0.5) / T::ERFCX_CENTRE;
    let inverse_error = inverse * ((-inverse).mul_add(sum, T::ONE) - inverse * sum_error);
    let g = multiply((p, p_error), (inverse, inverse_error));
    let (square, square_error) = two_product(x, x);
    let (e, k) = exp_of_sum(-square, -(x + x).mul_add(rest, square_error));
    (multiply(e, g), k)
}
/// erfc(x) for x ≥ 1 to a few units in the last place: enough where it is subtracted from one.
#[inline(always)]
fn erfc_rough<T: Float>(x: T) -> T {
    let (sum, difference) = (x + T::ERFCX_CENTRE, x - T::ERFCX_CENTRE);
    let inverse = T::ONE / sum;
    let t = difference * inverse;
    let t = (-t).mul_add(sum, difference).mul_add(inverse, t);
    let square = x * x;
    let square_error = x.mul_add(x, -square);
    let y = exp(-square) * polynomial(t, T::ERFCX) * inverse;
    (-y).mul_add(square_error, y)
}
#[inline(always)]
fn near<T: Float>(x: T) -> T {
    x * polynomial(x * x, T::ERF)
}
#[inline(always)]
pub fn erf<T: Float>(x: T) -> T {
    let a = x.abs();
    let far = T::ONE - erfc_rough(clamp(a, T::ZERO, T::lit(7.0)));
    T::select(a < T::ONE, x + near(x), far.copysign(x))
}
#[inline(always)]
pub fn erfc<T: Float>(x: T) -> T {
    let ((high, low), k) = erfc_pair(clamp(x.abs(), T::ZERO, T::ERFC_ZERO), T::ZERO);
    let (high, low) = fast_two_sum(high, low);
    let value = scale(high, k);
    let reflected = (T::TWO - value) - scale(low, k);
    T::select(x < T::ZERO, reflected, value)
}
/// erfc(−x/√2)/2.
#[inline(always)]
pub fn ndtr<T: Float>(x: T) -> T {
    let a = clamp(x.abs(), T::ZERO, T::ERFC_ZERO * T::lit(1.41));
    let (z, error) = two_product(a, T::FRAC_1_SQRT_2.0);
    let ((high, low), k) = erfc_pair(z, a.mul_add(T::FRAC_1_SQRT_2.1, error));
    let value = scale(high + low, k - T::ONE);
    T::select(x > T::ZERO, T::ONE - value, value)
}
/// A seed, polynomial in √(2 − ln(1−x²)), and one step of Halley's method on erf, or on erfc near one.
#[inline(always)]
pub fn erfinv<T: Float>(x: T) -> T {
    let a = x.abs();
    let complement = T::ONE - a;
    let w = -ln((-a).mul_add(a, T::ONE));
    let inside = T::select(a < T::ONE, (w + T::TWO).sqrt() - T::lit(4.0), T::ZERO);
    let z = a * polynomial(inside, T::ERFINV);
    let ((high, low), k) = erfc_pair(z, T::ZERO);
    let far = (scale(high, k) - complement) + scale(low, k);
    let error = T::select(a < T::lit(0.8), (a - z) - near(z), far);
    let step = error * T::lit(0.886_226_925_452_758) / exp(-(z * z));
    let y = z + step / (T::ONE - z * step);
    let y = T::select(a == T::ONE, T::INFINITY, y);
    let y = T::select(a <= T::ONE, y, T::NAN);
    T::select(a < T::MIN_POSITIVE, x * T::lit(0.886_226_925_452_758), y.copysign(x))
}
