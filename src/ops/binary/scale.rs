//! `scale`: the product of all chain rules.
use super::{super::unary::scaled, Binary, Reads};
use crate::{
    dtype::Promotion,
    error::Result,
    math::Real,
    num::Num,
    op::{Call, Form},
    ops::{convert, expand, Map2},
    trace::{default_dtype, Value},
};
use num_complex::Complex;

/// `t * s`, strongly zero: 0 where `t` is 0, whatever `s` is; with `gates`, also where `s` is 0, whatever `t` is. The
/// product of all chain rules. Its own slopes are those of a product, so that what the zero leaves out stays left out at
/// every order.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Scale {
    gates: bool,
}
impl Scale {
    /// `t * slope`, where the slope may say that its input is not used.
    pub fn by(gates: bool, t: &Value, slope: &Value) -> Result<Value> {
        if !gates {
            return Scale::of(t, slope);
        }
        let (t, slope) = expand::pair(Self::NAME, t, slope)?;
        let dtype = Promotion::default().tensor(t.dtype(), 1).tensor(slope.dtype(), 1).result(default_dtype());
        let op = Map2 { op: Scale { gates }, ..Map2::default() };
        op.call(&[&convert::to(&t, dtype)?, &convert::to(&slope, dtype)?])
    }
}
impl Binary for Scale {
    const NAME: &'static str = "scale";
    const FORM: Form = Form::Product;
    const READS: [Reads; 2] = [Reads::Second, Reads::First];
    const ON_COMPLEX: bool = true;
    #[inline(always)]
    fn f<T: Real>(&self, t: T, s: T) -> T {
        scaled(self.gates, t, s)
    }
    #[inline(always)]
    fn gates<const SIDE: usize>(&self) -> bool {
        SIDE == 1 || self.gates
    }
    #[inline(always)]
    fn slope_a<N: Num>(&self, _: N, s: N) -> N {
        s
    }
    #[inline(always)]
    fn slope_b<N: Num>(&self, t: N, _: N) -> N {
        t
    }
    fn complex(&self, t: Complex<f64>, s: Complex<f64>) -> Complex<f64> {
        if t == Complex::default() || (self.gates && s == Complex::default()) {
            Complex::default()
        } else {
            t * s
        }
    }
}
