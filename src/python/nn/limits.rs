//! Elementwise functions of several tensors: limits, interpolation, scaled products added.
use super::super::{
    arith::binary,
    export_with_out,
    tensor::{Operand, Tensor},
};
use crate::{
    array::Array,
    dtype::{Promotion, Scalar},
    error::Error,
    ops::{
        arith::{Add, Div, Mul, Sub},
        binary::Binary,
        convert,
        limit::Limit,
        nn,
        unary::Unary,
    },
    shape::Dims as Shape,
    trace::{default_dtype, Value},
};
use pyo3::prelude::*;

fn added(x: &Value, y: Value, value: Option<Operand>) -> Result<Value, Error> {
    match value {
        None => Add::of(x, &y),
        Some(v) => Add::of(x, &binary::<Mul>(&y, v)?),
    }
}
fn clamped(x: &Value, min: Option<Operand>, max: Option<Operand>) -> Result<Value, Error> {
    if min.is_none() && max.is_none() {
        return Err(Error::value("clamp", "needs at least one of min and max"));
    }
    // A float limit among integers makes all of them floats before the other limit is read: -1 is not a uint8.
    let widest = [&min, &max].into_iter().flatten().filter_map(|b| match b {
        Operand::Number(s) => Some(s.category()),
        _ => None,
    });
    let promoted = match widest.max() {
        Some(c) if c > x.dtype().category() => {
            let dtype = Promotion::default().tensor(x.dtype(), x.rank()).number(c).result(default_dtype());
            Some(convert::to(x, dtype)?)
        }
        _ => None,
    };
    let x = promoted.as_ref().unwrap_or(x);
    let number = |b: &Option<Operand>| match b {
        None => Some(None),
        Some(Operand::Number(Scalar::Complex(..)) | Operand::Tensor(_)) => None,
        Some(Operand::Number(s)) => Some(Some(s.to_f64())),
    };
    if let (true, Some(low), Some(high)) = (x.dtype().is_float(), number(&min), number(&max)) {
        return Limit::closed(low, high).of(x);
    }
    let bound = |b: Option<Operand>| {
        b.map(|b| match b {
            // A plain number takes the tensor's dtype unless it is a float among integers.
            Operand::Number(s) if s.category() <= x.dtype().category() => {
                Array::full("clamp", Shape::new(), x.dtype(), s).map(Value::Array)
            }
            other => other.value(),
        })
        .transpose()
    };
    nn::clamp(x, bound(min)?.as_ref(), bound(max)?.as_ref()).map_err(|e| e.named("clamp"))
}
#[pymethods]
impl Tensor {
    /// Elements limited to [min, max], each a number or a tensor, either of which may be left out.
    ///
    /// Shape: all broadcast; raises ValueError if they cannot, and without a limit. Dtypes are promoted to a common
    /// one; raises TypeError for complex numbers.
    ///
    /// Derivative: 1 from `min` to `max` inclusive, 0 outside, where a limit given as a tensor has derivative 1.
    ///
    /// >>> rg.clamp(rg.tensor([-2.0, 0.5, 2.0]), -1, 1)
    /// tensor([-1.0000,  0.5000,  1.0000])
    #[pyo3(signature = (min=None, max=None))]
    fn clamp(&self, min: Option<Operand>, max: Option<Operand>) -> PyResult<Tensor> {
        Ok(clamped(&self.value()?, min, max)?.into())
    }
    /// In-place form of `clamp`.
    #[pyo3(signature = (min=None, max=None))]
    fn clamp_<'py>(slf: Bound<'py, Self>, min: Option<Operand>, max: Option<Operand>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("clamp_", |x| clamped(x, min, max))?;
        Ok(slf)
    }
    /// Same as `clamp` with a lower limit only.
    pub fn clamp_min(&self, min: Operand) -> PyResult<Tensor> {
        self.clamp(Some(min), None)
    }
    /// Same as `clamp` with an upper limit only.
    pub fn clamp_max(&self, max: Operand) -> PyResult<Tensor> {
        self.clamp(None, Some(max))
    }
    /// Linear interpolation, `input + weight * (end - input)`.
    ///
    /// Shapes: all broadcast; raises ValueError if they cannot. Dtypes are promoted to a common one.
    ///
    /// Derivative: 1 - weight by the input, weight by `end`, end - input by `weight`.
    ///
    /// >>> rg.lerp(rg.tensor([0.0, 10.0]), rg.tensor([10.0, 20.0]), 0.5)
    /// tensor([ 5., 15.])
    pub fn lerp(&self, end: Operand, weight: Operand) -> PyResult<Tensor> {
        let x = self.value()?;
        let way = Sub::of(&end.value()?, &x)?;
        Ok(Add::of(&x, &binary::<Mul>(&way, weight)?)?.into())
    }
    /// A product added, `input + value * tensor1 * tensor2`.
    ///
    /// Shapes: all broadcast; raises ValueError if they cannot. Dtypes are promoted to a common one; `value` is 1 if
    /// left out.
    ///
    /// Derivative: 1 by the input, value tensor2 by tensor1, value tensor1 by tensor2.
    ///
    /// >>> rg.addcmul(rg.tensor([1.0]), rg.tensor([2.0]), rg.tensor([3.0]), value=10)
    /// tensor([61.])
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcmul(&self, tensor1: &Tensor, tensor2: &Tensor, value: Option<Operand>) -> PyResult<Tensor> {
        Ok(added(&self.value()?, Mul::of(&tensor1.value()?, &tensor2.value()?)?, value)?.into())
    }
    /// A quotient added, `input + value * tensor1 / tensor2`.
    ///
    /// Shapes: all broadcast; raises ValueError if they cannot. Dtypes are promoted to a common float; `value` is 1 if
    /// left out.
    ///
    /// Derivative: 1 by the input, value / tensor2 by tensor1, -value tensor1 / tensor2² by tensor2.
    ///
    /// >>> rg.addcdiv(rg.tensor([1.0]), rg.tensor([6.0]), rg.tensor([3.0]))
    /// tensor([3.])
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcdiv(&self, tensor1: &Tensor, tensor2: &Tensor, value: Option<Operand>) -> PyResult<Tensor> {
        Ok(added(&self.value()?, Div::of(&tensor1.value()?, &tensor2.value()?)?, value)?.into())
    }
    /// In-place form of `addcmul`.
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcmul_<'py>(
        slf: Bound<'py, Self>,
        tensor1: &Tensor,
        tensor2: &Tensor,
        value: Option<Operand>,
    ) -> PyResult<Bound<'py, Self>> {
        let product = Mul::of(&tensor1.value()?, &tensor2.value()?)?;
        slf.get().variable()?.write("addcmul_", |x| added(x, product, value))?;
        Ok(slf)
    }
    /// In-place form of `addcdiv`.
    #[pyo3(signature = (tensor1, tensor2, *, value=None))]
    fn addcdiv_<'py>(
        slf: Bound<'py, Self>,
        tensor1: &Tensor,
        tensor2: &Tensor,
        value: Option<Operand>,
    ) -> PyResult<Bound<'py, Self>> {
        let quotient = Div::of(&tensor1.value()?, &tensor2.value()?)?;
        slf.get().variable()?.write("addcdiv_", |x| added(x, quotient, value))?;
        Ok(slf)
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export_with_out(m, &["clamp", "clamp_min", "clamp_max", "lerp", "addcmul", "addcdiv"])
}
