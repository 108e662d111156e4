//! A product `t * slope` that is still to be computed: into new memory, over `t` itself where nobody else holds it, or
//! onto a sum that waits for it. Large products cost what they move through memory, so the choice saves whole passes.
use super::{
    binary::{slope, Binary, Reads},
    unary::{scaled, Of, Unary},
    Map1, Map2, Prim,
};
use crate::{
    array::Array,
    dtype::{DType, Element},
    error::{Error, Result},
    kernels::{
        isa::{dispatch, Kernel},
        map::{zip, Source},
    },
    math::Real,
    num::FullRange,
    op::Pending,
    shape::Dims,
};
use std::ops::Range;

/// Elements from which a sweep leaves products to be computed where they are wanted.
pub const WORTHWHILE: usize = 1 << 11;

/// The second factor, as a function of at most two operands.
pub trait Slope: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const COST: usize;
    /// Whether AVX-512 gets a loop of its own.
    const WIDE: bool = true;
    /// The number that it is everywhere, if it reads nothing.
    const CONSTANT: Option<f64> = None;
    fn slope<T: Real>(&self, a: T, b: T) -> T;
    /// Whether a slope of 0 says that the input is not used.
    #[inline(always)]
    fn gates(&self) -> bool {
        false
    }
    /// Whether `slope` holds for the operands; elsewhere `full` is used.
    #[inline(always)]
    fn fits<T: Real>(&self, _a: T, _b: T) -> bool {
        true
    }
    const LIMITED: bool = false;
    /// Whether `full` may round otherwise than `slope` where both hold.
    const ROUNDS_OTHERWISE: bool = false;
    #[inline(always)]
    fn full<T: Real>(&self, a: T, b: T) -> T {
        self.slope(a, b)
    }
}
/// The slope of a function of one input, read from its input or its output.
#[derive(Clone, Copy)]
pub struct OfUnary<E>(pub E);
impl<E: Unary> Slope for OfUnary<E>
where
    Map1<E>: Into<Prim>,
{
    const NAME: &'static str = E::NAME;
    const COST: usize = E::COST;
    const WIDE: bool = !E::RARE;
    const CONSTANT: Option<f64> = match E::SLOPE {
        Of::Constant(c) => Some(c),
        _ => None,
    };
    #[inline(always)]
    fn slope<T: Real>(&self, v: T, _: T) -> T {
        self.0.slope(v)
    }
    #[inline(always)]
    fn gates(&self) -> bool {
        E::GATES
    }
    const LIMITED: bool = E::SLOPE_LIMITED;
    #[inline(always)]
    fn fits<T: Real>(&self, v: T, _: T) -> bool {
        self.0.fits(v)
    }
    #[inline(always)]
    fn full<T: Real>(&self, v: T, _: T) -> T {
        self.0.slope(FullRange(v)).0
    }
}
/// The slope of a function of two inputs on one side.
#[derive(Clone, Copy)]
pub struct OfBinary<E, const SIDE: usize>(pub E);
impl<E: Binary, const SIDE: usize> Slope for OfBinary<E, SIDE>
where
    Map2<E>: Into<Prim>,
{
    const NAME: &'static str = E::NAME;
    const COST: usize = if matches!(E::READS[SIDE], Reads::Constant(_)) { 1 } else { E::COST };
    const WIDE: bool = !E::RARE;
    const CONSTANT: Option<f64> = match E::READS[SIDE] {
        Reads::Constant(c) => Some(c),
        _ => None,
    };
    #[inline(always)]
    fn slope<T: Real>(&self, a: T, b: T) -> T {
        match Self::LIMITED {
            true => self.0.quick_b(a, b),
            false => slope::<E, T, SIDE>(&self.0, a, b),
        }
    }
    const LIMITED: bool = E::QUICK_B && SIDE == 1;
    const ROUNDS_OTHERWISE: bool = Self::LIMITED;
    #[inline(always)]
    fn fits<T: Real>(&self, _: T, b: T) -> bool {
        self.0.fits_b(b)
    }
    #[inline(always)]
    fn full<T: Real>(&self, a: T, b: T) -> T {
        slope::<E, T, SIDE>(&self.0, a, b)
    }
    #[inline(always)]
    fn gates(&self) -> bool {
        self.0.gates::<SIDE>()
    }
}

/// Runs of elements that stay in the nearest cache, and are looked at together whether the quick slope holds for them: loops
/// over long arrays are cut at multiples of a run, so that the numbers do not depend on the cuts.
#[inline(always)]
pub(super) fn runs(len: usize) -> impl Iterator<Item = Range<usize>> {
    const RUN: usize = 1024;
    (0..len).step_by(RUN).map(move |from| from..len.min(from + RUN))
}
#[inline(always)]
fn all_fit<S: Slope, T: Real>(s: &S, a: &[T], b: &[T]) -> bool {
    let mut outside = T::Flag::default();
    for (&a, &b) in a.iter().zip(b) {
        outside = outside | T::flag(!s.fits(a, b));
    }
    outside == T::Flag::default()
}
/// `out = t * slope`, or `out += t * slope`; strongly zero.
struct Onto<'a, S, T, const ADD: bool>(&'a S, [&'a [T]; 3], &'a mut [T]);
impl<S: Slope, T: Real, const ADD: bool> Onto<'_, S, T, ADD> {
    #[inline(always)]
    fn part(self, fits: bool) {
        let Onto(s, [t, a, b], out) = self;
        for (((&t, &a), &b), out) in t.iter().zip(a).zip(b).zip(out) {
            let y = scaled(s.gates(), t, if fits { s.slope(a, b) } else { s.full(a, b) });
            *out = if ADD { *out + y } else { y };
        }
    }
}
impl<S: Slope, T: Real, const ADD: bool> Kernel for Onto<'_, S, T, ADD> {
    type Out = ();
    const WIDE: bool = S::WIDE;
    #[inline(always)]
    fn run(self) {
        if !S::LIMITED {
            return self.part(true);
        }
        let Onto(s, ins, out) = self;
        if !S::ROUNDS_OTHERWISE {
            let part = Onto::<S, T, ADD>(s, ins, out);
            return if all_fit(s, ins[1], ins[2]) { part.part(true) } else { part.part(false) };
        }
        for run in runs(out.len()) {
            let part = Onto::<S, T, ADD>(s, ins.map(|x| &x[run.clone()]), &mut out[run]);
            if all_fit(s, part.1[1], part.1[2]) {
                part.part(true);
            } else {
                part.part(false);
            }
        }
    }
}
/// `t *= slope`; strongly zero.
struct Over<'a, S, T>(&'a S, [&'a [T]; 2], &'a mut [T]);
impl<S: Slope, T: Real> Over<'_, S, T> {
    #[inline(always)]
    fn part(self, fits: bool) {
        let Over(s, [a, b], t) = self;
        for ((&a, &b), t) in a.iter().zip(b).zip(t) {
            *t = scaled(s.gates(), *t, if fits { s.slope(a, b) } else { s.full(a, b) });
        }
    }
}
impl<S: Slope, T: Real> Kernel for Over<'_, S, T> {
    type Out = ();
    const WIDE: bool = S::WIDE;
    #[inline(always)]
    fn run(self) {
        if !S::LIMITED {
            return self.part(true);
        }
        let Over(s, ins, t) = self;
        if !S::ROUNDS_OTHERWISE {
            let part = Over(s, ins, t);
            return if all_fit(s, ins[0], ins[1]) { part.part(true) } else { part.part(false) };
        }
        for run in runs(t.len()) {
            let part = Over(s, ins.map(|x| &x[run.clone()]), &mut t[run]);
            if all_fit(s, part.1[0], part.1[1]) {
                part.part(true);
            } else {
                part.part(false);
            }
        }
    }
}

/// `out = t * slope`, or `out += t * slope`, for a slope that is the same everywhere.
struct Multiple<'a, T, const ADD: bool>(T, &'a [T], &'a mut [T]);
impl<T: Real, const ADD: bool> Kernel for Multiple<'_, T, ADD> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Multiple(slope, t, out) = self;
        for (&t, out) in t.iter().zip(out) {
            *out = if ADD { *out + t * slope } else { t * slope };
        }
    }
}
/// `t *= slope`, for a slope that is the same everywhere.
struct Multiplied<'a, T>(T, &'a mut [T]);
impl<T: Real> Kernel for Multiplied<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        for t in self.1 {
            *t = *t * self.0;
        }
    }
}

/// `t * slope(a, b)`, where an operand that is not there is `number`, or is not read.
pub struct Product<S> {
    slope: S,
    t: Array,
    a: Option<Array>,
    b: Option<Array>,
    number: Option<f64>,
}
impl<S: Slope> Product<S> {
    /// Operands must have the shape and dtype of `t`, or be left out where the slope does not read them.
    pub fn new(slope: S, t: &Array, a: Option<&Array>, b: Option<&Array>, number: Option<f64>) -> Result<Product<S>> {
        if !t.dtype().is_float() {
            return Err(Error::not_differentiable(S::NAME, format!("has no derivative for {} tensors", t.dtype())));
        }
        if let Some(v) = [a, b].into_iter().flatten().find(|v| v.shape() != t.shape() || v.dtype() != t.dtype()) {
            return Err(Error::shape(S::NAME, format!("the slope is {v:?}, but the cotangent {t:?}")));
        }
        Ok(Product { slope, t: t.clone(), a: a.cloned(), b: b.cloned(), number })
    }
    fn operands<'a, T: Real + Element>(&'a self) -> Result<[Source<'a, T>; 2]> {
        // The loops take two operands; where one is not read, the other stands in for free.
        let (a, b) = match self.number {
            Some(_) => (self.a.as_ref(), self.b.as_ref()),
            None => (self.a.as_ref().or(self.b.as_ref()), self.b.as_ref().or(self.a.as_ref())),
        };
        let number = Source::Splat(<T as Real>::lit(self.number.unwrap_or_default()));
        let source = |v: Option<&'a Array>| v.map_or(Ok(number), |v| v.strided::<T>().map(Source::of));
        Ok([source(a)?, source(b)?])
    }
    fn onto<T: Real + Element, const ADD: bool>(&self, out: &mut Array) -> Result<()> {
        if let Some(c) = S::CONSTANT {
            if c == 0.0 {
                // Strongly zero: an infinite cotangent does not pass.
                if !ADD {
                    out.slice_mut::<T>()?.fill(T::default());
                }
                return Ok(());
            }
            zip([Source::of(self.t.strided::<T>()?)], [out.slice_mut::<T>()?], 1, &|[t], [out]| {
                dispatch(Multiple::<T, ADD>(<T as Real>::lit(c), t, out));
            });
            return Ok(());
        }
        let [a, b] = self.operands::<T>()?;
        let sources = [Source::of(self.t.strided::<T>()?), a, b];
        zip(sources, [out.slice_mut::<T>()?], S::COST, &|ins, [out]| {
            dispatch(Onto::<S, T, ADD>(&self.slope, ins, out));
        });
        Ok(())
    }
    fn over<T: Real + Element>(&self, out: &mut Array) -> Result<()> {
        if let Some(c) = S::CONSTANT {
            if c == 0.0 {
                out.slice_mut::<T>()?.fill(T::default());
                return Ok(());
            }
            zip::<T, T, 0, 1>([], [out.slice_mut::<T>()?], 1, &|[], [t]| {
                dispatch(Multiplied(<T as Real>::lit(c), t));
            });
            return Ok(());
        }
        zip(self.operands::<T>()?, [out.slice_mut::<T>()?], S::COST, &|ins, [out]| {
            dispatch(Over(&self.slope, ins, out));
        });
        Ok(())
    }
    pub fn value(mut self) -> Result<Array> {
        let wide = self.t.dtype() == DType::F64;
        if self.t.is_unique() && self.t.is_contiguous() {
            let mut t = std::mem::replace(&mut self.t, Array::new(S::NAME, Dims::new(), DType::Bool)?);
            match wide {
                true => self.over::<f64>(&mut t)?,
                false => self.over::<f32>(&mut t)?,
            }
            return Ok(t);
        }
        let mut out = Array::new(S::NAME, Dims::from_slice(self.t.shape()), self.t.dtype())?;
        match wide {
            true => self.onto::<f64, false>(&mut out)?,
            false => self.onto::<f32, false>(&mut out)?,
        }
        Ok(out)
    }
}
impl<S: Slope> Pending for Product<S> {
    fn value(self: Box<Self>) -> Result<Array> {
        Product::value(*self)
    }
    fn add_to(&self, sum: &mut Array) -> Result<bool> {
        if !sum.is_unique() || !sum.is_contiguous() || sum.dtype() != self.t.dtype() || sum.shape() != self.t.shape() {
            return Ok(false);
        }
        match sum.dtype() {
            DType::F64 => self.onto::<f64, true>(sum)?,
            _ => self.onto::<f32, true>(sum)?,
        }
        Ok(true)
    }
}
