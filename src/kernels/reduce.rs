//! temp
use crate::array::Strided;
pub fn sum<T: Copy + Default + std::ops::Add<Output = T>>(x: Strided<T>, axes: u64, out: &mut [T]) {
    let n = x.len(); let mut buf = vec![T::default(); n]; x.gather(0, &mut buf); out.fill(T::default());
    for (i, v) in buf.into_iter().enumerate() { let (mut r, mut at, mut step) = (i, 0, 1); for a in (0..x.shape.len()).rev() { let k = r % x.shape[a]; r /= x.shape[a]; if axes >> a & 1 == 0 { at += k * step; step *= x.shape[a]; } } out[at] = out[at] + v; }
}
