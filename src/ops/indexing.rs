//! Every way of indexing, as positions of rows: index_select, gather, scatter, masks and `x[i, j, …]`.
use super::{
    arith::Add,
    binary::Binary,
    convert, create, expand,
    index::{checked, positions, times, wraps, Put, PutAdd, Take},
    reshape::{reshape, Permute},
    select,
};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, Result},
    kernels::gather,
    op::Call,
    shape::{broadcast, show, Dims},
    trace::Value,
};

/// `x` with the axes `front` moved to the front, in this order.
fn bring_forward(x: &Value, front: &[usize]) -> Result<(Value, Permute)> {
    let rest = (0..x.rank()).filter(|a| !front.contains(a));
    let permute = Permute { order: front.iter().copied().chain(rest).map(|a| a as u8).collect() };
    let moved = if front.iter().enumerate().all(|(i, &a)| i == a) { x.clone() } else { permute.call(&[x])? };
    Ok((moved, permute))
}
/// Slices `index` of `x` along `axis`.
pub fn index_select(x: &Value, axis: usize, index: &Value) -> Result<Value> {
    if index.rank() > 1 {
        return Err(Error::shape(
            "index_select",
            format!("the index must have at most one dimension, not shape {}", show(index.shape())),
        ));
    }
    let y = take_axis("index_select", x, axis, &at_least_1d(index)?)?;
    if x.rank() > 0 {
        return Ok(y);
    }
    // A 0-d tensor stands for one element, and so must the result.
    if y.len() != 1 {
        return Err(Error::shape(
            "index_select",
            format!("takes one index for a 0-d tensor, not {}; reshape the tensor to (1,) for more", index.len()),
        ));
    }
    reshape(&y, &[])
}
/// As `index_select`, with an index of any shape: its axes replace `axis`.
pub fn take_axis(op: &'static str, x: &Value, axis: usize, index: &Value) -> Result<Value> {
    if x.rank() == 0 {
        return take_axis(op, &reshape(x, &[1])?, 0, index);
    }
    let at = positions(op, index, x.shape()[axis])?;
    let (front, _) = bring_forward(x, &[axis])?;
    let rest = &front.shape()[1..];
    let rows = reshape(&front, &[front.shape()[0], rest.iter().product()])?;
    let taken = Take.call(&[&rows, &at])?;
    let shape: Dims = index.shape().iter().chain(rest).copied().collect();
    let y = reshape(&taken, &shape)?;
    if axis == 0 {
        return Ok(y);
    }
    // index axes stand in front: put them where `axis` was.
    let k = index.rank();
    let order = (k..k + axis).chain(0..k).chain(k + axis..y.rank()).map(|a| a as u8).collect();
    Permute { order }.call(&[&y])
}

/// Flat positions of the elements that `index` names along `axis`, all other coordinates being the element's own.
fn along(op: &'static str, shape: &[usize], axis: usize, index: &Value, wrap: bool) -> Result<Value> {
    if index.rank() != shape.len() {
        return Err(Error::shape(
            op,
            format!(
                "index of shape {} and tensor of shape {} must have as many dimensions",
                show(index.shape()),
                show(shape)
            ),
        ));
    }
    for (a, (&i, &n)) in index.shape().iter().zip(shape).enumerate() {
        if a != axis && i > n {
            return Err(Error::shape(
                op,
                format!(
                    "index of shape {} is larger than the tensor of shape {} at dimension {a}",
                    show(index.shape()),
                    show(shape)
                ),
            ));
        }
    }
    let strides = crate::shape::contiguous_strides(shape);
    let mut at = times(&checked(op, index, shape[axis], wrap)?, strides[axis] as usize)?;
    for a in (0..shape.len()).filter(|&a| a != axis && index.shape()[a] > 1) {
        let mut unit = Dims::from_elem(1, shape.len());
        unit[a] = index.shape()[a];
        let own = Value::Array(create::arange_i64(unit[a], strides[a] as i64)?);
        at = Add::of(&at, &reshape(&own, &unit)?)?;
    }
    Ok(at)
}
fn flat(x: &Value) -> Result<Value> {
    reshape(x, &[x.len(), 1])
}
/// Where a 0-d tensor counts as one of one element.
fn at_least_1d(x: &Value) -> Result<Value> {
    if x.rank() == 0 {
        reshape(x, &[1])
    } else {
        Ok(x.clone())
    }
}
/// `y[i][j] = x[index[i][j]][j]` along `axis`, as PyTorch's gather.
pub fn gather(op: &'static str, x: &Value, axis: usize, index: &Value) -> Result<Value> {
    let (source, at) = (at_least_1d(x)?, at_least_1d(index)?);
    // No element is looked up, so that any empty shape will do, as in PyTorch.
    let at = if at.is_empty() { checked(op, &at, 0, true)? } else { along(op, source.shape(), axis, &at, wraps(op))? };
    reshape(&Take.call(&[&flat(&source)?, &at])?, index.shape())
}
/// How scattered values meet what is there.
#[derive(Clone, Copy, PartialEq)]
pub enum Meet {
    Replace,
    Add,
}
/// Rows of one element, flat positions and source for scattering `source` along `axis`.
pub fn places(
    op: &'static str,
    x: &Value,
    axis: usize,
    index: &Value,
    source: &Value,
) -> Result<(Value, Value, Value)> {
    let (base, index, mut source) = (at_least_1d(x)?, at_least_1d(index)?, at_least_1d(source)?);
    if source.dtype() != x.dtype() {
        return Err(Error::dtype(
            op,
            format!("cannot scatter {} into {}; convert it first", source.dtype(), x.dtype()),
        ));
    }
    if index.is_empty() {
        // Nothing is put, but the source stays part of the history.
        let at = reshape(&checked(op, &index, 0, false)?, &[0])?;
        let none = super::views::narrow(&reshape(&source, &[source.len()])?, 0, 0, 0)?;
        return Ok((flat(&base)?, at, none));
    }
    if source.rank() != index.rank() || source.shape().iter().zip(index.shape()).any(|(s, i)| s < i) {
        return Err(Error::shape(
            op,
            format!(
                "source of shape {} is smaller than the index of shape {}",
                show(source.shape()),
                show(index.shape())
            ),
        ));
    }
    for a in 0..source.rank() {
        source = super::views::narrow(&source, a, 0, index.shape()[a])?;
    }
    let at = along(op, base.shape(), axis, &index, false)?;
    Ok((flat(&base)?, at, source))
}
/// `x` with the values of `source` at the places `index` names along `axis`.
pub fn scatter(op: &'static str, x: &Value, axis: usize, index: &Value, source: &Value, meet: Meet) -> Result<Value> {
    let (rows, at, source) = places(op, x, axis, index, source)?;
    reshape(&put(&rows, &at, &source, meet)?, x.shape())
}
fn put(rows: &Value, at: &Value, source: &Value, meet: Meet) -> Result<Value> {
    let length = rows.shape()[1];
    let shape: Dims = at.shape().iter().copied().chain([length]).collect();
    let source = reshape(source, &shape)?;
    match meet {
        Meet::Replace => Put.call(&[rows, at, &source]),
        // Bytes and truth values are added up as wide integers, and wrap or saturate when they come back.
        Meet::Add if matches!(rows.dtype(), DType::U8 | DType::Bool) => {
            let wide = put(&convert::to(rows, DType::I64)?, at, &convert::to(&source, DType::I64)?, meet)?;
            convert::to(&wide, rows.dtype())
        }
        Meet::Add => Add::of(rows, &PutAdd { rows: rows.shape()[0] }.call(&[&source, at])?),
    }
}
/// `x` with slices of `source` along `axis` added (or put) at `index`.
pub fn index_put_axis(
    op: &'static str,
    x: &Value,
    axis: usize,
    index: &Value,
    source: &Value,
    meet: Meet,
) -> Result<Value> {
    let at = positions(op, index, x.shape().get(axis).copied().unwrap_or(1))?;
    let base = at_least_1d(x)?;
    let (front, permute) = bring_forward(&base, &[axis])?;
    let (moved, _) = bring_forward(&at_least_1d(source)?, &[axis])?;
    let want: Dims = at_least_1d(&at)?.shape().iter().chain(&front.shape()[1..]).copied().collect();
    if moved.shape() != want.as_slice() {
        return Err(Error::shape(
            op,
            format!(
                "source of shape {} does not fit {} slices of shape {}",
                show(source.shape()),
                at.len(),
                show(x.shape())
            ),
        ));
    }
    let rows = reshape(&front, &[front.shape()[0], front.shape()[1..].iter().product()])?;
    let y = reshape(&put(&rows, &reshape(&at, &[at.len()])?, &moved, meet)?, front.shape())?;
    let y = if axis == 0 { y } else { permute.inverse().call(&[&y])? };
    reshape(&y, x.shape())
}

/// Coordinates of the true elements, one index array per axis of the mask. Needs the numbers of the mask.
pub fn nonzero(op: &'static str, mask: &Value) -> Result<Vec<Value>> {
    let Some(array) = mask.plain() else {
        return Err(match mask.numbers() {
            None => mask.without_numbers(op),
            Some(_) => Error::graph(
                op,
                "how many elements a mask selects depends on its values, which func transforms do not show; use where()",
            ),
        });
    };
    let flags = super::compare::nonzero_flags(array)?;
    let found = gather::nonzero(&flags);
    let mut step = 1;
    let mut axes = Vec::new();
    for &n in array.shape().iter().rev() {
        let coordinate: Vec<i64> = found.iter().map(|&p| (p / step % n.max(1)) as i64).collect();
        axes.push(Value::Array(Array::from_slice(DType::I64, &coordinate)?));
        step *= n.max(1);
    }
    axes.reverse();
    Ok(axes)
}
/// Elements of `x` where the mask (broadcast against it) is true, as a 1-d tensor.
pub fn masked_select(x: &Value, mask: &Value) -> Result<Value> {
    let (x, mask) = expand::pair("masked_select", x, mask)?;
    let axes: Vec<usize> = (0..x.rank()).collect();
    let found = nonzero("masked_select", &at_least_1d(&mask)?)?;
    if x.rank() == 0 {
        return advanced(&reshape(&x, &[1])?, &[0], &found);
    }
    advanced(&x, &axes, &found)
}

/// Rows that index arrays (broadcast together) name over `axes`, which stand in front of `x` after moving them there.
fn combined(op: &'static str, sizes: &[usize], indices: &[Value]) -> Result<Value> {
    let mut shape = Dims::new();
    for index in indices {
        shape = broadcast(op, &shape, index.shape())?;
    }
    let mut at: Option<Value> = None;
    for (k, index) in indices.iter().enumerate() {
        let step: usize = sizes[k + 1..].iter().product();
        let part = times(&positions(op, index, sizes[k])?, step)?;
        at = Some(match at {
            None => part,
            Some(sum) => Add::of(&sum, &part)?,
        });
    }
    let at = at.ok_or_else(|| Error::index(op, "no index given"))?;
    expand::to(op, &at, &shape)
}
/// Where the axes of the index go in the result: in place of adjacent indexed axes, else in front (NumPy's rule).
fn target_axis(axes: &[usize]) -> usize {
    if axes.windows(2).all(|w| w[1] == w[0] + 1) {
        axes[0]
    } else {
        0
    }
}
/// `x` indexed by integer arrays over `axes` (ascending), which are broadcast together.
pub fn advanced(x: &Value, axes: &[usize], indices: &[Value]) -> Result<Value> {
    let (front, _) = bring_forward(x, axes)?;
    let (sizes, rest) = front.shape().split_at(axes.len());
    let at = combined("index", sizes, indices)?;
    let rows = reshape(&front, &[sizes.iter().product(), rest.iter().product()])?;
    let shape: Dims = at.shape().iter().chain(rest).copied().collect();
    let y = reshape(&Take.call(&[&rows, &at])?, &shape)?;
    let (k, target) = (at.rank(), target_axis(axes));
    if target == 0 {
        return Ok(y);
    }
    let order = (k..k + target).chain(0..k).chain(k + target..y.rank()).map(|a| a as u8).collect();
    Permute { order }.call(&[&y])
}
/// `x` with `source` (broadcast) put, or added, where integer arrays over `axes` point.
pub fn advanced_put(x: &Value, axes: &[usize], indices: &[Value], source: &Value, meet: Meet) -> Result<Value> {
    let (front, permute) = bring_forward(x, axes)?;
    let (sizes, rest) = front.shape().split_at(axes.len());
    let at = combined("index_put", sizes, indices)?;
    let (k, target) = (at.rank(), target_axis(axes));
    let result: Dims = rest[..target].iter().chain(at.shape()).chain(&rest[target..]).copied().collect();
    let source = expand::to("index_put", &convert::to(source, x.dtype())?, &result)?;
    let source = if target == 0 {
        source
    } else {
        let order = (target..target + k).chain(0..target).chain(target + k..result.len()).map(|a| a as u8).collect();
        Permute { order }.call(&[&source])?
    };
    let rows = reshape(&front, &[sizes.iter().product(), rest.iter().product()])?;
    let y = reshape(&put(&rows, &at, &source, meet)?, front.shape())?;
    if axes.iter().enumerate().all(|(i, &a)| i == a) {
        Ok(y)
    } else {
        permute.inverse().call(&[&y])
    }
}
/// `x` with `value` where the mask is true.
pub fn masked_fill(x: &Value, mask: &Value, value: &Value) -> Result<Value> {
    if mask.dtype() != DType::Bool {
        return Err(Error::dtype(
            "masked_fill",
            format!("the mask must be bool, not {}; compare it first", mask.dtype()),
        ));
    }
    if value.rank() > 0 {
        return Err(Error::shape(
            "masked_fill",
            format!("the value must be a number or a 0-d tensor, not of shape {}; use where()", show(value.shape())),
        ));
    }
    if value.dtype().is_complex() && !x.dtype().is_complex() {
        return Err(Error::dtype(
            "masked_fill",
            format!("cannot fill {} elements with a {} value; take its real part", x.dtype(), value.dtype()),
        ));
    }
    select::choose_by(mask, &convert::to(value, x.dtype())?, x).map_err(|e| e.named("masked_fill"))
}
