//! fmod, remainder, floor_divide.
use super::bits::Float;

/// Whether |x/y| is exact enough for the quotient to be right up to one.
#[inline(always)]
pub fn fits<T: Float>(x: T, y: T) -> bool {
    x.abs() < y.abs() * T::MAGIC * T::HALF
}
/// x − trunc(x/y)·y by one division. The rounded quotient may be one too large, never too small; the fused
/// multiply-add is exact, for its result is below |y| and a multiple of the last place of `y`.
#[inline(always)]
pub fn fmod_fast<T: Float>(x: T, y: T) -> T {
    let (a, b) = (x.abs(), y.abs());
    let q = (a / b).trunc();
    let r = (-q).mul_add(b, a);
    let r = T::select(r < T::ZERO, r + b, r);
    // Also for an infinite y, where 0·∞ is not a number.
    T::select(a < b, a, r).copysign(x)
}
#[inline(always)]
pub fn fmod<T: Float>(x: T, y: T) -> T {
    if fits(x, y) {
        fmod_fast(x, y)
    } else {
        T::exact_remainder(x, y)
    }
}
/// Whether the remainder has to move by one `y` to take its sign.
#[inline(always)]
fn crosses<T: Float>(r: T, y: T) -> bool {
    (r != T::ZERO) & ((r < T::ZERO) != (y < T::ZERO))
}
#[inline(always)]
fn signed<T: Float>(r: T, y: T) -> T {
    T::select(crosses(r, y), r + y, r)
}
/// As PyTorch and Python: the quotient less its remainder is nearly whole, and rounded to be so.
#[inline(always)]
fn floored<T: Float>(x: T, y: T, r: T) -> T {
    let whole = (x - r) / y;
    let whole = T::select(crosses(r, y), whole - T::ONE, whole);
    let floor = whole.floor();
    let floor = T::select(whole - floor > T::HALF, floor + T::ONE, floor);
    let quotient = x / y;
    let floor = T::select(whole == T::ZERO, T::ZERO.copysign(quotient), floor);
    T::select(y == T::ZERO, quotient, floor)
}
#[inline(always)]
pub fn remainder<T: Float>(x: T, y: T) -> T {
    signed(fmod(x, y), y)
}
#[inline(always)]
pub fn remainder_fast<T: Float>(x: T, y: T) -> T {
    signed(fmod_fast(x, y), y)
}
#[inline(always)]
pub fn floor_divide<T: Float>(x: T, y: T) -> T {
    floored(x, y, fmod(x, y))
}
#[inline(always)]
pub fn floor_divide_fast<T: Float>(x: T, y: T) -> T {
    floored(x, y, fmod_fast(x, y))
}
