//! Hyperbolic functions and their inverses.
use super::unary::{Of, Unary};
use crate::{math::Real, num::Num};
use num_complex::Complex;
/// Hyperbolic sine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Sinh;
impl Unary for Sinh {
    const NAME: &'static str = "sinh";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.sinh()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.cosh()
    }
}
/// Hyperbolic cosine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Cosh;
impl Unary for Cosh {
    const NAME: &'static str = "cosh";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.cosh()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.sinh()
    }
}
/// Hyperbolic tangent.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Tanh;
impl Unary for Tanh {
    const NAME: &'static str = "tanh";
    const SLOPE: Of = Of::Output;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.tanh()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        N::lit(1.0) - v.squared()
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z.tanh()
    }
}
/// Inverse hyperbolic sine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Asinh;
impl Unary for Asinh {
    const NAME: &'static str = "asinh";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.asinh()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (v.squared() + N::lit(1.0)).sqrt().recip()
    }
}
/// Inverse hyperbolic cosine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Acosh;
impl Unary for Acosh {
    const NAME: &'static str = "acosh";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.acosh()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        ((v.clone() - N::lit(1.0)) * (v + N::lit(1.0))).sqrt().recip()
    }
}
/// Inverse hyperbolic tangent.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Atanh;
impl Unary for Atanh {
    const NAME: &'static str = "atanh";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.atanh()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        ((N::lit(1.0) - v.clone()) * (N::lit(1.0) + v)).recip()
    }
}
