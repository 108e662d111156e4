//! temp
#[derive(Clone, Copy)]
pub struct MatRef<'a, T> { pub data: &'a [T], pub offset: usize, pub rows: usize, pub cols: usize, pub row_stride: isize, pub col_stride: isize }
pub fn matmul<T: Copy + Default + std::ops::Add<Output = T> + std::ops::Mul<Output = T>>(a: MatRef<T>, b: MatRef<T>, out: &mut [T], _acc: bool) {
    for i in 0..a.rows { for j in 0..b.cols { let mut s = T::default(); for k in 0..a.cols { s = s + a.data[(a.offset as isize + i as isize * a.row_stride + k as isize * a.col_stride) as usize] * b.data[(b.offset as isize + k as isize * b.row_stride + j as isize * b.col_stride) as usize]; } out[i * b.cols + j] = s; } }
}
pub fn matmul_batched<T: Copy + Default + std::ops::Add<Output = T> + std::ops::Mul<Output = T>>(a: MatRef<T>, ao: &[usize], b: MatRef<T>, bo: &[usize], out: &mut [T]) {
    let n = a.rows * b.cols; for (i, o) in out.chunks_mut(n.max(1)).enumerate() { matmul(MatRef { offset: ao[i], ..a }, MatRef { offset: bo[i], ..b }, o, false) }
}
