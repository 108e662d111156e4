//! The reductions themselves: what one step takes in and how partial results join.
use super::{
    fold::{Fold, STREAMS},
    number::{is_nan, Number, Ordered},
};
use crate::{dtype::Element, math::Real};
use std::marker::PhantomData;

macro_rules! folds { ($(
    $(#[$doc:meta])* $name:ident<T: $bound:ident>($with:ty) -> $out:ty $(, light $light:literal)?: $start:expr;
    |$sum:ident, $item:ident, $w:ident| $step:expr; |$a:ident, $b:ident| $join:expr;
)*) => { $(
    $(#[$doc])*
    pub struct $name<T>(pub PhantomData<T>);
    impl<T> Clone for $name<T> { fn clone(&self) -> Self { *self } }
    impl<T> Copy for $name<T> {}
    impl<T: $bound + Element> Fold for $name<T> {
        type Item = T;
        type With = $with;
        type Out = $out;
        $(const LIGHT: bool = $light;)?
        #[inline(always)]
        fn start(self) -> $out { $start }
        #[inline(always)]
        fn step(self, $sum: $out, $item: T, $w: $with) -> $out { $step }
        #[inline(always)]
        fn join(self, $a: $out, $b: $out) -> $out { $join }
    }
)* } }
folds! {
    Sum<T: Number>(()) -> T, light true: T::ZERO; |s, x, _w| s.plus(x); |a, b| a.plus(b);
    Product<T: Number>(()) -> T: T::ONE; |s, x, _w| s.times(x); |a, b| a.times(b);
    /// 1 if any element is not zero.
    Any<T: Element>(()) -> u8: 0; |s, x, _w| s | u8::from(x != T::default()); |a, b| a | b;
    /// 1 if no element is zero.
    All<T: Element>(()) -> u8: 1; |s, x, _w| s & u8::from(x != T::default()); |a, b| a & b;
    CountNonzero<T: Element>(()) -> i64: 0; |s, x, _w| s + i64::from(x != T::default()); |a, b| a + b;
    SumAbs<T: Real>(()) -> T: T::lit(0.0); |s, x, _w| s + x.abs(); |a, b| a + b;
    SumSquares<T: Real>(()) -> T, light true: T::lit(0.0); |s, x, _w| s + x * x; |a, b| a + b;
    /// Σ (x - mean)², the mean given.
    SumSquaredDeviations<T: Real>(T) -> T: T::lit(0.0); |s, x, m| s + (x - m) * (x - m); |a, b| a + b;
    /// How many are equal to a given number, as a number of the same type.
    CountEqual<T: Real>(T) -> T: T::lit(0.0); |s, x, y| s + T::select(x == y, T::lit(1.0), T::lit(0.0)); |a, b| a + b;
    /// Σ exp(x - shift), the shift given.
    SumExp<T: Real>(T) -> T: T::lit(0.0); |s, x, m| s + (x - m).exp(); |a, b| a + b;
}

/// Largest and smallest element, where NaN wins.
macro_rules! extremes { ($($name:ident $start:ident $better:tt $pick:ident)*) => { $(
    pub struct $name<T>(pub PhantomData<T>);
    impl<T> Clone for $name<T> { fn clone(&self) -> Self { *self } }
    impl<T> Copy for $name<T> {}
    impl<T: Ordered> Fold for $name<T> {
        type Item = T;
        type With = ();
        type Out = T;
        const LIGHT: bool = true;
        #[inline(always)]
        fn start(self) -> T { T::$start }
        #[inline(always)]
        fn step(self, best: T, item: T, _: ()) -> T {
            if (item $better best) | is_nan(item) { item } else { best }
        }
        #[inline(always)]
        fn join(self, a: T, b: T) -> T { self.step(a, b, ()) }
        /// By integer keys: only whole numbers have a maximum that compilers spread over registers.
        #[inline(always)]
        fn block(self, items: &[T], _: ()) -> T {
            let (mut best, mut any_nan) = (T::$start.key(), false);
            for &item in items {
                best = best.$pick(item.key());
                any_nan |= is_nan(item);
            }
            let nan = if any_nan { items.iter().copied().find(|&item| is_nan(item)) } else { None };
            nan.unwrap_or(T::of_key(best))
        }
        #[inline(always)]
        fn abreast(self, parts: [&[T]; STREAMS], _: [(); STREAMS]) -> [T; STREAMS] {
            let n = parts[0].len();
            let [a, b, c, d] = parts.map(|part| &part[..n]);
            let (mut best, mut any_nan) = ([T::$start.key(); STREAMS], false);
            for i in 0..n {
                best[0] = best[0].$pick(a[i].key());
                best[1] = best[1].$pick(b[i].key());
                best[2] = best[2].$pick(c[i].key());
                best[3] = best[3].$pick(d[i].key());
                any_nan |= is_nan(a[i]) | is_nan(b[i]) | is_nan(c[i]) | is_nan(d[i]);
            }
            if any_nan {
                return parts.map(|part| self.block(part, ()));
            }
            best.map(T::of_key)
        }
        #[inline(always)]
        fn across(self, parts: [&[T]; STREAMS], with: ()) -> T {
            let [a, b, c, d] = self.abreast(parts, [with; STREAMS]);
            self.join(self.join(a, b), self.join(c, d))
        }
    }
)* } }
extremes! { Largest LOWEST > max Smallest HIGHEST < min }
