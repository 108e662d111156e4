//! Activations that are ops of their own; the others are compositions in `nn`.
use super::unary::{Of, Unary};
use crate::{math::Real, num::Num};
/// Logistic function 1 / (1 + exp(-x)).
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Sigmoid;
impl Unary for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const SLOPE: Of = Of::Output;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.sigmoid_fast()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        v.clone() * (N::lit(1.0) - v)
    }
    const LIMITED: bool = true;
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.exp_fits()
    }
    fn full<T: Real>(&self, x: T) -> T {
        x.sigmoid()
    }
}
/// log(sigmoid(x)) without overflow.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct LogSigmoid;
impl Unary for LogSigmoid {
    const NAME: &'static str = "log_sigmoid";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.log_sigmoid()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        (-v).sigmoid()
    }
}
/// max(x, 0), slope 0 at 0.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Relu;
impl Unary for Relu {
    const NAME: &'static str = "relu";
    const GATES: bool = true;
    const SLOPE: Of = Of::Output;
    const COST: usize = 1;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.max(<T as Real>::lit(0.0))
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        N::select(N::lit(0.0).less(&v), N::lit(1.0), N::lit(0.0))
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        x.max(0)
    }
}
