//! `x[…]` for reading and writing, and indexing by name.
use super::{
    export,
    tensor::{Operand, Tensor},
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
    shape::{axis, show, Dims as Shape},
    trace::Value,
    variable::Variable,
};
use pyo3::{
    exceptions::PyIndexError,
    prelude::*,
    types::{PyBool, PyEllipsis, PyInt, PySlice, PyTuple},
};

/// An index taken apart: a slice of every axis, the axes that ints and None remove and add, and index arrays.
struct Parsed {
    spans: Spans,
    /// Shape after slicing, ints removed and None added.
    shape: Shape,
    /// Index arrays and the axes of `shape` they stand on.
    arrays: Vec<(usize, Value)>,
}
/// Whether an item is an index array (integers or a mask).
fn array_item(item: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if let Ok(t) = item.cast::<Tensor>() {
        return Ok(Some(t.get().value()?));
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
    if let Some(a) = super::convert::array_like(item)? {
        return Ok(Some(Value::Array(a)));
    }
    if item.is_instance_of::<pyo3::types::PyList>() {
        let array = super::convert::array_of(item, None, false)?;
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
        arrays.push(array);
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
fn source(value: Operand, like: DType) -> Result<Value, Error> {
    match value {
        Operand::Number(s) => Ok(Value::Array(Array::full("setitem", Shape::new(), like, s)?)),
        Operand::Tensor(v) => Ok(v),
    }
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

#[pymethods]
impl Tensor {
    fn __getitem__(&self, index: &Bound<'_, PyAny>) -> PyResult<Tensor> {
        read(self, index)
    }
    fn __setitem__(&self, index: &Bound<'_, PyAny>, value: Operand) -> PyResult<()> {
        let mut variable = self.variable()?;
        let old = variable.value()?;
        let parsed = parse(old.shape(), index)?;
        let new = source(value, old.dtype())?;
        if new.dtype().category() > old.dtype().category() && new.dtype().is_complex() {
            return Err(
                Error::dtype("setitem", format!("cannot write {} into a {} tensor", new.dtype(), old.dtype())).into()
            );
        }
        let new = convert::to(&new, old.dtype())?;
        let mut view = basic(&mut variable, &parsed, true)?;
        drop(variable);
        if parsed.arrays.is_empty() {
            return Ok(view.write("setitem", |target| fitted("setitem", &new, target.shape()))?);
        }
        let (axes, indices): (Vec<usize>, Vec<Value>) = parsed.arrays.into_iter().unzip();
        Ok(view.write("setitem", |target| indexing::advanced_put(target, &axes, &indices, &new, Meet::Replace))?)
    }
    /// index_select(dim, index)
    /// --
    ///
    /// The slices `index` along `dim`.
    fn index_select(&self, dim: i64, index: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(indexing::index_select(&x, axis("index_select", dim, x.rank())?, &index.value()?)?.into())
    }
    /// gather(dim, index)
    /// --
    ///
    /// Elements that `index` names along `dim`, at their own place in the other dimensions.
    #[pyo3(signature = (dim, index, *, sparse_grad=false))]
    fn gather(&self, dim: i64, index: &Tensor, sparse_grad: bool) -> PyResult<Tensor> {
        let _ = sparse_grad; // gradients are dense
        let x = self.value()?;
        Ok(indexing::gather("gather", &x, axis("gather", dim, x.rank())?, &index.value()?)?.into())
    }
    /// Elements that indices, broadcast against the tensor, name along a dimension.
    #[pyo3(signature = (indices, dim=None))]
    fn take_along_dim(&self, indices: &Tensor, dim: Option<i64>) -> PyResult<Tensor> {
        let (x, at) = (self.value()?, indices.value()?);
        let Some(dim) = dim else {
            let (x, at) =
                (crate::ops::reshape::reshape(&x, &[x.len()])?, crate::ops::reshape::reshape(&at, &[at.len()])?);
            return Ok(indexing::gather("take_along_dim", &x, 0, &at)?.into());
        };
        let a = axis("take_along_dim", dim, x.rank())?;
        if x.rank() != at.rank() {
            return Err(Error::shape(
                "take_along_dim",
                format!(
                    "index of shape {} and tensor of shape {} must have as many dimensions",
                    show(at.shape()),
                    show(x.shape())
                ),
            )
            .into());
        }
        // Broadcast all but the gathered dimension.
        let (mut from, mut to) = (Shape::from_slice(x.shape()), Shape::from_slice(at.shape()));
        (from[a], to[a]) = (1, 1);
        let common = crate::shape::broadcast("take_along_dim", &from, &to)?;
        (from, to) = (common.clone(), common);
        (from[a], to[a]) = (x.shape()[a], at.shape()[a]);
        let (x, at) = (expand::to("take_along_dim", &x, &from)?, expand::to("take_along_dim", &at, &to)?);
        Ok(indexing::gather("take_along_dim", &x, a, &at)?.into())
    }
    /// take(index)
    /// --
    ///
    /// Elements of the flattened tensor.
    fn take(&self, index: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        let flat = crate::ops::reshape::reshape(&x, &[x.len()])?;
        Ok(indexing::take_axis("take", &flat, 0, &index.value()?)?.into())
    }
    /// With values put where index points along a dimension.
    #[pyo3(signature = (dim, index, src=None, *, value=None, reduce=None))]
    fn scatter(
        &self,
        dim: i64,
        index: &Tensor,
        src: Option<Operand>,
        value: Option<Operand>,
        reduce: Option<&str>,
    ) -> PyResult<Tensor> {
        Ok(scattered(&self.value()?, dim, &index.value()?, src.or(value), reduce)?.into())
    }
    /// In-place form of scatter.
    #[pyo3(signature = (dim, index, src=None, *, value=None, reduce=None))]
    fn scatter_<'py>(
        slf: Bound<'py, Self>,
        dim: i64,
        index: &Tensor,
        src: Option<Operand>,
        value: Option<Operand>,
        reduce: Option<&str>,
    ) -> PyResult<Bound<'py, Self>> {
        let index = index.value()?;
        slf.get().variable()?.write("scatter_", |x| scattered(x, dim, &index, src.or(value), reduce))?;
        Ok(slf)
    }
    /// With values added where index points along a dimension.
    fn scatter_add(&self, dim: i64, index: &Tensor, src: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(indexing::scatter(
            "scatter_add",
            &x,
            axis("scatter_add", dim, x.rank())?,
            &index.value()?,
            &src.value()?,
            Meet::Add,
        )?
        .into())
    }
    /// In-place form of scatter_add.
    fn scatter_add_<'py>(slf: Bound<'py, Self>, dim: i64, index: &Tensor, src: &Tensor) -> PyResult<Bound<'py, Self>> {
        let (index, src) = (index.value()?, src.value()?);
        slf.get().variable()?.write("scatter_add_", |x| {
            indexing::scatter("scatter_add_", x, axis("scatter_add_", dim, x.rank())?, &index, &src, Meet::Add)
        })?;
        Ok(slf)
    }
    /// With slices of source added at the places index names along a dimension.
    #[pyo3(signature = (dim, index, source, *, alpha=None))]
    fn index_add(&self, dim: i64, index: &Tensor, source: &Tensor, alpha: Option<Operand>) -> PyResult<Tensor> {
        Ok(index_added(&self.value()?, dim, &index.value()?, source.value()?, alpha)?.into())
    }
    /// In-place form of index_add.
    #[pyo3(signature = (dim, index, source, *, alpha=None))]
    fn index_add_<'py>(
        slf: Bound<'py, Self>,
        dim: i64,
        index: &Tensor,
        source: &Tensor,
        alpha: Option<Operand>,
    ) -> PyResult<Bound<'py, Self>> {
        let (index, source) = (index.value()?, source.value()?);
        slf.get().variable()?.write("index_add_", |x| index_added(x, dim, &index, source, alpha))?;
        Ok(slf)
    }
    /// With slices of source put at the places index names along a dimension.
    fn index_copy(&self, dim: i64, index: &Tensor, source: &Tensor) -> PyResult<Tensor> {
        let x = self.value()?;
        Ok(indexing::index_put_axis(
            "index_copy",
            &x,
            axis("index_copy", dim, x.rank())?,
            &index.value()?,
            &source.value()?,
            Meet::Replace,
        )?
        .into())
    }
    /// With values put (or added, with accumulate) where index tensors point.
    #[pyo3(signature = (indices, values, accumulate=false))]
    fn index_put(&self, indices: Vec<Py<Tensor>>, values: &Tensor, accumulate: bool) -> PyResult<Tensor> {
        Ok(put(&self.value()?, &indices, &values.value()?, accumulate)?.into())
    }
    /// In-place form of index_put.
    #[pyo3(signature = (indices, values, accumulate=false))]
    fn index_put_<'py>(
        slf: Bound<'py, Self>,
        indices: Vec<Py<Tensor>>,
        values: &Tensor,
        accumulate: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let values = values.value()?;
        slf.get().variable()?.write("index_put_", |x| put(x, &indices, &values, accumulate))?;
        Ok(slf)
    }
    /// With a number where the mask is true.
    fn masked_fill(&self, mask: &Tensor, value: Operand) -> PyResult<Tensor> {
        let x = self.value()?;
        let value = source(value, x.dtype())?;
        Ok(indexing::masked_fill(&x, &mask.value()?, &value)?.into())
    }
    /// In-place form of masked_fill.
    fn masked_fill_<'py>(slf: Bound<'py, Self>, mask: &Tensor, value: Operand) -> PyResult<Bound<'py, Self>> {
        let mask = mask.value()?;
        slf.get().variable()?.write("masked_fill_", |x| indexing::masked_fill(x, &mask, &source(value, x.dtype())?))?;
        Ok(slf)
    }
    /// Elements where the mask is true, as a vector.
    fn masked_select(&self, mask: &Tensor) -> PyResult<Tensor> {
        let mask = mask.value()?;
        if mask.dtype() != DType::Bool {
            return Err(Error::dtype(
                "masked_select",
                format!("the mask must be bool, not {}; compare it first", mask.dtype()),
            )
            .into());
        }
        Ok(indexing::masked_select(&self.value()?, &mask)?.into())
    }
    /// nonzero(*, as_tuple=False)
    /// --
    ///
    /// Coordinates of the elements that are not zero, one row each.
    #[pyo3(signature = (*, as_tuple=false))]
    fn nonzero<'py>(&self, py: Python<'py>, as_tuple: bool) -> PyResult<Bound<'py, PyAny>> {
        let x = self.value()?;
        if x.rank() == 0 && !as_tuple {
            let n = indexing::nonzero("nonzero", &crate::ops::reshape::reshape(&x, &[1])?)?[0].len();
            let empty = Array::zeros("nonzero", Shape::from_slice(&[n, 0]), DType::I64)?;
            return Ok(Bound::new(py, Tensor::new(Value::Array(empty)))?.into_any());
        }
        let x = if x.rank() == 0 { crate::ops::reshape::reshape(&x, &[1])? } else { x };
        let axes = indexing::nonzero("nonzero", &x)?;
        if as_tuple {
            return Ok(PyTuple::new(py, axes.into_iter().map(Tensor::new))?.into_any());
        }
        Ok(Bound::new(py, Tensor::new(crate::ops::join::stack(&axes, 1)?))?.into_any())
    }
    /// Set every element to a number.
    fn fill_<'py>(slf: Bound<'py, Self>, value: Operand) -> PyResult<Bound<'py, Self>> {
        slf.get()
            .variable()?
            .write("fill_", |x| expand::to("fill_", &convert::to(&source(value, x.dtype())?, x.dtype())?, x.shape()))?;
        Ok(slf)
    }
    /// Set every element to zero.
    fn zero_(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        Tensor::fill_(slf, Operand::Number(crate::dtype::Scalar::Int(0)))
    }
    /// Write another tensor, broadcast and converted, into this one.
    #[pyo3(signature = (src, non_blocking=false))]
    fn copy_<'py>(slf: Bound<'py, Self>, src: Operand, non_blocking: bool) -> PyResult<Bound<'py, Self>> {
        let _ = non_blocking; // everything here is blocking
        slf.get()
            .variable()?
            .write("copy_", |x| expand::to("copy_", &convert::to(&source(src, x.dtype())?, x.dtype())?, x.shape()))?;
        Ok(slf)
    }
}
fn scattered(x: &Value, dim: i64, index: &Value, src: Option<Operand>, reduce: Option<&str>) -> Result<Value, Error> {
    let meet = match reduce {
        None => Meet::Replace,
        Some("add") => Meet::Add,
        Some(other) => {
            return Err(Error::value("scatter", format!("reduce={other:?} is not supported; use None or \"add\"")))
        }
    };
    let src = match src {
        Some(Operand::Tensor(v)) => v,
        Some(number) => expand::to("scatter", &source(number, x.dtype())?, index.shape())?,
        None => return Err(Error::value("scatter", "needs src= or value=")),
    };
    indexing::scatter("scatter", x, axis("scatter", dim, x.rank())?, index, &src, meet)
}
fn index_added(x: &Value, dim: i64, index: &Value, source: Value, alpha: Option<Operand>) -> Result<Value, Error> {
    let source = match alpha {
        Some(alpha) => super::arith::binary::<crate::ops::arith::Mul>(&source, alpha)?,
        None => source,
    };
    if source.dtype() != x.dtype() {
        return Err(Error::dtype(
            "index_add",
            format!("cannot add {} into {}; convert it first", source.dtype(), x.dtype()),
        ));
    }
    indexing::index_put_axis("index_add", x, axis("index_add", dim, x.rank())?, index, &source, Meet::Add)
}
fn put(x: &Value, indices: &[Py<Tensor>], values: &Value, accumulate: bool) -> Result<Value, Error> {
    let mut arrays = Vec::new();
    for t in indices {
        let v = t.get().value()?;
        if v.dtype() == DType::Bool {
            arrays.extend(indexing::nonzero("index_put", &v)?);
        } else {
            arrays.push(v);
        }
    }
    if arrays.len() > x.rank() {
        return Err(Error::index(
            "index_put",
            format!("{} indices are too many for shape {}", arrays.len(), show(x.shape())),
        ));
    }
    let axes: Vec<usize> = (0..arrays.len()).collect();
    indexing::advanced_put(x, &axes, &arrays, values, if accumulate { Meet::Add } else { Meet::Replace })
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    export(
        m,
        &[
            "index_select",
            "gather",
            "take_along_dim",
            "take",
            "scatter",
            "scatter_add",
            "index_add",
            "index_copy",
            "index_put",
            "masked_fill",
            "masked_select",
            "nonzero",
        ],
    )
}
