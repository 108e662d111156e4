//! Elementwise functions of two tensors: `x.maximum(y)`, `rustgrad.hypot(x, y)`, and their in-place forms.
use super::{
    super::{
        export_with_out,
        function::given,
        tensor::{run, scalar, Operand, Other, Tensor},
    },
    operators::{binary, pow, reflected, work},
};
use crate::{
    error::Error,
    ops::{
        arith::*, binary::Binary, exponential::*, power::*, rounding::*, special::*, trig::*, unary::Unary, Fixed,
        Map2, Prim,
    },
    trace::Value,
};
use pyo3::{exceptions::PyTypeError, prelude::*};

// One entry per function: names, op, sentence, derivatives by `input` and by `other`, and an example as two arguments and
// a result. In front of a group stand what its functions do with dtypes and the type of `other`.
macro_rules! two { ($($dtypes:literal $input:ident $other:ident {
    $($name:ident $inplace:ident $op:ident: $what:literal, $slopes:literal, $a:literal with $b:literal => $result:literal;)*
})*) => {
    #[pymethods]
    impl Tensor { $($(
        #[doc = concat!("See `rustgrad.", stringify!($name), "`.")]
        fn $name(&self, py: Python<'_>, other: $other) -> PyResult<Tensor> {
            let x = self.value()?;
            Ok(run(py, 8 * work(&x), || binary::<$op>(&x, other.into()))?.into())
        }
        #[doc = concat!("In-place form of `", stringify!($name), "`.")]
        fn $inplace<'py>(slf: Bound<'py, Self>, other: $other) -> PyResult<Bound<'py, Self>> {
            slf.get().variable()?.write(stringify!($inplace), |x| binary::<$op>(x, other.into()))?;
            Ok(slf)
        }
    )*)* }
    /// The same as functions, which cost no more than the methods.
    mod functions {
        use super::*;
        $($(
            #[doc = concat!(
                $what, "\n\nShapes: `input` and `other` broadcast; raises ValueError if they cannot. ", $dtypes,
                "\n\nDerivative: ", $slopes, "\n\n>>> rg.", stringify!($name),
                "(rg.tensor(", $a, "), rg.tensor(", $b, "))\ntensor(", $result, ")"
            )]
            #[pyfunction]
            #[pyo3(signature = (input, other, *, out=None))]
            pub fn $name<'py>(py: Python<'py>, input: $input, other: $other, out: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, Tensor>> {
                given(py, stringify!($name), either::<$op>(py, input.0, other.into())?, out)
            }
        )*)*
        pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
            $($(m.add_function(wrap_pyfunction!($name, m)?)?;)*)*
            Ok(())
        }
    }
} }
two! {
    "`other` may be a number. Any dtypes, promoted to a common one." First Operand {
        mul mul_ Mul: "Product, element by element.",
            "b by the first factor a, a by the second factor b.",
            "[2.0, 3.0]" with "[4.0, 5.0]" => "[ 8., 15.]";
    }
    "Dtypes are promoted to a common one; raises TypeError for complex numbers." First Other {
        maximum maximum_ Maximum: "Larger of two, element by element; NaN wins.",
            "1 by the larger and 0 by the smaller, ½ by each where they are equal.",
            "[1.0, 4.0]" with "[3.0, 2.0]" => "[3., 4.]";
        minimum minimum_ Minimum: "Smaller of two, element by element; NaN wins.",
            "1 by the smaller and 0 by the larger, ½ by each where they are equal.",
            "[1.0, 4.0]" with "[3.0, 2.0]" => "[1., 2.]";
    }
    "`other` may be a number. Dtypes are promoted to a common one; raises TypeError for complex numbers." First Operand {
        fmod fmod_ Fmod: "Remainder of a division with the sign of the dividend, a - b trunc(a / b).",
            "1 by a, -trunc(a / b) by b. Integers divided by zero raise ValueError.",
            "[-7.0, 7.0]" with "[3.0, 3.0]" => "[-1.,  1.]";
        floor_divide floor_divide_ FloorDivide: "Quotient rounded down, floor(a / b).",
            "0 everywhere. Integers divided by zero raise ValueError.",
            "[-7.0, 7.0]" with "[2.0, 2.0]" => "[-4.,  3.]";
    }
    "One of both may be a number. Dtypes are promoted to a common one; raises TypeError for complex numbers." FirstOrNumber Operand {
        remainder remainder_ Remainder: "Remainder of a division with the sign of the divisor, a - b floor(a / b).",
            "1 by a, -floor(a / b) by b. Integers divided by zero raise ValueError.",
            "[-7.0, 7.0]" with "[3.0, 3.0]" => "[2., 1.]";
    }
    "Floats are promoted to a common dtype, integers and booleans become the default dtype; raises TypeError for complex \
    numbers." First Other {
        atan2 atan2_ Atan2: "Angle of the point (other, input) in the plane, in [-π, π].",
            "x / (x² + y²) by y = `input`, -y / (x² + y²) by x = `other`.",
            "[1.0, -1.0]" with "[1.0, 0.0]" => "[ 0.7854, -1.5708]";
        hypot hypot_ Hypot: "Length of the vector (input, other), without overflow.",
            "a / h by a and b / h by b at the result h, 0 at the origin.",
            "[3.0, 5.0]" with "[4.0, 12.0]" => "[ 5., 13.]";
        logaddexp logaddexp_ LogAddExp: "Logarithm of exp(a) + exp(b), without overflow.",
            "exp(a - y) by a and exp(b - y) by b, at the result y.",
            "[0.0, 100.0]" with "[0.0, 0.0]" => "[  0.6931, 100.0000]";
    }
    "One of both may be a number. Floats are promoted to a common dtype, integers and booleans become the default dtype; \
    raises TypeError for complex numbers." FirstOrNumber Operand {
        xlogy xlogy_ XLogY: "Product a log(b), 0 where a is 0.",
            "log(b) by a, a / b by b; 0 by a where both are 0.",
            "[0.0, 2.0]" with "[0.0, 3.0]" => "[0.0000, 2.1972]";
    }
}
/// The first operand: a tensor.
struct First(Operand);
impl<'a, 'py> FromPyObject<'a, 'py> for First {
    type Error = PyErr;
    #[inline]
    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<First> {
        match obj.cast::<Tensor>() {
            Ok(tensor) => Ok(First(Operand::Tensor(tensor.get().value()?))),
            Err(_) => Err(PyTypeError::new_err(format!("expected a tensor, not a {}", obj.get_type().name()?))),
        }
    }
}
/// The first operand of the functions that PyTorch lets start with a number, too.
struct FirstOrNumber(Operand);
impl<'a, 'py> FromPyObject<'a, 'py> for FirstOrNumber {
    type Error = PyErr;
    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<FirstOrNumber> {
        match scalar(&obj) {
            Some(number) => Ok(FirstOrNumber(Operand::Number(number))),
            None => obj.extract::<First>().map(|first| FirstOrNumber(first.0)),
        }
    }
}
/// A function of two operands, one of which may be a number.
fn either<B: Binary>(py: Python<'_>, a: Operand, b: Operand) -> PyResult<Value>
where
    Map2<B>: Into<Prim>,
{
    Ok(match (a, b) {
        (Operand::Tensor(x), b) => run(py, 8 * work(&x), || binary::<B>(&x, b))?,
        (number, Operand::Tensor(x)) => run(py, 8 * work(&x), || reflected::<B>(&x, number))?,
        _ => {
            return Err(PyTypeError::new_err(format!(
                "{}: needs a tensor as one of its arguments; make one with rustgrad.tensor()",
                B::NAME
            )))
        }
    })
}
/// `a + alpha * b`, the form of `add` and `sub` with their optional factor.
fn with_alpha(other: Operand, alpha: Option<Operand>) -> Result<Operand, Error> {
    match alpha {
        None => Ok(other),
        Some(alpha) => Ok(Operand::Tensor(binary::<Mul>(&other.value()?, alpha)?)),
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
#[pymethods]
impl Tensor {
    /// Sum, `input + alpha * other`.
    ///
    /// Shapes: `input` and `other` (a tensor or a number) broadcast; raises ValueError if they cannot. Any dtypes,
    /// promoted to a common one.
    ///
    /// Derivative: 1 by `input`, `alpha` (1 if left out) by `other`.
    ///
    /// >>> rg.add(rg.tensor([1.0, 2.0]), 10)
    /// tensor([11., 12.])
    #[pyo3(signature = (other, *, alpha=None))]
    fn add(&self, py: Python<'_>, other: Operand, alpha: Option<Operand>) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, work(&x), || binary::<Add>(&x, with_alpha(other, alpha)?))?.into())
    }
    /// In-place form of `add`.
    #[pyo3(signature = (other, *, alpha=None))]
    fn add_<'py>(slf: Bound<'py, Self>, other: Operand, alpha: Option<Operand>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("add_", |x| binary::<Add>(x, with_alpha(other, alpha)?))?;
        Ok(slf)
    }
    /// Difference, `input - alpha * other`.
    ///
    /// Shapes: `input` and `other` (a tensor or a number) broadcast; raises ValueError if they cannot. Dtypes are
    /// promoted to a common one; raises TypeError for two booleans.
    ///
    /// Derivative: 1 by `input`, -`alpha` (-1 if left out) by `other`.
    ///
    /// >>> rg.sub(rg.tensor([1.0, 2.0]), rg.tensor([1.0, 1.0]), alpha=2)
    /// tensor([-1.,  0.])
    #[pyo3(signature = (other, *, alpha=None))]
    fn sub(&self, py: Python<'_>, other: Operand, alpha: Option<Operand>) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, work(&x), || binary::<Sub>(&x, with_alpha(other, alpha)?))?.into())
    }
    /// In-place form of `sub`.
    #[pyo3(signature = (other, *, alpha=None))]
    fn sub_<'py>(slf: Bound<'py, Self>, other: Operand, alpha: Option<Operand>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("sub_", |x| binary::<Sub>(x, with_alpha(other, alpha)?))?;
        Ok(slf)
    }
    /// See `rustgrad.pow`.
    #[pyo3(name = "pow")]
    fn pow_method(&self, py: Python<'_>, exponent: Operand) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, 20 * work(&x), || pow(&x, exponent))?.into())
    }
    /// In-place form of `pow`.
    fn pow_<'py>(slf: Bound<'py, Self>, exponent: Operand) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("pow_", |x| pow(x, exponent))?;
        Ok(slf)
    }
    /// Quotient; rounded down with `rounding_mode="floor"`, towards zero with `"trunc"`.
    ///
    /// Shapes: `input` and `other` (a tensor or a number) broadcast; raises ValueError if they cannot. Dtypes are
    /// promoted to a common one, integers and booleans to the default dtype unless the quotient is rounded. Integers
    /// divided by zero with rounding raise ValueError.
    ///
    /// Derivative: 1 / b by a, -a / b² by b; 0 everywhere with rounding.
    ///
    /// >>> rg.div(rg.tensor([1.0, -7.0]), 2)
    /// tensor([ 0.5000, -3.5000])
    /// >>> rg.div(rg.tensor([1.0, -7.0]), 2, rounding_mode="trunc")
    /// tensor([ 0., -3.])
    #[pyo3(signature = (other, *, rounding_mode=None))]
    fn div(&self, py: Python<'_>, other: Operand, rounding_mode: Option<&str>) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(run(py, 2 * work(&x), || divided(&x, other, rounding_mode))?.into())
    }
    /// In-place form of `div`.
    #[pyo3(signature = (other, *, rounding_mode=None))]
    fn div_<'py>(slf: Bound<'py, Self>, other: Operand, rounding_mode: Option<&str>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("div_", |x| divided(x, other, rounding_mode))?;
        Ok(slf)
    }
    /// Same as `div` without rounding.
    fn true_divide(&self, py: Python<'_>, other: Operand) -> PyResult<Tensor> {
        self.div(py, other, None)
    }
}
/// Power, `input ** exponent`; one of the two may be a number.
///
/// Shapes: both broadcast; raises ValueError if they cannot. Any dtypes, promoted to a common one; raises ValueError for
/// integers to the power of a negative whole number.
///
/// Derivative: b aᵇ⁻¹ by the base a, 0 for b = 0; aᵇ ln(a) by the exponent b, 0 for a = 0.
///
/// >>> rg.pow(rg.tensor([2.0, 3.0]), 2)
/// tensor([4., 9.])
/// >>> rg.pow(2, rg.tensor([3.0, 4.0]))
/// tensor([ 8., 16.])
#[pyfunction(name = "pow")]
fn power(input: Operand, exponent: Operand) -> PyResult<Tensor> {
    Ok(match input {
        Operand::Tensor(x) => pow(&x, exponent)?,
        number => match exponent {
            Operand::Tensor(x) => reflected::<Pow>(&x, number)?,
            Operand::Number(_) => {
                return Err(PyTypeError::new_err("pow: needs a tensor as one of its arguments; use ** for two numbers"))
            }
        },
    }
    .into())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    functions::register(m)?;
    export_with_out(m, &["add", "sub", "div", "true_divide"])?;
    m.add_function(wrap_pyfunction!(power, m)?)?;
    Ok(())
}
