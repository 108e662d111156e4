//! Products of complex matrices from four of real ones: the kernels of real numbers are the fast ones, and enough.
use super::matmul::batch_offsets;
use crate::{
    array::{room, Array, Strided},
    dtype::Element,
    error::{Error, Result},
    kernels::matmul::{matmul, MatRef, Scalar},
};
use num_complex::Complex;
use std::ops::{Add, Sub};

/// The real (0) or imaginary (1) parts of one matrix of a stack, which lies as pairs in memory.
fn part<'a, T: Copy>(pairs: &Strided<'a, T>, offset: usize, which: usize) -> MatRef<'a, T> {
    let r = pairs.shape.len() - 1;
    MatRef {
        data: pairs.data,
        offset: offset + which,
        rows: pairs.shape[r - 2],
        cols: pairs.shape[r - 1],
        row_stride: pairs.strides[r - 2],
        col_stride: pairs.strides[r - 1],
    }
}
/// `y = a · b` of stacks of complex matrices, `y` contiguous.
pub fn complex_product<T>(a: &Array, b: &Array, y: &mut Array) -> Result<()>
where
    T: Scalar + Add<Output = T> + Sub<Output = T> + Default,
    Complex<T>: Element,
{
    let real = y.dtype().real();
    let pairs = |x: &Array| {
        x.reinterpret(real).ok_or_else(|| Error::dtype("matmul", format!("{} matrices have no parts", x.dtype())))
    };
    let (a, b) = (pairs(a)?, pairs(b)?);
    let (a, b) = (a.strided::<T>()?, b.strided::<T>()?);
    let r = a.shape.len() - 1;
    let (m, n) = (a.shape[r - 2], b.shape[r - 1]);
    let out = y.slice_mut::<Complex<T>>()?;
    let count = out.len() / (m * n).max(1);
    let (at_a, at_b) = (batch_offsets(&a, r - 2, count), batch_offsets(&b, r - 2, count));
    room("matmul", 3 * m * n * real.size())?;
    let [mut rr, mut ii, mut ri] = [(); 3].map(|()| vec![T::default(); m * n]);
    for ((out, i), j) in out.chunks_exact_mut(m * n).zip(at_a).zip(at_b) {
        let [ar, ai] = [0, 1].map(|which| part(&a, i, which));
        let [br, bi] = [0, 1].map(|which| part(&b, j, which));
        matmul(ar, br, &mut rr, false);
        matmul(ai, bi, &mut ii, false);
        matmul(ar, bi, &mut ri, false);
        matmul(ai, br, &mut ri, true);
        for (((y, &rr), &ii), &ri) in out.iter_mut().zip(&rr).zip(&ii).zip(&ri) {
            *y = Complex::new(rr - ii, ri);
        }
    }
    Ok(())
}
