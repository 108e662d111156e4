//! Elements limited to an interval between two numbers.
use super::unary::{Of, Unary};
use crate::{math::Real, num::Num};

/// min(max(x, low), high); a limit that is NaN leaves no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    low: f64,
    high: f64,
    /// Whether the slope on the limits is 1, as that of `clamp`, or 0, as that of `hardtanh`.
    closed: bool,
}
impl Limit {
    /// With the slope of `clamp`; a limit that is left out is infinite.
    pub fn closed(low: Option<f64>, high: Option<f64>) -> Limit {
        Limit { low: low.unwrap_or(f64::NEG_INFINITY), high: high.unwrap_or(f64::INFINITY), closed: true }
    }
    /// With the slope of `hardtanh`.
    pub fn open(low: f64, high: f64) -> Limit {
        Limit { low, high, closed: false }
    }
}
impl Unary for Limit {
    const NAME: &'static str = "clamp";
    const SLOPE: Of = Of::Input;
    const GATES: bool = true;
    const COST: usize = 2;
    #[inline(always)]
    fn f<T: Real>(&self, x: T) -> T {
        x.max(<T as Real>::lit(self.low)).min(<T as Real>::lit(self.high))
    }
    #[inline(always)]
    fn slope<N: Num>(&self, v: N) -> N {
        let (low, high, zero, one) = (N::lit(self.low), N::lit(self.high), N::lit(0.0), N::lit(1.0));
        let inside = N::select(low.less(&v), N::select(v.less(&high), one.clone(), zero.clone()), zero.clone());
        if !self.closed {
            return inside;
        }
        let on_low = N::select(v.equals(&low), one.clone(), inside);
        let on_either = N::select(v.equals(&high), one, on_low);
        // Where the lower limit is above the upper one, nothing comes through.
        if self.low <= self.high {
            on_either
        } else {
            zero
        }
    }
    const ON_INTEGERS: bool = true;
    fn integer(&self, x: i64) -> i64 {
        // Casts saturate, so that infinite limits are none.
        x.max(self.low as i64).min(self.high as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn slopes_on_and_beyond_the_limits() {
        let slopes = |l: Limit| [-2.0, -1.0, 0.5, 1.0, 2.0, f64::NAN].map(|x| l.slope(x));
        assert_eq!(slopes(Limit::closed(Some(-1.0), Some(1.0))), [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(slopes(Limit::open(-1.0, 1.0)), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(slopes(Limit::closed(None, Some(1.0))), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(slopes(Limit::closed(Some(1.0), Some(-1.0))), [0.0; 6]);
        assert_eq!(Limit::closed(None, None).slope(f64::INFINITY), 1.0);
        assert_eq!(Limit::closed(Some(1.0), Some(-1.0)).f(0.5), -1.0);
        assert!(Limit::closed(Some(f64::NAN), None).f(0.5).is_nan());
    }
}
