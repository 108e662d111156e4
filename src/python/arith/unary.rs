//! Elementwise functions of one tensor: `x.sin()`, `rustgrad.sin(x)`, and their in-place forms.
use super::{
    super::{
        complex, export_with_out,
        function::given,
        tensor::{run, Tensor},
    },
    operators::work,
};
use crate::{
    dtype::Scalar,
    error::Error,
    ops::{
        activation::{Relu, Sigmoid},
        arith::*,
        binary::Binary,
        exponential::*,
        hyperbolic::*,
        power::*,
        rounding::*,
        special::*,
        trig::*,
        unary::Unary,
        Fixed,
    },
    trace::Value,
};
use pyo3::prelude::*;

// One entry per function: names, op, sentence, derivative, and an example as argument and result. The text in front of a
// group says what its functions do with dtypes.
macro_rules! unary { ($($dtypes:literal {
    $($name:ident $inplace:ident $op:path: $what:literal, $slope:literal, $at:literal => $result:literal;)*
})*) => {
    #[pymethods]
    impl Tensor { $($(
        #[doc = concat!("See `rustgrad.", stringify!($name), "`.")]
        fn $name(&self, py: Python<'_>) -> PyResult<Tensor> {
            let x = self.value()?;
            Ok(run(py, 8 * work(&x), || $op.of(&x))?.into())
        }
        #[doc = concat!("In-place form of `", stringify!($name), "`.")]
        fn $inplace<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
            slf.get().variable()?.write(stringify!($inplace), |x| $op.of(x))?;
            Ok(slf)
        }
    )*)* }
    /// The same as functions, which cost no more than the methods.
    mod functions {
        use super::*;
        $($(
            #[doc = concat!(
                $what, "\n\nShape: any, kept. ", $dtypes, "\n\nDerivative: ", $slope,
                "\n\n>>> rg.", stringify!($name), "(rg.tensor(", $at, "))\ntensor(", $result, ")"
            )]
            #[pyfunction]
            #[pyo3(signature = (input, *, out=None))]
            pub fn $name<'py>(py: Python<'py>, input: &Tensor, out: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, Tensor>> {
                let x = input.value()?;
                given(py, stringify!($name), run(py, 8 * work(&x), || $op.of(&x))?, out)
            }
        )*)*
        pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
            $($(m.add_function(wrap_pyfunction!($name, m)?)?;)*)*
            Ok(())
        }
    }
} }
unary! {
    "Floats keep their dtype, integers and booleans become the default dtype; raises TypeError for complex numbers." {
        acos acos_ Acos: "Inverse cosine, in [0, π]; NaN outside of [-1, 1].",
            "-1 / √(1 - x²).", "[1.0, 0.0]" => "[0.0000, 1.5708]";
        acosh acosh_ Acosh: "Inverse hyperbolic cosine; NaN below 1.",
            "1 / √(x² - 1).", "[1.0, 2.0]" => "[0.0000, 1.3170]";
        asin asin_ Asin: "Inverse sine, in [-π/2, π/2]; NaN outside of [-1, 1].",
            "1 / √(1 - x²). Method: fdlibm's, a polynomial up to ½ and a square root above.",
            "[0.0, 1.0]" => "[0.0000, 1.5708]";
        asinh asinh_ Asinh: "Inverse hyperbolic sine.",
            "1 / √(x² + 1).", "[0.0, 1.0]" => "[0.0000, 0.8814]";
        atan atan_ Atan: "Inverse tangent, in [-π/2, π/2].",
            "1 / (1 + x²).", "[0.0, 1.0]" => "[0.0000, 0.7854]";
        atanh atanh_ Atanh: "Inverse hyperbolic tangent; NaN outside of [-1, 1].",
            "1 / (1 - x²).", "[0.0, 0.5]" => "[0.0000, 0.5493]";
        cosh cosh_ Cosh: "Hyperbolic cosine.",
            "sinh(x).", "[0.0, 1.0]" => "[1.0000, 1.5431]";
        digamma digamma_ Digamma: "Logarithmic derivative of the gamma function, ψ(x) = Γ'(x) / Γ(x); NaN at negative integers.",
            "ψ'(x), the polygamma function of order 1. Method: Stirling's formula with a minimax polynomial, reflection \
            below 0.", "[1.0, 2.0]" => "[-0.5772,  0.4228]";
        erf erf_ Erf: "Error function, 2/√π ∫₀ˣ exp(-s²) ds.",
            "2/√π exp(-x²). Method: Shepherd and Laframboise, Math. Comp. 36 (1981).",
            "[0.0, 1.0]" => "[0.0000, 0.8427]";
        erfc erfc_ Erfc: "Complementary error function 1 - erf(x), precise for large x.",
            "-2/√π exp(-x²). Method: as `erf`.", "[0.0, 1.0]" => "[1.0000, 0.1573]";
        erfinv erfinv_ Erfinv: "Inverse of the error function; NaN outside of [-1, 1].",
            "√π/2 exp(y²) at the result y.", "[0.0, 0.5]" => "[0.0000, 0.4769]";
        exp2 exp2_ Exp2: "Two to the power x.",
            "ln(2) 2ˣ.", "[3.0, 0.5]" => "[8.0000, 1.4142]";
        expm1 expm1_ Expm1: "Exponential minus 1, precise near 0.",
            "exp(x).", "[0.0, 1e-6]" => "[0.0000e+00, 1.0000e-06]";
        lgamma lgamma_ Lgamma: "Logarithm of the absolute value of the gamma function, ln |Γ(x)|.",
            "ψ(x), the digamma function. Method: as `digamma`.", "[3.0, 0.5]" => "[0.6931, 0.5724]";
        log10 log10_ Log10: "Logarithm to base 10.",
            "1 / (x ln(10)).", "[1.0, 1000.0]" => "[0., 3.]";
        log1p log1p_ Log1p: "Natural logarithm of 1 + x, precise near 0.",
            "1 / (1 + x).", "[0.0, 1e-6]" => "[0.0000e+00, 1.0000e-06]";
        log2 log2_ Log2: "Logarithm to base 2.",
            "1 / (x ln(2)).", "[1.0, 8.0]" => "[0., 3.]";
        ndtr ndtr_ Ndtr: "Distribution function of the standard normal, Φ(x).",
            "exp(-x²/2) / √(2π). Method: as `erf`.", "[0.0, 2.0]" => "[0.5000, 0.9772]";
        rsqrt rsqrt_ Rsqrt: "Reciprocal of the square root.",
            "-½ x^(-3/2).", "[4.0, 16.0]" => "[0.5000, 0.2500]";
        sigmoid sigmoid_ Sigmoid: "Logistic function σ(x) = 1 / (1 + exp(-x)).",
            "σ(x) (1 - σ(x)).", "[0.0, 2.0]" => "[0.5000, 0.8808]";
        sinh sinh_ Sinh: "Hyperbolic sine.",
            "cosh(x).", "[0.0, 1.0]" => "[0.0000, 1.1752]";
        tan tan_ Tan: "Tangent of an angle in radians.",
            "1 + tan(x)².", "[0.0, 1.0]" => "[0.0000, 1.5574]";
    }
    "Floats and complex numbers keep their dtype, integers and booleans become the default dtype." {
        cos cos_ Cos: "Cosine of an angle in radians.",
            "-sin(x). Method: as `sin`.", "[0.0, 1.0]" => "[1.0000, 0.5403]";
        exp exp_ Exp: "Exponential.",
            "exp(x). Method: Cody–Waite reduction by ln 2 and a minimax polynomial.",
            "[0.0, 1.0]" => "[1.0000, 2.7183]";
        log log_ Log: "Natural logarithm; NaN below 0.",
            "1 / x. Method: fdlibm's.", "[1.0, 2.0]" => "[0.0000, 0.6931]";
        reciprocal reciprocal_ Reciprocal: "One divided by x.",
            "-1 / x².", "[2.0, 4.0]" => "[0.5000, 0.2500]";
        sin sin_ Sin: "Sine of an angle in radians.",
            "cos(x). Method: Cody–Waite reduction, of huge angles Payne–Hanek (1983), and fdlibm's kernels.",
            "[0.0, 1.0]" => "[0.0000, 0.8415]";
        sqrt sqrt_ Sqrt: "Square root; NaN below 0.",
            "1 / (2 √x), infinite at 0.", "[4.0, 2.0]" => "[2.0000, 1.4142]";
        tanh tanh_ Tanh: "Hyperbolic tangent.",
            "1 - tanh(x)².", "[0.0, 1.0]" => "[0.0000, 0.7616]";
    }
    "The dtype is kept; raises TypeError for booleans." {
        neg neg_ Neg: "The negative, -x.",
            "-1.", "[1.0, -2.0]" => "[-1.,  2.]";
    }
    "The dtype is kept, booleans become int64." {
        square square_ Square: "The square, x².",
            "2x.", "[3.0, -2.0]" => "[9., 4.]";
    }
    "The dtype is kept; raises TypeError for complex numbers." {
        sign sign_ Sign: "Minus one, zero or one, as x is negative, zero or positive.",
            "0 everywhere.", "[-3.0, 0.0, 2.0]" => "[-1.,  0.,  1.]";
    }
    "The dtype is kept; raises TypeError for booleans and complex numbers." {
        ceil ceil_ Ceil: "Smallest integer not below x.",
            "0 everywhere.", "[-0.5, 1.2]" => "[-0.,  2.]";
        floor floor_ Floor: "Largest integer not above x.",
            "0 everywhere.", "[-0.5, 1.2]" => "[-1.,  1.]";
        relu relu_ Relu: "The larger of x and 0.",
            "1 where x > 0, else 0, also at 0.", "[-1.0, 2.0]" => "[0., 2.]";
        trunc trunc_ Trunc: "Rounded towards zero.",
            "0 everywhere.", "[-1.5, 1.5]" => "[-1.,  1.]";
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
    /// Absolute value; of complex numbers, their length.
    ///
    /// Shape: any, kept. The dtype is kept, that of the parts for complex numbers; raises TypeError for booleans.
    ///
    /// Derivative: sign(x), so 0 at 0. Complex tensors have none.
    ///
    /// >>> rg.abs(rg.tensor([-2.0, 3.0]))
    /// tensor([2., 3.])
    pub fn abs(&self) -> PyResult<Tensor> {
        Ok(complex::abs(&self.value()?)?.into())
    }
    /// In-place form of `abs`.
    fn abs_<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("abs_", |x| Abs.of(x))?;
        Ok(slf)
    }
    /// Nearest integer, halves to even; or the nearest number with so many `decimals`.
    ///
    /// Shape: any, kept. The dtype is kept; raises TypeError for booleans and complex numbers.
    ///
    /// Derivative: 0 everywhere.
    ///
    /// >>> rg.round(rg.tensor([0.5, 1.5, 2.4]))
    /// tensor([0., 2., 2.])
    /// >>> rg.round(rg.tensor(3.14159), decimals=2)
    /// tensor(3.1400)
    #[pyo3(signature = (*, decimals=0))]
    fn round(&self, decimals: i32) -> PyResult<Tensor> {
        Ok(rounded(&self.value()?, decimals)?.into())
    }
    /// In-place form of `round`.
    #[pyo3(signature = (*, decimals=0))]
    fn round_<'py>(slf: Bound<'py, Self>, decimals: i32) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("round_", |x| rounded(x, decimals))?;
        Ok(slf)
    }
    /// What is left after rounding towards zero, x - trunc(x).
    ///
    /// Shape: any, kept. The dtype is kept; raises TypeError for booleans and complex numbers.
    ///
    /// Derivative: 1.
    ///
    /// >>> rg.frac(rg.tensor([1.5, -1.25]))
    /// tensor([ 0.5000, -0.2500])
    pub fn frac(&self) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(Sub::of(&x, &Trunc.of(&x)?)?.into())
    }
    /// The same numbers, +x.
    ///
    /// Shape and dtype: any, kept.
    ///
    /// Derivative: 1.
    ///
    /// >>> rg.positive(rg.tensor([-1.0]))
    /// tensor([-1.])
    fn positive(&self) -> PyResult<Tensor> {
        Ok(self.value()?.into())
    }
}
/// Derivative of order `n` of the digamma function, (-1)ⁿ⁺¹ n! Σ 1 / (x + k)ⁿ⁺¹; of order 0, `digamma` itself.
///
/// Shape: any, kept. Floats keep their dtype, integers and booleans become the default dtype; raises TypeError for
/// complex numbers, ValueError for a negative `n`.
///
/// Derivative: the same function of order n + 1. Method: Euler–Maclaurin summation of the Hurwitz zeta function.
///
/// >>> rg.polygamma(1, rg.tensor([1.0, 2.0]))
/// tensor([1.6449, 0.6449])
#[pyfunction(name = "polygamma")]
fn polygamma_of(n: i64, input: &Tensor) -> PyResult<Tensor> {
    input.polygamma(n)
}
#[pymethods]
impl Tensor {
    /// See `rustgrad.polygamma`.
    fn polygamma(&self, n: i64) -> PyResult<Tensor> {
        Ok(polygamma(n, &self.value()?)?.into())
    }
    /// In-place form of `polygamma`.
    fn polygamma_<'py>(slf: Bound<'py, Self>, n: i64) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("polygamma_", |x| polygamma(n, x))?;
        Ok(slf)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    functions::register(m)?;
    export_with_out(m, &["abs", "round", "frac", "positive"])?;
    m.add_function(wrap_pyfunction!(polygamma_of, m)?)
}
