//! New tensors: zeros, ones, full, arange, linspace, eye and the `*_like` forms.
use super::{
    args::{dtype, integers, sizes},
    convert::{check_device, fits},
    dtype::Arg,
    tensor::{scalar, Operand, Tensor},
};
use crate::{
    array::{empty_cache, in_use, Array},
    dtype::{Category, DType, Promotion, Scalar},
    error::Error,
    kernels::pool,
    ops::create,
    shape::Dims,
    trace::{default_dtype, Value},
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyTuple};

fn finish(array: Array, requires_grad: bool) -> PyResult<Tensor> {
    let t = Tensor::new(Value::Array(array));
    if requires_grad {
        t.variable()?.set_requires_grad(true)?;
    }
    Ok(t)
}
pub fn given_size(op: &'static str, size: &Bound<'_, PyTuple>, keyword: Option<Vec<i64>>) -> PyResult<Dims> {
    match keyword {
        Some(s) if size.is_empty() => sizes(op, &s),
        Some(_) => Err(PyTypeError::new_err(format!("{op}: got the size twice"))),
        None => sizes(op, &integers(op, size)?),
    }
}
macro_rules! filled { ($($(#[$doc:meta])* $name:ident $like:ident $new:ident $value:expr;)*) => {
    $(
        $(#[$doc])*
        #[pyfunction]
        #[pyo3(signature = (*args, size=None, dtype=None, device=None, requires_grad=false))]
        fn $name(args: &Bound<'_, PyTuple>, size: Option<Vec<i64>>, dtype: Option<Arg>, device: Option<&Bound<'_, PyAny>>, requires_grad: bool) -> PyResult<Tensor> {
            check_device(device)?;
            let d = self::dtype(dtype).unwrap_or(default_dtype());
            finish(Array::full(stringify!($name), given_size(stringify!($name), args, size)?, d, $value)?, requires_grad)
        }
        #[doc = concat!(
            "As `", stringify!($name), "`, with the shape of another tensor, and its dtype unless `dtype` is given.",
            "\n\nDerivative: none, the result is a new leaf.\n\n>>> rg.", stringify!($like),
            "(rg.tensor([[1, 2]])).shape\n(1, 2)"
        )]
        #[pyfunction]
        #[pyo3(signature = (input, *, dtype=None, device=None, requires_grad=false))]
        fn $like(input: &Tensor, dtype: Option<Arg>, device: Option<&Bound<'_, PyAny>>, requires_grad: bool) -> PyResult<Tensor> {
            check_device(device)?;
            let v = input.value()?;
            let d = self::dtype(dtype).unwrap_or(v.dtype());
            finish(Array::full(stringify!($like), Dims::from_slice(v.shape()), d, $value)?, requires_grad)
        }
        #[pymethods]
        impl Tensor {
            #[doc = concat!("See `rustgrad.", stringify!($name), "`; the dtype is this tensor's unless given.")]
            #[pyo3(signature = (*args, size=None, dtype=None, device=None, requires_grad=false))]
            fn $new(&self, args: &Bound<'_, PyTuple>, size: Option<Vec<i64>>, dtype: Option<Arg>, device: Option<&Bound<'_, PyAny>>, requires_grad: bool) -> PyResult<Tensor> {
                check_device(device)?;
                let d = self::dtype(dtype).unwrap_or(self.value()?.dtype());
                finish(Array::full(stringify!($new), given_size(stringify!($new), args, size)?, d, $value)?, requires_grad)
            }
        }
    )*
    fn register_filled(m: &Bound<'_, PyModule>) -> PyResult<()> {
        $(
            m.add_function(wrap_pyfunction!($name, m)?)?;
            m.add_function(wrap_pyfunction!($like, m)?)?;
        )*
        Ok(())
    }
} }
filled! {
    /// A tensor of zeros.
    ///
    /// Shape: as given, by sizes, one tuple or `size=`; raises ValueError for a negative one. The default dtype, or `dtype`.
    ///
    /// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
    ///
    /// >>> rg.zeros(2, 3)
    /// tensor([[0., 0., 0.],
    ///         [0., 0., 0.]])
    zeros zeros_like new_zeros Scalar::Int(0);
    /// A tensor of ones.
    ///
    /// Shape: as given, by sizes, one tuple or `size=`; raises ValueError for a negative one. The default dtype, or `dtype`.
    ///
    /// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
    ///
    /// >>> rg.ones(2, dtype=rg.int64)
    /// tensor([1, 1])
    ones ones_like new_ones Scalar::Int(1);
    /// A tensor with unspecified contents (zeros, in fact: reading them is never an accident).
    ///
    /// Shape: as given, by sizes, one tuple or `size=`; raises ValueError for a negative one. The default dtype, or `dtype`.
    ///
    /// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
    ///
    /// >>> rg.empty(2, 3).shape
    /// (2, 3)
    empty empty_like new_empty Scalar::Int(0);
}
fn natural(s: Scalar) -> DType {
    match s.category() {
        Category::Bool => DType::Bool,
        Category::Int => DType::I64,
        Category::Float => default_dtype(),
        Category::Complex => default_dtype().complex(),
    }
}
fn number(op: &'static str, obj: &Bound<'_, PyAny>) -> PyResult<Scalar> {
    if let Some(s) = scalar(obj) {
        return Ok(s);
    }
    let value = obj.extract::<Operand>()?.value()?;
    let array = value.numbers().ok_or_else(|| value.without_numbers(op))?;
    value.read();
    Ok(array.item()?)
}
/// A tensor with the same number everywhere.
///
/// Shape: `size`, an int or a tuple; raises ValueError for a negative one. The dtype is that of the number, or `dtype`.
///
/// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
///
/// >>> rg.full((2,), 3.0)
/// tensor([3., 3.])
#[pyfunction]
#[pyo3(signature = (size, fill_value, *, dtype=None, device=None, requires_grad=false))]
fn full(
    size: &Bound<'_, PyAny>,
    fill_value: &Bound<'_, PyAny>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    check_device(device)?;
    let s = number("full", fill_value)?;
    let wanted: super::args::Dims = size.extract()?;
    let d = self::dtype(dtype).unwrap_or(natural(s));
    fits("full", s, d)?;
    finish(Array::full("full", sizes("full", &wanted.0)?, d, s)?, requires_grad)
}
/// A tensor with the same number everywhere, of the shape of another.
///
/// Shape and dtype: those of `input`, unless `dtype` is given.
///
/// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
///
/// >>> rg.full_like(rg.zeros(2), 3.0)
/// tensor([3., 3.])
#[pyfunction]
#[pyo3(signature = (input, fill_value, *, dtype=None, device=None, requires_grad=false))]
fn full_like(
    input: &Tensor,
    fill_value: &Bound<'_, PyAny>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    check_device(device)?;
    let v = input.value()?;
    let s = number("full_like", fill_value)?;
    let d = self::dtype(dtype).unwrap_or(v.dtype());
    fits("full_like", s, d)?;
    finish(Array::full("full_like", Dims::from_slice(v.shape()), d, s)?, requires_grad)
}
/// Numbers from `start` (0) up to, but without, `end`, in steps of `step` (1).
///
/// Shape: a vector. int64 for whole numbers, else the default dtype, or `dtype`; raises ValueError for a step of zero
/// or of the wrong sign.
///
/// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
///
/// >>> rg.arange(4)
/// tensor([0, 1, 2, 3])
/// >>> rg.arange(1.0, 2.0, 0.25)
/// tensor([1.0000, 1.2500, 1.5000, 1.7500])
#[pyfunction]
#[pyo3(signature = (*args, start=None, end=None, step=None, dtype=None, device=None, requires_grad=false))]
fn arange(
    args: &Bound<'_, PyTuple>,
    start: Option<&Bound<'_, PyAny>>,
    end: Option<&Bound<'_, PyAny>>,
    step: Option<&Bound<'_, PyAny>>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    check_device(device)?;
    let given = args.iter().map(|a| number("arange", &a)).collect::<PyResult<Vec<_>>>()?;
    let keyword = |o: Option<&Bound<'_, PyAny>>| o.map(|o| number("arange", o)).transpose();
    let (mut first, mut last, mut by) = (keyword(start)?, keyword(end)?, keyword(step)?);
    match given[..] {
        [] => {}
        [e] if first.is_none() && last.is_none() => last = Some(e),
        [s] if first.is_none() => first = Some(s),
        [e] => last = Some(e),
        [s, e] => (first, last) = (Some(s), Some(e)),
        [s, e, d] => (first, last, by) = (Some(s), Some(e), Some(d)),
        _ => return Err(PyTypeError::new_err("arange: takes start, end and step")),
    }
    let (first, by) = (first.unwrap_or(Scalar::Int(0)), by.unwrap_or(Scalar::Int(1)));
    let last = last.ok_or_else(|| PyTypeError::new_err("arange: missing the argument end"))?;
    let float = [first, last, by].iter().any(|s| matches!(s, Scalar::Float(_)));
    let d = self::dtype(dtype).unwrap_or(if float { default_dtype() } else { DType::I64 });
    finish(create::arange(first, last, by, d)?, requires_grad)
}
/// Evenly spaced numbers, both ends included.
///
/// Shape: a vector of `steps`; raises ValueError for a negative number of them. The default dtype, or `dtype`.
///
/// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
///
/// >>> rg.linspace(0, 1, 5)
/// tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
#[pyfunction]
#[pyo3(signature = (start, end, steps, *, dtype=None, device=None, requires_grad=false))]
fn linspace(
    start: &Bound<'_, PyAny>,
    end: &Bound<'_, PyAny>,
    steps: i64,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    check_device(device)?;
    let n = usize::try_from(steps)
        .map_err(|_| Error::value("linspace", format!("steps must not be negative, but is {steps}")))?;
    crate::shape::count("linspace", &[n])?;
    let (a, b) = (number("linspace", start)?, number("linspace", end)?);
    let d = self::dtype(dtype).unwrap_or(default_dtype());
    [a, b].into_iter().try_for_each(|end| fits("linspace", end, if d.is_integral() { d } else { DType::F64 }))?;
    finish(create::linspace(a.to_f64(), b.to_f64(), n, d)?, requires_grad)
}
/// Ones on the diagonal, zeros elsewhere.
///
/// Shape: (n, m), or (n, n); raises ValueError for a negative size. The default dtype, or `dtype`.
///
/// Derivative: none, the result is a new leaf (`requires_grad=True` to differentiate by it).
///
/// >>> rg.eye(2)
/// tensor([[1., 0.],
///         [0., 1.]])
#[pyfunction]
#[pyo3(signature = (n, m=None, *, dtype=None, device=None, requires_grad=false))]
fn eye(
    n: i64,
    m: Option<i64>,
    dtype: Option<Arg>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    check_device(device)?;
    let shape = sizes("eye", &[n, m.unwrap_or(n)])?;
    finish(create::eye(shape[0], shape[1], self::dtype(dtype).unwrap_or(default_dtype()))?, requires_grad)
}
/// The dtype of an operation on both, tensors or numbers.
///
/// >>> rg.result_type(rg.ones(2, dtype=rg.int64), 1.5)
/// rustgrad.float32
#[pyfunction]
fn result_type(py: Python<'_>, a: Operand, b: Operand) -> PyResult<Py<super::dtype::DType>> {
    let add = |p: Promotion, o: &Operand| match o {
        Operand::Tensor(v) => p.tensor(v.dtype(), v.rank()),
        Operand::Number(s) => p.number(s.category()),
    };
    super::dtype::object(py, add(add(Promotion::default(), &a), &b).result(default_dtype()))
}
/// The smallest dtype that holds both.
///
/// >>> rg.promote_types(rg.int64, rg.float32)
/// rustgrad.float32
#[pyfunction]
fn promote_types(py: Python<'_>, type1: Arg, type2: Arg) -> PyResult<Py<super::dtype::DType>> {
    super::dtype::object(py, type1.0.promote(type2.0))
}
/// A number as a 0-d tensor, in the default dtype or `dtype`.
///
/// Derivative: none, the result is a new leaf.
///
/// >>> rg.scalar_tensor(2)
/// tensor(2.)
#[pyfunction]
#[pyo3(signature = (s, *, dtype=None))]
fn scalar_tensor(s: &Bound<'_, PyAny>, dtype: Option<Arg>) -> PyResult<Tensor> {
    let s = number("scalar_tensor", s)?;
    finish(Array::full("scalar_tensor", Dims::new(), self::dtype(dtype).unwrap_or(default_dtype()), s)?, false)
}
/// The shape that all broadcast to; raises ValueError if they cannot.
///
/// >>> rg.broadcast_shapes((2, 1), (3,))
/// (2, 3)
#[pyfunction]
#[pyo3(signature = (*shapes))]
fn broadcast_shapes<'py>(py: Python<'py>, shapes: Vec<Vec<usize>>) -> PyResult<Bound<'py, PyTuple>> {
    let mut common = Dims::new();
    for shape in &shapes {
        common = crate::shape::broadcast("broadcast_shapes", &common, shape)?;
    }
    PyTuple::new(py, common)
}
#[pymethods]
impl Tensor {
    /// A tensor with the same number everywhere, with this dtype; see `rustgrad.full`.
    ///
    /// >>> rg.ones(1, dtype=rg.float64).new_full((2,), 3)
    /// tensor([3., 3.], dtype=rustgrad.float64)
    #[pyo3(signature = (size, fill_value, *, dtype=None, device=None, requires_grad=false))]
    fn new_full(
        &self,
        size: super::args::Dims,
        fill_value: &Bound<'_, PyAny>,
        dtype: Option<Arg>,
        device: Option<&Bound<'_, PyAny>>,
        requires_grad: bool,
    ) -> PyResult<Tensor> {
        check_device(device)?;
        let d = self::dtype(dtype).unwrap_or(self.value()?.dtype());
        let s = number("new_full", fill_value)?;
        fits("new_full", s, d)?;
        finish(Array::full("new_full", sizes("new_full", &size.0)?, d, s)?, requires_grad)
    }
    /// A copy of `data` with this dtype; see `rustgrad.tensor`.
    ///
    /// >>> rg.ones(1, dtype=rg.float64).new_tensor([1, 2])
    /// tensor([1., 2.], dtype=rustgrad.float64)
    #[pyo3(signature = (data, *, dtype=None, device=None, requires_grad=false))]
    fn new_tensor(
        &self,
        data: &Bound<'_, PyAny>,
        dtype: Option<Arg>,
        device: Option<&Bound<'_, PyAny>>,
        requires_grad: bool,
    ) -> PyResult<Tensor> {
        check_device(device)?;
        let d = self::dtype(dtype).unwrap_or(self.value()?.dtype());
        finish(super::convert::array_of(data, Some(d), false)?, requires_grad)
    }
}
/// Threads that computations may use.
///
/// >>> rg.get_num_threads() >= 1
/// True
#[pyfunction]
fn get_num_threads() -> usize {
    pool::num_threads()
}
/// Let computations use at most so many threads; raises ValueError for less than one.
///
/// >>> threads = rg.get_num_threads()
/// >>> rg.set_num_threads(1)
/// >>> rg.get_num_threads()
/// 1
/// >>> rg.set_num_threads(threads)
#[pyfunction]
fn set_num_threads(threads: i64) -> PyResult<()> {
    match usize::try_from(threads) {
        Ok(n) if n > 0 => {
            pool::set_num_threads(n);
            Ok(())
        }
        _ => Err(Error::value("set_num_threads", format!("needs a positive number, not {threads}")).into()),
    }
}
/// Whether an object is a tensor.
///
/// >>> rg.is_tensor(rg.zeros(2)), rg.is_tensor([0.0])
/// (True, False)
#[pyfunction]
fn is_tensor(obj: &Bound<'_, PyAny>) -> bool {
    obj.is_instance_of::<Tensor>()
}
/// Give memory kept for reuse back to the system; returns the number of bytes.
///
/// >>> rg.empty_cache() >= 0
/// True
#[pyfunction(name = "empty_cache")]
fn empty_cache_() -> usize {
    empty_cache()
}
/// Bytes that tensors hold now, and at most since the last `reset`; those of a few elements are not counted.
#[pyfunction]
fn _memory(reset: bool) -> (usize, usize) {
    in_use(reset)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_filled(m)?;
    m.add_function(wrap_pyfunction!(full, m)?)?;
    m.add_function(wrap_pyfunction!(full_like, m)?)?;
    m.add_function(wrap_pyfunction!(arange, m)?)?;
    m.add_function(wrap_pyfunction!(linspace, m)?)?;
    m.add_function(wrap_pyfunction!(eye, m)?)?;
    m.add_function(wrap_pyfunction!(get_num_threads, m)?)?;
    m.add_function(wrap_pyfunction!(set_num_threads, m)?)?;
    m.add_function(wrap_pyfunction!(is_tensor, m)?)?;
    m.add_function(wrap_pyfunction!(result_type, m)?)?;
    m.add_function(wrap_pyfunction!(promote_types, m)?)?;
    m.add_function(wrap_pyfunction!(scalar_tensor, m)?)?;
    m.add_function(wrap_pyfunction!(broadcast_shapes, m)?)?;
    m.add_function(wrap_pyfunction!(empty_cache_, m)?)?;
    m.add_function(wrap_pyfunction!(_memory, m)?)
}
