//! Reading and writing along one axis by index. Writes meet each place in the order of the indices, whatever the
//! number of threads.
use super::{
    copy::rows,
    layout::{offset, read_row, Layout},
};
use crate::{
    array::Strided,
    dtype::Element,
    kernels::{pool, reduce::Number},
};

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
/// `out[o, indices[k], i] = values[o, k, i]` (or `+=`), `out` contiguous of shape `shape` (PyTorch's `index_copy` and
/// `index_add`). Of several values for a place the last stays.
pub fn put_axis<T: Number>(
    out: &mut [T],
    shape: &[usize],
    axis: usize,
    indices: &[i64],
    values: Strided<T>,
    add: bool,
) {
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
        if length == 1 && shares == 1 {
            for (k, &i) in indices.iter().enumerate() {
                let value = values.data[(origin + k as isize * values.strides[axis]) as usize];
                let target = &mut part[i as usize];
                *target = if add { target.plus(value) } else { value };
            }
            return;
        }
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
            if add {
                target.iter_mut().zip(row).for_each(|(y, &v)| *y = y.plus(v));
            } else {
                target.copy_from_slice(row);
            }
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
