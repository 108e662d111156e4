//! asin, acos, atan, atan2.
//!
//! asin after fdlibm: a polynomial up to ½, and asin(x) = π/2 − 2·asin(√((1−x)/2)) above. atan: one polynomial on
//! [0, 1], and atan(x) = π/2 − atan(1/x) above.
use super::bits::{fast_two_sum, polynomial, two_sum, Float};

/// asin of |x| as `s + s·p` if below ½; else its complement to π/2 is twice that.
#[inline(always)]
fn arc<T: Float>(x: T) -> (bool, T, T) {
    let a = x.abs();
    let large = a > T::HALF;
    let z = T::select(large, (T::ONE - a) * T::HALF, a * a);
    let s = T::select(large, z.sqrt(), a);
    (large, s, s * z * polynomial(z, T::ASIN))
}
#[inline(always)]
pub fn asin<T: Float>(x: T) -> T {
    let (large, s, p) = arc(x);
    let (high, low) = fast_two_sum(T::FRAC_PI_2.0, -(s + s));
    let complement = high + (low + (T::FRAC_PI_2.1 - (p + p)));
    let y = T::select(large, complement, s + p);
    T::select(x == T::ZERO, x, y.copysign(x))
}
#[inline(always)]
pub fn acos<T: Float>(x: T) -> T {
    let (large, s, p) = arc(x);
    let positive = x > T::ZERO;
    let (s, p) = (T::select(large, s + s, s), T::select(large, p + p, p));
    // π/2 − asin x; π − 2·asin √((1+x)/2); 2·asin √((1−x)/2).
    let turn = T::select(large, T::FRAC_PI_2.0 + T::FRAC_PI_2.0, T::FRAC_PI_2.0);
    let rest = T::select(large, T::FRAC_PI_2.1 + T::FRAC_PI_2.1, T::FRAC_PI_2.1);
    let (sign_s, sign_p) = (T::select(positive | large, -s, s), T::select(positive | large, -p, p));
    let (high, low) = fast_two_sum(turn, sign_s);
    T::select(large & positive, s + p, high + (low + (rest + sign_p)))
}
/// `atan(t) − t`, for 0 ≤ t ≤ 1.
#[inline(always)]
fn bend<T: Float>(t: T) -> T {
    let z = t * t;
    t * z * polynomial(z, T::ATAN)
}
#[inline(always)]
pub fn atan<T: Float>(x: T) -> T {
    let a = x.abs();
    let large = a > T::ONE;
    let inverse = T::ONE / a;
    let t = T::select(large, inverse, a);
    let error = (-inverse).mul_add(a, T::ONE) * inverse * (-T::HALF * t).mul_add(t, T::ONE);
    let error = T::select(large & (a < T::lit(1e30)), error, T::ZERO);
    let small = bend(t) + error;
    let (high, low) = fast_two_sum(T::FRAC_PI_2.0, -t);
    let y = T::select(large, high + (low + (T::FRAC_PI_2.1 - small)), t + small);
    y.copysign(x)
}
#[inline(always)]
pub fn atan2<T: Float>(y: T, x: T) -> T {
    let (a, b) = (x.abs(), y.abs());
    let steep = b > a;
    let (small, large) = (T::select(steep, a, b), T::select(steep, b, a));
    let t = small / large;
    // On the diagonal, also at infinity; and the origin.
    let t = T::select(small == large, T::select(small == T::ZERO, T::ZERO, T::ONE), t);
    let bend = bend(t);
    let left = T::ONE.copysign(x) < T::ZERO;
    let level = T::select(left, T::FRAC_PI_2.0 + T::FRAC_PI_2.0, T::ZERO);
    let level_rest = T::select(left, T::FRAC_PI_2.1 + T::FRAC_PI_2.1, T::ZERO);
    let base = T::select(steep, T::FRAC_PI_2.0, level);
    let rest = T::select(steep, T::FRAC_PI_2.1, level_rest);
    let minus = steep ^ left;
    let (high, low) = two_sum(base, T::select(minus, -t, t));
    let angle = high + (low + (rest + T::select(minus, -bend, bend)));
    T::select(x.is_nan() | y.is_nan(), x + y, angle.copysign(y))
}
