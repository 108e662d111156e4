//! The error function and its relatives.
use super::{
    binary::{Binary, Reads},
    unary::{Of, Unary},
};
use crate::{
    error::{Error, Result},
    math::Real,
    num::Num,
    trace::Value,
};
/// Error function, 2/√π ∫₀ˣ exp(-s²) ds.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Erf;
impl Unary for Erf {
    const NAME: &'static str = "erf";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.erf()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (-v.squared()).exp() * N::lit(std::f64::consts::FRAC_2_SQRT_PI)
    }
}
/// 1 - erf(x), precise for large x.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Erfc;
impl Unary for Erfc {
    const NAME: &'static str = "erfc";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.erfc()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (-v.squared()).exp() * N::lit(-std::f64::consts::FRAC_2_SQRT_PI)
    }
}
/// Distribution function of the standard normal.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Ndtr;
impl Unary for Ndtr {
    const NAME: &'static str = "ndtr";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.ndtr()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (v.squared() * N::lit(-0.5)).exp() * N::lit(0.398_942_280_401_432_7)
    }
}
/// Inverse of the error function.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Erfinv;
impl Unary for Erfinv {
    const NAME: &'static str = "erfinv";
    const RARE: bool = true;
    const SLOPE: Of = Of::Output;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.erfinv()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.squared().exp() * N::lit(0.886_226_925_452_758)
    }
}
/// ln |Γ(x)|.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Lgamma;
impl Unary for Lgamma {
    const NAME: &'static str = "lgamma";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    const COST: usize = 30;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.lgamma()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.digamma()
    }
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.lgamma_fits()
    }
    const LIMITED: bool = true;
    fn full<T: Real>(&self, x: T) -> T {
        x.lgamma_any()
    }
}
/// Γ′(x)/Γ(x), the slope of lgamma.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Digamma;
impl Unary for Digamma {
    const NAME: &'static str = "digamma";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    const COST: usize = 30;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.digamma()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.polygamma(1)
    }
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.digamma_fits()
    }
    const LIMITED: bool = true;
    fn full<T: Real>(&self, x: T) -> T {
        x.digamma_any()
    }
}
/// Derivative of order `n` ≥ 1 of digamma.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polygamma {
    pub n: u32,
}
impl Unary for Polygamma {
    const NAME: &'static str = "polygamma";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    const COST: usize = 400;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.polygamma(self.n)
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.polygamma(self.n + 1)
    }
}
/// The largest order that `polygamma` takes: its factorial is computed factor by factor.
const HIGHEST_ORDER: i64 = 100_000;
/// Derivative of order `n` of digamma; of order 0, digamma itself.
pub fn polygamma(n: i64, x: &Value) -> Result<Value> {
    match n {
        0 => Digamma.of(x),
        1..=HIGHEST_ORDER => Polygamma { n: n as u32 }.of(x),
        _ => Err(Error::value("polygamma", format!("the order must lie in 0..={HIGHEST_ORDER}, but is {n}"))),
    }
}
/// a · log(b), and 0 where a is 0.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct XLogY;
impl Binary for XLogY {
    const NAME: &'static str = "xlogy";
    const RARE: bool = true;
    const READS: [Reads; 2] = [Reads::Both; 2];
    const COST: usize = 8;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        let product = a * b.ln();
        let zero = <T as Real>::lit(0.0);
        <T as Real>::select(a == zero, <T as Real>::select(Real::is_nan(b), b, zero), product)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, a: N, b: N) -> N {
        // 0 · log 0 is constant in a direction that keeps b at 0.
        let both = N::select(a.equals(&N::lit(0.0)), b.clone(), N::lit(1.0));
        N::select(both.less(&N::lit(f64::MIN_POSITIVE)), N::lit(0.0), b.ln())
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        a / b
    }
}
