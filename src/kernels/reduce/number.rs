//! What reductions and scans need of an element type. Integers wrap around, as in NumPy and PyTorch.
use crate::dtype::Element;
use num_complex::Complex;

/// An element type with sums and products.
pub trait Number: Element {
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}
/// A real element type, with an order in which NaN has no place.
pub trait Ordered: Element + PartialOrd {
    /// No element is below this one.
    const LOWEST: Self;
    /// No element is above this one.
    const HIGHEST: Self;
    /// An integer of the same order; that of NaN is of no meaning.
    type Key: Copy + Ord;
    fn key(self) -> Self::Key;
    fn of_key(key: Self::Key) -> Self;
}

macro_rules! integers { ($($t:ty)*) => { $(
    impl Number for $t {
        const ZERO: Self = 0;
        const ONE: Self = 1;
        #[inline(always)] fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
        #[inline(always)] fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
    }
    impl Ordered for $t {
        const LOWEST: Self = <$t>::MIN;
        const HIGHEST: Self = <$t>::MAX;
        type Key = $t;
        #[inline(always)] fn key(self) -> $t { self }
        #[inline(always)] fn of_key(key: $t) -> $t { key }
    }
)* } }
integers! { u8 i32 i64 }
macro_rules! floats { ($($t:ty, $bits:ty, $signed:ty;)*) => { $(
    impl Number for $t {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        #[inline(always)] fn plus(self, other: Self) -> Self { self + other }
        #[inline(always)] fn times(self, other: Self) -> Self { self * other }
    }
    impl Ordered for $t {
        const LOWEST: Self = <$t>::NEG_INFINITY;
        const HIGHEST: Self = <$t>::INFINITY;
        type Key = $signed;
        /// The bits, those of a magnitude turned in negative numbers.
        #[inline(always)]
        fn key(self) -> $signed {
            let bits = self.to_bits() as $signed;
            bits ^ (((bits >> (<$signed>::BITS - 1)) as $bits) >> 1) as $signed
        }
        #[inline(always)]
        fn of_key(key: $signed) -> $t {
            <$t>::from_bits((key ^ (((key >> (<$signed>::BITS - 1)) as $bits) >> 1) as $signed) as $bits)
        }
    }
    impl Number for Complex<$t> {
        const ZERO: Self = Complex::new(0.0, 0.0);
        const ONE: Self = Complex::new(1.0, 0.0);
        #[inline(always)] fn plus(self, other: Self) -> Self { self + other }
        #[inline(always)] fn times(self, other: Self) -> Self { self * other }
    }
)* } }
floats! { f32, u32, i32; f64, u64, i64; }

#[inline(always)]
pub fn is_nan<T: Ordered>(x: T) -> bool {
    // Only NaN differs from itself.
    #[allow(clippy::eq_op)]
    let nan = x != x;
    nan
}
