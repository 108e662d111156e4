//! Conversion between element types, as C and PyTorch convert: floats truncate to integers, anything non-zero is true.
use super::map::{zip, Source};
use crate::{
    array::Array,
    dtype::{DType, Element},
    error::Result,
    shape::Dims,
    with_element,
};
use num_complex::Complex;

/// A number on its way from one element type to another.
trait Convert<U>: Element {
    fn convert(self) -> U;
}
macro_rules! plain { ($($t:ty => $($u:ty)*;)*) => { $($(
    impl Convert<$u> for $t { #[inline(always)] fn convert(self) -> $u { self as $u } }
)*)* } }
plain! {
    u8 => u8 i32 i64 f32 f64; i32 => u8 i32 i64 f32 f64; i64 => u8 i32 i64 f32 f64;
    f32 => i32 i64 f32 f64; f64 => i32 i64 f32 f64;
}
// Through i64, so that negative numbers wrap around instead of saturating at zero.
macro_rules! to_byte { ($($t:ty)*) => { $(
    impl Convert<u8> for $t { #[inline(always)] fn convert(self) -> u8 { self as i64 as u8 } }
)* } }
to_byte! { f32 f64 }
macro_rules! complex { ($($r:ty)*) => { $(
    impl Convert<Complex<$r>> for u8 { #[inline(always)] fn convert(self) -> Complex<$r> { Complex::new(self as $r, 0.0) } }
    impl Convert<Complex<$r>> for i32 { #[inline(always)] fn convert(self) -> Complex<$r> { Complex::new(self as $r, 0.0) } }
    impl Convert<Complex<$r>> for i64 { #[inline(always)] fn convert(self) -> Complex<$r> { Complex::new(self as $r, 0.0) } }
    impl Convert<Complex<$r>> for f32 { #[inline(always)] fn convert(self) -> Complex<$r> { Complex::new(self as $r, 0.0) } }
    impl Convert<Complex<$r>> for f64 { #[inline(always)] fn convert(self) -> Complex<$r> { Complex::new(self as $r, 0.0) } }
    impl<R: Copy> Convert<$r> for Complex<R> where Complex<R>: Element, R: Convert<$r> {
        #[inline(always)] fn convert(self) -> $r { self.re.convert() }
    }
    impl<R: Copy> Convert<Complex<$r>> for Complex<R> where Complex<R>: Element, R: Convert<$r> {
        #[inline(always)] fn convert(self) -> Complex<$r> { Complex::new(self.re.convert(), self.im.convert()) }
    }
)* } }
complex! { f32 f64 }
macro_rules! from_complex { ($($u:ty)*) => { $(
    impl<R: Copy> Convert<$u> for Complex<R> where Complex<R>: Element, R: Convert<$u> {
        #[inline(always)] fn convert(self) -> $u { self.re.convert() }
    }
)* } }
from_complex! { u8 i32 i64 }

fn to_bool<T: Element>(x: &Array, out: &mut Array) -> Result<()> {
    zip([Source::of(x.strided::<T>()?)], [out.slice_mut::<u8>()?], 1, &|[x], [y]| {
        x.iter().zip(y).for_each(|(&x, y)| *y = u8::from(x != T::default()));
    });
    Ok(())
}
fn between<T: Convert<U>, U: Element>(x: &Array, out: &mut Array) -> Result<()> {
    zip([Source::of(x.strided::<T>()?)], [out.slice_mut::<U>()?], 1, &|[x], [y]| {
        x.iter().zip(y).for_each(|(&x, y)| *y = x.convert());
    });
    Ok(())
}

/// A contiguous copy of `x` with elements of type `dtype`.
pub fn cast(op: &'static str, x: &Array, dtype: DType) -> Result<Array> {
    if x.dtype() == dtype {
        return x.copied(op);
    }
    let mut out = Array::new(op, Dims::from_slice(x.shape()), dtype)?;
    with_element!(x.dtype(), T => match dtype {
        DType::Bool => to_bool::<T>(x, &mut out),
        DType::U8 => between::<T, u8>(x, &mut out),
        DType::I32 => between::<T, i32>(x, &mut out),
        DType::I64 => between::<T, i64>(x, &mut out),
        DType::F32 => between::<T, f32>(x, &mut out),
        DType::F64 => between::<T, f64>(x, &mut out),
        DType::C64 => between::<T, Complex<f32>>(x, &mut out),
        DType::C128 => between::<T, Complex<f64>>(x, &mut out),
    })?;
    Ok(out)
}
