//! Truth and bits: logical and bitwise combinations, and tests for special values. They carry no derivative.
use super::{
    arith::Mul,
    binary::{Binary, Reads},
    compare::{compare, compare_number, Order},
    convert,
    rounding::Abs,
    unary::Unary,
};
use crate::{
    dtype::{DType, Scalar},
    error::{Error, Result},
    math::Real,
    num::Num,
    trace::Value,
};

macro_rules! bitwise { ($($(#[$doc:meta])* $op:ident $name:literal |$a:ident, $b:ident| $bits:expr;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug, PartialEq, Default)]
    pub struct $op;
    impl Binary for $op {
        const NAME: &'static str = $name;
        const READS: [Reads; 2] = [Reads::Constant(0.0); 2];
        const ON_INTEGERS: bool = true;
        // `of_bits` lets only integers in; NaN would tell of a leak.
        #[inline(always)]
        fn f<T: Real>(&self, _: T, _: T) -> T {
            <T as Real>::lit(f64::NAN)
        }
        #[inline(always)]
        fn slope_a<N: Num>(&self, _: N, _: N) -> N {
            N::lit(0.0)
        }
        #[inline(always)]
        fn slope_b<N: Num>(&self, _: N, _: N) -> N {
            N::lit(0.0)
        }
        fn integer(&self, $a: i64, $b: i64) -> i64 {
            $bits
        }
    }
)* } }
bitwise! {
    /// Bits set in both.
    BitAnd "bitwise_and" |a, b| a & b;
    /// Bits set in either.
    BitOr "bitwise_or" |a, b| a | b;
    /// Bits set in exactly one.
    BitXor "bitwise_xor" |a, b| a ^ b;
    /// Bits moved to the left.
    LeftShift "bitwise_left_shift" |a, b| if (0..64).contains(&b) { a << b } else { 0 };
    /// Bits moved to the right, the sign kept.
    RightShift "bitwise_right_shift" |a, b| if (0..64).contains(&b) { a >> b } else { a >> 63 };
}
/// A bitwise op on integers and booleans, and on nothing else.
pub fn of_bits<B: Binary>(a: &Value, b: &Value) -> Result<Value>
where
    super::Map2<B>: Into<super::Prim>,
{
    for x in [a, b] {
        if !x.dtype().is_integral() {
            return Err(Error::dtype(
                B::NAME,
                format!("needs integers or booleans, not {}; compare it first", x.dtype()),
            ));
        }
    }
    B::of(a, b)
}
/// Every bit inverted; for booleans, the opposite.
pub fn bitwise_not(x: &Value) -> Result<Value> {
    match x.dtype() {
        DType::Bool => not(x),
        d if d.is_integral() => super::arith::Sub::fixed(x, super::Fixed::Left(Scalar::Int(-1))),
        d => Err(Error::dtype("bitwise_not", format!("needs integers or booleans, not {d}; compare it first"))),
    }
}
fn truth(x: &Value) -> Result<Value> {
    match x.dtype() {
        DType::Bool => Ok(x.clone()),
        _ => compare_number(Order::NotEqual, x, Scalar::Int(0)),
    }
}
pub fn not(x: &Value) -> Result<Value> {
    compare_number(Order::Equal, x, Scalar::Int(0))
}
pub fn and(a: &Value, b: &Value) -> Result<Value> {
    Mul::of(&truth(a)?, &truth(b)?)
}
pub fn or(a: &Value, b: &Value) -> Result<Value> {
    BitOr::of(&truth(a)?, &truth(b)?)
}
pub fn xor(a: &Value, b: &Value) -> Result<Value> {
    compare(Order::NotEqual, &truth(a)?, &truth(b)?)
}
/// Not equal to itself: NaN.
pub fn is_nan(x: &Value) -> Result<Value> {
    compare(Order::NotEqual, x, x)
}
pub fn is_inf(x: &Value) -> Result<Value> {
    compare_number(Order::Equal, &Abs.of(&floating(x)?)?, Scalar::Float(f64::INFINITY))
}
pub fn is_finite(x: &Value) -> Result<Value> {
    compare_number(Order::Less, &Abs.of(&floating(x)?)?, Scalar::Float(f64::INFINITY))
}
fn floating(x: &Value) -> Result<Value> {
    match x.dtype() {
        d if d.is_integral() => convert::to(x, DType::F64),
        d if d.is_complex() => Err(Error::dtype("isfinite", format!("cannot judge {d} numbers; take .real and .imag"))),
        _ => Ok(x.clone()),
    }
}
