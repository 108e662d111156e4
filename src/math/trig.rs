//! sin, cos, tan.
//!
//! Cody–Waite reduction by three parts of π/2, whose rounding errors are kept, then fdlibm's kernel scheme: the sine
//! and the cosine of r + rest on |r| ≤ π/4. Huge angles go to the Payne–Hanek reduction.
use super::{
    bits::{divide, fast_two_sum, polynomial, Float, Pair},
    payne_hanek,
};

/// An angle modulo π/2: the rest as a pair, and the two low bits of the number of quarter turns.
#[derive(Clone, Copy)]
pub struct Angle<T> {
    pub rest: Pair<T>,
    pub odd: bool,
    pub half: bool,
}
#[inline(always)]
pub fn fits<T: Float>(x: T) -> bool {
    x.abs() <= T::ANGLE_MAX
}
#[inline(always)]
fn reduce<T: Float>(x: T) -> Angle<T> {
    let k = x.mul_add(T::FRAC_2_PI, T::MAGIC);
    let n = k - T::MAGIC;
    // Exact: the difference is below 1 and a multiple of the last place of both terms.
    let first = (-n).mul_add(T::FRAC_PI_2.0, x);
    let r = (-n).mul_add(T::FRAC_PI_2.1, first);
    // Exact as well: where the two nearly cancel, `first` has no bits below the last place of `r`.
    let rest = (-n).mul_add(T::FRAC_PI_2.2, (-n).mul_add(T::FRAC_PI_2.1, first - r));
    Angle { rest: (r, rest), odd: T::bit(k, 0), half: T::bit(k, 1) }
}
#[inline(always)]
pub fn sin_kernel<T: Float>((r, rest): Pair<T>) -> Pair<T> {
    let z = r * r;
    let small = (r * z).mul_add(polynomial(z, T::SIN), rest * (-T::HALF).mul_add(z, T::ONE));
    (r, small)
}
#[inline(always)]
pub fn cos_kernel<T: Float>((r, rest): Pair<T>) -> Pair<T> {
    let z = r * r;
    let half = T::HALF * z;
    let (one, error) = fast_two_sum(T::ONE, -half);
    let half_error = (T::HALF * r).mul_add(r, -half);
    let small = (z * z).mul_add(polynomial(z, T::COS), (-r).mul_add(rest, error - half_error));
    (one, small)
}
#[inline(always)]
fn choose<T: Float>(c: bool, a: Pair<T>, b: Pair<T>) -> Pair<T> {
    (T::select(c, a.0, b.0), T::select(c, a.1, b.1))
}
#[inline(always)]
fn sin_of<T: Float>(angle: Angle<T>) -> T {
    let y = choose(angle.odd, cos_kernel(angle.rest), sin_kernel(angle.rest));
    let y = y.0 + y.1;
    T::select(angle.half, -y, y)
}
#[inline(always)]
fn cos_of<T: Float>(angle: Angle<T>) -> T {
    let y = choose(angle.odd, sin_kernel(angle.rest), cos_kernel(angle.rest));
    let y = y.0 + y.1;
    T::select(angle.half ^ angle.odd, -y, y)
}
#[inline(always)]
fn tan_of<T: Float>(angle: Angle<T>) -> T {
    let (s, c) = (sin_kernel(angle.rest), cos_kernel(angle.rest));
    let s = fast_two_sum(s.0, s.1);
    let c = fast_two_sum(c.0, c.1);
    let (q, error) = divide(choose(angle.odd, c, s), choose(angle.odd, s, c));
    T::select(angle.odd, -(q + error), q + error)
}
#[inline(always)]
pub fn sin<T: Float>(x: T) -> T {
    // The sign of zero would be lost in the sums.
    T::select(x == T::ZERO, x, sin_of(reduce(x)))
}
#[inline(always)]
pub fn cos<T: Float>(x: T) -> T {
    cos_of(reduce(x))
}
#[inline(always)]
pub fn tan<T: Float>(x: T) -> T {
    T::select(x == T::ZERO, x, tan_of(reduce(x)))
}
/// The full-range form in double precision, which holds every single-precision number too.
macro_rules! any { ($($any:ident $f:ident $of:ident;)*) => { $(
    pub fn $any<T: Float>(x: T) -> T {
        if fits(x) {
            return $f(x);
        }
        let x = x.to_f64();
        T::lit(if fits(x) { $f(x) } else if x.is_finite() { $of(payne_hanek::reduce(x)) } else { f64::NAN })
    }
)* } }
any! { sin_any sin sin_of; cos_any cos cos_of; tan_any tan tan_of; }
