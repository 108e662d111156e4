//! Matrix products in which a zero of one operand leaves its term out, whatever stands opposite: those of the chain rule.
//!
//! The fast product gives NaN for 0 · ∞. Whether it did is one look at the result; only then all is computed again.
use super::{
    isa::{dispatch, Kernel},
    pool,
};
use crate::math::Real;

struct AnyNan<'a, T>(&'a [T]);
impl<T: Real> Kernel for AnyNan<'_, T> {
    type Out = bool;
    #[inline(always)]
    fn run(self) -> bool {
        let mut found = T::Flag::default();
        for &x in self.0 {
            found = found | T::flag(x.is_nan());
        }
        found != T::Flag::default()
    }
}
pub fn any_nan<T: Real>(xs: &[T]) -> bool {
    xs.chunks(1 << 12).any(|piece| dispatch(AnyNan(piece)))
}
struct AnyNotFinite<'a, T>(&'a [T]);
impl<T: Real> Kernel for AnyNotFinite<'_, T> {
    type Out = bool;
    #[inline(always)]
    fn run(self) -> bool {
        let mut found = T::Flag::default();
        for &x in self.0 {
            found = found | T::flag((x * T::lit(0.0)).is_nan()); // 0 · ∞
        }
        found != T::Flag::default()
    }
}
/// Whether there is an infinity or NaN.
pub fn any_not_finite<T: Real>(xs: &[T]) -> bool {
    xs.chunks(1 << 12).any(|piece| dispatch(AnyNotFinite(piece)))
}
/// `y += a * b` over a row, without the terms that a strong zero leaves out.
struct AddRow<'a, T>(T, &'a [T], [bool; 2], &'a mut [T]);
impl<T: Real> Kernel for AddRow<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let AddRow(a, b, [left, right], y) = self;
        let zero = T::lit(0.0);
        if left && a == zero {
            return;
        }
        for (&b, y) in b.iter().zip(y) {
            *y = *y + T::select(right & (b == zero), zero, a * b);
        }
    }
}
/// (m, k) @ (k, n) of row-major matrices; `strong` says for each operand whether its zeros leave terms out.
pub fn strong_matmul<T: Real>(a: &[T], b: &[T], n: usize, strong: [bool; 2], out: &mut [T]) {
    let (m, k) = (out.len() / n.max(1), b.len() / n.max(1));
    pool::parallel_chunks(out, n, m * k * n, &|i, y| {
        y.fill(T::lit(0.0));
        for (&a, b) in a[i * k..(i + 1) * k].iter().zip(b.chunks_exact(n)) {
            dispatch(AddRow(a, b, strong, y));
        }
    });
}
