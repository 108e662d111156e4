//! temp
use crate::array::{Strided, StridedMut};
pub fn copy_strided<T: Copy>(x: Strided<T>, out: &mut [T]) { x.gather(0, out) }
pub fn write_strided<T: Copy + Default>(x: Strided<T>, out: StridedMut<T>) {
    let n = x.len(); let mut buf = vec![T::default(); n]; x.gather(0, &mut buf);
    for (i, v) in buf.into_iter().enumerate() { let (mut r, mut at) = (i, out.offset as isize); for a in (0..out.shape.len()).rev() { at += (r % out.shape[a]) as isize * out.strides[a]; r /= out.shape[a]; } out.data[at as usize] = v; }
}
