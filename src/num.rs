//! What a derivative formula may be written over: plain numbers, or whole traced values.
use crate::{
    dtype::{DType, Scalar},
    error::Result,
    math::Real,
    op::Call,
    ops::{self, binary::Binary, compare::Order, Fixed},
    trace::Value,
};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A quantity in a formula. `f32` and `f64` compute; [`Expr`] applies operators, which whoever watches records.
pub trait Num:
    Clone + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    type Mask: Clone;
    /// The constant `c`.
    fn lit(c: f64) -> Self;
    fn less(&self, other: &Self) -> Self::Mask;
    fn equals(&self, other: &Self) -> Self::Mask;
    /// `yes` where the mask holds, else `no`; the other one's value does not matter.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Holds where any is NaN.
    fn is_nan(&self) -> Self::Mask;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn tanh(self) -> Self;
    fn sigmoid(self) -> Self;
    fn erf(self) -> Self;
    fn ndtr(self) -> Self;
    fn digamma(self) -> Self;
    /// Derivative of order `n` ≥ 1 of digamma.
    fn polygamma(self, n: u32) -> Self;
    fn abs(self) -> Self;
    fn sign(self) -> Self;
    fn floor(self) -> Self;
    fn trunc(self) -> Self;
    fn pow(self, y: Self) -> Self;
    fn squared(self) -> Self {
        self.clone() * self
    }
    fn recip(self) -> Self {
        Self::lit(1.0) / self
    }
}

macro_rules! forward { ($trait:ident: $($f:ident)*) => { $(
    #[inline(always)] fn $f(self) -> Self { $trait::$f(self) }
)* } }
impl<T: Real> Num for T {
    type Mask = bool;
    #[inline(always)]
    fn lit(c: f64) -> Self {
        <T as Real>::lit(c)
    }
    #[inline(always)]
    fn less(&self, other: &Self) -> bool {
        *self < *other
    }
    #[inline(always)]
    fn equals(&self, other: &Self) -> bool {
        *self == *other
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        <T as Real>::select(mask, yes, no)
    }
    #[inline(always)]
    fn is_nan(&self) -> bool {
        Real::is_nan(*self)
    }
    #[inline(always)]
    fn pow(self, y: Self) -> Self {
        Real::pow(self, y)
    }
    #[inline(always)]
    fn polygamma(self, n: u32) -> Self {
        Real::polygamma(self, n)
    }
    forward! { Real: exp ln sqrt sin cos sinh cosh tanh sigmoid erf ndtr digamma abs sign floor trunc }
}
/// A number computed with full-range functions: slopes outside the interval where the fast forms hold.
#[derive(Clone, Copy)]
pub struct FullRange<T>(pub T);
macro_rules! operator { ($($trait:ident $f:ident),*) => { $(
    impl<T: Real> $trait for FullRange<T> {
        type Output = Self;
        #[inline(always)] fn $f(self, other: Self) -> Self { FullRange($trait::$f(self.0, other.0)) }
    }
)* } }
operator! { Add add, Sub sub, Mul mul, Div div }
impl<T: Real> Neg for FullRange<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        FullRange(-self.0)
    }
}
macro_rules! wrapped { ($($f:ident => $g:ident)*) => { $(
    #[inline(always)] fn $f(self) -> Self { FullRange(self.0.$g()) }
)* } }
impl<T: Real> Num for FullRange<T> {
    type Mask = bool;
    #[inline(always)]
    fn lit(c: f64) -> Self {
        FullRange(<T as Real>::lit(c))
    }
    #[inline(always)]
    fn less(&self, other: &Self) -> bool {
        self.0 < other.0
    }
    #[inline(always)]
    fn equals(&self, other: &Self) -> bool {
        self.0 == other.0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        FullRange(<T as Real>::select(mask, yes.0, no.0))
    }
    #[inline(always)]
    fn is_nan(&self) -> bool {
        Real::is_nan(self.0)
    }
    #[inline(always)]
    fn pow(self, y: Self) -> Self {
        FullRange(Real::pow(self.0, y.0))
    }
    fn exp(self) -> Self {
        FullRange(Real::exp(self.0))
    }
    fn ln(self) -> Self {
        FullRange(Real::ln(self.0))
    }
    fn polygamma(self, n: u32) -> Self {
        FullRange(self.0.polygamma(n))
    }
    wrapped! { digamma => digamma_any sqrt => sqrt sin => sin_any cos => cos_any sinh => sinh cosh => cosh tanh => tanh sigmoid => sigmoid
    erf => erf ndtr => ndtr abs => abs sign => sign floor => floor trunc => trunc }
}

/// A formula over traced values. An error travels through it as a NaN would through numbers.
#[derive(Clone)]
pub enum Expr {
    Constant(f64),
    Of(Result<Value>),
}
impl Expr {
    pub fn new(value: &Value) -> Expr {
        Expr::Of(Ok(value.clone()))
    }
    /// The value; `like` gives shape and dtype to a formula that turned out constant.
    pub fn finish(self, like: &Value) -> Result<Value> {
        match self {
            Expr::Constant(c) => like.full_like(c),
            Expr::Of(value) => value,
        }
    }
    fn map(self, constant: impl FnOnce(f64) -> f64, op: impl FnOnce(&Value) -> Result<Value>) -> Expr {
        match self {
            Expr::Constant(c) => Expr::Constant(constant(c)),
            Expr::Of(v) => Expr::Of(v.and_then(|v| op(&v))),
        }
    }
}
macro_rules! traced_operator { ($($trait:ident $f:ident $op:ident),*) => { $(
    impl $trait for Expr {
        type Output = Expr;
        fn $f(self, other: Expr) -> Expr {
            use ops::arith::$op as Op;
            match (self, other) {
                (Expr::Constant(a), Expr::Constant(b)) => Expr::Constant($trait::$f(a, b)),
                (Expr::Of(a), Expr::Constant(b)) => Expr::Of(a.and_then(|a| Op::fixed(&a, Fixed::Right(Scalar::Float(b))))),
                (Expr::Constant(a), Expr::Of(b)) => Expr::Of(b.and_then(|b| Op::fixed(&b, Fixed::Left(Scalar::Float(a))))),
                (Expr::Of(a), Expr::Of(b)) => Expr::Of(a.and_then(|a| Op::of(&a, &b?))),
            }
        }
    }
)* } }
traced_operator! { Add add Add, Sub sub Sub, Mul mul Mul, Div div Div }
impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.map(|c| -c, |v| ops::Map1(ops::arith::Neg).call(&[v]))
    }
}
macro_rules! traced { ($($f:ident $path:path),* $(,)?) => { $(
    fn $f(self) -> Expr { self.map(|c| Real::$f(c), |v| ops::Map1($path).call(&[v])) }
)* } }
/// Where something holds, as an expression of zeros and ones, or of booleans; and the dtype of what was compared.
#[derive(Clone)]
pub struct Holds(Expr, DType);
impl Expr {
    fn compare(&self, order: Order, other: &Expr) -> Holds {
        let dtype = [self, other].into_iter().find_map(|e| match e {
            Expr::Of(Ok(v)) => Some(v.dtype()),
            _ => None,
        });
        Holds(self.compared(order, other), dtype.unwrap_or(DType::F64))
    }
    fn compared(&self, order: Order, other: &Expr) -> Expr {
        let value = match (self, other) {
            (Expr::Of(Ok(a)), Expr::Of(Ok(b))) => ops::compare::compare(order, a, b),
            (Expr::Of(Ok(a)), Expr::Constant(b)) => ops::compare::compare_number(order, a, Scalar::Float(*b)),
            (Expr::Constant(a), Expr::Of(Ok(b))) => {
                ops::compare::compare_number(order.mirrored(), b, Scalar::Float(*a))
            }
            (Expr::Of(Err(e)), _) | (_, Expr::Of(Err(e))) => Err(e.clone()),
            (Expr::Constant(a), Expr::Constant(b)) => {
                let holds = match order {
                    Order::Less => a < b,
                    Order::LessEqual => a <= b,
                    Order::Greater => a > b,
                    Order::GreaterEqual => a >= b,
                    Order::Equal => a == b,
                    Order::NotEqual => a != b,
                };
                return Expr::Constant(if holds { 1.0 } else { 0.0 });
            }
        };
        Expr::Of(value)
    }
}
impl Num for Expr {
    type Mask = Holds;
    fn lit(c: f64) -> Expr {
        Expr::Constant(c)
    }
    fn less(&self, other: &Expr) -> Holds {
        self.compare(Order::Less, other)
    }
    fn equals(&self, other: &Expr) -> Holds {
        self.compare(Order::Equal, other)
    }
    fn select(mask: Holds, yes: Expr, no: Expr) -> Expr {
        let Holds(mask, dtype) = mask;
        let mask = match mask {
            Expr::Constant(holds) => return if holds != 0.0 { yes } else { no },
            Expr::Of(mask) => mask,
        };
        let choose = || -> Result<Value> {
            let mask = mask?;
            let like = [&yes, &no].into_iter().find_map(|e| match e {
                Expr::Of(Ok(v)) => Some(v.clone()),
                _ => None,
            });
            let Some(like) = like else {
                let number = |e: &Expr| match e {
                    Expr::Constant(c) => Ok(*c),
                    Expr::Of(Err(e)) => Err(e.clone()),
                    Expr::Of(Ok(_)) => Ok(0.0),
                };
                return ops::select::choose_numbers(&mask, number(&yes)?, number(&no)?, dtype);
            };
            ops::select::Where.call(&[&mask, &yes.finish(&like)?, &no.finish(&like)?])
        };
        Expr::Of(choose())
    }
    fn is_nan(&self) -> Holds {
        self.compare(Order::NotEqual, self)
    }
    fn pow(self, y: Expr) -> Expr {
        use ops::power::Pow;
        match (self, y) {
            (Expr::Constant(a), Expr::Constant(b)) => Expr::Constant(Real::pow(a, b)),
            (Expr::Of(a), Expr::Constant(b)) => {
                Expr::Of(a.and_then(|a| Pow::fixed(&a, Fixed::Right(Scalar::Float(b)))))
            }
            (Expr::Constant(a), Expr::Of(b)) => Expr::Of(b.and_then(|b| Pow::fixed(&b, Fixed::Left(Scalar::Float(a))))),
            (Expr::Of(a), Expr::Of(b)) => Expr::Of(a.and_then(|a| Pow::of(&a, &b?))),
        }
    }
    fn polygamma(self, n: u32) -> Expr {
        self.map(|c| Real::polygamma(c, n), |v| ops::Map1(ops::special::Polygamma { n }).call(&[v]))
    }
    fn digamma(self) -> Expr {
        // A constant may be negative, where only the full-range form holds.
        self.map(Real::digamma_any, |v| ops::Map1(ops::special::Digamma).call(&[v]))
    }
    traced! {
        exp ops::exponential::Exp, ln ops::exponential::Log, sqrt ops::power::Sqrt, sin ops::trig::Sin, cos ops::trig::Cos,
        sinh ops::hyperbolic::Sinh, cosh ops::hyperbolic::Cosh, tanh ops::hyperbolic::Tanh,
        sigmoid ops::activation::Sigmoid, erf ops::special::Erf, ndtr ops::special::Ndtr, abs ops::rounding::Abs,
        sign ops::rounding::Sign, floor ops::rounding::Floor, trunc ops::rounding::Trunc,
    }
}
