//! Matrix products in Python.
use super::{
    args::values,
    export,
    tensor::{run, Operand, Tensor},
};
use crate::{
    error::Error,
    ops::{
        arith::{Add, Mul},
        binary::Binary,
        linear, matmul,
    },
    shape::{axis, show},
    trace::Value,
};
use pyo3::{prelude::*, types::PyTuple};

/// Multiplications in a product, to decide whether the interpreter lock is worth giving up.
fn work(a: &Value, b: &Value) -> usize {
    a.len() * b.shape().last().copied().unwrap_or(1) / 8
}
/// A product of tensors of the ranks that a name of PyTorch's asks for.
fn ranked(py: Python<'_>, op: &'static str, a: &Tensor, b: &Tensor, ranks: (usize, usize)) -> PyResult<Tensor> {
    let (a, b) = (a.value()?, b.value()?);
    if (a.rank(), b.rank()) != ranks || (ranks == (3, 3) && a.shape()[0] != b.shape()[0]) {
        return Err(Error::shape(
            op,
            format!(
                "cannot multiply shapes {} and {} (needs {} and {} dimensions); use matmul for other ranks",
                show(a.shape()),
                show(b.shape()),
                ranks.0,
                ranks.1
            ),
        )
        .into());
    }
    Ok(run(py, work(&a, &b), || matmul::matmul(&a, &b)).map_err(|e| e.named(op))?.into())
}
fn product(py: Python<'_>, a: Value, b: Value) -> PyResult<Tensor> {
    Ok(run(py, work(&a, &b), || matmul::matmul(&a, &b))?.into())
}
/// `beta * input + alpha * product`.
fn affine(input: &Value, product: Value, beta: Option<Operand>, alpha: Option<Operand>) -> Result<Value, Error> {
    let scaled = |x: &Value, s: Option<Operand>| match s {
        None => Ok(x.clone()),
        Some(s) => super::arith::binary::<Mul>(x, s),
    };
    Add::of(&scaled(input, beta)?, &scaled(&product, alpha)?)
}
#[pymethods]
impl Tensor {
    fn __matmul__(&self, py: Python<'_>, other: Operand) -> PyResult<Tensor> {
        product(py, self.value()?, other.value()?)
    }
    fn __rmatmul__(&self, py: Python<'_>, other: Operand) -> PyResult<Tensor> {
        product(py, other.value()?, self.value()?)
    }
    /// matmul(other)
    /// --
    ///
    /// Matrix product with NumPy's rules for ranks and broadcasting.
    fn matmul(&self, py: Python<'_>, other: &Tensor) -> PyResult<Tensor> {
        product(py, self.value()?, other.value()?)
    }
    /// Product of two matrices.
    fn mm(&self, py: Python<'_>, mat2: &Tensor) -> PyResult<Tensor> {
        ranked(py, "mm", self, mat2, (2, 2))
    }
    /// Products of two stacks of matrices.
    fn bmm(&self, py: Python<'_>, mat2: &Tensor) -> PyResult<Tensor> {
        ranked(py, "bmm", self, mat2, (3, 3))
    }
    /// Product of a matrix and a vector.
    fn mv(&self, py: Python<'_>, vec: &Tensor) -> PyResult<Tensor> {
        ranked(py, "mv", self, vec, (2, 1))
    }
    /// Inner product of two vectors.
    fn dot(&self, py: Python<'_>, tensor: &Tensor) -> PyResult<Tensor> {
        ranked(py, "dot", self, tensor, (1, 1))
    }
    /// All products of an element of each of two vectors.
    fn outer(&self, vec2: &Tensor) -> PyResult<Tensor> {
        Ok(linear::outer(&self.value()?, &vec2.value()?)?.into())
    }
    /// Sum of products over the last dimensions.
    fn inner(&self, other: &Tensor) -> PyResult<Tensor> {
        let (a, b) = (self.value()?, other.value()?);
        if a.rank() == 0 || b.rank() == 0 {
            return Ok(Mul::of(&a, &b)?.into());
        }
        Ok(linear::tensordot(&a, &b, &[a.rank() - 1], &[b.rank() - 1])?.into())
    }
    /// Kronecker product.
    fn kron(&self, other: &Tensor) -> PyResult<Tensor> {
        Ok(linear::kron(&self.value()?, &other.value()?)?.into())
    }
    /// `beta * self + alpha * (mat1 @ mat2)`.
    #[pyo3(signature = (mat1, mat2, *, beta=None, alpha=None))]
    fn addmm(
        &self,
        py: Python<'_>,
        mat1: &Tensor,
        mat2: &Tensor,
        beta: Option<Operand>,
        alpha: Option<Operand>,
    ) -> PyResult<Tensor> {
        Ok(affine(&self.value()?, ranked(py, "addmm", mat1, mat2, (2, 2))?.value()?, beta, alpha)?.into())
    }
    /// `beta * self + alpha * (batch1 @ batch2)` for stacks of matrices.
    #[pyo3(signature = (batch1, batch2, *, beta=None, alpha=None))]
    fn baddbmm(
        &self,
        py: Python<'_>,
        batch1: &Tensor,
        batch2: &Tensor,
        beta: Option<Operand>,
        alpha: Option<Operand>,
    ) -> PyResult<Tensor> {
        Ok(affine(&self.value()?, ranked(py, "baddbmm", batch1, batch2, (3, 3))?.value()?, beta, alpha)?.into())
    }
}
/// einsum(equation, *operands)
/// --
///
/// Sum of products by index notation.
#[pyfunction]
#[pyo3(signature = (equation, *operands))]
fn einsum(equation: &str, operands: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
    let single = operands.len() == 1 && !operands.get_item(0)?.is_instance_of::<Tensor>();
    let xs = if single { values("einsum", &operands.get_item(0)?)? } else { values("einsum", operands.as_any())? };
    Ok(linear::einsum(equation, &xs)?.into())
}
/// tensordot(a, b, dims=2)
/// --
///
/// Sum over the last `dims` dimensions of a and the first of b, or over the pairs of dimensions given.
#[pyfunction]
#[pyo3(signature = (a, b, dims=None))]
fn tensordot(a: &Tensor, b: &Tensor, dims: Option<&Bound<'_, PyAny>>) -> PyResult<Tensor> {
    let (a, b) = (a.value()?, b.value()?);
    let (left, right): (Vec<i64>, Vec<i64>) = match dims {
        None => ((a.rank() as i64 - 2..a.rank() as i64).collect(), vec![0, 1]),
        Some(d) => match d.extract::<i64>() {
            Ok(n) if n < 0 || n as usize > a.rank().min(b.rank()) => {
                return Err(Error::value(
                    "tensordot",
                    format!("dims={n} does not fit shapes {} and {}", show(a.shape()), show(b.shape())),
                )
                .into())
            }
            Ok(n) => ((a.rank() as i64 - n..a.rank() as i64).collect(), (0..n).collect()),
            Err(_) => d.extract()?,
        },
    };
    let axes =
        |x: &Value, dims: &[i64]| dims.iter().map(|&d| axis("tensordot", d, x.rank())).collect::<Result<Vec<_>, _>>();
    Ok(linear::tensordot(&a, &b, &axes(&a, &left)?, &axes(&b, &right)?)?.into())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(einsum, m)?)?;
    m.add_function(wrap_pyfunction!(tensordot, m)?)?;
    export(m, &["matmul", "mm", "bmm", "mv", "dot", "outer", "inner", "addmm", "baddbmm", "kron"])
}
