//! Operators of tensors: `a + b`, `a ** b`, `a < b`, their reflected and in-place forms.
use super::super::tensor::{run, Operand, Tensor};
use crate::{
    dtype::{DType, Scalar},
    error::Error,
    ops::{
        arith::*,
        binary::Binary,
        compare::{compare, compare_number, Order},
        convert, logic,
        power::*,
        unary::Unary,
        Fixed, Map2, Prim,
    },
    trace::Value,
};
use pyo3::{exceptions::PyOverflowError, prelude::*, types::PyInt, IntoPyObjectExt};

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
pub fn reflected<B: Binary>(x: &Value, other: Operand) -> Result<Value, Error>
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
        // Truth values have no powers of their own: they count as whole numbers.
        Operand::Number(Scalar::Int(_)) if x.dtype() == DType::Bool => pow(&convert::to(x, DType::I64)?, other),
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
pub fn ordered(order: Order, x: &Value, other: Operand) -> Result<Value, Error> {
    match other {
        Operand::Tensor(y) => compare(order, x, &y),
        Operand::Number(s) => compare_number(order, x, s),
    }
}
/// The other side of an operator. None for what cannot be a tensor: it may know itself how to combine with one.
fn operand(op: &'static str, other: &Bound<'_, PyAny>) -> PyResult<Option<Operand>> {
    match other.extract::<Operand>() {
        Ok(other) => Ok(Some(other)),
        Err(_) if other.is_instance_of::<PyInt>() => Err(PyOverflowError::new_err(format!(
            "{}: the integer {other} does not fit into 64 bits; use a float",
            op.trim_end_matches('_')
        ))),
        Err(_) => Ok(None),
    }
}
pub fn work(x: &Value) -> usize {
    x.len()
}

macro_rules! operators { ($($dunder:ident $reflected:ident $inplace:ident $op:ident $name:literal;)*) => {
    #[pymethods]
    impl Tensor { $(
        fn $dunder<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
            if let Ok(other) = other.cast::<Tensor>() {
                if let Some(y) = self.with(other.get(), $op::of_small) {
                    return Tensor::new(y?).into_bound_py_any(py);
                }
            }
            let Some(other) = operand($name, other)? else { return Ok(py.NotImplemented().into_bound(py)) };
            let x = self.value()?;
            Tensor::new(run(py, work(&x), || binary::<$op>(&x, other))?).into_bound_py_any(py)
        }
        fn $reflected<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
            let Some(other) = operand($name, other)? else { return Ok(py.NotImplemented().into_bound(py)) };
            let x = self.value()?;
            Tensor::new(run(py, work(&x), || reflected::<$op>(&x, other))?).into_bound_py_any(py)
        }
        fn $inplace(&self, other: Operand) -> PyResult<()> {
            Ok(self.variable()?.write($name, |x| binary::<$op>(x, other))?)
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
        Ok(self.variable()?.write("pow_", |x| pow(x, other))?)
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
#[pymethods]
impl Tensor {
    fn __invert__(&self) -> PyResult<Tensor> {
        Ok(logic::bitwise_not(&self.value()?)?.into())
    }
}
