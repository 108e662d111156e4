//! Reductions over any set of axes, in an order that depends on shape and strides alone: the same bits for any number
//! of threads. Sums are pairwise (Higham 1993), so their error grows with the logarithm of the count.
mod columns;
mod extreme;
mod fold;
mod folds;
pub mod number;
mod plan;
mod rows;
mod softmax;
#[cfg(test)]
mod tests;
pub use extreme::{arg_extreme, arg_extreme_all};
pub use fold::Fold;
pub use folds::{
    All, Any, CountEqual, CountNonzero, Largest, Product, Smallest, Sum, SumAbs, SumExp, SumSquaredDeviations,
    SumSquares,
};
pub use number::{Number, Ordered};
pub use softmax::{log_softmax, log_softmax_transposed, softmax, softmax_transposed};

use super::isa::{dispatch, Kernel};
use crate::{array::Strided, dtype::Element, math::Real};
use plan::Plan;
use std::marker::PhantomData;

/// There is no largest, smallest or most probable element of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyReduction;

struct Whole<'a, F: Fold>(F, &'a [F::Item], F::With);
impl<F: Fold> Kernel for Whole<'_, F> {
    type Out = F::Out;
    #[inline(always)]
    fn run(self) -> F::Out {
        fold::line(self.0, self.1, self.2)
    }
}

/// Reduce `x` over `axes` (a bit mask) into `out`, row-major over the other axes; `with` has an entry per result.
pub fn fold<F: Fold>(f: F, x: Strided<F::Item>, axes: u64, with: &[F::With], out: &mut [F::Out]) {
    if out.is_empty() {
        return;
    }
    if x.is_empty() {
        return out.fill(f.start());
    }
    if out.len() == 1 && x.len() <= fold::BLOCK {
        if let Some(items) = x.contiguous_slice() {
            out[0] = dispatch(Whole(f, items, with[0]));
            return;
        }
    }
    let plan = Plan::new(&x, axes);
    let run = |with: &[F::With], out: &mut [F::Out]| match plan.along_rows() {
        true => rows::reduce(f, x.data, &plan, with, out),
        false => columns::reduce(f, x.data, &plan, with, out),
    };
    let Some(order) = &plan.order else { return run(with, out) };
    // Results in the order of memory, then put where they belong.
    let places: Vec<usize> = (0..out.len()).map(|i| order.offset(i) as usize).collect();
    let with: Vec<F::With> = places.iter().map(|&p| with[p]).collect();
    let mut sorted = vec![f.start(); out.len()];
    run(&with, &mut sorted);
    places.iter().zip(sorted).for_each(|(&p, y)| out[p] = y);
}
fn plain<F: Fold<With = ()>>(f: F, x: Strided<F::Item>, axes: u64, out: &mut [F::Out]) {
    // Unit takes no memory.
    let with = vec![(); out.len()];
    fold(f, x, axes, &with, out);
}
fn non_empty<T: Copy>(x: &Strided<T>, out: usize) -> Result<(), EmptyReduction> {
    if x.is_empty() && out > 0 {
        return Err(EmptyReduction);
    }
    Ok(())
}

/// Sum over `axes`; 0 of nothing.
pub fn sum<T: Number>(x: Strided<T>, axes: u64, out: &mut [T]) {
    plain(Sum(PhantomData), x, axes, out);
}
/// Product over `axes`; 1 of nothing.
pub fn prod<T: Number>(x: Strided<T>, axes: u64, out: &mut [T]) {
    plain(Product(PhantomData), x, axes, out);
}
/// Largest element over `axes`; NaN wins.
pub fn max<T: Ordered>(x: Strided<T>, axes: u64, out: &mut [T]) -> Result<(), EmptyReduction> {
    non_empty(&x, out.len())?;
    plain(Largest(PhantomData), x, axes, out);
    Ok(())
}
/// Smallest element over `axes`; NaN wins.
pub fn min<T: Ordered>(x: Strided<T>, axes: u64, out: &mut [T]) -> Result<(), EmptyReduction> {
    non_empty(&x, out.len())?;
    plain(Smallest(PhantomData), x, axes, out);
    Ok(())
}
/// 1 where any element along `axes` is not zero (NaN is not zero); 0 of nothing.
pub fn any<T: Element>(x: Strided<T>, axes: u64, out: &mut [u8]) {
    plain(Any(PhantomData), x, axes, out);
}
/// 1 where no element along `axes` is zero; 1 of nothing.
pub fn all<T: Element>(x: Strided<T>, axes: u64, out: &mut [u8]) {
    plain(All(PhantomData), x, axes, out);
}
/// How many elements along `axes` are not zero.
pub fn count_nonzero<T: Element>(x: Strided<T>, axes: u64, out: &mut [i64]) {
    plain(CountNonzero(PhantomData), x, axes, out);
}
/// Σ |x| over `axes`.
pub fn sum_abs<T: Real + Element>(x: Strided<T>, axes: u64, out: &mut [T]) {
    plain(SumAbs(PhantomData), x, axes, out);
}
/// Σ x² over `axes`.
pub fn sum_squares<T: Real + Element>(x: Strided<T>, axes: u64, out: &mut [T]) {
    plain(SumSquares(PhantomData), x, axes, out);
}
/// √Σ x² over `axes`.
pub fn norm<T: Real + Element>(x: Strided<T>, axes: u64, out: &mut [T]) {
    sum_squares(x, axes, out);
    out.iter_mut().for_each(|y| *y = y.sqrt());
}
/// How many elements are equal to the number given for their result.
pub fn count_equal<T: Real + Element>(x: Strided<T>, axes: u64, numbers: &[T], out: &mut [T]) {
    fold(CountEqual(PhantomData), x, axes, numbers, out);
}
/// Σ (x - mean)² over `axes`, with the mean of every result given: the second pass of a variance.
pub fn sum_squared_deviations<T: Real + Element>(x: Strided<T>, axes: u64, mean: &[T], out: &mut [T]) {
    fold(SumSquaredDeviations(PhantomData), x, axes, mean, out);
}
/// Mean over `axes`; NaN of nothing.
pub fn mean<T: Real + Number>(x: Strided<T>, axes: u64, out: &mut [T]) {
    sum(x, axes, out);
    let n = T::lit(count(&x, axes) as f64);
    out.iter_mut().for_each(|y| *y = *y / n);
}
/// Variance over `axes` in two passes, with `correction` taken off the count.
pub fn var<T: Real + Number>(x: Strided<T>, axes: u64, correction: f64, out: &mut [T]) {
    let mut means = vec![T::lit(0.0); out.len()];
    mean(x, axes, &mut means);
    sum_squared_deviations(x, axes, &means, out);
    let n = T::lit((count(&x, axes) as f64 - correction).max(0.0));
    out.iter_mut().for_each(|y| *y = *y / n);
}
/// log Σ exp(x) over `axes`, the largest element divided out first; -∞ of nothing.
pub fn logsumexp<T: Real + Ordered>(x: Strided<T>, axes: u64, out: &mut [T]) {
    let mut peak = vec![T::LOWEST; out.len()];
    plain(Largest(PhantomData), x, axes, &mut peak);
    // An infinite peak would make ∞ - ∞: divide out nothing there.
    let shift: Vec<T> = peak.iter().map(|&m| if m.abs() < T::HIGHEST { m } else { T::lit(0.0) }).collect();
    fold(SumExp(PhantomData), x, axes, &shift, out);
    out.iter_mut().zip(shift).for_each(|(y, m)| *y = y.ln() + m);
}
fn count<T>(x: &Strided<T>, axes: u64) -> usize {
    x.shape.iter().enumerate().filter(|(a, _)| axes >> a & 1 == 1).map(|(_, &n)| n).product()
}
