//! Powers and roots.
use super::{
    binary::{Binary, Reads},
    unary::{Of, Unary},
};
use crate::{dtype::DType, math::Real, num::Num};
use num_complex::Complex;
/// Square root.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Sqrt;
impl Unary for Sqrt {
    const NAME: &'static str = "sqrt";
    const SLOPE: Of = Of::Output;
    const COST: usize = 2;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.sqrt()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        N::lit(0.5) / v
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z.sqrt()
    }
}
/// 1 / sqrt(x).
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Rsqrt;
impl Unary for Rsqrt {
    const NAME: &'static str = "rsqrt";
    const SLOPE: Of = Of::Output;
    const COST: usize = 2;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.rsqrt()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.clone() * v.squared() * N::lit(-0.5)
    }
}
/// 1 / x.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Reciprocal;
impl Unary for Reciprocal {
    const NAME: &'static str = "reciprocal";
    const SLOPE: Of = Of::Output;
    const COST: usize = 2;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.reciprocal()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        -v.squared()
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z.inv()
    }
}
/// x².
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Square;
impl Unary for Square {
    const NAME: &'static str = "square";
    const SLOPE: Of = Of::Input;
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x * x
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v * N::lit(2.0)
    }
    const ON_BOOLEANS: Option<DType> = Some(DType::I64);
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x.wrapping_mul(x)
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z * z
    }
}
/// `a` to the power `b`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Pow;
impl Binary for Pow {
    const NAME: &'static str = "pow";
    const READS: [Reads; 2] = [Reads::Both; 2];
    const COST: usize = 24;
    const ON_INTEGERS: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        Real::pow(a, b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, a: N, b: N) -> N {
        // x⁰ is constant even at 0, where 0 · 0⁻¹ would be NaN.
        let zero = b.equals(&N::lit(0.0));
        N::select(zero, N::lit(0.0), b.clone() * a.pow(b - N::lit(1.0)))
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        // Constant where 0ᵇ is 0, and at 0⁰: 0 · ln 0 would be NaN. For b < 0 it is infinite and falls steeply.
        let value = a.clone().pow(b.clone());
        let at_zero = N::select(b.equals(&N::lit(0.0)), N::lit(0.0), value.clone());
        let constant = N::select(a.equals(&N::lit(0.0)), at_zero, N::lit(1.0)).equals(&N::lit(0.0));
        N::select(constant, N::lit(0.0), value * a.ln())
    }
    fn integer(&self, a: i64, b: i64) -> i64 {
        match u32::try_from(b) {
            Ok(b) => a.wrapping_pow(b),
            Err(_) if b > 0 => (0..63).rev().fold(1i64, |y, bit| {
                let y = y.wrapping_mul(y);
                if b >> bit & 1 == 1 {
                    y.wrapping_mul(a)
                } else {
                    y
                }
            }),
            Err(_) => match a {
                1 => 1,
                -1 => 1 - 2 * (b & 1),
                _ => 0,
            },
        }
    }
    const ON_COMPLEX: bool = true;
    fn complex(&self, a: Complex<f64>, b: Complex<f64>) -> Complex<f64> {
        a.powc(b)
    }
}
/// Length of the vector (a, b), without overflow.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Hypot;
impl Binary for Hypot {
    const NAME: &'static str = "hypot";
    const RARE: bool = true;
    const READS: [Reads; 2] = [Reads::Both; 2];
    const COST: usize = 8;
    #[inline(always)]
    fn f<T: Real>(&self, a: T, b: T) -> T {
        a.hypot(b)
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, a: N, b: N) -> N {
        let length = (a.clone().squared() + b.clone().squared()).sqrt();
        N::select(length.equals(&N::lit(0.0)), N::lit(0.0), a / length)
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, a: N, b: N) -> N {
        let length = (a.clone().squared() + b.clone().squared()).sqrt();
        N::select(length.equals(&N::lit(0.0)), N::lit(0.0), b / length)
    }
}
