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
/// x where positive, else `slope · x` (Maas et al. 2013).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakyRelu {
    pub slope: f64,
}
impl Unary for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const SLOPE: Of = Of::Input;
    const GATES: bool = true;
    const COST: usize = 2;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        <T as Real>::select(<T as Real>::lit(0.0) < x, x, x * <T as Real>::lit(self.slope))
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        N::select(N::lit(0.0).less(&v), N::lit(1.0), N::lit(self.slope))
    }
}
/// `scale · x` where positive, else `depth · (exp(x) - 1)` (Clevert et al. 2016; Klambauer et al. 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elu {
    pub scale: f64,
    pub depth: f64,
}
impl Unary for Elu {
    const NAME: &'static str = "elu";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        let (positive, low) = (x * <T as Real>::lit(self.scale), x.expm1() * <T as Real>::lit(self.depth));
        <T as Real>::select(<T as Real>::lit(0.0) < x, positive, low)
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        let positive = N::lit(0.0).less(&v);
        // The exponential sees only what is not positive, so that nothing in the unused branch is infinite.
        let low = N::select(positive.clone(), N::lit(0.0), v);
        N::select(positive, N::lit(self.scale), low.exp() * N::lit(self.depth))
    }
}
/// x σ(x) (Elfwing et al. 2018).
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Silu;
impl Unary for Silu {
    const NAME: &'static str = "silu";
    const SLOPE: Of = Of::Input;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x * x.sigmoid_fast()
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        let s = v.clone().sigmoid();
        s.clone() * (N::lit(1.0) + v * (N::lit(1.0) - s))
    }
    const LIMITED: bool = true;
    const SLOPE_LIMITED: bool = false;
    #[inline(always)]
    fn fits<T: Real>(&self, x: T) -> bool {
        x.exp_fits()
    }
    fn full<T: Real>(&self, x: T) -> T {
        x * x.sigmoid()
    }
}
