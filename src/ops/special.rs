//! The error function and its relatives.
use super::unary::{Of, Unary};
use crate::{math::Real, num::Num};
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
