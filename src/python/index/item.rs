//! `x[…]` for reading and writing.
use super::{
    super::{
        convert::{array_like, array_of},
        tensor::{Operand, Tensor},
    },
    writes::source,
};
use crate::{
    array::Array,
    dtype::DType,
    error::Error,
    op::Prim,
    ops::{
        convert, expand,
        indexing::{self, Meet},
        slice::{Slice, Span, Spans},
        views,
    },
    shape::{show, Dims as Shape},
    trace::Value,
    variable::Variable,
};
use pyo3::{
    exceptions::{PyIndexError, PyUserWarning},
    prelude::*,
    types::{PyBool, PyEllipsis, PyInt, PyList, PyRange, PySlice, PyTuple},
};

/// An index taken apart: a slice of every axis, the axes that ints and None remove and add, and index arrays.
struct Parsed {
    spans: Spans,
    /// Shape after slicing, ints removed and None added.
    shape: Shape,
    /// Index arrays and the axes of `shape` they stand on.
    arrays: Vec<(usize, Value)>,
}
/// Bytes are masks, as in PyTorch, which says so too; in NumPy they are integers.
fn mask_of_bytes(py: Python<'_>, index: Value) -> PyResult<Value> {
    if index.dtype() != DType::U8 {
        return Ok(index);
    }
    let text =
        c"index: a uint8 tensor is taken for a mask, as in PyTorch; convert it to bool, or to int64 for positions";
    PyErr::warn(py, &py.get_type::<PyUserWarning>(), text, 1)?;
    Ok(convert::to(&index, DType::Bool)?)
}
/// Whether an item is an index array (integers or a mask).
fn array_item(item: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if let Ok(t) = item.cast::<Tensor>() {
        return mask_of_bytes(item.py(), t.get().value()?).map(Some);
    }
    if item.is_instance_of::<PyBool>() {
        return Ok(Some(Value::Array(Array::full(
            "index",
            Shape::new(),
            DType::Bool,
            crate::dtype::Scalar::Bool(item.extract()?),
        )?)));
    }
    if item.is_instance_of::<PyInt>() || item.is_instance_of::<PySlice>() {
        return Ok(None);
    }
    // A lone integer of NumPy's is one of any size; an array of rank 0 is not.
    if item.hasattr("__array_interface__")? && item.is_instance(&item.py().import("numpy")?.getattr("integer")?)? {
        return Ok(None);
    }
    if let Some(a) = array_like(item)? {
        return mask_of_bytes(item.py(), Value::Array(a)).map(Some);
    }
    if item.is_instance_of::<PyList>() || item.is_instance_of::<PyTuple>() || item.is_instance_of::<PyRange>() {
        let array = array_of(item, None, false)?;
        // An empty list selects nothing; it has no integers to take a dtype from.
        let array =
            if array.is_empty() { Array::zeros("index", Shape::from_slice(array.shape()), DType::I64)? } else { array };
        return Ok(Some(Value::Array(array)));
    }
    Ok(None)
}
fn parse(shape: &[usize], index: &Bound<'_, PyAny>) -> PyResult<Parsed> {
    let items: Vec<Bound<'_, PyAny>> = match index.cast::<PyTuple>() {
        Ok(t) => t.iter().collect(),
        Err(_) => vec![index.clone()],
    };
    // Axes that items consume, to know how many the ellipsis stands for.
    let mut consumed = 0;
    let mut arrays = Vec::with_capacity(items.len());
    let mut dots = 0;
    for item in &items {
        let array = if item.is_none() || item.is_instance_of::<PyEllipsis>() { None } else { array_item(item)? };
        if item.is_instance_of::<PyEllipsis>() {
            dots += 1;
        } else if !item.is_none() {
            consumed += match &array {
                Some(a) if a.dtype() == DType::Bool => a.rank(),
                _ => 1,
            };
        }
        // A single position counts as an int, which shows a view, wherever it can be read.
        let position = |a: &Value| a.rank() == 0 && a.dtype().is_integral() && a.dtype() != DType::Bool;
        arrays.push(array.filter(|a| !position(a) || a.numbers().is_none()));
    }
    // Where it cannot, it is an array of rank 0, whose axes would go elsewhere if a slice stood between it and another.
    let between =
        |i: &Bound<'_, PyAny>| i.is_none() || i.is_instance_of::<PySlice>() || i.is_instance_of::<PyEllipsis>();
    if arrays.iter().flatten().count() > 1 && items.iter().any(between) {
        if let Some(position) = arrays.iter().flatten().find(|a| a.rank() == 0 && a.numbers().is_none()) {
            return Err(position.without_numbers("index").into());
        }
    }
    if dots > 1 {
        return Err(PyIndexError::new_err("index: an index can hold only one ellipsis (...)"));
    }
    if consumed > shape.len() {
        return Err(PyIndexError::new_err(format!(
            "index: {consumed} indices are too many for a tensor with {} dimensions (shape {})",
            shape.len(),
            show(shape)
        )));
    }
    let mut spans = Spans::new();
    let mut out = Parsed { spans: Spans::new(), shape: Shape::new(), arrays: Vec::new() };
    for (item, array) in items.iter().zip(arrays) {
        let at = spans.len();
        if item.is_none() {
            out.shape.push(1);
        } else if item.is_instance_of::<PyEllipsis>() {
            for &n in &shape[at..at + shape.len() - consumed] {
                spans.push(Span::whole(n));
                out.shape.push(n);
            }
        } else if let Some(array) = array {
            if array.dtype() == DType::Bool {
                let covered = &shape[at..at + array.rank()];
                if array.shape() != covered {
                    return Err(PyIndexError::new_err(format!(
                        "index: a mask of shape {} does not fit dimensions {at}.. of shape {}",
                        show(array.shape()),
                        show(shape)
                    )));
                }
                if array.rank() == 0 {
                    // A single truth value adds an axis of size 0 or 1.
                    let count = usize::from(array.array()?.item()?.to_i64() != 0);
                    let zeros = Array::zeros("index", Shape::from_slice(&[count]), DType::I64)?;
                    out.arrays.push((out.shape.len(), Value::Array(zeros)));
                    out.shape.push(1);
                    continue;
                }
                for (&n, found) in covered.iter().zip(indexing::nonzero("index", &array)?) {
                    spans.push(Span::whole(n));
                    out.arrays.push((out.shape.len(), found));
                    out.shape.push(n);
                }
            } else {
                if !array.dtype().is_integral() {
                    return Err(PyIndexError::new_err(format!(
                        "index: index tensors must be integers or bool, not {}",
                        array.dtype()
                    )));
                }
                spans.push(Span::whole(shape[at]));
                out.arrays.push((out.shape.len(), convert::to(&array, DType::I64)?));
                out.shape.push(shape[at]);
            }
        } else if let Ok(slice) = item.cast::<PySlice>() {
            let i = slice.indices(shape[at] as isize)?;
            let size = i.slicelength;
            spans.push(Span {
                start: if size == 0 { 0 } else { i.start as usize },
                step: if size == 0 { 1 } else { i.step },
                size,
            });
            out.shape.push(size);
        } else {
            let i: i64 = item.call_method0("__index__").and_then(|i| i.extract()).map_err(|_| {
                PyIndexError::new_err(format!(
                    "index: expected ints, slices, None, ..., or index tensors, not a {}",
                    item.get_type().name().map(|n| n.to_string()).unwrap_or_default()
                ))
            })?;
            let n = shape[at] as i64;
            if i < -n || i >= n {
                return Err(PyIndexError::new_err(format!(
                    "index: {i} is out of range for dimension {at} of size {n} (shape {})",
                    show(shape)
                )));
            }
            spans.push(Span { start: (if i < 0 { i + n } else { i }) as usize, step: 1, size: 1 });
        }
    }
    for &n in &shape[spans.len()..] {
        spans.push(Span::whole(n));
        out.shape.push(n);
    }
    out.spans = spans;
    Ok(out)
}
/// The view that the basic part of an index shows.
fn basic(variable: &mut Variable, parsed: &Parsed, writing: bool) -> Result<Variable, Error> {
    let value = variable.value()?;
    let whole = parsed.spans.iter().zip(value.shape()).all(|(s, &n)| *s == Span::whole(n));
    let mut steps: Vec<Prim> = Vec::new();
    let sliced: Shape = parsed.spans.iter().map(|s| s.size).collect();
    // Even a slice of everything is one: writing through it keeps what was there in the graph, with slope zero.
    if !whole || writing || sliced == parsed.shape {
        steps.push(Slice::new(&parsed.spans).into());
    }
    if sliced != parsed.shape {
        steps.push(views::reshape(parsed.shape.clone()));
    }
    let mut steps = steps.into_iter();
    let Some(first) = steps.next() else { return Err(Error::index("index", "is empty")) };
    let mut out = variable.view(first)?;
    for step in steps {
        out = out.view(step)?;
    }
    Ok(out)
}
fn read(t: &Tensor, index: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let mut variable = t.variable()?;
    let parsed = parse(variable.value()?.shape(), index)?;
    let mut view = basic(&mut variable, &parsed, false)?;
    drop(variable);
    if parsed.arrays.is_empty() {
        return Ok(Tensor::from_variable(view));
    }
    let (axes, indices): (Vec<usize>, Vec<Value>) = parsed.arrays.into_iter().unzip();
    Ok(indexing::advanced(&view.value()?, &axes, &indices)?.into())
}
/// A value that loses leading axes of size 1, as assignment allows, and is broadcast to `shape`.
fn fitted(op: &'static str, value: &Value, shape: &[usize]) -> Result<Value, Error> {
    let extra = value.rank().saturating_sub(shape.len());
    let value = match value.shape()[..extra].iter().all(|&n| n == 1) {
        true if extra > 0 => crate::ops::reshape::reshape(value, &value.shape()[extra..])?,
        _ => value.clone(),
    };
    expand::to(op, &value, shape)
}

/// An index that is one mask over all dimensions.
fn whole_mask(index: &Bound<'_, PyAny>, shape: &[usize]) -> PyResult<Option<Value>> {
    let Ok(mask) = index.cast::<Tensor>() else { return Ok(None) };
    let mask = mask.get().value()?;
    Ok((mask.dtype() == DType::Bool && mask.rank() > 0 && mask.shape() == shape).then_some(mask))
}

#[pymethods]
impl Tensor {
    fn __getitem__(&self, index: &Bound<'_, PyAny>) -> PyResult<Tensor> {
        read(self, index)
    }
    fn __setitem__(&self, index: &Bound<'_, PyAny>, value: Operand) -> PyResult<()> {
        let mut variable = self.variable()?;
        let old = variable.value()?;
        let mask = whole_mask(index, old.shape())?;
        let new = source(value, old.dtype())?;
        if new.dtype().category() > old.dtype().category() && new.dtype().is_complex() {
            return Err(
                Error::dtype("setitem", format!("cannot write {} into a {} tensor", new.dtype(), old.dtype())).into()
            );
        }
        let new = convert::to(&new, old.dtype())?;
        if let (Some(mask), 0) = (mask, new.rank()) {
            // Which elements are true need not be known for this.
            return Ok(variable.write("setitem", |target| indexing::masked_fill(target, &mask, &new))?);
        }
        let parsed = parse(old.shape(), index)?;
        let mut view = basic(&mut variable, &parsed, true)?;
        drop(variable);
        if parsed.arrays.is_empty() {
            return Ok(view.write("setitem", |target| fitted("setitem", &new, target.shape()))?);
        }
        let (axes, indices): (Vec<usize>, Vec<Value>) = parsed.arrays.into_iter().unzip();
        Ok(view.write("setitem", |target| indexing::advanced_put(target, &axes, &indices, &new, Meet::Replace))?)
    }
}
