//! The Python class `Tensor`: a variable, and what every tensor can tell of itself.
use super::{
    autograd::reading,
    dtype::{self, DType},
};
use crate::{
    array::Array,
    dtype::Scalar,
    error::Error,
    graph::{Hook, NodeRef},
    shape::present_axis,
    trace::{Kind, Value},
    variable::Variable,
};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyComplex, PyFloat, PyInt, PyTuple},
    IntoPyObjectExt,
};
use std::cell::{RefCell, RefMut};

/// A multi-dimensional array that remembers how it was computed.
#[pyclass(frozen, module = "rustgrad", weakref)]
pub struct Tensor(RefCell<Variable>);
// SAFETY: the cell is borrowed by methods of this class alone, which run with the interpreter lock held, and no borrow
// outlives its method's use of it; atomic locks here would cost as much as a small op.
unsafe impl Sync for Tensor {}

impl Tensor {
    #[inline]
    pub fn new(value: Value) -> Tensor {
        Tensor(RefCell::new(Variable::new(value)))
    }
    pub fn from_variable(variable: Variable) -> Tensor {
        Tensor(RefCell::new(variable))
    }
    /// For changes: an error while another user (a callback inside of an in-place op) is at it.
    #[inline]
    pub fn variable(&self) -> Result<RefMut<'_, Variable>, Error> {
        self.0.try_borrow_mut().map_err(|_| Error::graph("tensor", "is being changed in place by another call"))
    }
    #[inline]
    pub fn value(&self) -> Result<Value, Error> {
        if let Some(value) = self.0.try_borrow().ok().and_then(|v| v.current().cloned()) {
            return Ok(value);
        }
        self.variable()?.value()
    }
    /// The node that computed this tensor, as far as can be seen without bringing a view up to date.
    pub fn node(&self) -> Option<NodeRef> {
        self.0.try_borrow().ok()?.current()?.edge().map(|edge| edge.node.clone())
    }
    /// Show `f` the hooks that only this tensor keeps alive.
    pub fn own_hooks<E>(&self, f: impl Fn(&dyn Hook) -> Result<(), E>) -> Result<(), E> {
        let Ok(variable) = self.0.try_borrow() else { return Ok(()) };
        let Some(edge) = variable.current().and_then(Value::edge) else { return Ok(()) };
        edge.node.own_hooks().iter().try_for_each(|hook| f(&**hook))
    }
    /// `f` of two tensors' values where they lie, if both can be read at once without bringing a view up to date.
    /// Nothing in `f` may call Python.
    #[inline]
    pub fn with<T>(&self, other: &Tensor, f: impl FnOnce(&Value, &Value) -> Option<T>) -> Option<T> {
        let (a, b) = (self.0.try_borrow().ok()?, other.0.try_borrow().ok()?);
        f(a.current()?, b.current()?)
    }
    /// The array behind the tensor: an error inside transformations that hide it.
    fn layout(&self, op: &'static str) -> Result<Array, Error> {
        let value = self.value()?;
        value.numbers().cloned().ok_or_else(|| value.without_numbers(op))
    }
    /// The plain numbers, for what needs them (NumPy, Python): as `layout`, and an error where they would lose a
    /// derivative.
    pub fn numbers(&self, op: &'static str) -> Result<Array, Error> {
        reading(op, &self.value()?)?;
        self.layout(op)
    }
}
impl From<Value> for Tensor {
    fn from(value: Value) -> Tensor {
        Tensor::new(value)
    }
}

/// Work in elementary operations from which the interpreter lock is worth giving up.
const DETACH_ABOVE: usize = 1 << 16;
/// Run a computation, without the interpreter lock if it is long.
#[inline]
pub fn run<T: Send>(py: Python<'_>, work: usize, f: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    if work < DETACH_ABOVE {
        f()
    } else {
        py.detach(f)
    }
}

/// A plain Python number; an integer beyond 64 bits is none, so that nothing rounds it in silence.
pub fn scalar(obj: &Bound<'_, PyAny>) -> Option<Scalar> {
    if let Ok(b) = obj.cast_exact::<pyo3::types::PyBool>() {
        return Some(Scalar::Bool(b.is_true()));
    }
    if obj.is_exact_instance_of::<PyFloat>() {
        return obj.extract().ok().map(Scalar::Float);
    }
    if obj.is_instance_of::<PyInt>() {
        return obj.extract().ok().map(Scalar::Int);
    }
    if obj.is_instance_of::<PyFloat>() {
        return obj.extract().ok().map(Scalar::Float);
    }
    if let Ok(z) = obj.cast::<PyComplex>() {
        use pyo3::types::PyComplexMethods;
        return Some(Scalar::Complex(z.real(), z.imag()));
    }
    None
}
pub fn scalar_object(py: Python<'_>, s: Scalar) -> PyResult<Py<PyAny>> {
    match s {
        Scalar::Bool(b) => b.into_py_any(py),
        Scalar::Int(i) => i.into_py_any(py),
        Scalar::Float(f) => f.into_py_any(py),
        Scalar::Complex(re, im) => Ok(PyComplex::from_doubles(py, re, im).into_any().unbind()),
    }
}

/// The other operand of an operator: a tensor, a plain number, or a NumPy array or scalar.
pub enum Operand {
    Tensor(Value),
    Number(Scalar),
}
impl Operand {
    pub fn value(self) -> Result<Value, Error> {
        match self {
            Operand::Tensor(v) => Ok(v),
            Operand::Number(s) => {
                let dtype =
                    crate::dtype::Promotion::default().number(s.category()).result(crate::trace::default_dtype());
                Array::full("tensor", crate::shape::Dims::new(), dtype, s).map(Value::Array)
            }
        }
    }
}
impl<'a, 'py> FromPyObject<'a, 'py> for Operand {
    type Error = PyErr;
    #[inline]
    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Operand> {
        if let Ok(t) = obj.cast::<Tensor>() {
            return Ok(Operand::Tensor(t.get().value()?));
        }
        if let Some(s) = scalar(&obj) {
            return Ok(Operand::Number(s));
        }
        super::convert::array_like(&obj)?.map(|a| Operand::Tensor(Value::Array(a))).ok_or_else(|| {
            PyTypeError::new_err(format!(
                "cannot use a {} as a tensor",
                obj.get_type().name().map(|n| n.to_string()).unwrap_or_default()
            ))
        })
    }
}

/// The other operand of a function that takes two tensors, but no plain numbers.
pub struct Other(pub Value);
impl<'a, 'py> FromPyObject<'a, 'py> for Other {
    type Error = PyErr;
    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Other> {
        match obj.extract::<Operand>()? {
            Operand::Tensor(v) => Ok(Other(v)),
            Operand::Number(_) => Err(PyTypeError::new_err(format!(
                "expected a tensor, not the number {}; wrap it in rustgrad.tensor()",
                obj.repr()?
            ))),
        }
    }
}
impl From<Other> for Operand {
    fn from(other: Other) -> Operand {
        Operand::Tensor(other.0)
    }
}

#[pymethods]
impl Tensor {
    /// Sizes along each dimension.
    ///
    /// >>> rg.zeros(2, 3).shape
    /// (2, 3)
    #[getter]
    pub fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.value()?.shape())
    }
    /// The type of the elements.
    ///
    /// >>> rg.zeros(2).dtype
    /// rustgrad.float32
    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Py<DType>> {
        dtype::object(py, self.value()?.dtype())
    }
    /// Number of dimensions.
    ///
    /// >>> rg.zeros(2, 3).ndim
    /// 2
    #[getter]
    fn ndim(&self) -> PyResult<usize> {
        Ok(self.value()?.rank())
    }
    /// Same as `Tensor.ndim`.
    fn dim(&self) -> PyResult<usize> {
        self.ndim()
    }
    /// Same as `Tensor.ndim`.
    fn ndimension(&self) -> PyResult<usize> {
        self.ndim()
    }
    /// Number of elements.
    ///
    /// >>> rg.zeros(2, 3).numel()
    /// 6
    fn numel(&self) -> PyResult<usize> {
        Ok(self.value()?.len())
    }
    /// Same as `Tensor.numel`.
    fn nelement(&self) -> PyResult<usize> {
        self.numel()
    }
    /// The shape, or the size along one dimension; raises IndexError for one that is out of range.
    ///
    /// >>> rg.zeros(2, 3).size(), rg.zeros(2, 3).size(-1)
    /// ((2, 3), 3)
    #[pyo3(signature = (dim=None))]
    fn size(&self, py: Python<'_>, dim: Option<i64>) -> PyResult<Py<PyAny>> {
        match dim {
            None => Ok(self.shape(py)?.into_any().unbind()),
            Some(d) => {
                let v = self.value()?;
                v.shape()[present_axis("size", d, v.rank())?].into_py_any(py)
            }
        }
    }
    /// Steps in elements along each dimension, or along one.
    ///
    /// >>> rg.zeros(2, 3).stride()
    /// (3, 1)
    #[pyo3(signature = (dim=None))]
    fn stride(&self, py: Python<'_>, dim: Option<i64>) -> PyResult<Py<PyAny>> {
        let a = self.layout("stride")?;
        match dim {
            None => Ok(PyTuple::new(py, a.strides())?.into_any().unbind()),
            Some(d) => a.strides()[present_axis("stride", d, a.rank())?].into_py_any(py),
        }
    }
    /// Elements between the start of the storage and the first element.
    ///
    /// >>> rg.zeros(4)[1:].storage_offset()
    /// 1
    fn storage_offset(&self) -> PyResult<usize> {
        Ok(self.layout("storage_offset")?.storage_offset())
    }
    /// Address of the first element.
    ///
    /// >>> x = rg.zeros(4)
    /// >>> x[1:].data_ptr() - x.data_ptr()
    /// 4
    fn data_ptr(&self) -> PyResult<usize> {
        Ok(self.layout("data_ptr")?.expose()? as usize)
    }
    /// Whether the elements lie in row-major order.
    ///
    /// >>> rg.zeros(2, 3).is_contiguous(), rg.zeros(2, 3).t().is_contiguous()
    /// (True, False)
    fn is_contiguous(&self) -> PyResult<bool> {
        Ok(self.layout("is_contiguous")?.is_contiguous())
    }
    /// Counts in-place writes to the storage.
    #[getter]
    fn _version(&self) -> PyResult<u32> {
        Ok(self.value()?.version())
    }
    /// Always "cpu".
    ///
    /// >>> rg.zeros(2).device
    /// 'cpu'
    #[getter]
    fn device(&self) -> &'static str {
        "cpu"
    }
    /// Same as `Tensor.itemsize`.
    fn element_size(&self) -> PyResult<usize> {
        Ok(self.value()?.dtype().size())
    }
    /// Bytes per element.
    ///
    /// >>> rg.zeros(2).itemsize
    /// 4
    #[getter]
    fn itemsize(&self) -> PyResult<usize> {
        self.element_size()
    }
    /// Bytes of all elements.
    ///
    /// >>> rg.zeros(2, 3).nbytes
    /// 24
    #[getter]
    fn nbytes(&self) -> PyResult<usize> {
        let v = self.value()?;
        Ok(v.dtype().size() * v.len())
    }
    /// Whether the elements are floats.
    ///
    /// >>> rg.zeros(2).is_floating_point()
    /// True
    fn is_floating_point(&self) -> PyResult<bool> {
        Ok(self.value()?.dtype().is_float())
    }
    /// Whether the elements are complex numbers.
    ///
    /// >>> rg.zeros(2).is_complex()
    /// False
    fn is_complex(&self) -> PyResult<bool> {
        Ok(self.value()?.dtype().is_complex())
    }
    /// The number in a tensor with one element, as a Python number; raises RuntimeError for more elements or none.
    ///
    /// >>> rg.tensor([1.5]).item()
    /// 1.5
    fn item(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        scalar_object(py, self.numbers("item")?.item()?)
    }
    fn __len__(&self) -> PyResult<usize> {
        let v = self.value()?;
        v.shape().first().copied().ok_or_else(|| PyTypeError::new_err("len: a 0-d tensor has no length"))
    }
    fn __bool__(&self) -> PyResult<bool> {
        let a = self.numbers("bool")?;
        if a.len() != 1 {
            return Err(PyValueError::new_err(format!(
                "bool: a tensor of shape {} is neither true nor false; use .any() or .all()",
                crate::shape::show(a.shape())
            )));
        }
        Ok(a.item()?.to_complex() != num_complex::Complex::default())
    }
    fn __float__(&self) -> PyResult<f64> {
        match self.numbers("float")?.item()? {
            Scalar::Complex(..) => {
                Err(PyTypeError::new_err("float: cannot convert a complex number; take .real first"))
            }
            s => Ok(s.to_f64()),
        }
    }
    fn __complex__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyComplex>> {
        let z = self.numbers("complex")?.item()?.to_complex();
        Ok(PyComplex::from_doubles(py, z.re, z.im))
    }
    fn __int__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.numbers("int")?.item()? {
            Scalar::Complex(..) => Err(PyTypeError::new_err("int: cannot convert a complex number; take .real first")),
            // Python truncates, and says what it thinks of inf and nan.
            Scalar::Float(f) => PyFloat::new(py, f).call_method0("__int__").map(Bound::unbind),
            s => s.to_i64().into_py_any(py),
        }
    }
    fn __index__(&self) -> PyResult<i64> {
        match self.numbers("index")?.item()? {
            Scalar::Int(i) => Ok(i),
            Scalar::Bool(b) => Ok(b.into()),
            _ => Err(PyTypeError::new_err("index: only an integer tensor with one element can be an index")),
        }
    }
    fn __hash__(slf: &Bound<'_, Self>) -> isize {
        slf.as_ptr() as isize >> 4
    }
    /// How transformations see this tensor, innermost first: for debugging.
    #[getter]
    fn _watchers(&self) -> PyResult<Vec<String>> {
        let mut value = self.value()?;
        let mut names = Vec::new();
        loop {
            value = match &value {
                Value::Array(_) => return Ok(names),
                Value::Taped(t) => {
                    names.push("tape".into());
                    Value::Array(t.array.clone())
                }
                Value::Traced(t) => match &t.kind {
                    Kind::Dual { primal, .. } => {
                        names.push(format!("dual@{}", t.level.id()));
                        primal.clone()
                    }
                    Kind::Batch(stack) => {
                        names.push(format!("batch@{}", t.level.id()));
                        stack.clone()
                    }
                    Kind::Taped { value, .. } => {
                        names.push(format!("tape@{}", t.level.id()));
                        value.clone()
                    }
                    Kind::Series { primal, .. } => {
                        names.push(format!("series@{}", t.level.id()));
                        primal.clone()
                    }
                    Kind::Sets { value, .. } => {
                        names.push(format!("sets@{}", t.level.id()));
                        value.clone()
                    }
                },
            };
        }
    }
}
