//! Polygamma functions of order n ≥ 1, by the Hurwitz zeta function: ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ n! ζ(n+1, x).
//!
//! The leading terms of the series are added as pairs of doubles, the rest by the Euler–Maclaurin formula (Abramowitz &
//! Stegun 23.1.30). Powers are held relative to the largest term, so that only the result can overflow. Scalar code:
//! these functions are the slopes of digamma, at second order and beyond.
use super::bits::{divide, multiply, two_sum, Float, Pair};

/// B₂ⱼ/(2j)! for j from 1 on.
const BERNOULLI: [f64; 12] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30240.0,
    -1.0 / 1209600.0,
    1.0 / 47900160.0,
    -691.0 / 1307674368000.0,
    1.0 / 74724249600.0,
    -3617.0 / 10670622842880000.0,
    43867.0 / 5109094217170944000.0,
    -174611.0 / 802857662698291200000.0,
    77683.0 / 14101100039391805440000.0,
    -236364091.0 / 1693824136731743669452800000.0,
];
/// A pair times a power of two.
type Scaled = (Pair<f64>, i64);

fn add(a: Pair<f64>, b: Pair<f64>) -> Pair<f64> {
    let (sum, error) = two_sum(a.0, b.0);
    two_sum(sum, error + (a.1 + b.1))
}
fn minus(a: Pair<f64>) -> Pair<f64> {
    (-a.0, -a.1)
}
/// `x · 2^k`, in steps that do not overflow before the result does.
fn times_power(mut x: f64, k: i64) -> f64 {
    let mut k = k.clamp(-8000, 8000);
    while k > 1000 {
        (x, k) = (x * 2f64.powi(1000), k - 1000);
    }
    while k < -1000 {
        (x, k) = (x * 2f64.powi(-1000), k + 1000);
    }
    x * 2f64.powi(k as i32)
}
/// The same number with its leading part near 1.
fn normal((p, k): Scaled) -> Scaled {
    if p.0 == 0.0 || !p.0.is_finite() {
        return (p, k);
    }
    let small = p.0.abs() < f64::MIN_POSITIVE;
    let (_, exponent) = f64::split(if small { p.0.abs() * f64::NORMALISING.0 } else { p.0.abs() });
    let e = exponent as i64 - if small { f64::NORMALISING.1 as i64 } else { 0 };
    ((times_power(p.0, -e), times_power(p.1, -e)), k + e)
}
fn power(x: Scaled, mut n: u32) -> Scaled {
    let (mut square, mut result) = (normal(x), ((1.0, 0.0), 0));
    loop {
        if n & 1 == 1 {
            result = normal((multiply(result.0, square.0), result.1 + square.1));
        }
        n >>= 1;
        if n == 0 {
            return result;
        }
        square = normal((multiply(square.0, square.0), 2 * square.1));
    }
}
/// Power of a number of at most 1, which may underflow.
fn power_below_one(mut square: Pair<f64>, mut n: u32) -> Pair<f64> {
    let mut result = (1.0, 0.0);
    loop {
        if n & 1 == 1 {
            result = multiply(result, square);
        }
        n >>= 1;
        if n == 0 || square.0 == 0.0 {
            return result;
        }
        square = multiply(square, square);
    }
}
fn factorial(n: u32) -> Scaled {
    let mut product = ((1.0, 0.0), 0);
    for j in 2..=n {
        product.0 = multiply(product.0, (f64::from(j), 0.0));
        if product.0 .0 > 1e200 {
            product = normal(product);
        }
    }
    normal(product)
}
/// baseˢ · Σₖ (from + k)⁻ˢ over k ≥ 0, for 0 < base ≤ from.
fn zeta(s: u32, base: Pair<f64>, from: Pair<f64>) -> Pair<f64> {
    let order = f64::from(s);
    // From here on twelve terms of the Euler–Maclaurin sum are enough for any order.
    let start = 10.0 + 0.75 * order;
    let (mut a, mut sum) = (from, (0.0, 0.0));
    while a.0 < start {
        let term = power_below_one(divide(base, a), s);
        sum = add(sum, term);
        // The terms that follow are together below the integral of the next.
        if term.0 * (1.0 + a.0 / (order - 1.0)) < sum.0 * 2f64.powi(-70) {
            return sum;
        }
        a = add(a, (1.0, 0.0));
    }
    let inverse = 1.0 / a.0;
    let mut factor = order * inverse;
    let mut rest = 0.0;
    for (j, b) in BERNOULLI.iter().enumerate() {
        rest += b * factor;
        let k = order + (2 * j + 1) as f64;
        factor *= (k * inverse) * ((k + 1.0) * inverse);
    }
    // a^(1−s)/(s−1) + a^−s/2 + …, relative to a^−s.
    let integral = divide(a, (order - 1.0, 0.0));
    let tail = add(add(integral, (0.5, 0.0)), (rest, 0.0));
    add(sum, multiply(power_below_one(divide(base, a), s), tail))
}
/// The derivative of order `n` ≥ 1 of the digamma function; at the poles ±∞, as PyTorch.
///
/// Between negative integers and of even order it has zeros, near which the error is that of the terms that cancel.
#[inline(never)]
pub fn polygamma(n: u32, x: f64) -> f64 {
    let s = n + 1;
    let odd = s % 2 == 1;
    let sign = if odd { -1.0 } else { 1.0 };
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x == f64::INFINITY {
        return sign * 0.0;
    }
    if x <= 0.0 && x == x.trunc() {
        return sign * f64::INFINITY;
    }
    if x > 0.0 {
        return sign * finish(n, (x, 0.0), zeta(s, (x, 0.0), (x, 0.0)));
    }
    // The terms x, x+1, … are all r+k for integers k, without those below x. (−1)ˢ turns negative terms round.
    let r = x - x.round_ties_even();
    let beyond = two_sum(1.0, -x);
    if odd && r.abs() == 0.5 {
        // All of them cancel in pairs.
        return sign * finish(n, beyond, zeta(s, beyond, beyond));
    }
    let base = (r.abs(), 0.0);
    let nearest = if odd && r < 0.0 { -1.0 } else { 1.0 };
    let above = zeta(s, base, two_sum(1.0, r));
    let below = add(zeta(s, base, two_sum(1.0, -r)), minus(zeta(s, base, beyond)));
    sign * finish(n, base, add((nearest, 0.0), add(above, if odd { minus(below) } else { below })))
}
/// n! · sum / baseⁿ⁺¹.
fn finish(n: u32, base: Pair<f64>, sum: Pair<f64>) -> f64 {
    let (below, below_power) = power((base, 0), n + 1);
    let (sum, sum_power) = normal((sum, 0));
    let (whole, whole_power) = factorial(n);
    let (high, low) = divide(multiply(whole, sum), below);
    times_power(high + low, whole_power + sum_power - below_power)
}
