//! Activations, softmax among them.
use super::super::{
    dtype::Arg,
    export_with_out,
    tensor::{run, Tensor},
};
use crate::{
    error::Error,
    ops::{
        activation::{Elu, LeakyRelu, LogSigmoid, Silu},
        nn, softmax,
        unary::Unary,
    },
    shape::axis,
};
use pyo3::prelude::*;

#[pymethods]
impl Tensor {
    /// Exponentials divided by their sum along a dimension, without overflow.
    ///
    /// Shape: any, kept. Floats, or converted by `dtype`; raises TypeError for others, IndexError for a dimension that
    /// is out of range.
    ///
    /// Derivative: yᵢ (δᵢⱼ - yⱼ) of element i by element j at the result y.
    ///
    /// >>> rg.softmax(rg.tensor([1.0, 1.0, 1.0, 1.0]), 0)
    /// tensor([0.2500, 0.2500, 0.2500, 0.2500])
    #[pyo3(signature = (dim, dtype=None))]
    fn softmax(&self, py: Python<'_>, dim: i64, dtype: Option<Arg>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = axis("softmax", dim, x.rank())?;
        Ok(run(py, 16 * x.len(), || softmax::softmax(&x, a, false, dtype.map(|d| d.0)))?.into())
    }
    /// Logarithm of the softmax along a dimension, x - log Σ exp(x), without overflow.
    ///
    /// Shape: any, kept. Floats, or converted by `dtype`; raises TypeError for others, IndexError for a dimension that
    /// is out of range.
    ///
    /// Derivative: δᵢⱼ - exp(yⱼ) of element i by element j at the result y.
    ///
    /// >>> rg.log_softmax(rg.tensor([0.0, 0.0]), 0)
    /// tensor([-0.6931, -0.6931])
    #[pyo3(signature = (dim, dtype=None))]
    fn log_softmax(&self, py: Python<'_>, dim: i64, dtype: Option<Arg>) -> PyResult<Tensor> {
        let x = self.value()?;
        let a = axis("log_softmax", dim, x.rank())?;
        Ok(run(py, 16 * x.len(), || softmax::softmax(&x, a, true, dtype.map(|d| d.0)))?.into())
    }
}
/// The slope of `selu` at positive numbers.
const SELU: f64 = 1.050_700_987_355_480_5;
macro_rules! activations { ($($(#[$doc:meta])* fn $name:ident($x:ident $(, $arg:ident: $t:ty = $default:expr)*) $body:expr;)*) => {
    $(
        $(#[$doc])*
        #[doc = "\nShape: any, kept. Floats keep their dtype, integers become the default dtype (hardtanh and relu6 keep it); raises \
            TypeError for complex numbers, ValueError for inplace=True."]
        #[pyfunction]
        #[pyo3(signature = (input $(, $arg=$default)*, inplace=false))]
        fn $name(py: Python<'_>, input: &Tensor $(, $arg: $t)*, inplace: bool) -> PyResult<Tensor> {
            if inplace {
                return Err(Error::value(stringify!($name), "inplace=True is not supported; use the result").into());
            }
            let $x = &input.value()?;
            Ok(run(py, 16 * $x.len(), || $body.map_err(|e| e.named(stringify!($name))))?.into())
        }
    )*
    fn register_activations(m: &Bound<'_, PyModule>) -> PyResult<()> {
        $(m.add_function(wrap_pyfunction!($name, m)?)?;)*
        Ok(())
    }
} }
activations! {
    /// Product of x and the logistic function, x σ(x) (Elfwing et al. 2018).
    ///
    /// Derivative: σ(x) (1 + x (1 - σ(x))).
    ///
    /// >>> rg.nn.functional.silu(rg.tensor([-1.0, 1.0]))
    /// tensor([-0.2689,  0.7311])
    fn silu(x) Silu.of(x);
    /// Exponential linear unit: x where positive, else alpha (exp(x) - 1) (Clevert et al. 2016).
    ///
    /// Derivative: 1 where x > 0, else alpha exp(x).
    ///
    /// >>> rg.nn.functional.elu(rg.tensor([-1.0, 1.0]))
    /// tensor([-0.6321,  1.0000])
    fn elu(x, alpha: f64 = 1.0) Elu { scale: 1.0, depth: alpha }.of(x);
    /// Self-normalising exponential unit: elu times 1.0507 with alpha 1.6733 (Klambauer et al. 2017).
    ///
    /// Derivative: 1.0507 where x > 0, else 1.7581 exp(x).
    ///
    /// >>> rg.nn.functional.selu(rg.tensor([-1.0, 1.0]))
    /// tensor([-1.1113,  1.0507])
    fn selu(x) Elu { scale: SELU, depth: SELU * 1.673_263_242_354_377_2 }.of(x);
    /// The input where positive, else `negative_slope` times it (Maas et al. 2013).
    ///
    /// Derivative: 1 where x > 0, else negative_slope.
    ///
    /// >>> rg.nn.functional.leaky_relu(rg.tensor([-1.0, 1.0]))
    /// tensor([-0.0100,  1.0000])
    fn leaky_relu(x, negative_slope: f64 = 0.01) LeakyRelu { slope: negative_slope }.of(x);
    /// The input limited to [min_val, max_val].
    ///
    /// Derivative: 1 inside the limits, 0 outside and on them.
    ///
    /// >>> rg.nn.functional.hardtanh(rg.tensor([-2.0, 0.5, 2.0]))
    /// tensor([-1.0000,  0.5000,  1.0000])
    fn hardtanh(x, min_val: f64 = -1.0, max_val: f64 = 1.0) nn::hardtanh(x, min_val, max_val);
    /// The input limited to [0, 6].
    ///
    /// Derivative: 1 inside the limits, 0 outside and on them.
    ///
    /// >>> rg.nn.functional.relu6(rg.tensor([-1.0, 3.0, 8.0]))
    /// tensor([0., 3., 6.])
    fn relu6(x) nn::hardtanh(x, 0.0, 6.0);
}
/// Product of x and the normal distribution function, x Φ(x), or with approximate="tanh" its approximation (Hendrycks
/// and Gimpel 2016).
///
/// Shape: any, kept. Floats keep their dtype, integers become the default dtype; raises ValueError for another
/// approximation.
///
/// Derivative: Φ(x) + x exp(-x²/2) / √(2π), or that of the approximation.
///
/// >>> rg.nn.functional.gelu(rg.tensor([-1.0, 1.0]))
/// tensor([-0.1587,  0.8413])
#[pyfunction]
#[pyo3(signature = (input, approximate="none"))]
fn gelu(py: Python<'_>, input: &Tensor, approximate: &str) -> PyResult<Tensor> {
    let x = input.value()?;
    let tanh = match approximate {
        "none" => false,
        "tanh" => true,
        other => {
            return Err(Error::value("gelu", format!("approximate must be \"none\" or \"tanh\", not {other:?}")).into())
        }
    };
    Ok(run(py, 32 * x.len(), || nn::gelu(&x, tanh).map_err(|e| e.named("gelu")))?.into())
}
/// Smooth form of relu, log(1 + exp(beta x)) / beta; x itself where beta x exceeds `threshold`.
///
/// Shape: any, kept. Floats keep their dtype, integers become the default dtype.
///
/// Derivative: σ(beta x), and 1 above the threshold.
///
/// >>> rg.nn.functional.softplus(rg.tensor([0.0, 100.0]))
/// tensor([  0.6931, 100.0000])
#[pyfunction]
#[pyo3(signature = (input, beta=1.0, threshold=20.0))]
fn softplus(py: Python<'_>, input: &Tensor, beta: f64, threshold: f64) -> PyResult<Tensor> {
    let x = input.value()?;
    let named = |e: Error| e.named("softplus");
    Ok(run(py, 32 * x.len(), || nn::softplus(&x, beta, threshold).map_err(named))?.into())
}
/// Logarithm of the logistic function, -log(1 + exp(-x)), without overflow.
///
/// Shape: any, kept. Floats keep their dtype, integers become the default dtype.
///
/// Derivative: σ(-x).
///
/// >>> rg.nn.functional.logsigmoid(rg.tensor([0.0, -100.0]))
/// tensor([  -0.6931, -100.0000])
#[pyfunction]
fn logsigmoid(input: &Tensor) -> PyResult<Tensor> {
    Ok(LogSigmoid.of(&input.value()?).map_err(|e| e.named("logsigmoid"))?.into())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_activations(m)?;
    m.add_function(wrap_pyfunction!(gelu, m)?)?;
    m.add_function(wrap_pyfunction!(softplus, m)?)?;
    m.add_function(wrap_pyfunction!(logsigmoid, m)?)?;
    export_with_out(m, &["softmax", "log_softmax"])
}
