//! temp
use std::fmt::Debug;
use std::ops::*;
pub trait Real: Copy + PartialEq + PartialOrd + Send + Sync + Debug + Default + Add<Output=Self> + Sub<Output=Self> + Mul<Output=Self> + Div<Output=Self> + Neg<Output=Self> + 'static {
    fn lit(c: f64) -> Self; fn to_f64(self)->f64; fn is_nan(self)->bool; fn mul_add(self,a:Self,b:Self)->Self;
    fn select(c: bool, a:Self, b:Self)->Self; fn max(self,o:Self)->Self; fn min(self,o:Self)->Self; fn sign(self)->Self; fn copysign(self,o:Self)->Self;
    fn abs(self)->Self; fn sqrt(self)->Self; fn floor(self)->Self; fn ceil(self)->Self; fn trunc(self)->Self; fn round(self)->Self;
    fn exp(self)->Self; fn exp2(self)->Self; fn expm1(self)->Self; fn ln(self)->Self; fn log2(self)->Self; fn log10(self)->Self; fn log1p(self)->Self;
    fn sin(self)->Self; fn cos(self)->Self; fn tan(self)->Self; fn asin(self)->Self; fn acos(self)->Self; fn atan(self)->Self; fn sinh(self)->Self; fn cosh(self)->Self; fn tanh(self)->Self; fn asinh(self)->Self; fn acosh(self)->Self; fn atanh(self)->Self;
    fn sigmoid(self)->Self; fn log_sigmoid(self)->Self; fn erf(self)->Self; fn erfc(self)->Self; fn ndtr(self)->Self; fn pow(self,y:Self)->Self; fn atan2(self,x:Self)->Self; fn hypot(self,y:Self)->Self; fn logaddexp(self,y:Self)->Self; fn fmod(self,y:Self)->Self; fn remainder(self,y:Self)->Self; fn floor_divide(self,y:Self)->Self; fn rsqrt(self)->Self; fn reciprocal(self)->Self;
    fn sin_fits(self)->bool; fn sin_any(self)->Self; fn cos_fits(self)->bool; fn cos_any(self)->Self; fn tan_fits(self)->bool; fn tan_any(self)->Self;
}
macro_rules! imp { ($t:ident) => { impl Real for $t {
    #[inline(always)] fn lit(c: f64) -> Self { c as $t } fn to_f64(self)->f64 { self as f64 } #[inline(always)] fn is_nan(self)->bool { self != self } fn mul_add(self,a:Self,b:Self)->Self { $t::mul_add(self,a,b) }
    #[inline(always)] fn select(c: bool, a:Self, b:Self)->Self { if c {a} else {b} } fn max(self,o:Self)->Self { if self.is_nan()||o.is_nan() {$t::NAN} else {$t::max(self,o)} } fn min(self,o:Self)->Self { if self.is_nan()||o.is_nan() {$t::NAN} else {$t::min(self,o)} } fn sign(self)->Self { if self>0.0 {1.0} else if self<0.0 {-1.0} else {self*0.0+self} } fn copysign(self,o:Self)->Self { $t::copysign(self,o) }
    fn abs(self)->Self{$t::abs(self)} fn sqrt(self)->Self{$t::sqrt(self)} fn floor(self)->Self{$t::floor(self)} fn ceil(self)->Self{$t::ceil(self)} fn trunc(self)->Self{$t::trunc(self)} fn round(self)->Self{$t::round_ties_even(self)}
    fn exp(self)->Self{$t::exp(self)} fn exp2(self)->Self{$t::exp2(self)} fn expm1(self)->Self{$t::exp_m1(self)} fn ln(self)->Self{$t::ln(self)} fn log2(self)->Self{$t::log2(self)} fn log10(self)->Self{$t::log10(self)} fn log1p(self)->Self{$t::ln_1p(self)}
    fn sin(self)->Self{$t::sin(self)} fn cos(self)->Self{$t::cos(self)} fn tan(self)->Self{$t::tan(self)} fn asin(self)->Self{$t::asin(self)} fn acos(self)->Self{$t::acos(self)} fn atan(self)->Self{$t::atan(self)} fn sinh(self)->Self{$t::sinh(self)} fn cosh(self)->Self{$t::cosh(self)} fn tanh(self)->Self{$t::tanh(self)} fn asinh(self)->Self{$t::asinh(self)} fn acosh(self)->Self{$t::acosh(self)} fn atanh(self)->Self{$t::atanh(self)}
    fn sigmoid(self)->Self{1.0/(1.0+$t::exp(-self))} fn log_sigmoid(self)->Self{$t::min(self,0.0)-$t::ln_1p($t::exp(-$t::abs(self)))} fn erf(self)->Self{self} fn erfc(self)->Self{self} fn ndtr(self)->Self{self} fn pow(self,y:Self)->Self{$t::powf(self,y)} fn atan2(self,x:Self)->Self{$t::atan2(self,x)} fn hypot(self,y:Self)->Self{$t::hypot(self,y)} fn logaddexp(self,y:Self)->Self{let m=$t::max(self,y); m+$t::ln_1p($t::exp(-$t::abs(self-y)))} fn fmod(self,y:Self)->Self{self%y} fn remainder(self,y:Self)->Self{self-y*(self/y).floor()} fn floor_divide(self,y:Self)->Self{(self/y).floor()} fn rsqrt(self)->Self{1.0/$t::sqrt(self)} fn reciprocal(self)->Self{1.0/self}
    fn sin_fits(self)->bool{true} fn sin_any(self)->Self{$t::sin(self)} fn cos_fits(self)->bool{true} fn cos_any(self)->Self{$t::cos(self)} fn tan_fits(self)->bool{true} fn tan_any(self)->Self{$t::tan(self)}
} } }
imp!(f32); imp!(f64);
