//! pow and hypot, in either precision.
use super::{
    bits::{fast_two_sum, multiply, polynomial, two_sum, Float, Pair},
    coefficients::{EXP_SHORT, LN_SHORT, LN_TAIL},
    exp::{exp_of_sum, scale},
    log::split,
    Real,
};

/// ln(x) to about 2⁻⁶⁸, for positive finite `x`: the series of the atanh with its leading terms in pairs.
#[inline(always)]
fn ln_precise(x: f64) -> Pair<f64> {
    let (m, e) = split(x);
    let f = m - 1.0;
    let (sum, sum_error) = fast_two_sum(2.0, f);
    let inverse = 1.0 / sum;
    let s = f * inverse;
    let s_error = ((-s).mul_add(sum, f) - s * sum_error) * inverse;
    let z = s * s;
    let z_error = s.mul_add(s, -z) + 2.0 * s * s_error;
    // 2·atanh(s)/s = 2 + z·(2/3 + z·tail).
    let (c, c_error) = fast_two_sum(2.0 / 3.0, z * polynomial(z, LN_TAIL));
    let (u, u_error) = multiply((z, z_error), (c, c_error + 3.700743415417188e-17));
    let (u, error) = fast_two_sum(2.0, u);
    let (high, low) = multiply((s, s_error), (u, error + u_error));
    let (high, error) = two_sum(e * f64::LN2.0, high);
    fast_two_sum(high, e.mul_add(f64::LN2.1, low) + error)
}
/// The special cases of C99's pow; `magnitude` is |x|ʸ for all others.
#[inline(always)]
fn special<T: Float>(x: T, y: T, magnitude: T) -> T {
    let half = y * T::HALF;
    let whole = y.trunc() == y;
    let odd = whole & (half.trunc() != half);
    let negative = T::ONE.copysign(x) < T::ZERO;
    let magnitude = T::select(x.abs() == T::ONE, T::ONE, magnitude);
    let value = T::select(negative & odd, -magnitude, magnitude);
    let value = T::select((x < T::ZERO) & (x > -T::INFINITY) & !whole, T::NAN, value);
    let value = T::select(x.is_nan() | y.is_nan(), T::NAN, value);
    T::select((y == T::ZERO) | (x == T::ONE), T::ONE, value)
}
/// ln|x| at the ends, where the series does not hold.
#[inline(always)]
fn ends<T: Float>(a: T, ln: T) -> T {
    let ln = T::select(a == T::ZERO, -T::INFINITY, ln);
    T::select(a == T::INFINITY, T::INFINITY, ln)
}

pub mod f64 {
    use super::*;

    /// exp(y·ln|x|), logarithm and product in pairs.
    #[inline(always)]
    pub fn pow(x: f64, y: f64) -> f64 {
        let a = Real::abs(x);
        let (high, low) = ln_precise(a);
        let p = y * ends(a, high);
        let error = Real::mul_add(y, high, -p) + y * low;
        let inside = (p > -746.0) & (p < 710.0);
        // Where y·ln|x| overflows or underflows its error would not be a number.
        let error = Real::select(inside, error, 0.0);
        let p = Real::select(p > 710.0, 710.0, p);
        let p = Real::select(p < -746.0, -746.0, p);
        let ((high, low), k) = exp_of_sum(p, error);
        special(x, y, scale(high + low, k))
    }
    /// √(x² + y²), scaled by a power of two where the squares would overflow or underflow.
    #[inline(always)]
    pub fn hypot(x: f64, y: f64) -> f64 {
        let (a, b) = (Real::abs(x), Real::abs(y));
        let large = Real::select(a > b, a, b);
        let small = Real::select(a > b, b, a);
        let factor = Real::select(large > 1e150, 2f64.powi(-600), 1.0);
        let factor = Real::select(large < 1e-120, 2f64.powi(600), factor);
        let back = Real::select(large > 1e150, 2f64.powi(600), 1.0);
        let back = Real::select(large < 1e-120, 2f64.powi(-600), back);
        let (large, small) = (large * factor, small * factor);
        let root = Real::sqrt(Real::mul_add(large, large, small * small)) * back;
        Real::select((a == f64::INFINITY) | (b == f64::INFINITY), f64::INFINITY, root)
    }
}
pub mod f32 {
    use super::*;

    /// In double precision with shorter polynomials.
    #[inline(always)]
    pub fn pow(x: f32, y: f32) -> f32 {
        let a = Real::abs(x) as f64;
        // No single-precision number is subnormal in double precision.
        let (m, e) = <f64 as Float>::split(a);
        let f = m - 1.0;
        let s = f / (2.0 + f);
        let z = s * s;
        let ln = Real::mul_add(s, Real::mul_add(z, polynomial(z, LN_SHORT), 2.0), e * std::f64::consts::LN_2);
        let p = y as f64 * ends(a, ln);
        let p = Real::select(p > 100.0, 100.0, p);
        let p = Real::select(p < -120.0, -120.0, p);
        let k = Real::mul_add(p, f64::LOG2_E.0, f64::MAGIC);
        let r = Real::mul_add(f64::MAGIC - k, f64::LN2_FULL.0, p);
        let power = Real::mul_add(r * r, polynomial(r, EXP_SHORT), r) + 1.0;
        special(x, y, (power * f64::power_of_two(k)) as f32)
    }
    #[inline(always)]
    pub fn hypot(x: f32, y: f32) -> f32 {
        let (a, b) = (x as f64, y as f64);
        let root = Real::sqrt(Real::mul_add(a, a, b * b)) as f32;
        Real::select((Real::abs(x) == f32::INFINITY) | (Real::abs(y) == f32::INFINITY), f32::INFINITY, root)
    }
}
