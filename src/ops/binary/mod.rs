//! The family of elementwise ops with two inputs of one shape and dtype, or one input and a plain number.
mod numbers;
mod scale;

use super::{
    complex, expand,
    product::{OfBinary, Product, WORTHWHILE},
    unary::times,
    Fixed, Map2, Prim,
};
use crate::{
    array::Array,
    dtype::{DType, Element, Promotion, Scalar},
    error::{Error, Result},
    kernels::{
        isa::dispatch,
        map::{zip, Source},
    },
    math::Real,
    num::{Expr, Num},
    op::{add, one, Arrays, Call, Form, Locality, Op, Pair, Room, Saved, Saves, Share, Shares, Slopes, Values, Which},
    shape::{show, Dims},
    trace::{default_dtype, on_one_tape, recorded, weak_zeros, Value},
};
use num_complex::Complex;
pub use numbers::slope;
use numbers::{both, eval_complex, eval_integer, eval_real, small, small_scaled, Dual};
pub use scale::Scale;
use std::fmt::Debug;

/// What a partial derivative reads; only that is kept on the tape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reads {
    /// The slope is this number everywhere.
    Constant(f64),
    First,
    Second,
    Both,
}
impl Reads {
    fn which(self) -> Which {
        match self {
            Reads::Constant(_) => Which::NONE,
            Reads::First => Which(1),
            Reads::Second => Which(2),
            Reads::Both => Which(3),
        }
    }
}

/// An elementwise function of two inputs.
pub trait Binary: Copy + Debug + PartialEq + Send + Sync + Default + 'static
where
    Map2<Self>: Into<Prim>,
{
    const NAME: &'static str;
    /// What the slopes with respect to the first and the second input read.
    const READS: [Reads; 2];
    const COST: usize = 1;
    /// Used so seldom that AVX-512 gets no loops of its own.
    const RARE: bool = false;
    /// Linear in each of its two inputs.
    const FORM: Form = Form::General;
    fn f<T: Real>(&self, a: T, b: T) -> T;
    /// ∂y/∂a. Not called where it is constant.
    fn slope_a<N: Num>(&self, a: N, b: N) -> N;
    /// ∂y/∂b.
    fn slope_b<N: Num>(&self, a: N, b: N) -> N;
    /// Whether `quick_b` says the same as `slope_b` at less cost for all operands that `fits_b`.
    const QUICK_B: bool = false;
    #[inline(always)]
    fn fits_b<T: Real>(&self, _b: T) -> bool {
        true
    }
    #[inline(always)]
    fn quick_b<T: Real>(&self, a: T, b: T) -> T {
        self.slope_b(a, b)
    }
    /// Whether a slope of 0 on this side says that its input is not used, so that nothing infinite comes through it.
    #[inline(always)]
    fn gates<const SIDE: usize>(&self) -> bool {
        false
    }
    /// The function on integers, where it stays among them; other ops convert integers to floats first.
    const ON_INTEGERS: bool = false;
    fn integer(&self, a: i64, _b: i64) -> i64 {
        a
    }
    /// Whether booleans count as 0 and 1.
    const ON_BOOLEANS: bool = true;
    /// A number that must not stand on the right among integers (a zero divisor).
    fn forbids(&self, _b: i64) -> bool {
        false
    }
    const ON_COMPLEX: bool = false;
    fn complex(&self, a: Complex<f64>, _b: Complex<f64>) -> Complex<f64> {
        a
    }
    /// The op on two tensors of any shapes and dtypes: promoted and broadcast as PyTorch does.
    fn of(a: &Value, b: &Value) -> Result<Value> {
        if let Some(z) = Self::of_small(a, b) {
            return z;
        }
        if a.len() >= WORTHWHILE && a == b {
            if let Some(y) = Self::alike(a) {
                return y;
            }
        }
        let op = Map2::<Self>::default();
        if a.dtype() == b.dtype() && a.shape() == b.shape() && (Self::ON_INTEGERS || !a.dtype().is_integral()) {
            return op.call(&[a, b]);
        }
        let mut dtype =
            Promotion::default().tensor(a.dtype(), a.rank()).tensor(b.dtype(), b.rank()).result(default_dtype());
        if dtype.is_integral() && !Self::ON_INTEGERS {
            dtype = default_dtype();
        }
        let (a, b) = (super::convert::to(a, dtype)?, super::convert::to(b, dtype)?);
        let (a, b) = expand::pair(Self::NAME, &a, &b)?;
        op.call(&[&a, &b])
    }
    /// The op on one value twice, where another op does that in fewer passes over memory.
    fn alike(_: &Value) -> Option<Result<Value>> {
        None
    }
    /// The op on a handful of floats that no more than one tape watches; `None` for all else.
    #[inline]
    fn of_small(a: &Value, b: &Value) -> Option<Result<Value>> {
        let op = Map2::<Self>::default();
        let (level, [x, y]) = on_one_tape([a, b])?;
        let z = small(&op, x, Some(y))?;
        Some(recorded(op, level, [a, b], z))
    }
    /// The op on a tensor and a plain number, which takes the tensor's type where it can.
    fn fixed(x: &Value, number: Fixed) -> Result<Value> {
        let (Fixed::Left(s) | Fixed::Right(s)) = number else {
            return Err(Error::graph(Self::NAME, "needs a number"));
        };
        let op = Map2::with(Self::default(), number);
        if let (Some((level, [a])), Scalar::Float(_) | Scalar::Int(_), Some(op)) = (on_one_tape([x]), s, op) {
            if let Some(z) = small(&op, a, None) {
                return recorded(op, level, [x], z);
            }
        }
        let mut dtype = Promotion::default().tensor(x.dtype(), x.rank()).number(s.category()).result(default_dtype());
        if dtype.is_integral() && !Self::ON_INTEGERS {
            dtype = default_dtype();
        }
        let x = super::convert::to(x, dtype)?;
        if let Some(op) = op {
            return op.call(&[&x]);
        }
        let s = Value::Array(Array::full(Self::NAME, Dims::new(), dtype, s)?);
        match number {
            Fixed::Left(_) => Self::of(&s, &x),
            _ => Self::of(&x, &s),
        }
    }
}

/// `t * ∂y/∂side`: one fused pass over plain numbers, or recorded ops while someone is watching.
/// `a`, `b`: the operands, where the slope reads them; `adjoint`: `t` is a cotangent, which meets the conjugate of a
/// complex slope.
fn scale<E: Binary, const SIDE: usize>(
    op: &Map2<E>,
    t: &Value,
    a: Option<&Value>,
    b: Option<&Value>,
    adjoint: bool,
) -> Result<Value>
where
    Map2<E>: Into<Prim>,
{
    if let Reads::Constant(c) = E::READS[SIDE] {
        return times(t, c);
    }
    if let (Value::Array(t), true) = (t, op.fixed() == Fixed::None && !weak_zeros()) {
        if let Some(out) = small_scaled::<E, SIDE>(&op.op, t, a, b) {
            return Ok(Value::Array(out));
        }
    }
    let plain = |v: Option<&Value>| v.is_none_or(|v| matches!(v, Value::Array(_)));
    let fused = plain(b) && !weak_zeros() && t.dtype().is_float();
    let (Value::Array(at), true, true) = (t, plain(a), fused) else {
        let operand = |v: Option<&Value>, s: Fixed| match (v, s) {
            (Some(v), _) => Expr::new(v),
            (None, Fixed::Left(s) | Fixed::Right(s)) => Expr::lit(s.to_f64()),
            (None, Fixed::None) => Expr::lit(0.0), // the slope does not read it
        };
        let (a, b) = (operand(a, op.fixed()), operand(b, op.fixed()));
        let slope = slope::<E, Expr, SIDE>(&op.op, a, b).finish(t)?;
        return complex::scaled(op.op.gates::<SIDE>(), t, &slope, adjoint);
    };
    let operand = |v: Option<&'_ Value>| v.and_then(Value::plain).cloned();
    let (a, b) = (operand(a), operand(b));
    product::<E, SIDE>(op, at, a.as_ref(), b.as_ref())?.value().map(Value::Array)
}
/// `t * ∂y/∂side` over plain numbers, still to be computed.
fn product<E: Binary, const SIDE: usize>(
    op: &Map2<E>,
    t: &Array,
    a: Option<&Array>,
    b: Option<&Array>,
) -> Result<Product<OfBinary<E, SIDE>>>
where
    Map2<E>: Into<Prim>,
{
    let number = match op.fixed() {
        Fixed::Left(s) | Fixed::Right(s) => Some(s.to_f64()),
        Fixed::None => None,
    };
    Product::new(OfBinary(op.op), t, a, b, number)
}

impl<E: Binary> Map2<E>
where
    Map2<E>: Into<Prim>,
{
    /// The side (0 first, 1 second) that input `i` stands on.
    fn side(&self, i: usize) -> usize {
        match self.fixed() {
            Fixed::Left(_) => 1,
            _ => i,
        }
    }
    fn slope_on(&self, side: usize, t: &Value, a: Option<&Value>, b: Option<&Value>, adjoint: bool) -> Result<Value> {
        // Constant slopes read nothing; leave out what is not read, so that it need not be there.
        let reads = E::READS[side].which();
        let (a, b) = (a.filter(|_| reads.has(0)), b.filter(|_| reads.has(1)));
        if side == 0 {
            scale::<E, 0>(self, t, a, b, adjoint)
        } else {
            scale::<E, 1>(self, t, a, b, adjoint)
        }
    }
}

impl<E: Binary> Op for Map2<E>
where
    Map2<E>: Into<Prim>,
{
    const NAME: &'static str = E::NAME;
    const FORM: Form = E::FORM;
    fn on_complex(&self) -> bool {
        E::ON_COMPLEX
    }
    fn reads_outputs(&self) -> bool {
        false
    }
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        if let Some(b) = xs.get(1) {
            if x.shape() != b.shape() || x.dtype() != b.dtype() {
                return Err(Error::shape(
                    E::NAME,
                    format!("cannot combine {} {} and {} {}", x.dtype(), show(x.shape()), b.dtype(), show(b.shape())),
                ));
            }
        }
        match x.dtype() {
            DType::F64 => {
                let mut y = Array::new(E::NAME, Dims::from_slice(x.shape()), DType::F64)?;
                eval_real::<E, f64>(self, xs, &mut y)?;
                Ok(one(y))
            }
            DType::F32 => {
                let mut y = Array::new(E::NAME, Dims::from_slice(x.shape()), DType::F32)?;
                eval_real::<E, f32>(self, xs, &mut y)?;
                Ok(one(y))
            }
            d if d.is_complex() && E::ON_COMPLEX => Ok(one(eval_complex(self, xs)?)),
            d if d.is_integral() && E::ON_INTEGERS && (E::ON_BOOLEANS || d != DType::Bool) => {
                Ok(one(eval_integer(self, xs)?))
            }
            d => Err(Error::dtype(
                E::NAME,
                format!("cannot take {d} tensors of shape {}; convert them with .to(dtype) first", show(x.shape())),
            )),
        }
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let (a, b) = match self.fixed() {
            Fixed::None => (Some(&xs[0]), Some(&xs[1])),
            Fixed::Left(_) => (None, Some(&xs[0])),
            Fixed::Right(_) => (Some(&xs[0]), None),
        };
        let mut sum = None;
        for (i, t) in ts.iter().enumerate() {
            if let Some(t) = t {
                sum = add(sum, Some(self.slope_on(self.side(i), t, a, b, false)?))?;
            }
        }
        Ok(one(sum))
    }
    fn saves(&self, needs: Which) -> Saves {
        let inputs = match self.fixed() {
            Fixed::None => {
                let wanted = |side: usize| if needs.has(side) { E::READS[side].which().0 } else { 0 };
                Which(wanted(0) | wanted(1))
            }
            Fixed::Left(_) => Which(u64::from(E::READS[1].which().has(1))),
            Fixed::Right(_) => Which(u64::from(E::READS[0].which().has(0))),
        };
        Saves { inputs, ..Saves::NOTHING }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(Slopes::from_iter([None, None])) };
        let saved = |i| at.kept(i);
        let (a, b) = match self.fixed() {
            Fixed::None => (saved(0), saved(1)),
            Fixed::Left(_) => (None, saved(0)),
            Fixed::Right(_) => (saved(0), None),
        };
        let inputs = if self.fixed() == Fixed::None { 2 } else { 1 };
        (0..inputs).map(|i| at.needs.has(i).then(|| self.slope_on(self.side(i), g, a, b, true)).transpose()).collect()
    }
    fn shares(&self, at: &mut Saved, gs: &[Option<Value>]) -> Option<Result<Shares>> {
        let Some(Value::Array(g)) = &gs[0] else { return None };
        if g.len() < WORTHWHILE || weak_zeros() || !g.dtype().is_float() {
            return None;
        }
        let (a, b) = match self.fixed() {
            Fixed::None => (at.kept(0), at.kept(1)),
            Fixed::Left(_) => (None, at.kept(0)),
            Fixed::Right(_) => (at.kept(0), None),
        };
        if [a, b].iter().flatten().any(|v| !matches!(v, Value::Array(_))) {
            return None;
        }
        let (a, b) = (a.and_then(Value::plain), b.and_then(Value::plain));
        if let (true, true, true, Some(a), Some(b)) = (E::QUICK_B, at.needs.has(0), at.needs.has(1), a, b) {
            if [a, b].iter().all(|v| v.shape() == g.shape() && v.dtype() == g.dtype()) {
                let (a, b) = (a.clone(), b.clone());
                // Where the node gave them up, these are the only handles now, and the products may take their place.
                drop((at.take(0), at.take(1)));
                let pair = match g.dtype() {
                    DType::F64 => both::<E, f64>(&self.op, g, a, b),
                    _ => both::<E, f32>(&self.op, g, a, b),
                };
                return Some(pair.map(|pair| pair.map(|g| Some(Share::Value(Value::Array(g)))).into_iter().collect()));
            }
        }
        let share = |side: usize| -> Result<Share> {
            let reads = E::READS[side].which();
            let (a, b) = (a.filter(|_| reads.has(0)), b.filter(|_| reads.has(1)));
            Ok(match (E::READS[side], side) {
                (Reads::Constant(1.0), _) => Share::Value(Value::Array(g.clone())),
                (_, 0) => Share::Pending(Box::new(product::<E, 0>(self, g, a, b)?)),
                _ => Share::Pending(Box::new(product::<E, 1>(self, g, a, b)?)),
            })
        };
        let inputs = if self.fixed() == Fixed::None { 2 } else { 1 };
        Some((0..inputs).map(|i| at.needs.has(i).then(|| share(self.side(i))).transpose()).collect())
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        crate::op::batch_all(*self, xs, batched, n)
    }
    fn dual(&self, xs: &[&Array], ts: &[Option<&Array>], room: Room) -> Option<Result<Pair>> {
        fn run<E: Binary, T: Real + Element>(op: &Map2<E>, xs: &[&Array], ts: Pair<&Array>, room: Room) -> Result<Pair>
        where
            Map2<E>: Into<Prim>,
        {
            let (mut y, mut dy) = (room(0)?, room(1)?);
            let sources = [
                Source::of(xs[0].strided::<T>()?),
                Source::of(xs[1].strided::<T>()?),
                Source::of(ts[0].strided::<T>()?),
                Source::of(ts[1].strided::<T>()?),
            ];
            zip(sources, [y.slice_mut::<T>()?, dy.slice_mut::<T>()?], 3 * E::COST, &|ins, [y, dy]| {
                dispatch(Dual(&op.op, ins, y, dy));
            });
            Ok([y, dy])
        }
        if weak_zeros() {
            return None;
        }
        let (Some(&Some(ta)), Some(&Some(tb)), Fixed::None) = (ts.first(), ts.get(1), self.fixed()) else {
            return None;
        };
        if xs[0].shape() != xs[1].shape() || xs[0].dtype() != xs[1].dtype() {
            return None;
        }
        match xs[0].dtype() {
            DType::F32 => Some(run::<E, f32>(self, xs, [ta, tb], room)),
            DType::F64 => Some(run::<E, f64>(self, xs, [ta, tb], room)),
            _ => None,
        }
    }
}
