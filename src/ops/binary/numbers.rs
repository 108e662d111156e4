//! Elementwise ops of two inputs over plain numbers: loops, fast paths for a handful of floats, integers and complex numbers.
use super::{Binary, Reads};
use crate::{
    array::Array,
    dtype::{DType, Element, Scalar},
    error::{Error, Result},
    kernels::{
        cast::cast,
        isa::{dispatch, Kernel},
        map::{zip, Source},
    },
    math::Real,
    num::Num,
    ops::{product::runs, unary::scaled, Fixed, Map2, Prim},
    shape::Dims,
    trace::Value,
};

pub(super) struct Apply<'a, E, T>(&'a E, &'a [T], &'a [T], &'a mut [T]);
impl<E: Binary, T: Real> Kernel for Apply<'_, E, T>
where
    Map2<E>: Into<Prim>,
{
    type Out = ();
    const WIDE: bool = !E::RARE;
    #[inline(always)]
    fn run(self) {
        let Apply(e, a, b, y) = self;
        for ((&a, &b), y) in a.iter().zip(b).zip(y) {
            *y = e.f(a, b);
        }
    }
}
/// `t * ∂y/∂side`, strongly zero.
pub(super) struct Scaled<'a, E, T, const SIDE: usize>(&'a E, &'a [T], &'a [T], &'a [T], &'a mut [T]);
#[inline(always)]
pub fn slope<E: Binary, N: Num, const SIDE: usize>(e: &E, a: N, b: N) -> N
where
    Map2<E>: Into<Prim>,
{
    match (E::READS[SIDE], SIDE) {
        (Reads::Constant(c), _) => N::lit(c),
        (_, 0) => e.slope_a(a, b),
        _ => e.slope_b(a, b),
    }
}
impl<E: Binary, T: Real, const SIDE: usize> Kernel for Scaled<'_, E, T, SIDE>
where
    Map2<E>: Into<Prim>,
{
    type Out = ();
    const WIDE: bool = !E::RARE;
    #[inline(always)]
    fn run(self) {
        let Scaled(e, t, a, b, out) = self;
        for (((&t, &a), &b), out) in t.iter().zip(a).zip(b).zip(out) {
            *out = scaled(e.gates::<SIDE>(), t, slope::<E, T, SIDE>(e, a, b));
        }
    }
}
/// Whether the quick slope by the second input holds for all of these.
#[inline(always)]
fn all_fit<E: Binary, T: Real>(e: &E, b: &[T]) -> bool
where
    Map2<E>: Into<Prim>,
{
    let mut outside = T::Flag::default();
    for &b in b {
        outside = outside | T::flag(!e.fits_b(b));
    }
    outside == T::Flag::default()
}
/// The slope by the second input.
#[inline(always)]
fn slope_b<E: Binary, T: Real>(e: &E, a: T, b: T, quick: bool) -> T
where
    Map2<E>: Into<Prim>,
{
    match quick {
        true => e.quick_b(a, b),
        false => slope::<E, T, 1>(e, a, b),
    }
}
/// Value and tangent in one pass, both inputs moving.
pub(super) struct Dual<'a, E, T>(pub &'a E, pub [&'a [T]; 4], pub &'a mut [T], pub &'a mut [T]);
impl<E: Binary, T: Real> Dual<'_, E, T>
where
    Map2<E>: Into<Prim>,
{
    #[inline(always)]
    fn part(self, quick: bool) {
        let Dual(e, [a, b, ta, tb], y, dy) = self;
        for (((((&a, &b), &ta), &tb), y), dy) in a.iter().zip(b).zip(ta).zip(tb).zip(y).zip(dy) {
            *y = e.f(a, b);
            let by_a = scaled(e.gates::<0>(), ta, slope::<E, T, 0>(e, a, b));
            *dy = by_a + scaled(e.gates::<1>(), tb, slope_b(e, a, b, quick));
        }
    }
}
impl<E: Binary, T: Real> Kernel for Dual<'_, E, T>
where
    Map2<E>: Into<Prim>,
{
    type Out = ();
    const WIDE: bool = !E::RARE;
    #[inline(always)]
    fn run(self) {
        if !E::QUICK_B {
            return self.part(false);
        }
        let Dual(e, ins, y, dy) = self;
        for run in runs(ins[1].len()) {
            let quick = all_fit(e, &ins[1][run.clone()]);
            let part = Dual(e, ins.map(|x| &x[run.clone()]), &mut y[run.clone()], &mut dy[run]);
            if quick {
                part.part(true);
            } else {
                part.part(false);
            }
        }
    }
}
/// Both products of a cotangent in one pass, `t * ∂y/∂a` and `t * ∂y/∂b`, for ops whose quick slopes share work.
struct Both<'a, E, T>(&'a E, [&'a [T]; 3], &'a mut [T], &'a mut [T]);
impl<E: Binary, T: Real> Both<'_, E, T>
where
    Map2<E>: Into<Prim>,
{
    #[inline(always)]
    fn part(self, quick: bool) {
        let Both(e, [t, a, b], by_a, by_b) = self;
        for ((((&t, &a), &b), by_a), by_b) in t.iter().zip(a).zip(b).zip(by_a).zip(by_b) {
            *by_a = scaled(e.gates::<0>(), t, slope::<E, T, 0>(e, a, b));
            *by_b = scaled(e.gates::<1>(), t, slope_b(e, a, b, quick));
        }
    }
}
impl<E: Binary, T: Real> Kernel for Both<'_, E, T>
where
    Map2<E>: Into<Prim>,
{
    type Out = ();
    const WIDE: bool = !E::RARE;
    #[inline(always)]
    fn run(self) {
        let Both(e, ins, by_a, by_b) = self;
        for run in runs(ins[2].len()) {
            let quick = all_fit(e, &ins[2][run.clone()]);
            let part = Both(e, ins.map(|x| &x[run.clone()]), &mut by_a[run.clone()], &mut by_b[run]);
            if quick {
                part.part(true);
            } else {
                part.part(false);
            }
        }
    }
}

/// As `Both`, the products taking the place of `a` and `b`.
struct BothOver<'a, E, T>(&'a E, &'a [T], &'a mut [T], &'a mut [T]);
impl<E: Binary, T: Real> BothOver<'_, E, T>
where
    Map2<E>: Into<Prim>,
{
    #[inline(always)]
    fn part(self, quick: bool) {
        let BothOver(e, t, a, b) = self;
        for ((&t, a), b) in t.iter().zip(a).zip(b) {
            let by_b = scaled(e.gates::<1>(), t, slope_b(e, *a, *b, quick));
            *a = scaled(e.gates::<0>(), t, slope::<E, T, 0>(e, *a, *b));
            *b = by_b;
        }
    }
}
impl<E: Binary, T: Real> Kernel for BothOver<'_, E, T>
where
    Map2<E>: Into<Prim>,
{
    type Out = ();
    // Bound by memory: wider registers gain nothing.
    const WIDE: bool = false;
    #[inline(always)]
    fn run(self) {
        let BothOver(e, t, a, b) = self;
        for run in runs(b.len()) {
            let quick = all_fit(e, &b[run.clone()]);
            let part = BothOver(e, &t[run.clone()], &mut a[run.clone()], &mut b[run]);
            if quick {
                part.part(true);
            } else {
                part.part(false);
            }
        }
    }
}

/// The products of a cotangent by both slopes, in one pass: over the operands where nobody else holds them.
pub(super) fn both<E: Binary, T: Real + Element>(op: &E, t: &Array, mut a: Array, mut b: Array) -> Result<[Array; 2]>
where
    Map2<E>: Into<Prim>,
{
    let t = Source::of(t.strided::<T>()?);
    let free = |array: &Array| array.is_unique() && array.is_contiguous();
    if free(&a) && free(&b) {
        zip([t], [a.slice_mut::<T>()?, b.slice_mut::<T>()?], 2 * E::COST, &|[t], [a, b]| {
            dispatch(BothOver(op, t, a, b));
        });
        return Ok([a, b]);
    }
    let new = || Array::new(E::NAME, Dims::from_slice(a.shape()), a.dtype());
    let (mut by_a, mut by_b) = (new()?, new()?);
    let sources = [t, Source::of(a.strided::<T>()?), Source::of(b.strided::<T>()?)];
    zip(sources, [by_a.slice_mut::<T>()?, by_b.slice_mut::<T>()?], 2 * E::COST, &|ins, [by_a, by_b]| {
        dispatch(Both(op, ins, by_a, by_b));
    });
    Ok([by_a, by_b])
}

/// The fast path for a handful of floats: no plan, no dispatch, one allocation.
#[inline]
pub(super) fn small<E: Binary>(op: &Map2<E>, x: &Array, y: Option<&Array>) -> Option<Array>
where
    Map2<E>: Into<Prim>,
{
    #[inline]
    fn run<E: Binary, T: Real + Element>(op: &Map2<E>, x: &Array, y: Option<&Array>) -> Option<Array>
    where
        Map2<E>: Into<Prim>,
    {
        let mut out = x.small_like()?;
        let (xs, zs) = (x.slice::<T>()?, out.slice_mut::<T>().ok()?);
        let each = |a: &[T], b: &[T], z: &mut [T]| {
            // Cheap ops are the same in every instruction set; others need the dispatch for their FMA.
            match E::COST <= 2 {
                true => a.iter().zip(b).zip(z).for_each(|((&a, &b), z)| *z = op.op.f(a, b)),
                false => dispatch(Apply(&op.op, a, b, z)),
            }
        };
        match (y, op.fixed()) {
            (Some(y), _) => each(xs, y.slice::<T>()?, zs),
            (None, Fixed::Right(s)) => each(xs, &[<T as Real>::lit(s.to_f64()); 32][..xs.len()], zs),
            (None, Fixed::Left(s)) => each(&[<T as Real>::lit(s.to_f64()); 32][..xs.len()], xs, zs),
            (None, Fixed::None) => return None,
        }
        Some(out)
    }
    if y.is_some_and(|y| x.dtype() != y.dtype() || x.shape() != y.shape()) {
        return None;
    }
    match x.dtype() {
        DType::F64 => run::<E, f64>(op, x, y),
        DType::F32 => run::<E, f32>(op, x, y),
        _ => None,
    }
}

/// The fast path of `scale` for a handful of floats.
#[inline]
pub(super) fn small_scaled<E: Binary, const SIDE: usize>(
    e: &E,
    t: &Array,
    a: Option<&Value>,
    b: Option<&Value>,
) -> Option<Array>
where
    Map2<E>: Into<Prim>,
{
    #[inline]
    fn run<E: Binary, T: Real + Element, const SIDE: usize>(e: &E, t: &Array, a: &Array, b: &Array) -> Option<Array>
    where
        Map2<E>: Into<Prim>,
    {
        let mut out = t.small_like()?;
        let (t, a, b) = (t.slice::<T>()?, a.slice::<T>()?, b.slice::<T>()?);
        if a.len() != t.len() || b.len() != t.len() {
            return None;
        }
        dispatch(Scaled::<E, T, SIDE>(e, t, a, b, out.slice_mut().ok()?));
        Some(out)
    }
    // An operand that the slope does not read may stand in for itself.
    let stand_in = |v: Option<&Value>| match v {
        Some(Value::Array(v)) => Some(v.clone()),
        Some(_) => None,
        None => Some(t.clone()),
    };
    let (a, b) = (stand_in(a)?, stand_in(b)?);
    match t.dtype() {
        DType::F64 => run::<E, f64, SIDE>(e, t, &a, &b),
        DType::F32 => run::<E, f32, SIDE>(e, t, &a, &b),
        _ => None,
    }
}

/// The operands of an op as sources: two arrays, or one and a number.
pub(super) fn sources<'a, T: Element>(
    xs: &[&'a Array],
    fixed: Fixed,
    lit: impl Fn(Scalar) -> T,
) -> Result<[Source<'a, T>; 2]> {
    let x = Source::of(xs[0].strided()?);
    Ok(match fixed {
        Fixed::None => [x, Source::of(xs[1].strided()?)],
        Fixed::Left(s) => [Source::Splat(lit(s)), x],
        Fixed::Right(s) => [x, Source::Splat(lit(s))],
    })
}
pub(super) fn eval_real<E: Binary, T: Real + Element>(op: &Map2<E>, xs: &[&Array], y: &mut Array) -> Result<()>
where
    Map2<E>: Into<Prim>,
{
    let sources = sources(xs, op.fixed(), |s| <T as Real>::lit(s.to_f64()))?;
    zip(sources, [y.slice_mut::<T>()?], E::COST, &|[a, b], [y]| dispatch(Apply(&op.op, a, b, y)));
    Ok(())
}
/// Integers of any width are computed in 64 bits and wrapped back.
pub(super) fn eval_integer<E: Binary>(op: &Map2<E>, xs: &[&Array]) -> Result<Array>
where
    Map2<E>: Into<Prim>,
{
    let e = &op.op;
    let wide = xs.iter().map(|x| cast(E::NAME, x, DType::I64)).collect::<Result<Vec<_>>>()?;
    // A plain number takes part in the dtype of the tensor, as in PyTorch: -3 is 253 among bytes.
    let narrow = |s: Scalar| match xs[0].dtype() {
        DType::U8 => i64::from(s.to_i64() as u8),
        DType::I32 => i64::from(s.to_i64() as i32),
        _ => s.to_i64(),
    };
    let sources = sources(&wide.iter().collect::<Vec<_>>(), op.fixed(), narrow)?;
    let forbidden = match sources[1] {
        Source::Splat(b) => e.forbids(b),
        Source::Slice(b) => b.iter().any(|&b| e.forbids(b)),
        Source::Strided(_) => false, // `cast` made it contiguous
    };
    if forbidden && !xs[0].is_empty() {
        return Err(Error::value(E::NAME, "cannot divide integers by zero; convert to a float dtype for inf and nan"));
    }
    let mut y = Array::new(E::NAME, Dims::from_slice(xs[0].shape()), DType::I64)?;
    zip(sources, [y.slice_mut::<i64>()?], 1, &|[a, b], [y]| {
        a.iter().zip(b).zip(y).for_each(|((&a, &b), y)| *y = e.integer(a, b));
    });
    if xs[0].dtype() == DType::I64 {
        Ok(y)
    } else {
        cast(E::NAME, &y, xs[0].dtype())
    }
}
pub(super) fn eval_complex<E: Binary>(op: &Map2<E>, xs: &[&Array]) -> Result<Array>
where
    Map2<E>: Into<Prim>,
{
    let e = &op.op;
    let wide = xs.iter().map(|x| cast(E::NAME, x, DType::C128)).collect::<Result<Vec<_>>>()?;
    let sources = sources(&wide.iter().collect::<Vec<_>>(), op.fixed(), Scalar::to_complex)?;
    let mut y = Array::new(E::NAME, Dims::from_slice(xs[0].shape()), DType::C128)?;
    zip(sources, [y.slice_mut()?], 8, &|[a, b], [y]| {
        a.iter().zip(b).zip(y).for_each(|((&a, &b), y)| *y = e.complex(a, b));
    });
    if xs[0].dtype() == DType::C128 {
        Ok(y)
    } else {
        cast(E::NAME, &y, xs[0].dtype())
    }
}
