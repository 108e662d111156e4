//! lgamma and digamma, in either precision; single precision computes in double with shorter polynomials.
//!
//! Near the zeros at 1 and 2 a polynomial times the distance to the zero; beyond 5/2 (2 for digamma) Stirling's formula
//! with a minimax polynomial instead of the divergent series; below, one step of the recurrence; negative arguments by
//! reflection (Abramowitz & Stegun 6.1.17, 6.3.7).
use super::{
    bits::{divide, fast_two_sum, multiply, polynomial, polynomial_pair, two_product, two_sum, Float, Pair},
    coefficients as c,
    log::{ln_of_sum, ln_pair},
    trig::{cos_kernel, sin_kernel},
    Real,
};

/// Polynomials for one precision.
struct Terms {
    lgamma: &'static [f64],
    binet: &'static [f64],
    digamma: &'static [f64],
    digamma_tail: &'static [f64],
}
const LONG: Terms = Terms { lgamma: c::LGAMMA, binet: c::BINET, digamma: c::DIGAMMA, digamma_tail: c::DIGAMMA_TAIL };
const SHORT: Terms = Terms {
    lgamma: c::LGAMMA_SHORT,
    binet: c::BINET_SHORT,
    digamma: c::DIGAMMA_SHORT,
    digamma_tail: c::DIGAMMA_TAIL_SHORT,
};
/// The zero of digamma between 1 and 2, in two parts.
const ZERO: Pair<f64> = (1.4616321449683622, 9.549995429965697e-17);
/// ½·ln 2π − ½, in two parts.
const STIRLING: Pair<f64> = (0.4189385332046727, 1.6728209650585413e-17);
const LN_PI: Pair<f64> = (1.1447298858494002, 1.0265951162707826e-17);
/// ln Γ overflows from here on.
const LGAMMA_MAX: f64 = 2.55e305;

/// Where the straight-line forms hold: not for negative arguments. NaN fits.
#[inline(always)]
pub fn fits<T: Float>(x: T) -> bool {
    (x >= T::ZERO) | x.is_nan()
}
/// ln Γ(x) for 0 < x < 2.55e305.
#[inline(always)]
fn lgamma_positive(x: f64, terms: &Terms) -> Pair<f64> {
    let (ln, ln_rest) = ln_pair(x);
    // Γ(x) = Γ(x+1)/x near 1 and below.
    let low = x < 1.25;
    let w = Real::select(low, x - 1.0, x - 2.0);
    let (product, product_error) = multiply((w, 0.0), polynomial_pair(w, terms.lgamma));
    let (step, step_rest) = (Real::select(low, ln, 0.0), Real::select(low, ln_rest, 0.0));
    let (near, error) = two_sum(product, -step);
    let near_rest = error + (product_error - step_rest);
    // (x−½)·(ln x − 1) + ½·ln 2π − ½ + μ(x).
    let inverse = 1.0 / x;
    let binet = inverse * polynomial(inverse * inverse, terms.binet);
    let (l, l_error) = two_sum(ln, -1.0);
    let (p, p_error) = multiply((x - 0.5, 0.0), (l, l_error + ln_rest));
    let (far, error) = two_sum(p, STIRLING.0);
    let far_rest = error + (p_error + (STIRLING.1 + binet));
    let is_far = x > 2.5;
    fast_two_sum(Real::select(is_far, far, near), Real::select(is_far, far_rest, near_rest))
}
#[inline(always)]
fn lgamma(x: f64, terms: &Terms) -> f64 {
    let (high, low) = lgamma_positive(x, terms);
    let value = Real::select(x < LGAMMA_MAX, high + low, lgamma_huge(x));
    let value = Real::select(x == 0.0, f64::INFINITY, value);
    Real::select(Real::is_nan(x), x, value)
}
/// x·(ln x − 1), computed a little smaller so that it overflows where the function does.
#[inline(always)]
fn lgamma_huge(x: f64) -> f64 {
    let ln = ln_pair(x);
    let value = (x * 0.5) * ((ln.0 - 1.0) + ln.1);
    Real::select(x == f64::INFINITY, x, value * 2.0)
}
/// ψ(x) for positive finite `x`.
#[inline(always)]
fn digamma_positive(x: f64, terms: &Terms) -> Pair<f64> {
    // ψ(x) = ψ(x+1) − 1/x below 1.
    let low = x < 1.0;
    let (u, u_error) = two_sum(x, Real::select(low, 1.0, 0.0));
    let near = from_zero(u, u_error, terms);
    let inverse = 1.0 / x;
    let step = Real::select(low, inverse, 0.0);
    let step_error = Real::mul_add(-step, x, Real::select(low, 1.0, 0.0)) * step;
    let (head, error) = two_sum(near.0, -step);
    let rest = Real::select(x > 1e-200, error + (near.1 - step_error), 0.0);
    // ln x − 1/(2x) − tail(1/x²)/x².
    let (ln, ln_rest) = ln_pair(x);
    let z = inverse * inverse;
    let (far, far_error) = fast_two_sum(ln, -0.5 * inverse);
    let far_rest = far_error + (ln_rest - z * polynomial(z, terms.digamma_tail));
    (Real::select(x < 2.0, head, far), Real::select(x < 2.0, rest, far_rest))
}
#[inline(always)]
fn digamma(x: f64, terms: &Terms) -> f64 {
    let (high, low) = digamma_positive(x, terms);
    let value = Real::select(x == f64::INFINITY, x, high + low);
    Real::select(x == 0.0, -f64::INFINITY.copysign(x), value)
}
/// ψ(u + rest) for 1 ≤ u ≤ 2, as a multiple of the distance to its zero.
#[inline(always)]
fn from_zero(u: f64, rest: f64, terms: &Terms) -> Pair<f64> {
    multiply((u - ZERO.0, rest - ZERO.1), polynomial_pair(u - 1.5, terms.digamma))
}
/// sin and cos of π·(a − round(a)).
fn half_turns(a: f64) -> (Pair<f64>, Pair<f64>) {
    let r = a - a.round_ties_even();
    let pi = (2.0 * f64::FRAC_PI_2.0, 2.0 * f64::FRAC_PI_2.1);
    // The kernels hold up to π/4: beyond, sine and cosine of the complement change places.
    let complement = r.abs() > 0.25;
    let small = if complement { 0.5 - r.abs() } else { r.abs() };
    let (angle, error) = two_product(small, pi.0);
    let angle = (angle, small.mul_add(pi.1, error));
    let (s, c) = (sin_kernel(angle), cos_kernel(angle));
    let (s, c) = if complement { (c, s) } else { (s, c) };
    let sign = |p: Pair<f64>| if r < 0.0 { (-p.0, -p.1) } else { p };
    (sign(fast_two_sum(s.0, s.1)), fast_two_sum(c.0, c.1))
}
/// ln|Γ(−a)| = ln π − ln|a·sin πa| − ln Γ(a).
fn lgamma_any(x: f64, terms: &Terms) -> f64 {
    if x > 0.0 || Real::is_nan(x) {
        return lgamma(x, terms);
    }
    let a = -x;
    if a == a.trunc() {
        return f64::INFINITY;
    }
    if a < 1e-30 {
        return -ln_value(a);
    }
    let (s, _) = half_turns(a);
    let product = multiply((s.0.abs(), if s.0 < 0.0 { -s.1 } else { s.1 }), (a, 0.0));
    let product = fast_two_sum(product.0, product.1);
    let ln = ln_of_sum(product.0, product.1, 0.0);
    let gamma = lgamma_positive(a, terms);
    let (sum, error) = two_sum(LN_PI.0, -ln.0);
    let (sum, more) = two_sum(sum, -gamma.0);
    sum + (error + more + (LN_PI.1 - ln.1 - gamma.1))
}
fn ln_value(a: f64) -> f64 {
    let (high, low) = ln_pair(a);
    high + low
}
/// ψ(−a) = ψ(1 + a) + π·cot(πa), ψ(1 + a) = ψ(a) + 1/a.
fn digamma_any(x: f64, terms: &Terms) -> f64 {
    if fits(x) {
        return digamma(x, terms);
    }
    let a = -x;
    if a == a.trunc() {
        return f64::NAN;
    }
    if a < 1e-30 {
        return 1.0 / a;
    }
    let (s, c) = half_turns(a);
    let cotangent = divide(c, s);
    let (pole, pole_error) = multiply(cotangent, (2.0 * f64::FRAC_PI_2.0, 2.0 * f64::FRAC_PI_2.1));
    // With a below 1 the recurrence inside ψ(a) would subtract the same 1/a.
    let (next, next_error) = if a < 1.0 {
        let (u, error) = fast_two_sum(1.0, a);
        from_zero(u, error, terms)
    } else {
        let (gamma, rest) = digamma_positive(a, terms);
        let step = 1.0 / a;
        let (sum, error) = two_sum(gamma, step);
        (sum, error + ((-step).mul_add(a, 1.0) * step + rest))
    };
    let (sum, error) = two_sum(pole, next);
    sum + (error + (pole_error + next_error))
}
/// The functions of one precision.
macro_rules! precision { ($t:ident, $terms:ident) => {
    pub mod $t {
        use super::$terms as TERMS;
        precision! { @ $t lgamma lgamma_any digamma digamma_any }
    }
}; (@ $t:ident $($f:ident)*) => { $(
    #[inline(always)]
    pub fn $f(x: $t) -> $t {
        super::$f(x as f64, &TERMS) as $t
    }
)* } }
precision! { f64, LONG }
precision! { f32, SHORT }
