//! abs, sign, floor, ceil, trunc and round: steps and kinks.
use super::unary::{Of, Unary};
use crate::{dtype::DType, math::Real, num::Num};
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
    const ON_BOOLEANS: Option<DType> = Some(DType::Bool);
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x.signum()
    }
}
// Rounding: constant between whole numbers, and integers stay what they are.
macro_rules! roundings { ($($(#[$doc:meta])* $op:ident $name:literal $f:ident;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug, PartialEq, Default)]
    pub struct $op;
    impl Unary for $op {
        const NAME: &'static str = $name;
        const SLOPE: Of = Of::Constant(0.0);
        const COST: usize = 1;
        #[inline(always)]
        fn f<T: Real>(&self, x: T) -> T {
            x.$f()
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
)* } }
roundings! {
    /// Round down.
    Floor "floor" floor;
    /// Round up.
    Ceil "ceil" ceil;
    /// Round towards zero.
    Trunc "trunc" trunc;
    /// Round to nearest, ties to even.
    Round "round" round;
}
