//! Running sums, products, extremes and log-sums of exponentials along an axis, from either end.
use super::{
    isa::{dispatch, Kernel},
    pool,
    reduce::{Number, Ordered},
    strips,
};
use crate::{array::Strided, dtype::Element, math::Real};
use num_complex::Complex;
use std::marker::PhantomData;

/// A running result. Mark all `#[inline(always)]`.
pub trait Scan: Copy + Sync {
    type Item: Element;
    type State: Copy + Send + Sync;
    type Out: Element;
    fn start(self) -> Self::State;
    /// Takes in the element at `position` along the axis.
    fn step(self, state: Self::State, item: Self::Item, position: i64) -> Self::State;
    fn read(self, state: Self::State) -> Self::Out;
}

/// Number type in which running sums and products are kept, so that long float32 lines stay accurate, as in PyTorch.
pub trait Accumulate: Number {
    type Wide: Number;
    fn widen(self) -> Self::Wide;
    fn narrow(wide: Self::Wide) -> Self;
}
macro_rules! accumulate { ($($t:ty => $wide:ty: |$x:ident| $widen:expr, $narrow:expr;)*) => { $(
    impl Accumulate for $t {
        type Wide = $wide;
        #[inline(always)] fn widen(self) -> $wide { let $x = self; $widen }
        #[inline(always)] fn narrow($x: $wide) -> $t { $narrow }
    }
)* } }
accumulate! {
    u8 => u8: |x| x, x;
    i32 => i32: |x| x, x;
    i64 => i64: |x| x, x;
    f32 => f64: |x| f64::from(x), x as f32;
    f64 => f64: |x| x, x;
    Complex<f32> => Complex<f64>: |x| Complex::new(x.re.into(), x.im.into()), Complex::new(x.re as f32, x.im as f32);
    Complex<f64> => Complex<f64>: |x| x, x;
}

macro_rules! scans { ($(
    $(#[$doc:meta])* $name:ident<T: $($bound:ident)+>($($flag:ty)?) { $state:ty } -> $out:ty: |$self:ident| $start:expr;
    |$s:ident, $x:ident, $at:ident| $step:expr; |$last:ident| $read:expr;
)*) => { $(
    $(#[$doc])*
    struct $name<T>(PhantomData<T> $(, $flag)?);
    impl<T> Clone for $name<T> { fn clone(&self) -> Self { *self } }
    impl<T> Copy for $name<T> {}
    impl<T: Element $(+ $bound)+> Scan for $name<T> {
        type Item = T;
        type State = $state;
        type Out = $out;
        #[inline(always)]
        fn start($self) -> $state { $start }
        #[inline(always)]
        fn step($self, $s: $state, $x: T, $at: i64) -> $state { $step }
        #[inline(always)]
        fn read(self, $last: $state) -> $out { $read }
    }
)* } }
scans! {
    Sum<T: Accumulate>() { T::Wide } -> T: |self| T::Wide::ZERO; |s, x, _at| s.plus(x.widen()); |s| T::narrow(s);
    Product<T: Accumulate>() { T::Wide } -> T: |self| T::Wide::ONE; |s, x, _at| s.times(x.widen()); |s| T::narrow(s);
    /// NaN wins and the last of equals is named, as in PyTorch. The flag looks for the largest.
    Place<T: Ordered>(bool) { (T, i64) } -> i64: |self| (if self.1 { T::LOWEST } else { T::HIGHEST }, 0);
        |s, x, at| {
            let better = if self.1 { x >= s.0 } else { x <= s.0 };
            // Only NaN differs from itself.
            #[allow(clippy::eq_op)]
            let (was_nan, is_nan) = (s.0 != s.0, x != x);
            if is_nan || (better && !was_nan) { (x, at) } else { s }
        };
        |s| s.1;
    Extreme<T: Ordered>(bool) { T } -> T: |self| if self.1 { T::LOWEST } else { T::HIGHEST };
        |s, x, _at| {
            let better = if self.1 { x > s } else { x < s };
            #[allow(clippy::eq_op)]
            let is_nan = x != x;
            if is_nan || better { x } else { s }
        };
        |s| s;
    /// The largest so far and Σ exp(x - largest).
    LogSumExp<T: Real Ordered>() { (T, T) } -> T: |self| (T::LOWEST, T::lit(0.0));
        |s, x, _at| {
            let peak = if x > s.0 { x } else { s.0 };
            let shift = finite(peak);
            (peak, s.1 * (s.0 - shift).exp() + (x - shift).exp())
        };
        |s| finite(s.0) + s.1.ln();
}
/// An infinite peak would make ∞ - ∞: nothing is divided out there.
#[inline(always)]
fn finite<T: Real + Ordered>(peak: T) -> T {
    if peak.abs() < T::HIGHEST {
        peak
    } else {
        T::lit(0.0)
    }
}

/// Columns whose states stay in the first-level cache.
const TILE: usize = 512;

/// Some columns of one block of rows: `rows` are their results from the first to the last.
struct Columns<'a, 'b, 'c, S: Scan> {
    scan: S,
    x: Strided<'a, S::Item>,
    slice: Option<&'a [S::Item]>,
    /// Flat position of the first element, and of one row after another.
    first: usize,
    inner: usize,
    reverse: bool,
    rows: &'c mut [&'b mut [S::Out]],
}
impl<S: Scan> Kernel for Columns<'_, '_, '_, S> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Columns { scan, x, slice, first, inner, reverse, rows } = self;
        let (n, width) = (rows.len(), rows.first().map_or(0, |row| row.len()));
        let mut states = vec![scan.start(); width];
        let mut buffer = vec![S::Item::default(); if slice.is_some() { 0 } else { width }];
        for k in 0..n {
            let r = if reverse { n - 1 - k } else { k };
            let start = first + r * inner;
            let items = match slice {
                Some(all) => &all[start..start + width],
                None => {
                    x.gather(start, &mut buffer);
                    &buffer
                }
            };
            for ((y, state), &item) in rows[r].iter_mut().zip(&mut states).zip(items) {
                *state = scan.step(*state, item, r as i64);
                *y = scan.read(*state);
            }
        }
    }
}
/// Whole lines of `n` elements each.
struct Lines<'a, S: Scan> {
    scan: S,
    items: &'a [S::Item],
    n: usize,
    reverse: bool,
    out: &'a mut [S::Out],
}
impl<S: Scan> Kernel for Lines<'_, S> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Lines { scan, items, n, reverse, out } = self;
        for (line, out) in items.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            let mut state = scan.start();
            let mut take = |((&x, y), at): ((&S::Item, &mut S::Out), i64)| {
                state = scan.step(state, x, at);
                *y = scan.read(state);
            };
            if reverse {
                // Positions count from the end backwards.
                let last = n as i64 - 1;
                line.iter().rev().zip(out.iter_mut().rev()).zip(0..).for_each(|(pair, k)| take((pair, last - k)));
            } else {
                line.iter().zip(out).zip(0..).for_each(take);
            }
        }
    }
}

/// Run `scan` along `axis` of `x`, from its end if `reverse`; `cost` is the rough work of a step.
pub fn scan<S: Scan>(scan: S, x: Strided<S::Item>, axis: usize, reverse: bool, cost: usize, out: &mut [S::Out]) {
    if out.is_empty() {
        return;
    }
    let n = x.shape.get(axis).copied().unwrap_or(1);
    let inner: usize = x.shape.iter().skip(axis + 1).product();
    let (slice, work) = (x.contiguous_slice(), out.len() * cost);
    if inner == 1 {
        let per_task = ((1 << 13) / n).max(1) * n;
        return pool::parallel_chunks(out, per_task, work, &|task, out| {
            let (start, len) = (task * per_task, out.len());
            let mut buffer = Vec::new();
            let items = match slice {
                Some(all) => &all[start..start + len],
                None => {
                    buffer.resize(len, S::Item::default());
                    x.gather(start, &mut buffer);
                    &buffer[..]
                }
            };
            dispatch(Lines { scan, items, n, reverse, out });
        });
    }
    strips::each(out, n, inner, TILE, work, &|first, rows| {
        dispatch(Columns { scan, x, slice, first, inner, reverse, rows });
    });
}

/// Running sum of every line along `axis`, from its end if `reverse`.
pub fn cumsum<T: Accumulate>(x: Strided<T>, axis: usize, reverse: bool, out: &mut [T]) {
    scan(Sum(PhantomData), x, axis, reverse, 2, out);
}
/// Running product.
pub fn cumprod<T: Accumulate>(x: Strided<T>, axis: usize, reverse: bool, out: &mut [T]) {
    scan(Product(PhantomData), x, axis, reverse, 2, out);
}
/// Running largest (or smallest) element; NaN wins.
pub fn cum_extreme<T: Ordered>(x: Strided<T>, axis: usize, largest: bool, reverse: bool, out: &mut [T]) {
    scan(Extreme(PhantomData, largest), x, axis, reverse, 2, out);
}
/// Position of the running largest (or smallest) element, the last of equals; NaN wins.
pub fn cum_arg_extreme<T: Ordered>(x: Strided<T>, axis: usize, largest: bool, reverse: bool, out: &mut [i64]) {
    scan(Place(PhantomData, largest), x, axis, reverse, 4, out);
}
/// Running log Σ exp(x), rescaled to the largest element so far: never overflows.
pub fn logcumsumexp<T: Real + Ordered>(x: Strided<T>, axis: usize, reverse: bool, out: &mut [T]) {
    scan(LogSumExp(PhantomData), x, axis, reverse, 24, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `kernel` on one and two threads, and compares with `naive` on every line.
    fn check<U: Element>(
        shape: &[usize],
        strides: &[isize],
        offset: usize,
        kernel: &dyn Fn(Strided<f64>, usize, bool, &mut [U]),
        naive: &dyn Fn(&[f64]) -> Vec<U>,
        same: &dyn Fn(U, U) -> bool,
    ) {
        let data: Vec<f64> =
            (0..40_000).map(|i| if i % 97 == 96 { f64::NAN } else { ((i * 7919) % 13) as f64 / 4.0 - 1.5 }).collect();
        let x = Strided { data: &data, offset, shape, strides };
        let mut all = vec![0.0; x.len()];
        x.gather(0, &mut all);
        for axis in 0..shape.len() {
            let (n, inner): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
            for (reverse, threads) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
                let mut out = vec![U::default(); x.len()];
                pool::set_num_threads(threads);
                kernel(x, axis, reverse, &mut out);
                for line in 0..shape.iter().enumerate().filter(|(a, _)| *a != axis).map(|(_, &n)| n).product() {
                    let (o, i) = (line / inner, line % inner);
                    let mut at: Vec<usize> = (0..n).map(|k| (o * n + k) * inner + i).collect();
                    if reverse {
                        at.reverse();
                    }
                    let want = naive(&at.iter().map(|&p| all[p]).collect::<Vec<_>>());
                    for (&p, w) in at.iter().zip(want) {
                        assert!(
                            same(out[p], w),
                            "{shape:?} {strides:?} axis {axis} reverse {reverse}: {:?} not {w:?}",
                            out[p]
                        );
                    }
                }
            }
        }
    }
    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-11 * b.abs().max(1.0) || a == b || (a.is_nan() && b.is_nan())
    }
    fn layouts() -> Vec<(Vec<usize>, Vec<isize>, usize)> {
        vec![
            (vec![6, 5, 4], vec![20, 4, 1], 0),
            (vec![6, 5, 4], vec![1, 24, 6], 3),
            (vec![3, 1200], vec![1200, 1], 0),
            (vec![30, 40], vec![-80, 2], 3000),
            (vec![7, 3], vec![0, 1], 0),
            (vec![4, 0, 2], vec![1, 1, 1], 0),
            (vec![2, 9000], vec![9000, 1], 1),
        ]
    }
    fn running(fold: fn(f64, f64) -> f64, start: f64) -> impl Fn(&[f64]) -> Vec<f64> {
        move |line| {
            let mut sum = start;
            line.iter()
                .map(|&v| {
                    sum = fold(sum, v);
                    sum
                })
                .collect()
        }
    }
    fn largest(a: f64, b: f64) -> f64 {
        if a.is_nan() || b.is_nan() {
            f64::NAN
        } else {
            a.max(b)
        }
    }
    #[test]
    fn running_results_agree_with_naive_loops() {
        for (shape, strides, offset) in layouts() {
            check(&shape, &strides, offset, &|x, a, r, y| cumsum(x, a, r, y), &running(|s, v| s + v, 0.0), &close);
            check(&shape, &strides, offset, &|x, a, r, y| cumprod(x, a, r, y), &running(|s, v| s * v, 1.0), &close);
            check(
                &shape,
                &strides,
                offset,
                &|x, a, r, y| cum_extreme(x, a, true, r, y),
                &running(largest, f64::NEG_INFINITY),
                &close,
            );
            check(
                &shape,
                &strides,
                offset,
                &|x, a, r, y| logcumsumexp(x, a, r, y),
                &|line| running(|s, v| s + v.exp(), 0.0)(line).into_iter().map(f64::ln).collect(),
                &close,
            );
        }
    }
    #[test]
    fn places_name_the_last_of_equals() {
        let data = [1.0, 3.0, 3.0, 2.0, f64::NAN, 5.0, f64::NAN];
        let x = Strided { data: &data, offset: 0, shape: &[7], strides: &[1] };
        let mut at = [0; 7];
        cum_arg_extreme(x, 0, true, false, &mut at);
        assert_eq!(at, [0, 1, 2, 2, 4, 4, 6]);
        cum_arg_extreme(x, 0, false, true, &mut at);
        assert_eq!(at, [4, 4, 4, 4, 4, 6, 6]);
        let low = [f64::NEG_INFINITY; 3];
        let mut at = [0; 3];
        cum_arg_extreme(Strided { data: &low, offset: 0, shape: &[3], strides: &[1] }, 0, true, false, &mut at);
        assert_eq!(at, [0, 1, 2]);
    }
    #[test]
    fn log_sums_neither_overflow_nor_lose_infinities() {
        let data = [f64::NEG_INFINITY, -1000.0, 900.0, 900.0, f64::INFINITY, 3.0];
        let x = Strided { data: &data, offset: 0, shape: &[6], strides: &[1] };
        let mut y = [0.0; 6];
        logcumsumexp(x, 0, false, &mut y);
        let want = [f64::NEG_INFINITY, -1000.0, 900.0, 900.0 + 2f64.ln(), f64::INFINITY, f64::INFINITY];
        assert!(y.iter().zip(want).all(|(&y, w)| close(y, w)), "{y:?}");
    }
    #[test]
    fn float32_sums_are_kept_in_float64() {
        let data = vec![0.1f32; 100_000];
        let mut y = vec![0f32; data.len()];
        cumsum(Strided { data: &data, offset: 0, shape: &[data.len()], strides: &[1] }, 0, false, &mut y);
        assert_eq!(y[data.len() - 1], (f64::from(0.1f32) * 100_000.0) as f32);
    }
}
