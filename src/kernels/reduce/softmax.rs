//! Softmax, its logarithm, and their transposed Jacobians along an axis, in the stable form: the largest element is
//! divided out first.
use super::{
    fold::line,
    folds::{Largest, Sum, SumExp},
    number::{Number, Ordered},
};
use crate::{
    array::Strided,
    dtype::Element,
    kernels::{
        gather::copy_strided,
        isa::{dispatch, Kernel},
        pool, strips,
    },
    math::Real,
};
use std::{borrow::Cow, marker::PhantomData};

/// Elements per task.
const PIECE: usize = 1 << 14;
/// Columns of a task.
const STRIP: usize = 512;
/// Columns that are worked on together: their running results stay in vector registers.
const WIDTH: usize = 32;
/// Rows whose sum is formed before it joins the sum of all: errors grow with their number, not with that of all rows.
const ROWS: usize = 64;

/// What becomes of a line `x` (and of a second one).
#[derive(Clone, Copy)]
enum Form {
    Softmax,
    LogSoftmax,
    /// `x · (g - Σ x g)`.
    Transposed,
    /// `g - exp(x) · Σ g`.
    LogTransposed,
}

/// Rows of `n` contiguous elements: `out` holds x, and gets the result; `g` is empty where it is not wanted.
struct Rows<'a, T> {
    out: &'a mut [T],
    g: &'a [T],
    n: usize,
    form: Form,
}
impl<T: Real + Number + Ordered> Kernel for Rows<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Rows { out, g, n, form } = self;
        match form {
            Form::Softmax => {
                for row in out.chunks_exact_mut(n) {
                    let peak = line(Largest(PhantomData), row, ());
                    for y in row.iter_mut() {
                        *y = (*y - peak).exp();
                    }
                    let total = line(Sum(PhantomData), row, ());
                    for y in row.iter_mut() {
                        *y = *y / total;
                    }
                }
            }
            Form::LogSoftmax => {
                for row in out.chunks_exact_mut(n) {
                    let peak = line(Largest(PhantomData), row, ());
                    let rest = line(SumExp(PhantomData), row, peak).ln();
                    // x - peak is exact where it is small: the peak goes first.
                    for y in row.iter_mut() {
                        *y = (*y - peak) - rest;
                    }
                }
            }
            Form::Transposed => {
                let mut products = vec![T::lit(0.0); n];
                for (row, g) in out.chunks_exact_mut(n).zip(g.chunks_exact(n)) {
                    for ((p, &y), &g) in products.iter_mut().zip(row.iter()).zip(g) {
                        *p = g.scaled(y);
                    }
                    let total = line(Sum(PhantomData), &products, ());
                    for (y, &g) in row.iter_mut().zip(g) {
                        *y = (g - total).scaled(*y);
                    }
                }
            }
            Form::LogTransposed => {
                for (row, g) in out.chunks_exact_mut(n).zip(g.chunks_exact(n)) {
                    let total = line(Sum(PhantomData), g, ());
                    for (y, &g) in row.iter_mut().zip(g) {
                        *y = g - total.scaled(y.exp());
                    }
                }
            }
        }
    }
}

/// The sum of `term` over the rows, for every column.
macro_rules! total {
    ($n:expr, |$r:ident, $k:ident| $term:expr) => {{
        let mut total = [T::lit(0.0); WIDTH];
        for first in (0..$n).step_by(ROWS) {
            let mut sum = [T::lit(0.0); WIDTH];
            for $r in first..(first + ROWS).min($n) {
                for $k in 0..WIDTH {
                    sum[$k] = sum[$k] + $term;
                }
            }
            for k in 0..WIDTH {
                total[k] = total[k] + sum[k];
            }
        }
        total
    }};
}
/// `WIDTH` neighbouring columns in memory of their own: `x` gets the result.
struct Columns<'a, T> {
    x: &'a mut [[T; WIDTH]],
    g: &'a [[T; WIDTH]],
    form: Form,
}
impl<T: Real + Ordered> Columns<'_, T> {
    #[inline(always)]
    fn subtract_peak(&mut self) {
        let mut peak = [T::LOWEST; WIDTH];
        for row in self.x.iter() {
            for k in 0..WIDTH {
                // The other way round NaN would be passed over.
                peak[k] = if row[k] <= peak[k] { peak[k] } else { row[k] };
            }
        }
        for row in self.x.iter_mut() {
            for k in 0..WIDTH {
                row[k] = row[k] - peak[k];
            }
        }
    }
}
impl<T: Real + Ordered> Kernel for Columns<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(mut self) {
        if matches!(self.form, Form::Softmax | Form::LogSoftmax) {
            self.subtract_peak();
        }
        let Columns { x, g, form } = self;
        let n = x.len();
        match form {
            Form::Softmax => {
                for row in x.iter_mut() {
                    for y in row.iter_mut() {
                        *y = y.exp();
                    }
                }
                let total = total!(n, |r, k| x[r][k]);
                for row in x {
                    for k in 0..WIDTH {
                        row[k] = row[k] / total[k];
                    }
                }
            }
            Form::LogSoftmax => {
                let total = total!(n, |r, k| x[r][k].exp());
                let rest = total.map(|t| t.ln());
                for row in x {
                    for k in 0..WIDTH {
                        row[k] = row[k] - rest[k];
                    }
                }
            }
            Form::Transposed => {
                let g = &g[..n];
                let total = total!(n, |r, k| g[r][k].scaled(x[r][k]));
                for (row, g) in x.iter_mut().zip(g) {
                    for k in 0..WIDTH {
                        row[k] = (g[k] - total[k]).scaled(row[k]);
                    }
                }
            }
            Form::LogTransposed => {
                let g = &g[..n];
                let total = total!(n, |r, k| g[r][k]);
                for (row, g) in x.iter_mut().zip(g) {
                    for k in 0..WIDTH {
                        row[k] = g[k] - total[k].scaled(row[k].exp());
                    }
                }
            }
        }
    }
}
/// Columns `low..low + count` of rows `inner` apart; the others of `to` stay.
fn load<T: Copy>(items: &[T], first: usize, inner: usize, count: usize, to: &mut [[T; WIDTH]]) {
    for (r, row) in to.iter_mut().enumerate() {
        let start = first + r * inner;
        row[..count].copy_from_slice(&items[start..start + count]);
    }
}

/// exp(x) / Σ exp(x) along `axis`.
pub fn softmax<T: Real + Number + Ordered>(x: Strided<T>, axis: usize, out: &mut [T]) {
    apply(x, None, axis, Form::Softmax, out);
}
/// x - log Σ exp(x) along `axis`.
pub fn log_softmax<T: Real + Number + Ordered>(x: Strided<T>, axis: usize, out: &mut [T]) {
    apply(x, None, axis, Form::LogSoftmax, out);
}
/// `y · (g - Σ y g)` along `axis`: the Jacobian of softmax, transposed or not, times `g`.
pub fn softmax_transposed<T: Real + Number + Ordered>(y: Strided<T>, g: Strided<T>, axis: usize, out: &mut [T]) {
    apply(y, Some(g), axis, Form::Transposed, out);
}
/// `g - exp(y) · Σ g` along `axis`: the transposed Jacobian of the logarithm of softmax times `g`.
pub fn log_softmax_transposed<T: Real + Number + Ordered>(y: Strided<T>, g: Strided<T>, axis: usize, out: &mut [T]) {
    apply(y, Some(g), axis, Form::LogTransposed, out);
}
fn contiguous<'a, T: Element>(x: Strided<'a, T>) -> Cow<'a, [T]> {
    match x.contiguous_slice() {
        Some(items) => Cow::Borrowed(items),
        None => {
            let mut copy = vec![T::default(); x.len()];
            copy_strided(x, &mut copy);
            Cow::Owned(copy)
        }
    }
}
fn apply<T: Real + Number + Ordered>(x: Strided<T>, g: Option<Strided<T>>, axis: usize, form: Form, out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let n = x.shape.get(axis).copied().unwrap_or(1);
    let inner: usize = x.shape.iter().skip(axis + 1).product();
    let (items, g, cost) = (contiguous(x), g.map(contiguous), 16 * out.len());
    let g = g.as_deref().unwrap_or_default();
    if inner == 1 {
        let piece = (PIECE / n).max(1) * n;
        return pool::parallel_chunks(out, piece, cost, &|task, out| {
            let here = task * piece..task * piece + out.len();
            out.copy_from_slice(&items[here.clone()]);
            dispatch(Rows { out, g: g.get(here).unwrap_or_default(), n, form });
        });
    }
    strips::each(out, n, inner, STRIP, cost, &|first, rows| {
        let mut x = vec![[T::default(); WIDTH]; n];
        let mut other = vec![[T::default(); WIDTH]; if g.is_empty() { 0 } else { n }];
        let width = rows.first().map_or(0, |row| row.len());
        for low in (0..width).step_by(WIDTH) {
            let count = WIDTH.min(width - low);
            load(&items, first + low, inner, count, &mut x);
            if !g.is_empty() {
                load(g, first + low, inner, count, &mut other);
            }
            dispatch(Columns { x: &mut x, g: &other, form });
            for (row, x) in rows.iter_mut().zip(&x) {
                row[low..low + count].copy_from_slice(&x[..count]);
            }
        }
    });
}
