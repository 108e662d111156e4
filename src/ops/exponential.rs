//! Exponentials and logarithms.
use super::{
    binary::{Binary, Reads},
    unary::{Of, Unary},
};
use crate::{math::Real, num::Num};
use num_complex::Complex;
/// e to the power x.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Exp;
impl Unary for Exp {
    const NAME: &'static str = "exp";
    const SLOPE: Of = Of::Output;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.exp_fast()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v
    }
    const LIMITED: bool = true;
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.exp_fits()
    }
    fn full<T: Real>(&self, x: T) -> T {
        x.exp()
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z.exp()
    }
}
/// 2 to the power x.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Exp2;
impl Unary for Exp2 {
    const NAME: &'static str = "exp2";
    const RARE: bool = true;
    const SLOPE: Of = Of::Output;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.exp2()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v * N::lit(std::f64::consts::LN_2)
    }
}
/// exp(x) - 1, precise near 0.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Expm1;
impl Unary for Expm1 {
    const NAME: &'static str = "expm1";
    const SLOPE: Of = Of::Output;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.expm1()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v + N::lit(1.0)
    }
}
/// Natural logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Log;
impl Unary for Log {
    const NAME: &'static str = "log";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.ln_fast()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.recip()
    }
    const LIMITED: bool = true;
    const SLOPE_LIMITED: bool = false;
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.ln_fits()
    }
    fn full<T: Real>(&self, x: T) -> T {
        x.ln()
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z.ln()
    }
}
/// Logarithm to base 2.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Log2;
impl Unary for Log2 {
    const NAME: &'static str = "log2";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.log2()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        N::lit(std::f64::consts::LOG2_E) / v
    }
}
/// Logarithm to base 10.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Log10;
impl Unary for Log10 {
    const NAME: &'static str = "log10";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.log10()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        N::lit(std::f64::consts::LOG10_E) / v
    }
}
/// log(1 + x), precise near 0.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Log1p;
impl Unary for Log1p {
    const NAME: &'static str = "log1p";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.log1p()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (v + N::lit(1.0)).recip()
    }
}
/// log(exp(a) + exp(b)) without overflow.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct LogAddExp;
/// `slope`, but half for equal infinities, whose difference is NaN. A constant for all equal numbers would have
/// the same value, but no slope of its own.
#[inline(always)]
fn half_where_endless<N: Num>(a: N, b: N, slope: N) -> N {
    let half = N::select(a.equals(&b), N::lit(0.5), slope.clone());
    N::select(slope.equals(&slope), slope.clone(), half)
}
impl Binary for LogAddExp {
    const NAME: &'static str = "logaddexp";
    const READS: [Reads; 2] = [Reads::Both; 2];
    const COST: usize = 16;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a.logaddexp(b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, a: N, b: N) -> N {
        half_where_endless(a.clone(), b.clone(), (a - b).sigmoid())
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        half_where_endless(a.clone(), b.clone(), (b - a).sigmoid())
    }
}
