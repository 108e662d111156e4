//! The family of elementwise ops with one input: say the function and its slope, and every rule follows.
use super::{
    binary::Binary,
    complex,
    product::{OfUnary, Product, WORTHWHILE},
    Map1, Prim,
};
use crate::{
    array::{Array, Strided},
    dtype::{DType, Element},
    error::{Error, Result},
    kernels::{
        cast::cast,
        isa::{dispatch, Kernel},
        map::{zip, Source},
    },
    math::Real,
    num::{Expr, FullRange, Num},
    op::{one, Arrays, Call, Locality, Op, Pair, Room, Saved, Saves, Share, Shares, Slopes, Values, Which},
    shape::{show, Dims},
    trace::{apply, on_one_tape, recorded, weak_zeros, Value},
};
use num_complex::Complex;
use std::fmt::Debug;

/// Which side of `y = f(x)` the slope is written in. That side is what the tape keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Of {
    Input,
    Output,
    /// The slope is this number everywhere.
    Constant(f64),
}

/// An elementwise function of one input.
pub trait Unary: Copy + Debug + PartialEq + Send + Sync + 'static
where
    Map1<Self>: Into<Prim>,
{
    const NAME: &'static str;
    const SLOPE: Of;
    /// Rough number of elementary operations per element; decides when threads pay.
    const COST: usize = 8;
    /// Used so seldom that AVX-512 gets no loops of its own.
    const RARE: bool = false;
    fn f<T: Real>(&self, x: T) -> T;
    /// dy/dx, in terms of `x` or of `y` as `SLOPE` says. Written once; runs over numbers and over traced values.
    fn slope<N: Num>(&self, v: N) -> N;
    /// Whether `f` (and `slope`, read from the input) hold here; elsewhere `full` is used.
    #[inline(always)]
    fn fits<T: Real>(&self, _x: T) -> bool {
        true
    }
    const LIMITED: bool = false;
    /// Whether the slope, too, holds only where `fits` says.
    const SLOPE_LIMITED: bool = Self::LIMITED && matches!(Self::SLOPE, Of::Input);
    fn full<T: Real>(&self, x: T) -> T {
        self.f(x)
    }
    /// Whether a slope of 0 says that the input is not used, so that nothing infinite comes through it in any mode.
    const GATES: bool = false;
    /// The function on integers, where it stays among them; other ops convert integers to floats first.
    const ON_INTEGERS: bool = false;
    fn integer(&self, x: i64) -> i64 {
        x
    }
    /// The dtype of the function of booleans, which count as 0 and 1, where it takes them.
    const ON_BOOLEANS: Option<DType> = None;
    /// The function on complex numbers (values only).
    const ON_COMPLEX: bool = false;
    fn complex(&self, z: Complex<f64>) -> Complex<f64> {
        z
    }
    /// Apply to a value of any dtype, integers converted as PyTorch does.
    fn of(self, x: &Value) -> Result<Value> {
        if let Some((level, [a])) = on_one_tape([x]) {
            if let Some(y) = small(&self, a) {
                return recorded(Map1(self), level, [x], y);
            }
        }
        if let (DType::Bool, Some(dtype)) = (x.dtype(), Self::ON_BOOLEANS) {
            return super::convert::to(&Map1(self).call(&[&super::convert::to(x, DType::I64)?])?, dtype);
        }
        if x.dtype().is_integral() && !Self::ON_INTEGERS {
            let x = super::convert::to(x, crate::trace::default_dtype())?;
            return Map1(self).call(&[&x]);
        }
        Map1(self).call(&[x])
    }
}

struct Apply<'a, E, T>(&'a E, &'a [T], &'a mut [T]);
/// Elements that are computed, or computed again, together: they stay in the nearest cache.
const LOOK: usize = 512;
#[inline(always)]
fn all_fit<E: Unary, T: Real>(e: &E, xs: &[T]) -> bool
where
    Map1<E>: Into<Prim>,
{
    let mut outside = T::Flag::default();
    for &x in xs {
        outside = outside | T::flag(!e.fits(x));
    }
    outside == T::Flag::default()
}
impl<E: Unary, T: Real> Kernel for Apply<'_, E, T>
where
    Map1<E>: Into<Prim>,
{
    type Out = ();
    const WIDE: bool = !E::RARE;
    #[inline(always)]
    fn run(self) {
        let Apply(e, x, y) = self;
        if !E::LIMITED {
            for (&x, y) in x.iter().zip(y) {
                *y = e.f(x);
            }
            return;
        }
        // One pass computes and looks; where something does not fit, the piece is computed again.
        for (x, y) in x.chunks(LOOK).zip(y.chunks_mut(LOOK)) {
            let mut outside = T::Flag::default();
            for (&x, y) in x.iter().zip(y.iter_mut()) {
                outside = outside | T::flag(!e.fits(x));
                *y = e.f(x);
            }
            if outside != T::Flag::default() {
                for (&x, y) in x.iter().zip(y) {
                    *y = e.full(x);
                }
            }
        }
    }
}
/// `t * slope(v)`, strongly zero.
struct Scaled<'a, E, T>(&'a E, &'a [T], &'a [T], &'a mut [T]);
#[inline(always)]
pub(super) fn scaled<T: Real>(gates: bool, t: T, slope: T) -> T {
    if gates {
        t.gated(slope)
    } else {
        t.scaled(slope)
    }
}
impl<E: Unary, T: Real> Kernel for Scaled<'_, E, T>
where
    Map1<E>: Into<Prim>,
{
    type Out = ();
    const WIDE: bool = !E::RARE;
    #[inline(always)]
    fn run(self) {
        let Scaled(e, t, v, out) = self;
        if E::SLOPE_LIMITED && !all_fit(e, v) {
            for ((&t, &v), out) in t.iter().zip(v).zip(out) {
                *out = scaled(E::GATES, t, e.slope(FullRange(v)).0);
            }
            return;
        }
        for ((&t, &v), out) in t.iter().zip(v).zip(out) {
            *out = scaled(E::GATES, t, e.slope(v));
        }
    }
}
/// Value and tangent in one pass: the dual-number loop.
struct Dual<'a, E, T>(&'a E, &'a [T], &'a [T], &'a mut [T], &'a mut [T]);
impl<E: Unary, T: Real> Kernel for Dual<'_, E, T>
where
    Map1<E>: Into<Prim>,
{
    type Out = ();
    const WIDE: bool = !E::RARE;
    #[inline(always)]
    fn run(self) {
        let Dual(e, x, t, y, dy) = self;
        if E::LIMITED && !all_fit(e, x) {
            for (((&x, &t), y), dy) in x.iter().zip(t).zip(y).zip(dy) {
                *y = e.full(x);
                let slope = e.slope(FullRange(if matches!(E::SLOPE, Of::Output) { *y } else { x })).0;
                *dy = scaled(E::GATES, t, slope);
            }
            return;
        }
        for (((&x, &t), y), dy) in x.iter().zip(t).zip(y).zip(dy) {
            let value = e.f(x);
            *y = value;
            *dy = scaled(E::GATES, t, e.slope(if matches!(E::SLOPE, Of::Output) { value } else { x }));
        }
    }
}

/// The fast path for a handful of floats: no plan, one allocation.
#[inline]
fn small<E: Unary>(e: &E, x: &Array) -> Option<Array>
where
    Map1<E>: Into<Prim>,
{
    let mut y = x.small_like()?;
    match x.dtype() {
        DType::F64 => dispatch(Apply(e, x.slice::<f64>()?, y.slice_mut().ok()?)),
        DType::F32 => dispatch(Apply(e, x.slice::<f32>()?, y.slice_mut().ok()?)),
        _ => return None,
    }
    Some(y)
}
/// The fast path of `scale` for a handful of floats.
#[inline]
fn small_scaled<E: Unary>(e: &E, t: &Array, v: &Array) -> Option<Array>
where
    Map1<E>: Into<Prim>,
{
    let mut out = v.small_like()?;
    if t.len() != v.len() {
        return None;
    }
    match v.dtype() {
        DType::F64 => dispatch(Scaled(e, t.slice::<f64>()?, v.slice()?, out.slice_mut().ok()?)),
        DType::F32 => dispatch(Scaled(e, t.slice::<f32>()?, v.slice()?, out.slice_mut().ok()?)),
        _ => return None,
    }
    Some(out)
}
fn eval_real<E: Unary, T: Real + Element>(e: &E, x: Strided<T>, y: &mut [T])
where
    Map1<E>: Into<Prim>,
{
    zip([Source::of(x)], [y], E::COST, &|[x], [y]| dispatch(Apply(e, x, y)));
}
/// Integers of any width are computed in 64 bits and wrapped back.
fn eval_integer<E: Unary>(e: &E, x: &Array) -> Result<Array>
where
    Map1<E>: Into<Prim>,
{
    let wide = cast(E::NAME, x, DType::I64)?;
    let mut y = Array::new(E::NAME, Dims::from_slice(x.shape()), DType::I64)?;
    let source = Source::of(wide.strided::<i64>()?);
    zip([source], [y.slice_mut::<i64>()?], 1, &|[x], [y]| x.iter().zip(y).for_each(|(&x, y)| *y = e.integer(x)));
    if x.dtype() == DType::I64 {
        Ok(y)
    } else {
        cast(E::NAME, &y, x.dtype())
    }
}
fn eval_complex<E: Unary>(e: &E, x: &Array) -> Result<Array>
where
    Map1<E>: Into<Prim>,
{
    let wide = cast(E::NAME, x, DType::C128)?;
    let mut y = Array::new(E::NAME, Dims::from_slice(x.shape()), DType::C128)?;
    let source = Source::of(wide.strided::<Complex<f64>>()?);
    zip([source], [y.slice_mut()?], E::COST, &|[x], [y]| x.iter().zip(y).for_each(|(&x, y)| *y = e.complex(x)));
    if x.dtype() == DType::C128 {
        Ok(y)
    } else {
        cast(E::NAME, &y, x.dtype())
    }
}
/// `t * slope(v)`: one fused pass over plain numbers, or recorded ops while someone is still watching.
///
/// `adjoint`: `t` is a cotangent, which meets the conjugate of a complex slope.
fn scale<E: Unary>(e: &E, t: &Value, v: &Value, adjoint: bool) -> Result<Value>
where
    Map1<E>: Into<Prim>,
{
    if let Of::Constant(c) = E::SLOPE {
        return times(t, c);
    }
    let (Value::Array(t), Value::Array(v), false) = (t, v, weak_zeros() || v.dtype().is_complex()) else {
        return complex::scaled(E::GATES, t, &e.slope(Expr::new(v)).finish(v)?, adjoint);
    };
    if let Some(out) = small_scaled(e, t, v) {
        return Ok(Value::Array(out));
    }
    Product::new(OfUnary(*e), t, Some(v), None, None)?.value().map(Value::Array)
}
/// `t * c`, for slopes that are the same everywhere.
pub(super) fn times(t: &Value, c: f64) -> Result<Value> {
    match c {
        // Strongly zero: an infinite cotangent does not pass.
        0.0 => Ok(Value::Array(Array::zeros("zeros_like", Dims::from_slice(t.shape()), t.dtype())?)),
        1.0 => Ok(t.clone()),
        -1.0 => Map1(super::arith::Neg).call(&[t]),
        c => super::arith::Mul::fixed(t, super::Fixed::Right(crate::dtype::Scalar::Float(c))),
    }
}

impl<E: Unary> Op for Map1<E>
where
    Map1<E>: Into<Prim>,
{
    const NAME: &'static str = E::NAME;
    fn on_complex(&self) -> bool {
        E::ON_COMPLEX
    }
    fn reads_outputs(&self) -> bool {
        E::SLOPE == Of::Output
    }
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let (e, x) = (&self.0, xs[0]);
        match x.dtype() {
            DType::F32 | DType::F64 => {
                let mut y = Array::new(E::NAME, Dims::from_slice(x.shape()), x.dtype())?;
                if x.dtype() == DType::F64 {
                    eval_real::<E, f64>(e, x.strided()?, y.slice_mut()?);
                } else {
                    eval_real::<E, f32>(e, x.strided()?, y.slice_mut()?);
                }
                Ok(one(y))
            }
            d if d.is_complex() && E::ON_COMPLEX => Ok(one(eval_complex(e, x)?)),
            d if d.is_integral() && d != DType::Bool && E::ON_INTEGERS => Ok(one(eval_integer(e, x)?)),
            d => Err(Error::dtype(
                E::NAME,
                format!("cannot take a {d} tensor of shape {}; convert it with .to(dtype) first", show(x.shape())),
            )),
        }
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let Some(t) = &ts[0] else { return Ok(one(None)) };
        Ok(one(Some(scale(&self.0, t, if E::SLOPE == Of::Output { &ys[0] } else { &xs[0] }, false)?)))
    }
    fn saves(&self, _: Which) -> Saves {
        match E::SLOPE {
            Of::Input => Saves::INPUTS,
            Of::Output => Saves::OUTPUTS,
            Of::Constant(_) => Saves::NOTHING,
        }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(one(None)) };
        Ok(one(Some(match E::SLOPE {
            Of::Constant(c) => times(g, c)?,
            Of::Input => scale(&self.0, g, at.input(0)?, true)?,
            Of::Output => scale(&self.0, g, at.output(0)?, true)?,
        })))
    }
    fn shares(&self, at: &mut Saved, gs: &[Option<Value>]) -> Option<Result<Shares>> {
        let Some(Value::Array(g)) = &gs[0] else { return None };
        if g.len() < WORTHWHILE || E::SLOPE == Of::Constant(1.0) || weak_zeros() || !g.dtype().is_float() {
            return None;
        }
        let v = at.kept(0).or(at.made(0));
        let v = match (E::SLOPE, v) {
            (Of::Constant(_), _) => None,
            (_, Some(Value::Array(v))) => Some(v),
            _ => return None,
        };
        let product = Product::new(OfUnary(self.0), g, v, None, None);
        Some(product.map(|p| one(Some(Share::Pending(Box::new(p))))))
    }
    fn batch(&self, xs: &[Value], _: Which, _: usize) -> Result<Values> {
        apply(*self, &[&xs[0]])
    }
    fn dual(&self, xs: &[&Array], ts: &[Option<&Array>], room: Room) -> Option<Result<Pair>> {
        fn run<E: Unary, T: Real + Element>(e: &E, x: &Array, t: &Array, room: Room) -> Result<Pair>
        where
            Map1<E>: Into<Prim>,
        {
            let (mut y, mut dy) = (room(0)?, room(1)?);
            let sources = [Source::of(x.strided::<T>()?), Source::of(t.strided::<T>()?)];
            zip(sources, [y.slice_mut::<T>()?, dy.slice_mut::<T>()?], 2 * E::COST, &|[x, t], [y, dy]| {
                dispatch(Dual(e, x, t, y, dy));
            });
            Ok([y, dy])
        }
        match (ts[0].filter(|_| !weak_zeros())?, xs[0].dtype()) {
            (t, DType::F32) => Some(run::<E, f32>(&self.0, xs[0], t, room)),
            (t, DType::F64) => Some(run::<E, f64>(&self.0, xs[0], t, room)),
            _ => None,
        }
    }
}
