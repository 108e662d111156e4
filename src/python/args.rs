//! Arguments in the forms PyTorch and NumPy users write them.
use super::{dtype::Arg, error::DataDependentError, tensor::Tensor};
use crate::{
    dtype::DType,
    error::Error,
    shape::{self, Axes, Dims as Shape},
    trace::Value,
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyTuple};

/// One dimension, several, or a Python sequence of them.
pub struct Dims(pub Vec<i64>);
impl<'a, 'py> FromPyObject<'a, 'py> for Dims {
    type Error = PyErr;
    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Dims> {
        let many = match obj.extract::<i64>() {
            Ok(one) => return Ok(Dims(vec![one])),
            Err(e) if depends_on_numbers(obj.py(), &e) => return Err(e),
            Err(_) => obj.extract::<Vec<i64>>(),
        };
        many.map(Dims).map_err(|e| match depends_on_numbers(obj.py(), &e) {
            true => e,
            false => PyTypeError::new_err(format!(
                "dim: expected an int or a tuple of ints, not {}",
                obj.repr().map(|r| r.to_string()).unwrap_or_default()
            )),
        })
    }
}
/// `dim` or its NumPy name `axis`.
pub fn either<T>(op: &'static str, dim: Option<T>, axis: Option<T>) -> PyResult<Option<T>> {
    match (dim, axis) {
        (Some(_), Some(_)) => Err(PyTypeError::new_err(format!("{op}: got both dim and axis; give one"))),
        (d, a) => Ok(d.or(a)),
    }
}
/// Axes from `dim=`/`axis=`; none, or an empty tuple, means all.
pub fn axes(op: &'static str, dim: Option<Dims>, axis: Option<Dims>, rank: usize) -> PyResult<Axes> {
    let dims = either(op, dim, axis)?.map(|d| d.0).filter(|d| !d.is_empty());
    Ok(Axes::from_dims(op, dims.as_deref(), rank)?)
}
pub fn keep(keepdim: bool, keepdims: Option<bool>) -> bool {
    keepdims.unwrap_or(keepdim)
}
pub fn dtype(d: Option<Arg>) -> Option<DType> {
    d.map(|d| d.0)
}
/// Sizes given one by one or as a single tuple.
pub fn integers(op: &'static str, args: &Bound<'_, PyTuple>) -> PyResult<Vec<i64>> {
    let bad = |e: PyErr| match depends_on_numbers(args.py(), &e) {
        true => e,
        false => PyTypeError::new_err(format!("{op}: expected ints or one tuple of ints, not {args}")),
    };
    if args.len() == 1 {
        let first = args.get_item(0)?;
        return match first.extract::<i64>() {
            Ok(n) => Ok(vec![n]),
            Err(e) if depends_on_numbers(args.py(), &e) => Err(e),
            Err(_) => first.extract::<Vec<i64>>().map_err(bad),
        };
    }
    args.extract::<Vec<i64>>().map_err(bad)
}
/// The same, or given by name.
pub fn integers_or(op: &'static str, args: &Bound<'_, PyTuple>, named: Option<Dims>) -> PyResult<Vec<i64>> {
    match named {
        None => integers(op, args),
        Some(given) if args.is_empty() => Ok(given.0),
        Some(_) => Err(PyTypeError::new_err(format!("{op}: got sizes or dimensions twice; give them once"))),
    }
}
/// Whether an argument is a tensor that stands for many: `vmap` then runs lane by lane.
fn depends_on_numbers(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<DataDependentError>(py)
}
/// Sizes of a new tensor: none negative.
pub fn sizes(op: &'static str, given: &[i64]) -> PyResult<Shape> {
    if let Some(n) = given.iter().find(|&&n| n < 0) {
        return Err(Error::shape(op, format!("cannot make a tensor of shape {given:?} (size {n} is negative)")).into());
    }
    if given.len() > shape::MAX_RANK {
        return Err(Error::shape(op, format!("{} dimensions are more than {}", given.len(), shape::MAX_RANK)).into());
    }
    let shape: Shape = given.iter().map(|&n| n as usize).collect();
    shape::count(op, &shape)?;
    Ok(shape)
}
/// A sequence of tensors.
pub fn values(op: &'static str, obj: &Bound<'_, PyAny>) -> PyResult<Vec<Value>> {
    if obj.is_instance_of::<Tensor>() {
        return Err(PyTypeError::new_err(format!("{op}: expected a sequence of tensors, not a single tensor")));
    }
    obj.try_iter()?
        .map(|item| {
            let item = item?;
            let tensor = item.cast::<Tensor>().map_err(|_| {
                PyTypeError::new_err(format!(
                    "{op}: expected a sequence of tensors, but it holds a {}",
                    item.get_type().name().map(|n| n.to_string()).unwrap_or_default()
                ))
            })?;
            Ok(tensor.get().value()?)
        })
        .collect()
}
