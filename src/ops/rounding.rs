//! abs, sign, floor, ceil, trunc and round: steps and kinks.
use super::unary::{Of, Unary};
use crate::{math::Real, num::Num};
/// Absolute value; its slope at 0 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Abs;
impl Unary for Abs {
    const NAME: &'static str = "abs";
    const SLOPE: Of = Of::Input;
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.abs()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.sign()
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x.wrapping_abs()
    }
}
/// -1, 0 or 1; NaN stays NaN.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Sign;
impl Unary for Sign {
    const NAME: &'static str = "sign";
    const SLOPE: Of = Of::Constant(0.0);
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.sign()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, _: N) -> N {
        N::lit(0.0)
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x.signum()
    }
}
/// Round down.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Floor;
impl Unary for Floor {
    const NAME: &'static str = "floor";
    const SLOPE: Of = Of::Constant(0.0);
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.floor()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, _: N) -> N {
        N::lit(0.0)
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x
    }
}
/// Round up.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Ceil;
impl Unary for Ceil {
    const NAME: &'static str = "ceil";
    const SLOPE: Of = Of::Constant(0.0);
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.ceil()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, _: N) -> N {
        N::lit(0.0)
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x
    }
}
/// Round towards zero.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Trunc;
impl Unary for Trunc {
    const NAME: &'static str = "trunc";
    const SLOPE: Of = Of::Constant(0.0);
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.trunc()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, _: N) -> N {
        N::lit(0.0)
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x
    }
}
/// Round to nearest, ties to even.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Round;
impl Unary for Round {
    const NAME: &'static str = "round";
    const SLOPE: Of = Of::Constant(0.0);
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.round()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, _: N) -> N {
        N::lit(0.0)
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x
    }
}
