//! Complex numbers: parts, conjugates and views as pairs of reals. Values only; derivatives are refused.
use super::{
    export, export_with_out,
    tensor::{Operand, Tensor},
};
use crate::{
    array::Array,
    dtype::Scalar,
    error::{Error, Result},
    ops::{
        arith::{Mul, Sub},
        binary::Binary,
        convert, join,
        power::Hypot,
        rounding::Abs,
        trig::Atan2,
        unary::Unary,
        Fixed,
    },
    shape::{show, Dims, Strides},
    trace::Value,
};
use pyo3::prelude::*;

/// The real (0) or imaginary (1) part as a view of the same memory.
fn part(op: &'static str, x: &Value, which: usize) -> Result<Value> {
    let pairs = as_real(op, x)?;
    let rank = pairs.rank() - 1;
    let (shape, strides) = (Dims::from_slice(&pairs.shape()[..rank]), Strides::from_slice(&pairs.strides()[..rank]));
    Ok(Value::Array(pairs.view(op, shape, strides, which as isize)?))
}
fn as_real(op: &'static str, x: &Value) -> Result<Array> {
    let array =
        x.plain().ok_or_else(|| Error::graph(op, "complex numbers inside transformations are not supported"))?;
    array.reinterpret(array.dtype().real()).filter(|_| array.dtype().is_complex()).ok_or_else(|| {
        Error::dtype(op, format!("needs a complex tensor, not {} of shape {}", array.dtype(), show(array.shape())))
    })
}
pub fn abs(x: &Value) -> Result<Value> {
    match x.dtype().is_complex() {
        true => Hypot::of(&part("abs", x, 0)?, &part("abs", x, 1)?),
        false => Abs.of(x),
    }
}
/// Real and imaginary parts put together.
fn joined(real: &Value, imag: &Value) -> Result<Value> {
    if real.edge().is_some() || imag.edge().is_some() || real.plain().is_none() || imag.plain().is_none() {
        return Err(Error::not_differentiable(
            "complex",
            "the derivative of a complex result is not defined here; detach() the parts",
        ));
    }
    if real.dtype() != imag.dtype() || !real.dtype().is_float() {
        return Err(Error::dtype(
            "complex",
            format!("needs two float tensors of one dtype, not {} and {}", real.dtype(), imag.dtype()),
        ));
    }
    let (real, imag) = crate::ops::expand::pair("complex", real, imag)?;
    let pairs = join::stack(&[real.clone(), imag], real.rank())?;
    let array = pairs.array()?.reinterpret(real.dtype().complex());
    array.map(Value::Array).ok_or_else(|| Error::graph("complex", "the parts do not lie side by side"))
}
fn conjugate(x: &Value) -> Result<Value> {
    if !x.dtype().is_complex() {
        return Ok(x.clone());
    }
    let negative = Mul::fixed(&part("conj", x, 1)?, Fixed::Right(Scalar::Float(-1.0)))?;
    joined(&part("conj", x, 0)?, &negative)
}
#[pymethods]
impl Tensor {
    /// The real part, on the same memory; a real tensor itself. Assigning writes it.
    ///
    /// >>> rg.tensor([1 + 2j]).real
    /// tensor([1.])
    #[getter(real)]
    fn real_part(&self) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(if x.dtype().is_complex() { part("real", &x, 0)? } else { x }.into())
    }
    #[setter(real)]
    fn set_real_part(&self, value: Operand) -> PyResult<()> {
        let target = self.real_part()?;
        let value = value.value()?;
        target
            .variable()?
            .write("real", |x| crate::ops::expand::to("real", &convert::to(&value, x.dtype())?, x.shape()))?;
        Ok(())
    }
    /// The imaginary part, on the same memory; raises TypeError for a real tensor.
    ///
    /// >>> rg.tensor([1 + 2j]).imag
    /// tensor([2.])
    #[getter(imag)]
    fn imaginary_part(&self) -> PyResult<Tensor> {
        Ok(part("imag", &self.value()?, 1)?.into())
    }
    /// Complex conjugate; a real tensor as it is.
    ///
    /// Shape and dtype: any, kept.
    ///
    /// Derivative: 1 for real tensors; complex ones have none.
    ///
    /// >>> rg.conj(rg.tensor([1 + 2j]))
    /// tensor([1.-2.j])
    fn conj(&self) -> PyResult<Tensor> {
        Ok(conjugate(&self.value()?)?.into())
    }
    /// The same numbers: `conj` computes them at once.
    ///
    /// >>> rg.tensor([1 + 2j]).resolve_conj()
    /// tensor([1.+2.j])
    fn resolve_conj(&self) -> PyResult<Tensor> {
        Ok(self.value()?.into())
    }
    /// Angle of complex numbers in radians; of real ones 0, and π below zero.
    ///
    /// Shape: any, kept. Complex numbers give the dtype of their parts, integers the default dtype; raises TypeError
    /// for booleans.
    ///
    /// Derivative: 0 for real tensors; complex ones have none.
    ///
    /// >>> rg.angle(rg.tensor([1j, -1 + 0j]))
    /// tensor([1.5708, 3.1416])
    fn angle(&self) -> PyResult<Tensor> {
        let x = self.value()?;
        let (real, imag) = match x.dtype().is_complex() {
            true => (part("angle", &x, 0)?, part("angle", &x, 1)?),
            false => (x.clone(), Sub::of(&x, &x)?),
        };
        Ok(Atan2::of(&imag, &real)?.into())
    }
    /// A view of complex numbers as pairs (real, imag) in a new last dimension.
    ///
    /// Shape: (…) gives (…, 2), in the dtype of the parts; raises TypeError for real tensors.
    ///
    /// Derivative: none, complex tensors do not require a gradient.
    ///
    /// >>> rg.view_as_real(rg.tensor([1 + 2j]))
    /// tensor([[1., 2.]])
    fn view_as_real(&self) -> PyResult<Tensor> {
        Ok(Value::Array(as_real("view_as_real", &self.value()?)?).into())
    }
    /// A view of pairs (real, imag) in the last dimension as complex numbers.
    ///
    /// Shape: (…, 2), contiguous, gives (…); raises ValueError for others.
    ///
    /// Derivative: none; raises NotDifferentiableError for a tensor that requires a gradient.
    ///
    /// >>> rg.view_as_complex(rg.tensor([[1.0, 2.0]]))
    /// tensor([1.+2.j])
    fn view_as_complex(&self) -> PyResult<Tensor> {
        let x = self.value()?;
        if !matches!(x, Value::Array(_)) {
            return Err(Error::not_differentiable(
                "view_as_complex",
                "the derivative of a complex result is not defined here; detach() first",
            )
            .into());
        }
        let array = x.array()?;
        let view =
            array.reinterpret(array.dtype().complex()).filter(|_| array.dtype().is_float()).ok_or_else(|| {
                Error::shape(
                    "view_as_complex",
                    format!("needs a float tensor whose last dimension is 2 and contiguous, not {:?}", array),
                )
            })?;
        Ok(Value::Array(view).into())
    }
}
/// Complex numbers from their parts.
///
/// Shapes: both broadcast. Two float tensors of one dtype; raises TypeError for others.
///
/// Derivative: none; raises NotDifferentiableError for parts that require a gradient.
///
/// >>> rg.complex(rg.tensor([1.0]), rg.tensor([2.0]))
/// tensor([1.+2.j])
#[pyfunction]
fn complex(real: &Tensor, imag: &Tensor) -> PyResult<Tensor> {
    Ok(joined(&real.value()?, &imag.value()?)?.into())
}
/// The real part, on the same memory; a real tensor itself.
///
/// Shape: kept; complex numbers give the dtype of their parts.
///
/// Derivative: 1 for real tensors; complex ones have none.
///
/// >>> rg.real(rg.tensor([1 + 2j]))
/// tensor([1.])
#[pyfunction]
fn real(input: &Tensor) -> PyResult<Tensor> {
    input.real_part()
}
/// The imaginary part, on the same memory.
///
/// Shape: kept, in the dtype of the parts; raises TypeError for a real tensor.
///
/// Derivative: none, complex tensors do not require a gradient.
///
/// >>> rg.imag(rg.tensor([1 + 2j]))
/// tensor([2.])
#[pyfunction]
fn imag(input: &Tensor) -> PyResult<Tensor> {
    input.imaginary_part()
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(complex, m)?)?;
    m.add_function(wrap_pyfunction!(real, m)?)?;
    m.add_function(wrap_pyfunction!(imag, m)?)?;
    export_with_out(m, &["conj", "angle"])?;
    export(m, &["view_as_real", "view_as_complex"])
}
