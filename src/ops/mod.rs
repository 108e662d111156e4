//! One file per op or small family. To add an op: write its room, then name it in the list below.
pub mod activation;
pub mod arith;
pub mod binary;
pub mod compare;
pub mod convert;
pub mod create;
pub mod diagonal;
pub mod expand;
pub mod exponential;
pub mod hyperbolic;
pub mod index;
pub mod indexing;
pub mod join;
pub mod leaf;
pub mod linear;
pub mod logic;
pub mod matmul;
pub mod nn;
pub mod order;
pub mod power;
pub mod reduce;
pub mod reshape;
pub mod rounding;
pub mod scan;
pub mod select;
pub mod slice;
pub mod special;
pub mod sum;
pub mod trig;
pub mod unary;
pub mod views;

use crate::{dtype::Scalar, op::Rules};
use activation::{Sigmoid, *};
use arith::*;
use binary::Scale;
use compare::Compare;
use convert::{Convert, Copy};
use expand::Expand;
use exponential::*;
use hyperbolic::*;
use index::{CheckIndex, Put, PutAdd, Take};
use join::Cat;
use leaf::Leaf;
use logic::{BitAnd, BitOr, BitXor, LeftShift, RightShift};
use matmul::MatMul;
use nn::Softmax;
use order::ArgSort;
use power::*;
use reduce::{ArgExtreme, Extreme, Truth};
use reshape::{Permute, Reshape};
use rounding::*;
use scan::CumSum;
use select::Where;
use slice::{Slice, SliceInto, SliceScatter};
use special::*;
use sum::Sum;
use trig::*;

/// An elementwise op of one input, as an op.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Map1<E>(pub E);
/// An elementwise op of two inputs, one of which may be a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Map2<E> {
    pub op: E,
    pub fixed: Fixed,
}
/// The operand that is a plain number, if one is.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Fixed {
    #[default]
    None,
    Left(Scalar),
    Right(Scalar),
}

macro_rules! ops { (unary: $($U:ident)*; binary: $($B:ident)*; full: $($F:ident)*) => {
    /// Every op, as a value small enough to sit inside a graph node.
    #[derive(Clone, Debug, PartialEq)]
    pub enum Prim { $($U(Map1<$U>),)* $($B(Map2<$B>),)* $($F($F),)* }
    $(impl From<Map1<$U>> for Prim { #[inline] fn from(o: Map1<$U>) -> Prim { Prim::$U(o) } })*
    $(impl From<Map2<$B>> for Prim { #[inline] fn from(o: Map2<$B>) -> Prim { Prim::$B(o) } })*
    $(impl From<$F> for Prim { #[inline] fn from(o: $F) -> Prim { Prim::$F(o) } })*
    /// The only match over ops in the crate: `op.eval(..)`, `op.vjp(..)`, … find their room through it.
    impl std::ops::Deref for Prim {
        type Target = dyn Rules;
        #[inline]
        fn deref(&self) -> &Self::Target {
            match self { $(Prim::$U(o) => o,)* $(Prim::$B(o) => o,)* $(Prim::$F(o) => o,)* }
        }
    }
} }
ops! {
    unary: Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Digamma Erf Erfc Erfinv Exp Exp2 Expm1 Floor Lgamma Log Log10 Log1p
        Log2 LogSigmoid Ndtr Neg Polygamma Reciprocal Relu Round Rsqrt Sigmoid Sign Sin Sinh Sqrt Square Tan Tanh Trunc;
    binary: Add Atan2 BitAnd BitOr BitXor Div Fmod FloorDivide Hypot LeftShift LogAddExp Maximum Minimum Mul Pow Remainder RightShift Scale Sub XLogY;
    full: ArgExtreme ArgSort Cat CheckIndex Compare Convert Copy CumSum Expand Extreme Leaf MatMul Permute Put PutAdd
        Reshape Slice SliceInto SliceScatter Softmax Sum Take Truth Where
}
