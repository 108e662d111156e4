//! Softmax and its logarithm along an axis, in the stable form: the largest element is divided out first.
use super::{
    fold,
    fold::line,
    folds::{Largest, Sum, SumExp},
    number::{Number, Ordered},
};
use crate::{
    array::Strided,
    kernels::{
        isa::{dispatch, Kernel},
        pool,
    },
    math::Real,
};
use std::marker::PhantomData;

/// Elements per task.
const PIECE: usize = 1 << 14;

/// Rows of `n` contiguous elements, normalised in place.
struct Rows<'a, T>(&'a mut [T], usize, bool);
impl<T: Real + Number + Ordered> Kernel for Rows<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Rows(data, n, log) = self;
        for row in data.chunks_exact_mut(n) {
            let peak = line(Largest(PhantomData), row, ());
            if log {
                let shift = peak + line(SumExp(PhantomData), row, peak).ln();
                // Where the sum is exact, x - peak is too: subtract the peak first.
                let rest = shift - peak;
                for y in row {
                    *y = (*y - peak) - rest;
                }
            } else {
                for y in row.iter_mut() {
                    *y = (*y - peak).exp();
                }
                let total = line(Sum(PhantomData), row, ());
                for y in row {
                    *y = *y / total;
                }
            }
        }
    }
}
/// One row of columns: `y` meets what is known of its column.
struct Across<'a, T>(&'a mut [T], &'a [T], Step);
#[derive(Clone, Copy)]
enum Step {
    ExpAfter,
    Divide,
    Subtract,
}
impl<T: Real> Kernel for Across<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Across(row, known, step) = self;
        for (y, &c) in row.iter_mut().zip(known) {
            *y = match step {
                Step::ExpAfter => (*y - c).exp(),
                Step::Divide => *y / c,
                Step::Subtract => *y - c,
            };
        }
    }
}

/// exp(x) / Σ exp(x) along `axis`.
pub fn softmax<T: Real + Number + Ordered>(x: Strided<T>, axis: usize, out: &mut [T]) {
    normalise(x, axis, false, out);
}
/// x - log Σ exp(x) along `axis`.
pub fn log_softmax<T: Real + Number + Ordered>(x: Strided<T>, axis: usize, out: &mut [T]) {
    normalise(x, axis, true, out);
}
fn normalise<T: Real + Number + Ordered>(x: Strided<T>, axis: usize, log: bool, out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let n = x.shape.get(axis).copied().unwrap_or(1);
    let inner: usize = x.shape.iter().skip(axis + 1).product();
    let rows = (PIECE / (n * inner)).max(1);
    let read = |first: usize, piece: &mut [T]| match x.contiguous_slice() {
        Some(items) => piece.copy_from_slice(&items[first..first + piece.len()]),
        None => x.gather(first, piece),
    };
    let cost = 16 * out.len();
    if inner == 1 {
        let piece = rows * n;
        return pool::parallel_chunks(out, piece, cost, &|task, out| {
            read(task * piece, out);
            dispatch(Rows(out, n, log));
        });
    }
    let columns = out.len() / n;
    let mut peak = vec![T::LOWEST; columns];
    let axes = 1 << axis;
    fold(Largest(PhantomData), x, axes, &vec![(); columns], &mut peak);
    // Every row of columns, in parallel; `first` reads the element, the step meets it with its column.
    let apply = |out: &mut [T], known: &[T], step: Step, first: bool| {
        let per_task = (PIECE / inner).max(1);
        pool::parallel_chunks(out, per_task * inner, cost, &|task, out| {
            if first {
                read(task * per_task * inner, out);
            }
            for (j, row) in out.chunks_exact_mut(inner).enumerate() {
                let outer = (task * per_task + j) / n;
                dispatch(Across(row, &known[outer * inner..(outer + 1) * inner], step));
            }
        });
    };
    let mut total = vec![T::lit(0.0); columns];
    if log {
        fold(SumExp(PhantomData), x, axes, &peak, &mut total);
        total.iter_mut().for_each(|t| *t = t.ln());
        apply(out, &peak, Step::Subtract, true);
        apply(out, &total, Step::Subtract, false);
    } else {
        apply(out, &peak, Step::ExpAfter, true);
        let y = Strided { data: out, offset: 0, shape: x.shape, strides: &crate::shape::contiguous_strides(x.shape) };
        fold(Sum(PhantomData), y, axes, &vec![(); columns], &mut total);
        apply(out, &total, Step::Divide, false);
    }
}
