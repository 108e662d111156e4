//! The bits of a float, numbers held as unevaluated sums of two floats, and polynomials.
use super::{coefficients::Coefficients, Real};

/// What the generic functions need to know about a format.
pub trait Float: Real + Coefficients {
    const ZERO: Self;
    const ONE: Self;
    const TWO: Self;
    const HALF: Self;
    const NAN: Self;
    const INFINITY: Self;
    const MIN_POSITIVE: Self;
    /// 1.5·2^p, p the number of stored mantissa bits: adding it to n leaves the integer n in the low bits.
    const MAGIC: Self;
    /// A power of two that makes subnormal numbers normal, and its exponent.
    const NORMALISING: (Self, Self);
    /// ln 2 with so few bits that its multiples by an exponent are exact, and the rest (fdlibm's split).
    const LN2: (Self, Self);
    /// ln 2 rounded, and the rest.
    const LN2_FULL: (Self, Self);
    const LOG2_E: (Self, Self);
    const LOG10_E: (Self, Self);
    /// π/2 in three parts.
    const FRAC_PI_2: (Self, Self, Self);
    const FRAC_2_PI: Self;
    const FRAC_1_SQRT_2: (Self, Self);
    /// Arguments of `exp` between which the result is neither zero nor infinite, rounded outwards.
    const EXP_RANGE: (Self, Self);
    /// Up to this size of the argument the result of `exp` is a normal number.
    const EXP_NORMAL: Self;
    /// Up to here the reduction of an angle by three parts of π/2 is accurate.
    const ANGLE_MAX: Self;
    /// 2^n, for n the low bits of `k = MAGIC + n`, in the normal range.
    fn power_of_two(k: Self) -> Self;
    /// `x·2^n`, for n the low bits of `k = MAGIC + n`, where `x` and the product are normal numbers.
    fn shifted(x: Self, k: Self) -> Self;
    /// Bit `i` of the integer held in the low bits of `k`.
    fn bit(k: Self, i: u32) -> bool;
    /// `x = m·2^e` with m in [√½, √2), for positive normal `x`.
    fn split(x: Self) -> (Self, Self);
    /// C's `fmod`, of the standard library.
    fn exact_remainder(x: Self, y: Self) -> Self;
}

macro_rules! float {
    ($t:ident, $bits:ident, $mantissa:literal, normalising $normal:expr, ln2 $ln2:expr, rest $ln2_rest:expr,
     log2e $log2e:expr, log10e $log10e:expr, pi $pi:expr, root $root:expr, exp $exp:expr, normal $exp_normal:expr, angle $angle:expr) => {
        impl Float for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const TWO: $t = 2.0;
            const HALF: $t = 0.5;
            const NAN: $t = $t::NAN;
            const INFINITY: $t = $t::INFINITY;
            const MIN_POSITIVE: $t = $t::MIN_POSITIVE;
            const MAGIC: $t = 1.5 * (1u64 << $mantissa) as $t;
            const NORMALISING: ($t, $t) = $normal;
            const LN2: ($t, $t) = $ln2;
            const LN2_FULL: ($t, $t) = (std::$t::consts::LN_2, $ln2_rest);
            const LOG2_E: ($t, $t) = (std::$t::consts::LOG2_E, $log2e);
            const LOG10_E: ($t, $t) = (std::$t::consts::LOG10_E, $log10e);
            const FRAC_PI_2: ($t, $t, $t) = (std::$t::consts::FRAC_PI_2, $pi.0, $pi.1);
            const FRAC_2_PI: $t = std::$t::consts::FRAC_2_PI;
            const FRAC_1_SQRT_2: ($t, $t) = (std::$t::consts::FRAC_1_SQRT_2, $root);
            const EXP_RANGE: ($t, $t) = $exp;
            const EXP_NORMAL: $t = $exp_normal;
            const ANGLE_MAX: $t = $angle;
            #[inline(always)]
            fn power_of_two(k: $t) -> $t {
                $t::from_bits((k.to_bits() << $mantissa).wrapping_add((1.0 as $t).to_bits()))
            }
            #[inline(always)]
            fn shifted(x: $t, k: $t) -> $t {
                $t::from_bits(x.to_bits().wrapping_add(k.to_bits() << $mantissa))
            }
            #[inline(always)]
            fn bit(k: $t, i: u32) -> bool {
                (k.to_bits() >> i) & 1 == 1
            }
            #[inline(always)]
            fn split(x: $t) -> ($t, $t) {
                const ONE: $bits = (1.0 as $t).to_bits();
                const ROOT: $bits = std::$t::consts::FRAC_1_SQRT_2.to_bits();
                const MASK: $bits = (1 << $mantissa) - 1;
                const WHOLE: $t = (1u64 << $mantissa) as $t;
                let shifted = x.to_bits().wrapping_add(ONE - ROOT);
                let m = $t::from_bits((shifted & MASK).wrapping_add(ROOT));
                // The biased exponent, placed in the low bits of 2^p, reads as a float without an integer conversion.
                let biased = $t::from_bits((shifted >> $mantissa) | WHOLE.to_bits());
                (m, biased - (WHOLE + (ONE >> $mantissa) as $t))
            }
            #[inline(always)]
            fn exact_remainder(x: $t, y: $t) -> $t {
                x % y
            }
        }
    };
}
float! {
    f32, u32, 23, normalising (33554432.0, 25.0), ln2 (6.931_381e-1, 9.058_001e-6), rest -1.9046542e-9,
    log2e 1.925963e-8, log10e -1.010305e-8, pi (-4.371139e-8, -1.7151245e-15), root 1.210_161_75e-8,
    exp (-104.0, 89.0), normal 87.0, angle 65536.0
}
float! {
    f64, u64, 52, normalising (18014398509481984.0, 54.0),
    ln2 (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10), rest 2.3190468138462996e-17,
    log2e 2.0355273740931033e-17, log10e 1.098319650216765e-17,
    pi (6.123233995736766e-17, -1.4973849048591698e-33), root -4.833646656726457e-17,
    exp (-746.0, 710.0), normal 708.0, angle 1099511627776.0
}

/// An unevaluated sum of a number and a much smaller one.
pub type Pair<T> = (T, T);

/// `a + b` and its rounding error, for |a| ≥ |b| or a = 0 (Dekker).
#[inline(always)]
pub fn fast_two_sum<T: Float>(a: T, b: T) -> Pair<T> {
    let s = a + b;
    (s, b - (s - a))
}
/// `a + b` and its rounding error (Knuth).
#[inline(always)]
pub fn two_sum<T: Float>(a: T, b: T) -> Pair<T> {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}
/// `a · b` and its rounding error.
#[inline(always)]
pub fn two_product<T: Float>(a: T, b: T) -> Pair<T> {
    let p = a * b;
    (p, a.mul_add(b, -p))
}
/// Product of two pairs.
#[inline(always)]
pub fn multiply<T: Float>(a: Pair<T>, b: Pair<T>) -> Pair<T> {
    let (p, e) = two_product(a.0, b.0);
    (p, e + a.0.mul_add(b.1, a.1 * b.0))
}
/// Quotient of two pairs, with one division.
#[inline(always)]
pub fn divide<T: Float>(a: Pair<T>, b: Pair<T>) -> Pair<T> {
    let inverse = T::ONE / b.0;
    let q = a.0 * inverse;
    let rest = (-q).mul_add(b.0, a.0) + (-q).mul_add(b.1, a.1);
    (q, rest * inverse)
}
/// Polynomial with coefficients from the constant term on, by Estrin's scheme (1960): the steps that wait for each other
/// are few, so that a processor works on several at once.
#[inline(always)]
pub fn polynomial<T: Float>(x: T, coefficients: &[T]) -> T {
    let two = x * x;
    let four = two * two;
    // Up to four terms from the first one on.
    let part = |c: &[T]| match *c {
        [a, b, c, d, ..] => d.mul_add(x, c).mul_add(two, b.mul_add(x, a)),
        [a, b, c] => c.mul_add(two, b.mul_add(x, a)),
        [a, b] => b.mul_add(x, a),
        [a] => a,
        [] => T::ZERO,
    };
    let from = |n: usize| part(coefficients.get(n..).unwrap_or_default());
    match coefficients.len() {
        0..=4 => from(0),
        5..=8 => from(4).mul_add(four, from(0)),
        9..=12 => from(8).mul_add(four * four, from(4).mul_add(four, from(0))),
        13..=16 => {
            let high = from(12).mul_add(four, from(8));
            high.mul_add(four * four, from(4).mul_add(four, from(0)))
        }
        _ => {
            // Longer ones eight terms at a time.
            let eight = four * four;
            let mut n = (coefficients.len() - 1) / 8 * 8;
            let mut p = from(n + 4).mul_add(four, from(n));
            while n > 0 {
                n -= 8;
                p = p.mul_add(eight, from(n + 4).mul_add(four, from(n)));
            }
            p
        }
    }
}
/// The same with the rounding errors of the last two steps.
#[inline(always)]
pub fn polynomial_pair<T: Float>(x: T, coefficients: &[T]) -> Pair<T> {
    match coefficients {
        [first, second, rest @ ..] => {
            let (p, p_error) = two_product(x, polynomial(x, rest));
            let (p, error) = two_sum(*second, p);
            let (q, q_error) = two_product(x, p);
            let (q, more) = two_sum(*first, q);
            (q, more + x.mul_add(error + p_error, q_error))
        }
        _ => (polynomial(x, coefficients), T::ZERO),
    }
}
/// `x` within bounds; NaN stays.
#[inline(always)]
pub fn clamp<T: Float>(x: T, low: T, high: T) -> T {
    let x = T::select(x < low, low, x);
    T::select(x > high, high, x)
}
