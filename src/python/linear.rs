//! Matrix products in Python.
use super::{
    args::values,
    export_with_out,
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
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyEllipsis, PyTuple},
};

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
    /// Matrix product with NumPy's rules: vectors on either side, stacks of matrices broadcast.
    ///
    /// Shapes: (…, m, k) and (…, k, n) give (…, m, n); a vector counts as one row on the left and one column on the
    /// right. Both of one dtype, not bool, which the result has. Raises ValueError where the shapes do not fit or a
    /// number is given, TypeError for different dtypes.
    ///
    /// Derivative: for Y = A B with cotangent G, G Bᵀ by A and Aᵀ G by B.
    ///
    /// >>> rg.matmul(rg.tensor([[1.0, 2.0], [3.0, 4.0]]), rg.tensor([1.0, 1.0]))
    /// tensor([3., 7.])
    fn matmul(&self, py: Python<'_>, other: &Tensor) -> PyResult<Tensor> {
        product(py, self.value()?, other.value()?)
    }
    /// Product of two matrices.
    ///
    /// Shapes: (m, k) and (k, n) give (m, n); raises ValueError for others, TypeError for different dtypes or bool.
    ///
    /// Derivative: as `matmul`.
    ///
    /// >>> rg.mm(rg.tensor([[1.0, 2.0]]), rg.tensor([[3.0], [4.0]]))
    /// tensor([[11.]])
    fn mm(&self, py: Python<'_>, mat2: &Tensor) -> PyResult<Tensor> {
        ranked(py, "mm", self, mat2, (2, 2))
    }
    /// Products of two stacks of matrices.
    ///
    /// Shapes: (b, m, k) and (b, k, n) give (b, m, n); raises ValueError for others, TypeError for different dtypes or
    /// bool.
    ///
    /// Derivative: as `matmul`.
    ///
    /// >>> rg.bmm(rg.ones(2, 1, 3), rg.ones(2, 3, 1)).shape
    /// (2, 1, 1)
    fn bmm(&self, py: Python<'_>, mat2: &Tensor) -> PyResult<Tensor> {
        ranked(py, "bmm", self, mat2, (3, 3))
    }
    /// Product of a matrix and a vector.
    ///
    /// Shapes: (m, k) and (k) give (m); raises ValueError for others, TypeError for different dtypes or bool.
    ///
    /// Derivative: as `matmul`.
    ///
    /// >>> rg.mv(rg.tensor([[1.0, 2.0], [3.0, 4.0]]), rg.tensor([1.0, 1.0]))
    /// tensor([3., 7.])
    fn mv(&self, py: Python<'_>, vec: &Tensor) -> PyResult<Tensor> {
        ranked(py, "mv", self, vec, (2, 1))
    }
    /// Inner product of two vectors, Σ aᵢ bᵢ.
    ///
    /// Shapes: (k) and (k) give a number; raises ValueError for others, TypeError for different dtypes or bool.
    ///
    /// Derivative: b by a, a by b.
    ///
    /// >>> rg.dot(rg.tensor([1.0, 2.0]), rg.tensor([3.0, 4.0]))
    /// tensor(11.)
    fn dot(&self, py: Python<'_>, tensor: &Tensor) -> PyResult<Tensor> {
        ranked(py, "dot", self, tensor, (1, 1))
    }
    /// All products of an element of each of two vectors, aᵢ bⱼ.
    ///
    /// Shapes: (m) and (n) give (m, n); raises ValueError for others. Dtypes are promoted to a common one.
    ///
    /// Derivative: for the cotangent G, G b by a and Gᵀ a by b.
    ///
    /// >>> rg.outer(rg.tensor([1.0, 2.0]), rg.tensor([3.0, 4.0]))
    /// tensor([[3., 4.],
    ///         [6., 8.]])
    fn outer(&self, vec2: &Tensor) -> PyResult<Tensor> {
        Ok(linear::outer(&self.value()?, &vec2.value()?)?.into())
    }
    /// Sum of products over the last dimensions; with a number, the product.
    ///
    /// Shapes: (…, k) and (…, k) give all leading dimensions of both; raises ValueError for different last sizes,
    /// TypeError for different dtypes.
    ///
    /// Derivative: as `tensordot`.
    ///
    /// >>> rg.inner(rg.tensor([1.0, 2.0]), rg.tensor([[3.0, 4.0], [5.0, 6.0]]))
    /// tensor([11., 17.])
    fn inner(&self, other: &Tensor) -> PyResult<Tensor> {
        let (a, b) = (self.value()?, other.value()?);
        if a.rank() == 0 || b.rank() == 0 {
            return Ok(Mul::of(&a, &b)?.into());
        }
        Ok(linear::tensordot(&a, &b, &[a.rank() - 1], &[b.rank() - 1])?.into())
    }
    /// Kronecker product: every element of the first times all of the second.
    ///
    /// Shapes: the sizes are multiplied dimension by dimension, missing leading ones count as 1. Dtypes are promoted to
    /// a common one.
    ///
    /// Derivative: that of a product, summed over the places where an element is used.
    ///
    /// >>> rg.kron(rg.tensor([1.0, 10.0]), rg.tensor([1.0, 2.0]))
    /// tensor([ 1.,  2., 10., 20.])
    fn kron(&self, other: &Tensor) -> PyResult<Tensor> {
        Ok(linear::kron(&self.value()?, &other.value()?)?.into())
    }
    /// A matrix product added to a tensor, `beta * input + alpha * (mat1 @ mat2)`.
    ///
    /// Shapes: (m, k) and (k, n), and an input that broadcasts to (m, n); raises ValueError for others, TypeError for
    /// different dtypes. `beta` and `alpha` are 1 if left out.
    ///
    /// Derivative: beta by the input; alpha G Bᵀ by mat1 and alpha Aᵀ G by mat2 for the cotangent G.
    ///
    /// >>> rg.addmm(rg.ones(2, 2), rg.eye(2), rg.eye(2), beta=10)
    /// tensor([[11., 10.],
    ///         [10., 11.]])
    #[pyo3(signature = (mat1, mat2, *, beta=None, alpha=None))]
    pub fn addmm(
        &self,
        py: Python<'_>,
        mat1: &Tensor,
        mat2: &Tensor,
        beta: Option<Operand>,
        alpha: Option<Operand>,
    ) -> PyResult<Tensor> {
        Ok(affine(&self.value()?, ranked(py, "addmm", mat1, mat2, (2, 2))?.value()?, beta, alpha)?.into())
    }
    /// Products of stacks of matrices added to a tensor, `beta * input + alpha * (batch1 @ batch2)`.
    ///
    /// Shapes: (b, m, k) and (b, k, n), and an input that broadcasts to (b, m, n); raises ValueError for others,
    /// TypeError for different dtypes. `beta` and `alpha` are 1 if left out.
    ///
    /// Derivative: as `addmm`.
    ///
    /// >>> rg.baddbmm(rg.ones(1, 2, 2), rg.eye(2)[None], rg.eye(2)[None], alpha=2)
    /// tensor([[[3., 1.],
    ///          [1., 3.]]])
    #[pyo3(signature = (batch1, batch2, *, beta=None, alpha=None))]
    pub fn baddbmm(
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
/// Sum of products by Einstein's index notation: "ij,jk->ik" is the matrix product.
///
/// Shapes: one label per dimension, "..." for any others, which broadcast; labels that the output does not name are
/// summed, without "->" those that appear once remain in alphabetical order. A list of operands may stand for several.
/// Raises ValueError where labels and shapes do not fit. Terms are contracted from left to right, each as a matrix
/// product. Labels may also be lists of numbers behind each operand, with those of the output last.
///
/// Derivative: by each operand, the same sum with the cotangent in its place.
///
/// >>> rg.einsum("ij,ij->i", rg.tensor([[1.0, 2.0], [3.0, 4.0]]), rg.ones(2, 2))
/// tensor([3., 7.])
#[pyfunction]
#[pyo3(signature = (equation, *operands))]
fn einsum(equation: &Bound<'_, PyAny>, operands: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
    let Ok(equation) = equation.extract::<String>() else { return labelled(equation, operands) };
    let single = operands.len() == 1 && !operands.get_item(0)?.is_instance_of::<Tensor>();
    let xs = if single { values("einsum", &operands.get_item(0)?)? } else { values("einsum", operands.as_any())? };
    Ok(linear::einsum(&equation, &xs)?.into())
}
/// `einsum(a, [0, 1], b, [1, 2], [0, 2])`: labels as lists of numbers behind each operand, and last those of the output.
fn labelled(first: &Bound<'_, PyAny>, rest: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
    let all: Vec<Bound<'_, PyAny>> = std::iter::once(first.clone()).chain(rest.iter()).collect();
    let letters =
        |labels: &Bound<'_, PyAny>| -> PyResult<String> { labels.try_iter()?.map(|label| letter(&label?)).collect() };
    let (mut equation, mut xs) = (Vec::new(), Vec::new());
    for pair in all.chunks_exact(2) {
        let Ok(tensor) = pair[0].cast::<Tensor>() else {
            return Err(PyTypeError::new_err(format!(
                "einsum: expected an equation or tensors, each with its list of labels, not a {}",
                pair[0].get_type().name()?
            )));
        };
        xs.push(tensor.get().value()?);
        equation.push(letters(&pair[1])?);
    }
    let mut equation = equation.join(",");
    if let [output] = all.chunks_exact(2).remainder() {
        if output.is_instance_of::<Tensor>() {
            return Err(PyTypeError::new_err("einsum: the last operand has no list of labels behind it"));
        }
        equation = format!("{equation}->{}", letters(output)?);
    }
    Ok(linear::einsum(&equation, &xs)?.into())
}
/// The letter of a label 0…51 in an equation; an ellipsis stays one.
fn letter(label: &Bound<'_, PyAny>) -> PyResult<String> {
    if label.is_instance_of::<PyEllipsis>() {
        return Ok("...".into());
    }
    match label.extract::<u8>() {
        Ok(n @ 0..26) => Ok(char::from(b'A' + n).into()),
        Ok(n @ 26..52) => Ok(char::from(b'a' + n - 26).into()),
        _ => Err(PyValueError::new_err(format!("einsum: labels are ints from 0 to 51 or ..., not {}", label.repr()?))),
    }
}
/// Sum of products over the last `dims` dimensions of `a` and the first of `b`, or over pairs of dimensions.
///
/// Shapes: the remaining dimensions of `a`, then of `b`. `dims` is a number (2 if left out) or two lists of dimensions,
/// of equal sizes; raises ValueError for others, IndexError for a dimension out of range, TypeError for different
/// dtypes.
///
/// Derivative: by each operand, the cotangent contracted with the other operand over the other's remaining dimensions.
///
/// >>> rg.tensordot(rg.ones(2, 3), rg.ones(3, 4), dims=1).shape
/// (2, 4)
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
    export_with_out(m, &["matmul", "mm", "bmm", "mv", "dot", "outer", "inner", "addmm", "baddbmm", "kron"])
}
