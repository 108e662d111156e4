//! Complex numbers: parts, conjugates and views as pairs of reals.
use super::{
    export, export_with_out,
    tensor::{Operand, Tensor},
};
use crate::{
    error::{Error, Result},
    ops::{
        arith::Sub,
        binary::Binary,
        complex::{conj, joined, part, AsComplex, AsReal},
        convert, expand,
        power::Hypot,
        reshape::Reshape,
        rounding::Abs,
        trig::Atan2,
        unary::Unary,
        views::narrow_op,
    },
    shape::show,
    trace::Value,
};
use pyo3::prelude::*;

pub fn abs(x: &Value) -> Result<Value> {
    match x.dtype().is_complex() {
        true => Hypot::of(&part("abs", x, 0)?, &part("abs", x, 1)?),
        false => Abs.of(x),
    }
}
/// The real (0) or imaginary (1) part: a view, whose writes reach the tensor and its history.
fn part_view(op: &'static str, x: &Tensor, which: i64) -> PyResult<Tensor> {
    let value = x.value()?;
    if !value.dtype().is_complex() {
        let why = format!("needs a complex tensor, not {} of shape {}", value.dtype(), show(value.shape()));
        return Err(Error::dtype(op, why).into());
    }
    let mut pairs = x.variable()?.view(AsReal.into())?;
    let one = narrow_op(op, pairs.value()?.shape(), -1, which, 1)?;
    let shape = value.shape().into();
    Ok(Tensor::from_variable(pairs.view(one)?.view(Reshape { shape }.into())?))
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
        if x.dtype().is_complex() {
            return part_view("real", self, 0);
        }
        Ok(x.into())
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
        part_view("imag", self, 1)
    }
    /// Complex conjugate; a real tensor as it is.
    ///
    /// Shape and dtype: any, kept.
    ///
    /// Derivative: the conjugate of the tangent, and of the cotangent.
    ///
    /// >>> rg.conj(rg.tensor([1 + 2j]))
    /// tensor([1.-2.j])
    fn conj(&self) -> PyResult<Tensor> {
        Ok(conj(&self.value()?)?.into())
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
    /// Derivative: 0 for real tensors; that of atan2(imag, real) for complex ones.
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
    /// Derivative: the pairs of the tangent; of a cotangent, real + i·imag.
    ///
    /// >>> rg.view_as_real(rg.tensor([1 + 2j]))
    /// tensor([[1., 2.]])
    fn view_as_real(&self) -> PyResult<Tensor> {
        Ok(self.variable()?.view(AsReal.into()).map(Tensor::from_variable)?)
    }
    /// A view of pairs (real, imag) in the last dimension as complex numbers.
    ///
    /// Shape: (…, 2), contiguous, gives (…); raises ValueError for others.
    ///
    /// Derivative: the tangent as complex numbers; of a cotangent, its pairs.
    ///
    /// >>> rg.view_as_complex(rg.tensor([[1.0, 2.0]]))
    /// tensor([1.+2.j])
    fn view_as_complex(&self) -> PyResult<Tensor> {
        let x = self.value()?;
        if x.shape().last() != Some(&2) || x.plain().is_some_and(|a| !a.is_contiguous()) {
            let (dtype, shape) = (x.dtype(), show(x.shape()));
            let why = format!("needs a float tensor whose last dimension is 2 and contiguous, not {dtype} {shape}");
            return Err(Error::shape("view_as_complex", why).into());
        }
        Ok(self.variable()?.view(AsComplex.into()).map(Tensor::from_variable)?)
    }
}
/// Complex numbers from their parts.
///
/// Shapes: both broadcast. Two float tensors of one dtype; raises TypeError for others.
///
/// Derivative: the parts of the tangent, and of the cotangent.
///
/// >>> rg.complex(rg.tensor([1.0]), rg.tensor([2.0]))
/// tensor([1.+2.j])
#[pyfunction]
fn complex(real: &Tensor, imag: &Tensor) -> PyResult<Tensor> {
    let (real, imag) = (real.value()?, imag.value()?);
    if real.dtype() != imag.dtype() || !real.dtype().is_float() {
        let why = format!("needs two float tensors of one dtype, not {} and {}", real.dtype(), imag.dtype());
        return Err(Error::dtype("complex", why).into());
    }
    let (real, imag) = expand::pair("complex", &real, &imag)?;
    Ok(joined(&real, &imag)?.into())
}
/// The real part, on the same memory; a real tensor itself.
///
/// Shape: kept; complex numbers give the dtype of their parts.
///
/// Derivative: the real part of the tangent; a cotangent is that of the real part.
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
/// Derivative: the imaginary part of the tangent; a cotangent comes back times i.
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
