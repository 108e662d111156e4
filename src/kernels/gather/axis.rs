//! Reading and writing along one axis by index. Writes meet each place in the order of the indices, whatever the
//! number of threads.
use super::{
    copy::rows,
    layout::{offset, read_row, Layout, RowWalk},
};
use crate::{
    array::Strided,
    dtype::Element,
    kernels::{pool, reduce::Number},
};
use smallvec::SmallVec;

/// Elements per task.
const PIECE: usize = 1 << 14;

/// `out[o, k, i] = x[o, indices[k], i]`: slices along `axis`, the others kept (PyTorch's `index_select`).
pub fn take_axis<T: Element>(x: Strided<T>, axis: usize, indices: &[i64], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let step = x.strides[axis];
    let (before, stride_before) = (&x.shape[..axis], &x.strides[..axis]);
    let inside = Layout::of(&x.shape[axis + 1..], &x.strides[axis + 1..]);
    let (length, count) = (inside.len(), indices.len());
    let whole = inside.shape.len() == 1;
    let per_task = PIECE.div_ceil(length);
    let work = 2 * out.len();
    pool::parallel_chunks(out, per_task * length, work, &|task, mut out| {
        let mut slice = task * per_task;
        while !out.is_empty() {
            let k = slice % count;
            let run = (count - k).min(out.len() / length);
            let origin = x.offset as isize + offset(before, stride_before, slice / count);
            let (part, rest) = out.split_at_mut(run * length);
            let indices = &indices[k..k + run];
            if length == 1 {
                let pairs = part.iter_mut().zip(indices);
                pairs.for_each(|(y, &i)| *y = x.data[(origin + i as isize * step) as usize]);
            } else {
                for (row, &i) in part.chunks_exact_mut(length).zip(indices) {
                    let at = origin + i as isize * step;
                    match whole {
                        true => read_row(x.data, at, inside.strides[0], row),
                        false => rows(x.data, at, &inside, 0, row),
                    }
                }
            }
            slice += run;
            out = rest;
        }
    });
}
/// `out[.., k, ..] = x[.., index[.., k, ..], ..]`: `out` has the shape of `index`, which `x` covers in the other axes
/// (PyTorch's `gather`).
pub fn gather_axis<T: Element>(x: Strided<T>, axis: usize, index: Strided<i64>, out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let Some(last) = index.shape.len().checked_sub(1) else {
        // A 0-d array acts as one of size 1.
        out[0] = x.data[x.offset];
        return;
    };
    let (n, jump) = (index.shape[last], x.strides[axis]);
    let along = without(x.strides, axis);
    let per_task = PIECE.div_ceil(n);
    let work = 3 * out.len();
    pool::parallel_chunks(out, per_task * n, work, &|task, out| {
        let strides = [&along[..last], &index.strides[..last]];
        let origin = [x.offset as isize, index.offset as isize];
        let mut walk = RowWalk::new(&index.shape[..last], strides, origin, task * per_task);
        let mut buffer = Vec::new();
        for row in out.chunks_exact_mut(n) {
            let places = whole_row(index.data, walk.at[1], index.strides[last], n, &mut buffer);
            let mut at = walk.at[0];
            for (y, &k) in row.iter_mut().zip(places) {
                *y = x.data[(at + k as isize * jump) as usize];
                at += along[last];
            }
            walk.advance();
        }
    });
}
/// `out[.., index[.., k, ..], ..] = values[.., k, ..]` (or `+=`), `out` contiguous of shape `shape`; `values` covers the
/// shape of `index` (PyTorch's `scatter` and `scatter_add`). Of several values for a place the last stays.
pub fn scatter_axis<T: Number>(
    out: &mut [T],
    shape: &[usize],
    axis: usize,
    index: Strided<i64>,
    values: Strided<T>,
    add: bool,
) {
    if index.is_empty() || out.is_empty() {
        return;
    }
    let Some(last) = shape.len().checked_sub(1) else {
        let value = values.data[values.offset];
        out[0] = if add { out[0].plus(value) } else { value };
        return;
    };
    let strides = crate::shape::contiguous_strides(shape);
    let (jump, along) = (strides[axis], without(&strides, axis));
    // One task holds all of `out` along the axis and inside it for some places outside.
    let slab: usize = shape[axis..].iter().product();
    let n = index.shape[last];
    // Lines of the index in one slab; with the axis innermost they are one line each.
    let lines: usize = index.shape[axis..].iter().product::<usize>() / n;
    pool::parallel_chunks(out, slab, 3 * index.len(), &|outer, out| {
        // The same place outside, in the index: it may cover less than `out`.
        let (mut rest, mut place, mut inside) = (outer, 0, true);
        let mut step = 1;
        for a in (0..axis).rev() {
            let k = rest % shape[a];
            rest /= shape[a];
            inside &= k < index.shape[a];
            place += k * step;
            step *= index.shape[a];
        }
        if !inside {
            return;
        }
        // With the axis innermost a slab is a line, else the walk over lines begins where the slab does.
        let first = place * lines;
        let origin = [-((outer * slab) as isize), index.offset as isize, values.offset as isize];
        let three = [&along[..last], &index.strides[..last], &values.strides[..last]];
        let mut walk = RowWalk::new(&index.shape[..last], three, origin, first);
        let (mut buffer, mut numbers) = (Vec::new(), Vec::new());
        for _ in 0..lines {
            let places = whole_row(index.data, walk.at[1], index.strides[last], n, &mut buffer);
            let numbers = whole_row(values.data, walk.at[2], values.strides[last], n, &mut numbers);
            let mut at = walk.at[0];
            for (&k, &v) in places.iter().zip(numbers) {
                let y = &mut out[(at + k as isize * jump) as usize];
                *y = if add { y.plus(v) } else { v };
                at += along[last];
            }
            walk.advance();
        }
    });
}
/// `out[o, indices[k], i] += values[o, k, i]`, `out` contiguous of shape `shape` (PyTorch's `index_add`).
pub fn index_add_axis<T: Number>(out: &mut [T], shape: &[usize], axis: usize, indices: &[i64], values: Strided<T>) {
    if out.is_empty() || values.is_empty() {
        return;
    }
    let (size, length) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let inside = Layout::of(&values.shape[axis + 1..], &values.strides[axis + 1..]);
    let direct = inside.shape.len() == 1 && (inside.strides[0] == 1 || length == 1);
    let (before, stride_before) = (&values.shape[..axis], &values.strides[..axis]);
    let outer = out.len() / (size * length);
    // Few places outside and long rows: the rows of `out` are shared out, and each task looks for its own.
    let shares = if outer < pool::num_threads() && length >= 8 { pool::num_threads().min(size) } else { 1 };
    let rows_each = size.div_ceil(shares);
    let run = |o: usize, low: usize, part: &mut [T]| {
        let origin = values.offset as isize + offset(before, stride_before, o);
        let high = low + part.len() / length;
        let mut buffer = vec![T::default(); if direct { 0 } else { length }];
        for (k, &i) in indices.iter().enumerate() {
            let i = i as usize;
            if i < low || i >= high {
                continue;
            }
            let at = origin + k as isize * values.strides[axis];
            let target = &mut part[(i - low) * length..][..length];
            let row = if direct {
                &values.data[at as usize..at as usize + length]
            } else {
                rows(values.data, at, &inside, 0, &mut buffer);
                &buffer
            };
            target.iter_mut().zip(row).for_each(|(y, &v)| *y = y.plus(v));
        }
    };
    let work = 2 * values.len();
    if shares == 1 {
        return pool::parallel_chunks(out, size * length, work, &|o, part| run(o, 0, part));
    }
    for (o, slab) in out.chunks_exact_mut(size * length).enumerate() {
        pool::parallel_chunks(slab, rows_each * length, work / outer, &|share, part| run(o, share * rows_each, part));
    }
}

/// Strides with the step along `axis` taken out: the index gives the place there.
fn without(strides: &[isize], axis: usize) -> SmallVec<[isize; 4]> {
    let mut strides: SmallVec<[isize; 4]> = SmallVec::from_slice(strides);
    strides[axis] = 0;
    strides
}
/// A row as a slice, through `buffer` unless it lies in one piece.
#[inline(always)]
fn whole_row<'a, T: Element>(data: &'a [T], at: isize, step: isize, n: usize, buffer: &'a mut Vec<T>) -> &'a [T] {
    if step == 1 || n == 1 {
        return &data[at as usize..at as usize + n];
    }
    buffer.resize(n, T::default());
    read_row(data, at, step, buffer);
    buffer
}
