//! One file per op or small family. To add an op: write its room, then name it in the list below.
pub mod activation;
pub mod arith;
pub mod binary;
pub mod compare;
pub mod complex;
pub mod complex_product;
pub mod convert;
pub mod create;
pub mod custom;
pub mod diagonal;
pub mod expand;
pub mod exponential;
pub mod hyperbolic;
pub mod index;
pub mod indexing;
pub mod join;
pub mod leaf;
pub mod limit;
pub mod linear;
pub mod logic;
pub mod matmul;
pub mod nn;
pub mod norm;
pub mod order;
pub mod overwrite;
pub mod power;
pub mod prod;
pub mod product;
pub mod reduce;
pub mod reshape;
pub mod rounding;
pub mod scan;
pub mod scatter;
pub mod select;
pub mod slice;
pub mod softmax;
pub mod special;
pub mod sum;
pub mod trig;
pub mod unary;
pub mod variance;
pub mod views;
pub mod window;

use crate::{
    dtype::{Category, Scalar},
    op::Rules,
};
use activation::{Sigmoid, *};
use arith::*;
use binary::Scale;
use compare::Compare;
use complex::{AsComplex, AsReal, Conj};
use convert::{Convert, Copy};
use custom::Custom;
use diagonal::{Diagonal, DiagonalInto, DiagonalScatter};
use expand::Expand;
use exponential::*;
use hyperbolic::*;
use index::{CheckIndex, Put, PutAdd, Take};
use join::Cat;
use leaf::Leaf;
use limit::Limit;
use logic::{BitAnd, BitOr, BitXor, LeftShift, RightShift};
use matmul::MatMul;
use norm::Norm;
use order::ArgSort;
use overwrite::Overwrite;
use power::*;
use prod::Prod;
use reduce::{ArgExtreme, Extreme, Truth};
use reshape::{Permute, Reshape};
use rounding::*;
use scan::CumSum;
use scatter::SlopeOf;
use select::Where;
use slice::{Slice, SliceInto, SliceScatter};
use softmax::{LogSumExp, Softmax};
use special::*;
use sum::Sum;
use trig::*;
use variance::Var;

/// An elementwise op of one input, as an op.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Map1<E>(pub E);
/// An elementwise op of two inputs, one of which may be a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Map2<E> {
    pub op: E,
    number: Packed,
}
impl<E> Map2<E> {
    /// None if the number is complex: such a number takes part as a tensor.
    pub fn with(op: E, fixed: Fixed) -> Option<Map2<E>> {
        Some(Map2 { op, number: Packed::new(fixed)? })
    }
    #[inline]
    pub fn fixed(&self) -> Fixed {
        self.number.get()
    }
}
/// The operand that is a plain number, if one is.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Fixed {
    #[default]
    None,
    Left(Scalar),
    Right(Scalar),
}
/// [`Fixed`] in half the bytes, so that it fits into a graph node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packed {
    side: Side,
    category: Category,
    bits: u64,
}
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    None,
    Left,
    Right,
}
impl Default for Packed {
    fn default() -> Packed {
        Packed { side: Side::None, category: Category::Int, bits: 0 }
    }
}
impl Packed {
    pub fn new(fixed: Fixed) -> Option<Packed> {
        let (side, number) = match fixed {
            Fixed::None => return Some(Packed::default()),
            Fixed::Left(number) => (Side::Left, number),
            Fixed::Right(number) => (Side::Right, number),
        };
        let bits = match number {
            Scalar::Bool(b) => b.into(),
            Scalar::Int(i) => i as u64,
            Scalar::Float(f) => f.to_bits(),
            Scalar::Complex(..) => return None,
        };
        Some(Packed { side, category: number.category(), bits })
    }
    #[inline]
    pub fn get(self) -> Fixed {
        let number = match self.category {
            Category::Bool => Scalar::Bool(self.bits != 0),
            Category::Int => Scalar::Int(self.bits as i64),
            Category::Float | Category::Complex => Scalar::Float(f64::from_bits(self.bits)),
        };
        match self.side {
            Side::None => Fixed::None,
            Side::Left => Fixed::Left(number),
            Side::Right => Fixed::Right(number),
        }
    }
}

macro_rules! ops { (unary: $($U:ident)*; binary: $($B:ident)*; full: $($F:ident)*; boxed: $($X:ident)*) => {
    /// Every op, as a value small enough to sit inside a graph node.
    #[derive(Clone, Debug, PartialEq)]
    pub enum Prim { $($U(Map1<$U>),)* $($B(Map2<$B>),)* $($F($F),)* $($X(Box<$X>),)* }
    $(impl From<Map1<$U>> for Prim { #[inline] fn from(o: Map1<$U>) -> Prim { Prim::$U(o) } })*
    $(impl From<Map2<$B>> for Prim { #[inline] fn from(o: Map2<$B>) -> Prim { Prim::$B(o) } })*
    $(impl From<$F> for Prim { #[inline] fn from(o: $F) -> Prim { Prim::$F(o) } })*
    $(impl From<$X> for Prim { #[inline] fn from(o: $X) -> Prim { Prim::$X(Box::new(o)) } })*
    /// The only match over ops in the crate: `op.eval(..)`, `op.vjp(..)`, … find their room through it.
    impl std::ops::Deref for Prim {
        type Target = dyn Rules;
        #[inline]
        fn deref(&self) -> &Self::Target {
            match self { $(Prim::$U(o) => o,)* $(Prim::$B(o) => o,)* $(Prim::$F(o) => o,)* $(Prim::$X(o) => &**o,)* }
        }
    }
} }
ops! {
    unary: Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Digamma Elu Erf Erfc Erfinv Exp Exp2 Expm1 Floor LeakyRelu Lgamma Limit Log
        Log10 Log1p Log2 LogSigmoid Ndtr Neg Polygamma Reciprocal Relu Round Rsqrt Sigmoid Sign Silu Sin Sinh Sqrt Square Tan Tanh
        Trunc;
    binary: Add Atan2 BitAnd BitOr BitXor Div Fmod FloorDivide Hypot LeftShift LogAddExp Maximum Minimum Mul Pow Remainder RightShift Scale Sub XLogY;
    full: ArgExtreme ArgSort AsComplex AsReal Cat Compare Conj Convert Copy CumSum Diagonal DiagonalScatter Expand Extreme Leaf LogSumExp MatMul Norm Overwrite Permute Prod Put PutAdd
        Reshape Slice SliceScatter SlopeOf Softmax Sum Take Truth Var Where;
    boxed: CheckIndex Custom DiagonalInto SliceInto
}
