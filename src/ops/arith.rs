//! add, sub, mul, div, neg, maximum, minimum, fmod, remainder, floor_divide.
use super::{
    binary::{Binary, Reads},
    power::Square,
    unary::{Of, Unary},
};
use crate::{error::Result, math::Real, num::Num, op::Form, trace::Value};
use num_complex::Complex;

/// `a + b`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Add;
impl Binary for Add {
    const NAME: &'static str = "add";
    const READS: [Reads; 2] = [Reads::Constant(1.0); 2];
    const ON_INTEGERS: bool = true;
    const ON_COMPLEX: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a + b
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, _: N) -> N {
        N::lit(1.0)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, _: N, _: N) -> N {
        N::lit(1.0)
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
    fn complex(&self, a: Complex<f64>, b: Complex<f64>) -> Complex<f64> {
        a + b
    }
}
/// `a - b`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Sub;
impl Binary for Sub {
    const NAME: &'static str = "sub";
    const READS: [Reads; 2] = [Reads::Constant(1.0), Reads::Constant(-1.0)];
    const ON_BOOLEANS: bool = false;
    const ON_INTEGERS: bool = true;
    const ON_COMPLEX: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a - b
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, _: N) -> N {
        N::lit(1.0)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, _: N, _: N) -> N {
        N::lit(-1.0)
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        a.wrapping_sub(b)
    }
    fn complex(&self, a: Complex<f64>, b: Complex<f64>) -> Complex<f64> {
        a - b
    }
}
/// `a * b`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Mul;
impl Binary for Mul {
    const NAME: &'static str = "mul";
    const FORM: Form = Form::Product;
    fn alike(x: &Value) -> Option<Result<Value>> {
        x.dtype().is_float().then(|| Square.of(x))
    }
    const READS: [Reads; 2] = [Reads::Second, Reads::First];
    const ON_INTEGERS: bool = true;
    const ON_COMPLEX: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a * b
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, b: N) -> N {
        b
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, _: N) -> N {
        a
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        a.wrapping_mul(b)
    }
    fn complex(&self, a: Complex<f64>, b: Complex<f64>) -> Complex<f64> {
        a * b
    }
}
/// `a / b`, never an integer.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Div;
impl Binary for Div {
    const NAME: &'static str = "div";
    const FORM: Form = Form::Quotient;
    const READS: [Reads; 2] = [Reads::Second, Reads::Both];
    const COST: usize = 2;
    const ON_COMPLEX: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a / b
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, b: N) -> N {
        b.recip()
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        -(a / b.clone()) / b
    }
    /// One division instead of two; the reciprocal of a subnormal number may be infinite.
    const QUICK_B: bool = true;
    #[inline(always)]
    fn fits_b<T: Real>(&self, b: T) -> bool {
        b.reciprocal_fits()
    }
    #[inline(always)]
    fn quick_b<T: Real>(&self, a: T, b: T) -> T {
        let r = b.reciprocal();
        -(a * r) * r
    }
    /// Smith's algorithm (1962), which scales by the larger part of the divisor and so neither overflows nor loses zeros.
    fn complex(&self, a: Complex<f64>, b: Complex<f64>) -> Complex<f64> {
        if b == Complex::default() {
            return Complex::new(a.re / b.re.abs(), a.im / b.re.abs());
        }
        if b.re.abs() >= b.im.abs() {
            let ratio = b.im / b.re;
            let scale = 1.0 / (b.re + b.im * ratio);
            Complex::new((a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale)
        } else {
            let ratio = b.re / b.im;
            let scale = 1.0 / (b.re * ratio + b.im);
            Complex::new((a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale)
        }
    }
}
/// `-x`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Neg;
impl Unary for Neg {
    const NAME: &'static str = "neg";
    const SLOPE: Of = Of::Constant(-1.0);
    const COST: usize = 1;
    const ON_INTEGERS: bool = true;
    const ON_COMPLEX: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        -x
    }
    #[inline(always)]
    fn slope<N: Num>(&self, _: N) -> N {
        N::lit(-1.0)
    }
    fn integer(&self, x: i64) -> i64 {
        x.wrapping_neg()
    }
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        -z
    }
}

/// 1 where `a` wins, 0 where `b` does, ½ where they are equal: the subgradient PyTorch chooses.
#[inline(always)]
fn share<N: Num>(winner: N, loser: N, wins: N::Mask) -> N {
    let tie = winner.equals(&loser);
    N::select(wins, N::lit(1.0), N::select(tie, N::lit(0.5), N::lit(0.0)))
}
/// The larger of `a` and `b`; NaN if either is.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Maximum;
impl Binary for Maximum {
    const NAME: &'static str = "maximum";
    const READS: [Reads; 2] = [Reads::Both; 2];
    const ON_INTEGERS: bool = true;
    /// The one that was not chosen is not used.
    #[inline(always)]
    fn gates<const SIDE: usize>(&self) -> bool {
        true
    }
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a.max(b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, a: N, b: N) -> N {
        let wins = b.less(&a);
        share(a, b, wins)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        let wins = a.less(&b);
        share(b, a, wins)
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        a.max(b)
    }
}
/// The smaller of `a` and `b`; NaN if either is.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Minimum;
impl Binary for Minimum {
    const NAME: &'static str = "minimum";
    const READS: [Reads; 2] = [Reads::Both; 2];
    const ON_INTEGERS: bool = true;
    /// The one that was not chosen is not used.
    #[inline(always)]
    fn gates<const SIDE: usize>(&self) -> bool {
        true
    }
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a.min(b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, a: N, b: N) -> N {
        let wins = a.less(&b);
        share(a, b, wins)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        let wins = b.less(&a);
        share(b, a, wins)
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        a.min(b)
    }
}
/// Remainder with the sign of `a`, as C's fmod.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Fmod;
impl Binary for Fmod {
    const NAME: &'static str = "fmod";
    const RARE: bool = true;
    const READS: [Reads; 2] = [Reads::Constant(1.0), Reads::Both];
    const COST: usize = 8;
    const ON_INTEGERS: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a.fmod(b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, _: N) -> N {
        N::lit(1.0)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        -(a / b).trunc()
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        a.wrapping_rem(b)
    }
    fn forbids(&self, b: i64) -> bool {
        b == 0
    }
}
/// Remainder with the sign of `b`, as Python's `%`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Remainder;
impl Binary for Remainder {
    const NAME: &'static str = "remainder";
    const RARE: bool = true;
    const READS: [Reads; 2] = [Reads::Constant(1.0), Reads::Both];
    const COST: usize = 8;
    const ON_INTEGERS: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a.remainder(b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, _: N) -> N {
        N::lit(1.0)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        -(a / b).floor()
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        let r = a.wrapping_rem(b);
        if r != 0 && (r < 0) != (b < 0) {
            r + b
        } else {
            r
        }
    }
    fn forbids(&self, b: i64) -> bool {
        b == 0
    }
}
/// `a / b` rounded down, as Python's `//`; its slope is zero.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct FloorDivide;
impl Binary for FloorDivide {
    const NAME: &'static str = "floor_divide";
    const RARE: bool = true;
    const READS: [Reads; 2] = [Reads::Constant(0.0); 2];
    const COST: usize = 4;
    const ON_INTEGERS: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a.floor_divide(b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, _: N) -> N {
        N::lit(0.0)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, _: N, _: N) -> N {
        N::lit(0.0)
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
        if r != 0 && (r < 0) != (b < 0) {
            q - 1
        } else {
            q
        }
    }
    fn forbids(&self, b: i64) -> bool {
        b == 0
    }
}
