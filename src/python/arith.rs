//! Operators and elementwise functions of tensors: `a + b`, `x.sin()`, comparisons, in-place forms.
use super::{
    export,
    tensor::{run, Operand, Tensor},
};
use crate::{
    dtype::Scalar,
    error::Error,
    ops::{
        activation::{Relu, Sigmoid},
        arith::*,
        binary::Binary,
        compare::{compare, compare_number, Order},
        exponential::*,
        hyperbolic::*,
        logic,
        power::*,
        rounding::*,
        select,
        special::*,
        trig::*,
        unary::Unary,
        Fixed, Map2, Prim,
    },
    trace::Value,
};
use pyo3::prelude::*;

/// `x op other`, for a tensor or a number on the right.
#[inline]
pub fn binary<B: Binary>(x: &Value, other: Operand) -> Result<Value, Error>
where
    Map2<B>: Into<Prim>,
{
    match other {
        Operand::Tensor(y) => B::of(x, &y),
        Operand::Number(s) => B::fixed(x, Fixed::Right(s)),
    }
}
/// `other op x`.
fn reflected<B: Binary>(x: &Value, other: Operand) -> Result<Value, Error>
where
    Map2<B>: Into<Prim>,
{
    match other {
        Operand::Tensor(y) => B::of(&y, x),
        Operand::Number(s) => B::fixed(x, Fixed::Left(s)),
    }
}
/// `x ** other`, with the common exponents as ops of their own.
pub fn pow(x: &Value, other: Operand) -> Result<Value, Error> {
    match other {
        Operand::Number(Scalar::Int(2)) => Square.of(x),
        Operand::Number(Scalar::Float(2.0)) if x.dtype().is_inexact() => Square.of(x),
        Operand::Number(Scalar::Float(0.5)) => Sqrt.of(x),
        Operand::Number(Scalar::Float(-1.0) | Scalar::Int(-1)) if x.dtype().is_inexact() => Reciprocal.of(x),
        Operand::Number(Scalar::Int(i)) if i < 0 && x.dtype().is_integral() => {
            Err(Error::value("pow", "cannot raise integers to negative powers; convert to a float dtype first"))
        }
        other => binary::<Pow>(x, other),
    }
}
fn ordered(order: Order, x: &Value, other: Operand) -> Result<Value, Error> {
    match other {
        Operand::Tensor(y) => compare(order, x, &y),
        Operand::Number(s) => compare_number(order, x, s),
    }
}
/// `a + alpha * b`, the form of `add` and `sub` with their optional factor.
fn with_alpha(other: Operand, alpha: Option<Operand>) -> Result<Operand, Error> {
    match alpha {
        None => Ok(other),
        Some(alpha) => Ok(Operand::Tensor(binary::<Mul>(&other.value()?, alpha)?)),
    }
}
fn work(x: &Value) -> usize {
    x.len()
}

macro_rules! operators { ($($dunder:ident $reflected:ident $inplace:ident $op:ident $name:literal;)*) => {
    #[pymethods]
    impl Tensor { $(
        #[inline]
        fn $dunder(&self, py: Python<'_>, other: Operand) -> PyResult<Tensor> {
            let x = self.value()?;
            Ok(run(py, work(&x), || binary::<$op>(&x, other))?.into())
        }
        fn $reflected(&self, py: Python<'_>, other: Operand) -> PyResult<Tensor> {
            let x = self.value()?;
            Ok(run(py, work(&x), || reflected::<$op>(&x, other))?.into())
        }
        fn $inplace(&self, other: Operand) -> PyResult<()> {
            Ok(self.variable().write($name, |x| binary::<$op>(x, other))?)
        }
    )* }
} }
operators! {
    __add__ __radd__ __iadd__ Add "add_";
    __sub__ __rsub__ __isub__ Sub "sub_";
    __mul__ __rmul__ __imul__ Mul "mul_";
    __truediv__ __rtruediv__ __itruediv__ Div "div_";
    __floordiv__ __rfloordiv__ __ifloordiv__ FloorDivide "floor_divide_";
    __mod__ __rmod__ __imod__ Remainder "remainder_";
}
#[pymethods]
impl Tensor {
    fn __pow__(&self, py: Python<'_>, other: Operand, modulo: Option<Py<PyAny>>) -> PyResult<Tensor> {
        if modulo.is_some() {
            return Err(pyo3::exceptions::PyTypeError::new_err("pow: a modulus is not supported for tensors"));
        }
        let x = self.value()?;
        Ok(run(py, 20 * work(&x), || pow(&x, other))?.into())
    }
    fn __rpow__(&self, py: Python<'_>, other: Operand, _modulo: Option<Py<PyAny>>) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, 20 * work(&x), || reflected::<Pow>(&x, other))?.into())
    }
    fn __ipow__(&self, other: Operand, _modulo: Option<Py<PyAny>>) -> PyResult<()> {
        Ok(self.variable().write("pow_", |x| pow(x, other))?)
    }
    fn __neg__(&self) -> PyResult<Tensor> {
        Ok(Neg.of(&self.value()?)?.into())
    }
    fn __pos__(&self) -> PyResult<Tensor> {
        Ok(self.value()?.into())
    }
    fn __abs__(&self) -> PyResult<Tensor> {
        self.abs()
    }
    /// Absolute value; of complex numbers, their length.
    fn abs(&self) -> PyResult<Tensor> {
        Ok(super::complex::abs(&self.value()?)?.into())
    }
    /// In-place form.
    fn abs_<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable().write("abs_", |x| Abs.of(x))?;
        Ok(slf)
    }
    fn __richcmp__(&self, other: Operand, op: pyo3::basic::CompareOp) -> PyResult<Tensor> {
        use pyo3::basic::CompareOp::*;
        let order = match op {
            Lt => Order::Less,
            Le => Order::LessEqual,
            Gt => Order::Greater,
            Ge => Order::GreaterEqual,
            Eq => Order::Equal,
            Ne => Order::NotEqual,
        };
        Ok(ordered(order, &self.value()?, other)?.into())
    }
}

macro_rules! unary { ($($(#[$doc:meta])* $name:ident $inplace:ident $op:path;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
        fn $name(&self, py: Python<'_>) -> PyResult<Tensor> {
            let x = self.value()?;
            Ok(run(py, 8 * work(&x), || $op.of(&x))?.into())
        }
        /// In-place form.
        fn $inplace<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
            slf.get().variable().write(stringify!($inplace), |x| $op.of(x))?;
            Ok(slf)
        }
    )* }
    const UNARY: &[&str] = &[$(stringify!($name)),*];
} }
unary! {
    /// Inverse cosine.
    acos acos_ Acos;
    /// Inverse hyperbolic cosine.
    acosh acosh_ Acosh;
    /// Inverse sine.
    asin asin_ Asin;
    /// Inverse hyperbolic sine.
    asinh asinh_ Asinh;
    /// Inverse tangent.
    atan atan_ Atan;
    /// Inverse hyperbolic tangent.
    atanh atanh_ Atanh;
    /// Smallest integer not below.
    ceil ceil_ Ceil;
    /// Cosine of an angle in radians.
    cos cos_ Cos;
    /// Hyperbolic cosine.
    cosh cosh_ Cosh;
    /// Logarithmic derivative of the gamma function.
    digamma digamma_ Digamma;
    /// Error function.
    erf erf_ Erf;
    /// Complementary error function.
    erfc erfc_ Erfc;
    /// Inverse error function.
    erfinv erfinv_ Erfinv;
    /// Exponential.
    exp exp_ Exp;
    /// Power of two.
    exp2 exp2_ Exp2;
    /// Exponential minus 1, precise near 0.
    expm1 expm1_ Expm1;
    /// Largest integer not above.
    floor floor_ Floor;
    /// Logarithm of the absolute value of the gamma function.
    lgamma lgamma_ Lgamma;
    /// Natural logarithm.
    log log_ Log;
    /// Logarithm to base 10.
    log10 log10_ Log10;
    /// Logarithm of 1 + x, precise near 0.
    log1p log1p_ Log1p;
    /// Logarithm to base 2.
    log2 log2_ Log2;
    /// Distribution function of the standard normal.
    ndtr ndtr_ Ndtr;
    /// The negative.
    neg neg_ Neg;
    /// 1 / x.
    reciprocal reciprocal_ Reciprocal;
    /// Larger of x and 0.
    relu relu_ Relu;
    /// 1 / sqrt(x).
    rsqrt rsqrt_ Rsqrt;
    /// Logistic function.
    sigmoid sigmoid_ Sigmoid;
    /// -1, 0 or 1.
    sign sign_ Sign;
    /// Sine of an angle in radians.
    sin sin_ Sin;
    /// Hyperbolic sine.
    sinh sinh_ Sinh;
    /// Square root.
    sqrt sqrt_ Sqrt;
    /// Square.
    square square_ Square;
    /// Tangent of an angle in radians.
    tan tan_ Tan;
    /// Hyperbolic tangent.
    tanh tanh_ Tanh;
    /// Round towards zero.
    trunc trunc_ Trunc;
}
macro_rules! two { ($($(#[$doc:meta])* $name:ident $inplace:ident $op:ident;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
        fn $name(&self, py: Python<'_>, other: Operand) -> PyResult<Tensor> {
            let x = self.value()?;
            Ok(run(py, 8 * work(&x), || binary::<$op>(&x, other))?.into())
        }
        /// In-place form.
        fn $inplace<'py>(slf: Bound<'py, Self>, other: Operand) -> PyResult<Bound<'py, Self>> {
            slf.get().variable().write(stringify!($inplace), |x| binary::<$op>(x, other))?;
            Ok(slf)
        }
    )* }
    const TWO: &[&str] = &[$(stringify!($name)),*];
} }
two! {
    /// Product.
    mul mul_ Mul;
    /// Larger of two.
    maximum maximum_ Maximum;
    /// Smaller of two.
    minimum minimum_ Minimum;
    /// Remainder with the sign of the first.
    fmod fmod_ Fmod;
    /// Remainder with the sign of the second.
    remainder remainder_ Remainder;
    /// Quotient rounded down.
    floor_divide floor_divide_ FloorDivide;
    /// Angle of the point (other, self).
    atan2 atan2_ Atan2;
    /// Length of the vector (self, other).
    hypot hypot_ Hypot;
    /// Product of self and log(other), 0 where self is 0.
    xlogy xlogy_ XLogY;
    /// Logarithm of the sum of exponentials of two.
    logaddexp logaddexp_ LogAddExp;
}
macro_rules! comparisons { ($($name:ident $order:ident)*) => {
    #[pymethods]
    impl Tensor { $(
        /// Compares element by element.
        fn $name(&self, other: Operand) -> PyResult<Tensor> {
            Ok(ordered(Order::$order, &self.value()?, other)?.into())
        }
    )* }
    const COMPARISONS: &[&str] = &[$(stringify!($name)),*];
} }
comparisons! { lt Less le LessEqual gt Greater ge GreaterEqual eq Equal ne NotEqual }

#[pymethods]
impl Tensor {
    /// add(other, *, alpha=1)
    /// --
    ///
    /// `self + alpha * other`.
    #[pyo3(signature = (other, *, alpha=None))]
    fn add(&self, py: Python<'_>, other: Operand, alpha: Option<Operand>) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, work(&x), || binary::<Add>(&x, with_alpha(other, alpha)?))?.into())
    }
    /// In-place form of add.
    #[pyo3(signature = (other, *, alpha=None))]
    fn add_<'py>(slf: Bound<'py, Self>, other: Operand, alpha: Option<Operand>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable().write("add_", |x| binary::<Add>(x, with_alpha(other, alpha)?))?;
        Ok(slf)
    }
    /// sub(other, *, alpha=1)
    /// --
    ///
    /// `self - alpha * other`.
    #[pyo3(signature = (other, *, alpha=None))]
    fn sub(&self, py: Python<'_>, other: Operand, alpha: Option<Operand>) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, work(&x), || binary::<Sub>(&x, with_alpha(other, alpha)?))?.into())
    }
    /// In-place form of sub.
    #[pyo3(signature = (other, *, alpha=None))]
    fn sub_<'py>(slf: Bound<'py, Self>, other: Operand, alpha: Option<Operand>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable().write("sub_", |x| binary::<Sub>(x, with_alpha(other, alpha)?))?;
        Ok(slf)
    }
    /// pow(exponent)
    /// --
    ///
    /// Power with a tensor or number as exponent.
    #[pyo3(name = "pow")]
    fn pow_method(&self, py: Python<'_>, exponent: Operand) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, 20 * work(&x), || pow(&x, exponent))?.into())
    }
    /// In-place form of pow.
    fn pow_<'py>(slf: Bound<'py, Self>, exponent: Operand) -> PyResult<Bound<'py, Self>> {
        slf.get().variable().write("pow_", |x| pow(x, exponent))?;
        Ok(slf)
    }
}
/// The quotient, rounded as PyTorch's `rounding_mode` says.
fn divided(x: &Value, other: Operand, rounding_mode: Option<&str>) -> Result<Value, Error> {
    match rounding_mode {
        None => binary::<Div>(x, other),
        Some("floor") => binary::<FloorDivide>(x, other),
        Some("trunc") => {
            let rest = match &other {
                Operand::Tensor(y) => Fmod::of(x, y)?,
                Operand::Number(s) => Fmod::fixed(x, Fixed::Right(*s))?,
            };
            let whole = Sub::of(x, &rest)?;
            if whole.dtype().is_integral() {
                return binary::<FloorDivide>(&whole, other);
            }
            Trunc.of(&binary::<Div>(x, other)?)
        }
        Some(mode) => {
            Err(Error::value("div", format!("rounding_mode must be None, \"floor\" or \"trunc\", not {mode:?}")))
        }
    }
}
fn rounded(x: &Value, decimals: i32) -> Result<Value, Error> {
    if decimals == 0 {
        return Round.of(x);
    }
    let scale = Scalar::Float(10f64.powi(decimals.abs()));
    if decimals > 0 {
        return Div::fixed(&Round.of(&Mul::fixed(x, Fixed::Right(scale))?)?, Fixed::Right(scale));
    }
    Mul::fixed(&Round.of(&Div::fixed(x, Fixed::Right(scale))?)?, Fixed::Right(scale))
}
#[pymethods]
impl Tensor {
    /// div(other, *, rounding_mode=None)
    /// --
    ///
    /// Quotient; rounded down with "floor", towards zero with "trunc".
    #[pyo3(signature = (other, *, rounding_mode=None))]
    fn div(&self, py: Python<'_>, other: Operand, rounding_mode: Option<&str>) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, 2 * work(&x), || divided(&x, other, rounding_mode))?.into())
    }
    /// In-place form of div.
    #[pyo3(signature = (other, *, rounding_mode=None))]
    fn div_<'py>(slf: Bound<'py, Self>, other: Operand, rounding_mode: Option<&str>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable().write("div_", |x| divided(x, other, rounding_mode))?;
        Ok(slf)
    }
    /// true_divide(other)
    /// --
    ///
    /// Quotient.
    fn true_divide(&self, py: Python<'_>, other: Operand) -> PyResult<Tensor> {
        self.div(py, other, None)
    }
    /// round(*, decimals=0)
    /// --
    ///
    /// Nearest integer, halves to even; or the nearest number with so many decimals.
    #[pyo3(signature = (*, decimals=0))]
    fn round(&self, decimals: i32) -> PyResult<Tensor> {
        Ok(rounded(&self.value()?, decimals)?.into())
    }
    /// In-place form of round.
    #[pyo3(signature = (*, decimals=0))]
    fn round_<'py>(slf: Bound<'py, Self>, decimals: i32) -> PyResult<Bound<'py, Self>> {
        slf.get().variable().write("round_", |x| rounded(x, decimals))?;
        Ok(slf)
    }
    /// frac()
    /// --
    ///
    /// What is left after rounding towards zero.
    fn frac(&self) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(Sub::of(&x, &Trunc.of(&x)?)?.into())
    }
    /// positive()
    /// --
    ///
    /// The tensor itself.
    fn positive(&self) -> PyResult<Tensor> {
        Ok(self.value()?.into())
    }
}
macro_rules! truths { ($($(#[$doc:meta])* $name:ident $f:path;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
        fn $name(&self) -> PyResult<Tensor> {
            Ok($f(&self.value()?)?.into())
        }
    )* }
    const TRUTHS: &[&str] = &[$(stringify!($name)),*];
} }
truths! {
    /// True where an element is zero.
    logical_not logic::not;
    /// Every bit inverted.
    bitwise_not logic::bitwise_not;
    /// True where an element is NaN.
    isnan logic::is_nan;
    /// True where an element is infinite.
    isinf logic::is_inf;
    /// True where an element is neither infinite nor NaN.
    isfinite logic::is_finite;
}
macro_rules! combinations { ($($(#[$doc:meta])* $name:ident $f:expr;)*) => {
    #[pymethods]
    impl Tensor { $(
        $(#[$doc])*
        fn $name(&self, other: Operand) -> PyResult<Tensor> {
            Ok($f(&self.value()?, &other.value()?)?.into())
        }
    )* }
} }
combinations! {
    /// True where both are not zero.
    logical_and logic::and;
    /// True where either is not zero.
    logical_or logic::or;
    /// True where exactly one is not zero.
    logical_xor logic::xor;
    /// Bits set in both.
    bitwise_and logic::of_bits::<logic::BitAnd>;
    /// Bits set in either.
    bitwise_or logic::of_bits::<logic::BitOr>;
    /// Bits set in exactly one.
    bitwise_xor logic::of_bits::<logic::BitXor>;
    /// Bits moved to the left.
    bitwise_left_shift logic::of_bits::<logic::LeftShift>;
    /// Bits moved to the right.
    bitwise_right_shift logic::of_bits::<logic::RightShift>;
    __lshift__ logic::of_bits::<logic::LeftShift>;
    __rshift__ logic::of_bits::<logic::RightShift>;
    __and__ logic::of_bits::<logic::BitAnd>;
    __rand__ logic::of_bits::<logic::BitAnd>;
    __or__ logic::of_bits::<logic::BitOr>;
    __ror__ logic::of_bits::<logic::BitOr>;
    __xor__ logic::of_bits::<logic::BitXor>;
    __rxor__ logic::of_bits::<logic::BitXor>;
}
#[pymethods]
impl Tensor {
    fn __invert__(&self) -> PyResult<Tensor> {
        Ok(logic::bitwise_not(&self.value()?)?.into())
    }
}
/// pow(input, exponent)
/// --
///
/// Power; one of the two may be a number.
#[pyfunction(name = "pow")]
fn power(input: Operand, exponent: Operand) -> PyResult<Tensor> {
    Ok(match input {
        Operand::Tensor(x) => pow(&x, exponent)?,
        number => reflected::<Pow>(&exponent.value()?, number)?,
    }
    .into())
}
/// polygamma(n, input)
/// --
///
/// Derivative of order n of digamma.
#[pyfunction(name = "polygamma")]
fn polygamma_of(n: i64, input: &Tensor) -> PyResult<Tensor> {
    input.polygamma(n)
}
#[pymethods]
impl Tensor {
    /// polygamma(n)
    /// --
    ///
    /// Derivative of order n of digamma.
    fn polygamma(&self, n: i64) -> PyResult<Tensor> {
        Ok(crate::ops::special::polygamma(n, &self.value()?)?.into())
    }
    /// In-place form of polygamma.
    fn polygamma_<'py>(slf: Bound<'py, Self>, n: i64) -> PyResult<Bound<'py, Self>> {
        slf.get().variable().write("polygamma_", |x| crate::ops::special::polygamma(n, x))?;
        Ok(slf)
    }
}
/// where(condition, input, other)
/// --
///
/// `input` where the condition holds, else `other`.
#[pyfunction(name = "where")]
fn where_(condition: Operand, input: Operand, other: Operand) -> PyResult<Tensor> {
    Ok(select::choose_by(&condition.value()?, &input.value()?, &other.value()?)?.into())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(where_, m)?)?;
    m.add_function(wrap_pyfunction!(polygamma_of, m)?)?;
    export(m, UNARY)?;
    export(m, TWO)?;
    export(m, COMPARISONS)?;
    export(m, TRUTHS)?;
    m.add_function(wrap_pyfunction!(power, m)?)?;
    let names = [
        "abs",
        "add",
        "sub",
        "div",
        "true_divide",
        "round",
        "frac",
        "positive",
        "logical_and",
        "logical_or",
        "logical_xor",
    ];
    export(m, &names)?;
    export(m, &["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"])?;
    for (alias, name) in
        [("subtract", "sub"), ("multiply", "mul"), ("divide", "div"), ("negative", "neg"), ("absolute", "abs")]
    {
        m.add(alias, m.getattr(name)?)?;
    }
    Ok(())
}
