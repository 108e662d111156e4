//! Elementary and special functions on `f32` and `f64`, written so that the compiler vectorises them.
//!
//! Every function is straight-line code: polynomials, fused multiply-adds, exponent bit tricks, and selections between
//! values that are all computed. Inlined into a loop compiled for AVX2 or AVX-512 it becomes SIMD code; elsewhere it is
//! correct scalar code. Errors are at most 2 units in the last place (the tests hold the bound of each function), and
//! special values follow C99, or PyTorch where C has no such function.
//!
//! A function `g` that cannot be both straight-line and right for all arguments has two companions: `g_fits(x)` tells
//! whether `g` holds at `x`, and `g_any` holds everywhere, at scalar speed.
mod activation;
mod bits;
mod coefficients;
mod erf;
mod exp;
mod gamma;
mod hyperbolic;
mod inverse_trig;
mod log;
mod payne_hanek;
mod polygamma;
mod power;
mod remainder;
#[cfg(test)]
mod tests;
mod trig;

use std::{
    fmt::Debug,
    ops::{Add, BitOr, Div, Mul, Neg, Sub},
};

/// A floating-point type and its elementary functions.
pub trait Real:
    Copy
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Debug
    + Default
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// Truth in as many bits as the number has: loops gather these without narrowing them.
    type Flag: Copy + Default + PartialEq + BitOr<Output = Self::Flag>;
    fn flag(c: bool) -> Self::Flag;
    /// The constant `c`, rounded to this type.
    fn lit(c: f64) -> Self;
    fn to_f64(self) -> f64;
    fn is_nan(self) -> bool;
    /// `self * a + b`, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// `a` if `c` else `b`, both already computed.
    fn select(c: bool, a: Self, b: Self) -> Self;
    /// The product of the chain rule, strongly zero: where nothing comes in (`self` is 0) the slope does not matter.
    #[inline(always)]
    fn scaled(self, slope: Self) -> Self {
        Self::select(self == Self::lit(0.0), self, self * slope)
    }
    /// As `scaled`, where a slope of 0 says that the input is not used: what comes in does not matter then either.
    #[inline(always)]
    fn gated(self, slope: Self) -> Self {
        Self::select((self == Self::lit(0.0)) | (slope == Self::lit(0.0)), Self::lit(0.0), self * slope)
    }
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn trunc(self) -> Self;
    /// Nearest integer, halves to even.
    fn round(self) -> Self;
    /// Magnitude of `self`, sign of `s`.
    fn copysign(self, s: Self) -> Self;
    /// The larger one; NaN if either is.
    fn max(self, other: Self) -> Self;
    /// The smaller one; NaN if either is.
    fn min(self, other: Self) -> Self;
    /// −1, 0 or 1; 0 for NaN, as in PyTorch.
    fn sign(self) -> Self;
    fn reciprocal(self) -> Self;
    /// Whether the reciprocal of all numbers of this size is finite.
    fn reciprocal_fits(self) -> bool;
    fn rsqrt(self) -> Self;

    fn exp(self) -> Self;
    /// Holds where [`Real::exp_fits`] does.
    fn exp_fast(self) -> Self;
    fn exp_fits(self) -> bool;
    fn exp2(self) -> Self;
    fn expm1(self) -> Self;
    fn ln(self) -> Self;
    /// Holds where [`Real::ln_fits`] does.
    fn ln_fast(self) -> Self;
    fn ln_fits(self) -> bool;
    fn log2(self) -> Self;
    fn log10(self) -> Self;
    fn log1p(self) -> Self;
    /// `self` to the power `y`, with the special cases of C99.
    fn pow(self, y: Self) -> Self;
    fn hypot(self, y: Self) -> Self;

    /// Holds where [`Real::sin_fits`] does.
    fn sin(self) -> Self;
    fn sin_fits(self) -> bool;
    fn sin_any(self) -> Self;
    /// Holds where [`Real::cos_fits`] does.
    fn cos(self) -> Self;
    fn cos_fits(self) -> bool;
    fn cos_any(self) -> Self;
    /// Holds where [`Real::tan_fits`] does.
    fn tan(self) -> Self;
    fn tan_fits(self) -> bool;
    fn tan_any(self) -> Self;
    fn asin(self) -> Self;
    fn acos(self) -> Self;
    fn atan(self) -> Self;
    /// Angle of the point (`x`, `self`).
    fn atan2(self, x: Self) -> Self;

    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn tanh(self) -> Self;
    fn asinh(self) -> Self;
    fn acosh(self) -> Self;
    fn atanh(self) -> Self;

    /// 1 / (1 + e⁻ˣ).
    fn sigmoid(self) -> Self;
    /// Holds where [`Real::exp_fits`] does.
    fn sigmoid_fast(self) -> Self;
    /// ln(sigmoid(x)).
    fn log_sigmoid(self) -> Self;
    /// ln(1 + eˣ).
    fn softplus(self) -> Self;
    /// ln(eˣ + eʸ). Near its zeros the error is that of terms of size 1/8, not relative to the result.
    fn logaddexp(self, y: Self) -> Self;

    fn erf(self) -> Self;
    fn erfc(self) -> Self;
    fn erfinv(self) -> Self;
    /// Distribution function of the standard normal law.
    fn ndtr(self) -> Self;
    /// ln |Γ(x)|; holds where [`Real::lgamma_fits`] does.
    ///
    /// Near the zeros among the negative arguments the error of `lgamma_any` and `digamma_any` is that of terms of
    /// size 1, not relative to the result.
    fn lgamma(self) -> Self;
    fn lgamma_fits(self) -> bool;
    fn lgamma_any(self) -> Self;
    /// Γ′(x)/Γ(x); holds where [`Real::digamma_fits`] does.
    fn digamma(self) -> Self;
    fn digamma_fits(self) -> bool;
    fn digamma_any(self) -> Self;
    /// Derivative of order `n` ≥ 1 of digamma.
    fn polygamma(self, n: u32) -> Self;

    /// Remainder of the truncated quotient, exact, as C's `fmod`.
    ///
    /// This and the next two hold for all arguments at scalar speed; their `_fast` forms are straight-line code and
    /// hold where [`Real::fmod_fits`] does.
    fn fmod(self, y: Self) -> Self;
    /// Remainder of the floored quotient, with the sign of `y`, as Python's `%`.
    fn remainder(self, y: Self) -> Self;
    /// Floored quotient, as Python's `//`.
    fn floor_divide(self, y: Self) -> Self;
    fn fmod_fits(self, y: Self) -> bool;
    fn fmod_fast(self, y: Self) -> Self;
    fn remainder_fast(self, y: Self) -> Self;
    fn floor_divide_fast(self, y: Self) -> Self;
}

/// Methods that a generic function of the same shape computes.
macro_rules! forward { ($($module:ident: $($f:ident)*;)*) => { $($(
    #[inline(always)]
    fn $f(self) -> Self {
        $module::$f(self)
    }
)*)* } }
macro_rules! forward_binary { ($($module:ident: $($f:ident)*;)*) => { $($(
    #[inline(always)]
    fn $f(self, y: Self) -> Self {
        $module::$f(self, y)
    }
)*)* } }
macro_rules! real {
    ($t:ident $bits:ident) => {
        impl Real for $t {
            type Flag = $bits;
            #[inline(always)]
            fn flag(c: bool) -> $bits {
                $bits::from(c)
            }
            #[inline(always)]
            fn lit(c: f64) -> $t {
                c as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            #[inline(always)]
            fn mul_add(self, a: $t, b: $t) -> $t {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn select(c: bool, a: $t, b: $t) -> $t {
                if c {
                    a
                } else {
                    b
                }
            }
            #[inline(always)]
            fn abs(self) -> $t {
                $t::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> $t {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn floor(self) -> $t {
                $t::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> $t {
                $t::ceil(self)
            }
            #[inline(always)]
            fn trunc(self) -> $t {
                $t::trunc(self)
            }
            #[inline(always)]
            fn round(self) -> $t {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn copysign(self, s: $t) -> $t {
                $t::copysign(self, s)
            }
            #[inline(always)]
            fn max(self, other: $t) -> $t {
                let larger = if self > other { self } else { other };
                if $t::is_nan(self) {
                    self
                } else {
                    larger
                }
            }
            #[inline(always)]
            fn min(self, other: $t) -> $t {
                let smaller = if self < other { self } else { other };
                if $t::is_nan(self) {
                    self
                } else {
                    smaller
                }
            }
            #[inline(always)]
            fn sign(self) -> $t {
                let positive = if self > 0.0 { 1.0 } else { 0.0 };
                if self < 0.0 {
                    -1.0
                } else {
                    positive
                }
            }
            #[inline(always)]
            fn reciprocal(self) -> $t {
                1.0 / self
            }
            #[inline(always)]
            fn reciprocal_fits(self) -> bool {
                $t::abs(self) >= $t::MIN_POSITIVE
            }
            #[inline(always)]
            fn rsqrt(self) -> $t {
                1.0 / $t::sqrt(self)
            }
            #[inline(always)]
            fn exp_fits(self) -> bool {
                exp::fits(self)
            }
            #[inline(always)]
            fn ln_fits(self) -> bool {
                log::fits(self)
            }
            #[inline(always)]
            fn sin_fits(self) -> bool {
                trig::fits(self)
            }
            #[inline(always)]
            fn cos_fits(self) -> bool {
                trig::fits(self)
            }
            #[inline(always)]
            fn tan_fits(self) -> bool {
                trig::fits(self)
            }
            #[inline(always)]
            fn lgamma_fits(self) -> bool {
                gamma::fits(self)
            }
            #[inline(always)]
            fn digamma_fits(self) -> bool {
                gamma::fits(self)
            }
            #[inline(always)]
            fn fmod_fits(self, y: $t) -> bool {
                remainder::fits(self, y)
            }
            forward! {
                exp: exp exp_fast exp2 expm1;
                log: ln ln_fast log2 log10 log1p;
                trig: sin cos tan sin_any cos_any tan_any;
                inverse_trig: asin acos atan;
                hyperbolic: sinh cosh tanh asinh acosh atanh;
                activation: sigmoid sigmoid_fast log_sigmoid softplus;
                erf: erf erfc erfinv ndtr;
            }
            forward_binary! {
                inverse_trig: atan2;
                activation: logaddexp;
                remainder: fmod remainder floor_divide fmod_fast remainder_fast floor_divide_fast;
            }
            #[inline(always)]
            fn pow(self, y: $t) -> $t {
                power::$t::pow(self, y)
            }
            #[inline(always)]
            fn hypot(self, y: $t) -> $t {
                power::$t::hypot(self, y)
            }
            #[inline(always)]
            fn lgamma(self) -> $t {
                gamma::$t::lgamma(self)
            }
            #[inline(always)]
            fn lgamma_any(self) -> $t {
                gamma::$t::lgamma_any(self)
            }
            #[inline(always)]
            fn digamma(self) -> $t {
                gamma::$t::digamma(self)
            }
            #[inline(always)]
            fn digamma_any(self) -> $t {
                gamma::$t::digamma_any(self)
            }
            #[inline(always)]
            fn polygamma(self, n: u32) -> $t {
                polygamma::polygamma(n, self as f64) as $t
            }
        }
    };
}
real! { f32 u32 }
real! { f64 u64 }
