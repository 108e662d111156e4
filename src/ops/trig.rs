//! sin, cos, tan and their inverses. Angles are in radians.
use super::{
    binary::{Binary, Reads},
    unary::{Of, Unary},
};
use crate::{math::Real, num::Num};
use num_complex::Complex;
/// Sine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Sin;
impl Unary for Sin {
    const NAME: &'static str = "sin";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.sin()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.cos()
    }
    const LIMITED: bool = true;
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.sin_fits()
    }
    fn full<T: Real>(&self, x: T) -> T {
        x.sin_any()
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z.sin()
    }
}
/// Cosine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Cos;
impl Unary for Cos {
    const NAME: &'static str = "cos";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.cos()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        -v.sin()
    }
    const LIMITED: bool = true;
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.cos_fits()
    }
    fn full<T: Real>(&self, x: T) -> T {
        x.cos_any()
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z.cos()
    }
}
/// Tangent.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Tan;
impl Unary for Tan {
    const NAME: &'static str = "tan";
    const RARE: bool = true;
    const SLOPE: Of = Of::Output;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.tan()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.squared() + N::lit(1.0)
    }
    const LIMITED: bool = true;
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.tan_fits()
    }
    fn full<T: Real>(&self, x: T) -> T {
        x.tan_any()
    }
}
/// Inverse sine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Asin;
impl Unary for Asin {
    const NAME: &'static str = "asin";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.asin()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (N::lit(1.0) - v.squared()).sqrt().recip()
    }
}
/// Inverse cosine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Acos;
impl Unary for Acos {
    const NAME: &'static str = "acos";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.acos()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        -(N::lit(1.0) - v.squared()).sqrt().recip()
    }
}
/// Inverse tangent.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Atan;
impl Unary for Atan {
    const NAME: &'static str = "atan";
    const RARE: bool = true;
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.atan()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (v.squared() + N::lit(1.0)).recip()
    }
}
/// Angle of the point (x, y), `atan2(y, x)`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Atan2;
impl Binary for Atan2 {
    const NAME: &'static str = "atan2";
    const RARE: bool = true;
    const READS: [Reads; 2] = [Reads::Both; 2];
    const COST: usize = 16;
    #[inline(always)]
    fn f<T: Real>(&self, y: T, x: T) -> T {
        y.atan2(x)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, y: N, x: N) -> N {
        x.clone() / (x.squared() + y.squared())
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, y: N, x: N) -> N {
        -y.clone() / (x.squared() + y.squared())
    }
}
