//! Whether tensors are equal, or close to each other.
use super::super::{export, tensor::Tensor};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::Error,
    ops::{
        arith::{Add, Mul, Sub},
        binary::Binary,
        compare::{compare, Order},
        convert, logic, reduce,
        rounding::Abs,
        unary::Unary,
        Fixed,
    },
    shape::Axes,
    trace::Value,
};
use pyo3::prelude::*;

/// |a - b| ≤ atol + rtol |b|, or equal, which infinities of one sign are.
fn close(a: &Value, b: &Value, rtol: f64, atol: f64, equal_nan: bool) -> Result<Value, Error> {
    if a.dtype() != b.dtype() {
        let text =
            format!("needs two tensors of one dtype, not {} and {}; convert one with .to()", a.dtype(), b.dtype());
        return Err(Error::dtype("isclose", text));
    }
    if !(rtol >= 0.0 && atol >= 0.0) {
        return Err(Error::value("isclose", format!("rtol={rtol} and atol={atol} must not be negative")));
    }
    // Differences of integers need no wrapping; complex numbers are measured by their length.
    let size = |x: &Value| match x.dtype() {
        d if d.is_complex() => super::super::complex::abs(x),
        _ => Abs.of(x),
    };
    let wide = |x: &Value| if x.dtype().is_integral() { convert::to(x, DType::F64) } else { Ok(x.detached()) };
    let (x, y) = (wide(a)?, wide(b)?);
    let allowed =
        Add::fixed(&Mul::fixed(&size(&y)?, Fixed::Right(Scalar::Float(rtol)))?, Fixed::Right(Scalar::Float(atol)))?;
    let distance = size(&Sub::of(&x, &y)?)?;
    // An infinite distance is never close: only equal infinities are.
    let finite = logic::is_finite(&distance)?;
    let near = logic::and(&compare(Order::LessEqual, &distance, &allowed)?, &finite)?;
    let mut answer = logic::or(&near, &compare(Order::Equal, a, b)?)?;
    if equal_nan {
        answer = logic::or(&answer, &logic::and(&logic::is_nan(a)?, &logic::is_nan(b)?)?)?;
    }
    Ok(answer)
}
fn all(answer: &Value, op: &'static str) -> PyResult<bool> {
    let all = reduce::truth(answer, Axes::all(answer.rank()), false, true)?;
    let numbers: &Array = all.numbers().ok_or_else(|| all.without_numbers(op))?;
    Ok(numbers.item()?.to_i64() != 0)
}
#[pymethods]
impl Tensor {
    /// True where |input - other| ≤ atol + rtol |other|, element by element.
    ///
    /// Shapes: both broadcast; raises ValueError if they cannot, and for negative tolerances. One dtype; raises TypeError
    /// for two. The result is bool. With `equal_nan`, NaN is close to NaN.
    ///
    /// Derivative: none, the result is bool.
    ///
    /// >>> rg.isclose(rg.tensor([1.0, 2.0]), rg.tensor([1.0 + 1e-9, 2.1]))
    /// tensor([ True, False])
    #[pyo3(signature = (other, rtol=1e-5, atol=1e-8, equal_nan=false))]
    fn isclose(&self, other: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> PyResult<Tensor> {
        Ok(close(&self.value()?, &other.value()?, rtol, atol, equal_nan)?.into())
    }
    /// Whether all elements are close; see `isclose`.
    ///
    /// Shapes, dtypes and errors: as `isclose`. The result is a Python bool.
    ///
    /// >>> rg.allclose(rg.tensor([1.0, 2.0]), rg.tensor([1.0 + 1e-9, 2.0]))
    /// True
    #[pyo3(signature = (other, rtol=1e-5, atol=1e-8, equal_nan=false))]
    fn allclose(&self, other: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> PyResult<bool> {
        all(
            &close(&self.value()?, &other.value()?, rtol, atol, equal_nan).map_err(|e| e.named("allclose"))?,
            "allclose",
        )
    }
    /// Whether two tensors have the same shape and equal elements; NaN equals nothing.
    ///
    /// Shapes and dtypes: any. The result is a Python bool.
    ///
    /// >>> rg.equal(rg.tensor([1, 2]), rg.tensor([1, 2])), rg.equal(rg.zeros(2), rg.zeros(3))
    /// (True, False)
    fn equal(&self, other: &Tensor) -> PyResult<bool> {
        let (a, b) = (self.value()?, other.value()?);
        Ok(a.shape() == b.shape() && all(&compare(Order::Equal, &a, &b)?, "equal")?)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export(m, &["isclose", "allclose", "equal", "numel", "is_floating_point", "is_complex"])
}
