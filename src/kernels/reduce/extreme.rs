//! Where the largest and smallest elements are: NaN wins, the first of equals is named.
use super::{
    fold::{line, Fold},
    folds::{Largest, Smallest},
    number::{is_nan, Ordered},
    plan::Axes,
    EmptyReduction,
};
use crate::{
    array::Strided,
    kernels::{
        isa::{dispatch, Kernel},
        pool,
    },
};
use std::marker::PhantomData;

/// Elements per task.
const PIECE: usize = 1 << 15;
/// Columns whose running extremes stay in the first-level cache.
const TILE: usize = 512;

/// Whether `a` takes the place of an earlier `b`.
#[inline(always)]
fn beats<T: Ordered>(a: T, b: T, largest: bool) -> bool {
    (if largest { a > b } else { a < b }) | (is_nan(a) & !is_nan(b))
}
/// The first place of `wanted`; whole chunks are passed over in vector registers.
#[inline(always)]
fn first<T: Ordered>(items: &[T], wanted: T) -> usize {
    let nan = is_nan(wanted);
    for (i, chunk) in items.chunks(64).enumerate() {
        let mut found = false;
        for &v in chunk {
            found |= (v == wanted) | (nan & is_nan(v));
        }
        if found {
            return i * 64 + chunk.iter().position(|&v| v == wanted || (nan && is_nan(v))).unwrap_or(0);
        }
    }
    0
}
#[inline(always)]
fn place<T: Ordered, F: Fold<Item = T, Out = T, With = ()>>(f: F, items: &[T]) -> (T, usize) {
    let best = line(f, items, ());
    (best, first(items, best))
}
struct Place<'a, T>(&'a [T], bool);
impl<T: Ordered> Kernel for Place<'_, T> {
    type Out = (T, usize);
    #[inline(always)]
    fn run(self) -> (T, usize) {
        match self.1 {
            true => place(Largest(PhantomData), self.0),
            false => place(Smallest(PhantomData), self.0),
        }
    }
}
/// Neighbouring columns of `rows` rows.
struct Columns<'a, T> {
    data: &'a [T],
    at: isize,
    rows: usize,
    row_step: isize,
    column_step: isize,
    largest: bool,
    out: &'a mut [i64],
}
impl<T: Ordered> Kernel for Columns<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let (mut best, mut buffer) = ([T::default(); TILE], [T::default(); TILE]);
        for (base, part) in self.out.chunks_mut(TILE).enumerate() {
            let n = part.len();
            let (best, buffer) = (&mut best[..n], &mut buffer[..n]);
            let corner = self.at + (base * TILE) as isize * self.column_step;
            for r in 0..self.rows {
                let start = corner + r as isize * self.row_step;
                let row: &[T] = if self.column_step == 1 {
                    &self.data[start as usize..start as usize + n]
                } else {
                    for (k, v) in buffer.iter_mut().enumerate() {
                        *v = self.data[(start + k as isize * self.column_step) as usize];
                    }
                    buffer
                };
                if r == 0 {
                    best.copy_from_slice(row);
                    part.fill(0);
                    continue;
                }
                for ((b, at), &v) in best.iter_mut().zip(part.iter_mut()).zip(row) {
                    let better = beats(v, *b, self.largest);
                    *b = if better { v } else { *b };
                    *at = if better { r as i64 } else { *at };
                }
            }
        }
    }
}

/// Position of the largest (or smallest) element along `axis`, for every line.
pub fn arg_extreme<T: Ordered>(
    x: Strided<T>,
    axis: usize,
    largest: bool,
    out: &mut [i64],
) -> Result<(), EmptyReduction> {
    if out.is_empty() {
        return Ok(());
    }
    let (n, step) = (x.shape[axis], x.strides[axis]);
    if n == 0 {
        return Err(EmptyReduction);
    }
    if out.len() == 1 {
        out[0] = arg_extreme_all(x, largest)?;
        return Ok(());
    }
    let mut kept = Axes::default();
    for a in (0..x.shape.len()).filter(|&a| a != axis && x.shape[a] != 1) {
        kept.push(x.shape[a], x.strides[a]);
    }
    let (inner, inner_step) = kept.inner();
    let (work, columns) = (n * out.len(), inner > 1 && inner_step.unsigned_abs() < step.unsigned_abs() && n > 1);
    let per_task = PIECE.div_ceil(n).max(if columns { inner.min(TILE) } else { 1 });
    pool::parallel_chunks(out, per_task, work, &|task, out| {
        let mut buffer = vec![T::default(); if step == 1 { 0 } else { n }];
        let mut done = 0;
        while done < out.len() {
            let i = task * per_task + done;
            let at = x.offset as isize + kept.offset(i);
            let width = if columns { (inner - i % inner).min(out.len() - done) } else { 1 };
            let out = &mut out[done..done + width];
            done += width;
            if columns {
                let (row_step, column_step) = (step, inner_step);
                dispatch(Columns { data: x.data, at, rows: n, row_step, column_step, largest, out });
                continue;
            }
            let items = if step == 1 {
                &x.data[at as usize..at as usize + n]
            } else {
                Strided { data: x.data, offset: at as usize, shape: &[n], strides: &[step] }.gather(0, &mut buffer);
                &buffer
            };
            out[0] = dispatch(Place(items, largest)).1 as i64;
        }
    });
    Ok(())
}
/// Position of the largest (or smallest) element in row-major order.
pub fn arg_extreme_all<T: Ordered>(x: Strided<T>, largest: bool) -> Result<i64, EmptyReduction> {
    let len = x.len();
    if len == 0 {
        return Err(EmptyReduction);
    }
    let mut found = vec![(T::default(), 0); len.div_ceil(PIECE)];
    let slice = x.contiguous_slice();
    pool::parallel_chunks(&mut found, 1, len, &|task, found| {
        let (start, end) = (task * PIECE, (task * PIECE + PIECE).min(len));
        let (best, at) = match slice {
            Some(items) => dispatch(Place(&items[start..end], largest)),
            None => {
                let mut buffer = vec![T::default(); end - start];
                x.gather(start, &mut buffer);
                dispatch(Place(&buffer, largest))
            }
        };
        found[0] = (best, start + at);
    });
    let winner = found.into_iter().reduce(|a, b| if beats(b.0, a.0, largest) { b } else { a });
    Ok(winner.map_or(0, |(_, at)| at as i64))
}
