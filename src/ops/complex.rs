//! Complex numbers as pairs of real ones, and their conjugates: all that is not holomorphic is made of these.
//!
//! The gradient of a real L with respect to z = x + iy is ∂L/∂x + i·∂L/∂y, as in PyTorch: so cotangents are adjoints with
//! respect to the real inner product, and holomorphic ops multiply by the conjugate of their slope.
use crate::{
    array::Array,
    error::{Error, Result},
    kernels::cast::cast,
    op::{linear, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    ops::{arith::Mul, binary::Binary},
    shape::{show, Dims, Strides},
    trace::{apply, Value},
};

/// A view of complex numbers as pairs (real, imaginary) in a new last axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsReal;
/// Pairs (real, imaginary) in the last axis as complex numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsComplex;
/// The complex conjugate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conj;

macro_rules! real_linear {
    ($transpose:ident) => {
        fn on_complex(&self) -> bool {
            true
        }
        fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
            linear(self, ts)
        }
        fn saves(&self, _: Which) -> Saves {
            Saves::NOTHING
        }
        fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
            linear(&$transpose, gs)
        }
        fn batch(&self, xs: &[Value], _: Which, _: usize) -> Result<Values> {
            apply(*self, &[&xs[0]])
        }
    };
}
impl Op for AsReal {
    const NAME: &'static str = "view_as_real";
    fn locality(&self) -> Locality {
        Locality::Pairs
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0];
        x.reinterpret(x.dtype().real()).filter(|_| x.dtype().is_complex()).map(one).ok_or_else(|| {
            Error::dtype(Self::NAME, format!("needs a complex tensor, not {} of shape {}", x.dtype(), show(x.shape())))
        })
    }
    real_linear!(AsComplex);
}
impl Op for AsComplex {
    const NAME: &'static str = "view_as_complex";
    fn locality(&self) -> Locality {
        Locality::Pairs
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let x = xs[0].contiguous(Self::NAME)?;
        x.reinterpret(x.dtype().complex()).filter(|_| x.dtype().is_float()).map(one).ok_or_else(|| {
            Error::shape(Self::NAME, format!("needs a float tensor whose last dimension is 2, not {:?}", xs[0]))
        })
    }
    real_linear!(AsReal);
}
impl Op for Conj {
    const NAME: &'static str = "conj";
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let wide = cast(Self::NAME, xs[0], crate::dtype::DType::C128)?;
        let numbers: Vec<_> = wide.to_vec::<num_complex::Complex<f64>>()?.iter().map(|z| z.conj()).collect();
        let y = Array::from_shape(wide.dtype(), Dims::from_slice(xs[0].shape()), &numbers)?;
        Ok(one(if xs[0].dtype() == y.dtype() { y } else { cast(Self::NAME, &y, xs[0].dtype())? }))
    }
    real_linear!(Conj);
}

/// The conjugate of a complex value; any other value itself.
pub fn conj(x: &Value) -> Result<Value> {
    match x.dtype().is_complex() {
        true => Conj.call(&[x]),
        false => Ok(x.clone()),
    }
}
/// The real (0) or imaginary (1) part, a view of the same memory.
pub fn part(op: &'static str, x: &Value, which: usize) -> Result<Value> {
    let pairs = AsReal.call(&[x]).map_err(|e| e.named(op))?;
    if let Value::Array(pairs) = &pairs {
        let rank = pairs.rank() - 1;
        let (shape, strides) =
            (Dims::from_slice(&pairs.shape()[..rank]), Strides::from_slice(&pairs.strides()[..rank]));
        return Ok(Value::Array(pairs.view(op, shape, strides, which as isize)?));
    }
    let shape = Dims::from_slice(x.shape());
    super::reshape::reshape(&super::views::narrow(&pairs, shape.len(), which, 1)?, &shape)
}
/// Complex numbers from real and imaginary parts of one shape and dtype.
pub fn joined(real: &Value, imag: &Value) -> Result<Value> {
    AsComplex.call(&[&super::join::stack(&[real.clone(), imag.clone()], real.rank())?])
}
/// `t * slope` with the conjugate of the slope for cotangents, strongly zero; `gates`: on both sides.
pub fn scaled(gates: bool, t: &Value, slope: &Value, adjoint: bool) -> Result<Value> {
    let slope = if adjoint { conj(slope)? } else { slope.clone() };
    match crate::trace::weak_zeros() {
        true => Mul::of(t, &slope),
        false => super::binary::Scale::by(gates, t, &slope),
    }
}
