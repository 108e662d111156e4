//! Matrix products: `gemm` for large ones, loops of our own for vectors, thin and tiny ones.
use super::{
    blocks::{self, Product, Tiled},
    isa::{self, dispatch, Kernel},
    pool,
};
use crate::dtype::Element;
use num_complex::Complex;
use std::ops::{Add, Mul};

/// A strided matrix inside a slice: element (i, j) is `data[offset + i*row_stride + j*col_stride]`.
#[derive(Clone, Copy)]
pub struct MatRef<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    pub rows: usize,
    pub cols: usize,
    pub row_stride: isize,
    pub col_stride: isize,
}
impl<T> MatRef<'_, T> {
    #[inline(always)]
    pub fn at(&self, i: usize, j: usize) -> usize {
        (self.offset as isize + i as isize * self.row_stride + j as isize * self.col_stride) as usize
    }
    /// Whether every element lies inside the slice.
    fn fits(&self) -> bool {
        if self.rows == 0 || self.cols == 0 {
            return true;
        }
        let reach = |n: usize, s: isize| (n as isize - 1) * s;
        let (a, b) = (reach(self.rows, self.row_stride), reach(self.cols, self.col_stride));
        let (low, high) = (a.min(0) + b.min(0), a.max(0) + b.max(0));
        self.offset as isize + low >= 0 && self.offset as isize + high < self.data.len() as isize
    }
    /// Rows `start..start + rows`.
    fn rows_from(&self, start: usize, rows: usize) -> Self {
        MatRef { offset: self.at(start, 0), rows, ..*self }
    }
    fn cols_from(&self, start: usize, cols: usize) -> Self {
        MatRef { offset: self.at(0, start), cols, ..*self }
    }
}
/// Elements that matrices may have.
pub trait Scalar: Element + Add<Output = Self> + Mul<Output = Self> {
    /// Whether `gemm` has kernels for it.
    const GEMM: bool;
    /// Whether `blocks` has tiles for it.
    const TILED: bool = false;
    fn in_blocks(_: Product<'_, Self>) {}
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }
}
macro_rules! floats { ($($t:ty)*) => { $(
    impl Scalar for $t {
        const GEMM: bool = true;
        const TILED: bool = true;
        fn in_blocks(product: Product<'_, $t>) {
            Tiled::run(product);
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self { <$t>::mul_add(self, b, c) }
    }
)* } }
floats! { f32 f64 }
macro_rules! scalars { ($($t:ty: $gemm:literal $fused:expr),*) => { $(
    impl Scalar for $t {
        const GEMM: bool = $gemm;
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self { ($fused)(self, b, c) }
    }
)* } }
scalars! {
    Complex<f32>: false |a, b, c| a * b + c, Complex<f64>: false |a, b, c| a * b + c,
    i32: false |a: i32, b, c: i32| a.wrapping_mul(b).wrapping_add(c),
    i64: false |a: i64, b, c: i64| a.wrapping_mul(b).wrapping_add(c),
    u8: false |a: u8, b, c: u8| a.wrapping_mul(b).wrapping_add(c)
}
/// Multiply-adds below which the fixed cost of packing does not pay.
const TINY: usize = 16 * 16 * 16;
/// Multiply-adds that one more thread needs to be worth waking.
const PER_THREAD: usize = 64 * 64 * 64;
/// Multiply-adds of a task that may be halved, so that a late thread holds up less: packing again costs little there.
const LARGE: usize = 320 * 320 * 320;
/// Multiply-adds from which our own blocks are faster than those of `gemm` with AVX2.
const IN_BLOCKS: usize = 800 * 800 * 800;
/// Rows that one call of `gemm` computes: with more, what it packs of `a` leaves the second-level cache.
const TALL: usize = 512;
/// Rows of a task are a multiple of the kernels' block across rows, columns of that along them: blocks are whole.
const ROW_STEP: usize = 8;
const COLUMN_STEP: usize = 48;

/// `out = a · b` (or `out += a · b`), `out` contiguous and row-major.
pub fn matmul<T: Scalar>(a: MatRef<T>, b: MatRef<T>, out: &mut [T], accumulate: bool) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    // What does not fit is a bug of the caller; an empty result is the safe answer.
    if !a.fits() || !b.fits() || b.rows != k || out.len() != m * n || m * n == 0 {
        return;
    }
    if !accumulate && (k == 0 || n == 1 || m == 1) {
        out.fill(T::default());
    }
    if k == 0 {
        return;
    }
    if n == 1 {
        return matrix_vector(a, b, out);
    }
    if m == 1 {
        let turned = |x: MatRef<'_, T>| (x.rows, x.cols, x.row_stride, x.col_stride);
        let (r, c, rs, cs) = turned(b);
        let bt = MatRef { rows: c, cols: r, row_stride: cs, col_stride: rs, ..b };
        let (r, c, rs, cs) = turned(a);
        let at = MatRef { rows: c, cols: r, row_stride: cs, col_stride: rs, ..a };
        return matrix_vector(bt, at, out);
    }
    if m * n * k <= TINY || !T::GEMM || k == 1 {
        let rows = (1usize << 16).div_ceil(n * k).max(1);
        return pool::parallel_chunks(out, rows * n, m * n * k, &|i, out| {
            dispatch(Rows { a: a.rows_from(i * rows, out.len() / n), b, out, accumulate });
        });
    }
    let threads = pool::num_threads().min(m * n * k / PER_THREAD).max(1);
    // Chosen for the whole product: the same additions in the same order for any number of threads.
    let in_blocks = T::TILED && isa::is_avx2() && m * n * k >= IN_BLOCKS;
    if threads == 1 && in_blocks {
        return T::in_blocks(Product { a, b, out, accumulate });
    }
    // Our own blocks are better off with long tasks, which pack `b` once.
    let tasks = if !in_blocks && m * n * k / threads > LARGE { 2 * threads } else { threads };
    let one = |a: MatRef<T>, b: MatRef<T>, out: &mut [T], accumulate: bool| match in_blocks {
        true => T::in_blocks(Product { a, b, out, accumulate }),
        false => by_gemm(a, b, out, accumulate),
    };
    if m >= n || threads == 1 {
        let rows = match in_blocks {
            true => m.div_ceil(tasks).next_multiple_of(blocks::HEIGHT),
            false => m.div_ceil(tasks).next_multiple_of(ROW_STEP).min(TALL),
        };
        let work = if threads == 1 { 0 } else { usize::MAX / 2 };
        pool::parallel_chunks(out, rows * n, work, &|i, out| {
            one(a.rows_from(i * rows, out.len() / n), b, out, accumulate);
        });
    } else {
        // Column blocks of a row-major result interleave: compute them apart, then lay them side by side.
        let cols = n.div_ceil(tasks).next_multiple_of(COLUMN_STEP);
        let mut parts: Vec<Vec<T>> = (0..n.div_ceil(cols)).map(|_| Vec::new()).collect();
        pool::parallel_chunks(&mut parts, 1, usize::MAX / 2, &|i, part| {
            let width = cols.min(n - i * cols);
            let mut block = vec![T::default(); m * width];
            one(a, b.cols_from(i * cols, width), &mut block, false);
            part[0] = block;
        });
        for (i, block) in parts.iter().enumerate() {
            let width = cols.min(n - i * cols);
            for (row, from) in out.chunks_exact_mut(n).zip(block.chunks_exact(width)) {
                let to = &mut row[i * cols..i * cols + width];
                if accumulate {
                    to.iter_mut().zip(from).for_each(|(t, &f)| *t = *t + f);
                } else {
                    to.copy_from_slice(from);
                }
            }
        }
    }
}
/// One product by `gemm` on this thread.
fn by_gemm<T: Scalar>(a: MatRef<T>, b: MatRef<T>, out: &mut [T], accumulate: bool) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    if !a.fits() || !b.fits() || b.rows != k || out.len() < m * n {
        return;
    }
    let one = one::<T>();
    // SAFETY: both operands lie inside their slices (`fits`), the result inside `out`, and T is one of the types that
    // `gemm` dispatches on (`T::GEMM`).
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.data.as_ptr().add(a.offset),
            a.col_stride,
            a.row_stride,
            b.data.as_ptr().add(b.offset),
            b.col_stride,
            b.row_stride,
            one,
            one,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
/// The number one of a type that `gemm` knows.
fn one<T: Scalar>() -> T {
    use std::any::Any;
    let candidates: [&dyn Any; 2] = [&1f32, &1f64];
    candidates.into_iter().find_map(|c| c.downcast_ref::<T>().copied()).unwrap_or_default()
}

/// Row by row: every element of `a` scales a row of `b` into the result. The first of them writes, so that the result
/// is not cleared before: an outer product passes over its memory once.
struct Rows<'a, T> {
    a: MatRef<'a, T>,
    b: MatRef<'a, T>,
    out: &'a mut [T],
    accumulate: bool,
}
impl<T: Scalar> Kernel for Rows<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Rows { a, b, out, accumulate } = self;
        let (k, n) = (b.rows, b.cols);
        // Contiguous rows of b, packed once if they are not.
        let packed: Vec<T>;
        let rows: &[T] = if b.col_stride == 1 && (k == 1 || b.row_stride == n as isize) {
            &b.data[b.offset..b.offset + k * n]
        } else {
            packed = (0..k * n).map(|i| b.data[b.at(i / n, i % n)]).collect();
            &packed
        };
        for (i, y) in out.chunks_exact_mut(n).enumerate() {
            for (p, row) in rows.chunks_exact(n).enumerate() {
                let s = a.data[a.at(i, p)];
                if p == 0 && !accumulate {
                    for (y, &v) in y.iter_mut().zip(row) {
                        *y = s * v;
                    }
                } else {
                    for (y, &v) in y.iter_mut().zip(row) {
                        *y = s.mul_add(v, *y);
                    }
                }
            }
        }
    }
}
/// Sixteen running sums, added up pairwise: the same order for any thread count.
struct Dot<'a, T>(&'a [T], &'a [T]);
impl<T: Scalar> Kernel for Dot<'_, T> {
    type Out = T;
    #[inline(always)]
    fn run(self) -> T {
        const LANES: usize = 64;
        let mut sums = [T::default(); LANES];
        let (a, b) = (self.0.chunks_exact(LANES), self.1.chunks_exact(LANES));
        let tail = a.remainder().iter().zip(b.remainder()).fold(T::default(), |s, (&x, &y)| x.mul_add(y, s));
        for (x, y) in a.zip(b) {
            for l in 0..LANES {
                sums[l] = x[l].mul_add(y[l], sums[l]);
            }
        }
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for l in 0..width {
                sums[l] = sums[l] + sums[l + width];
            }
        }
        sums[0] + tail
    }
}
/// `y += s · x`.
struct Axpy<'a, T>(T, &'a [T], &'a mut [T]);
impl<T: Scalar> Kernel for Axpy<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        self.2.iter_mut().zip(self.1).for_each(|(y, &x)| *y = self.0.mul_add(x, *y));
    }
}
/// `out += a · v`, `v` a matrix with one column.
fn matrix_vector<T: Scalar>(a: MatRef<T>, v: MatRef<T>, out: &mut [T]) {
    let (m, k) = (a.rows, a.cols);
    let vector: Vec<T> = (0..k).map(|p| v.data[v.at(p, 0)]).collect();
    if a.row_stride == 1 && a.col_stride != 1 && m > 1 {
        // Columns are contiguous: add them up, a tile of rows per task.
        let tile = 2048;
        return pool::parallel_chunks(out, tile, m * k, &|i, y| {
            for (p, &s) in vector.iter().enumerate() {
                let start = a.at(i * tile, p);
                dispatch(Axpy(s, &a.data[start..start + y.len()], y));
            }
        });
    }
    let rows = (1usize << 15).div_ceil(k).max(1);
    pool::parallel_chunks(out, rows, m * k, &|i, y| {
        let mut gathered = if a.col_stride == 1 { Vec::new() } else { vec![T::default(); k] };
        for (r, y) in y.iter_mut().enumerate() {
            let start = a.at(i * rows + r, 0);
            let row: &[T] = if a.col_stride == 1 {
                &a.data[start..start + k]
            } else {
                gathered.iter_mut().enumerate().for_each(|(p, g)| *g = a.data[a.at(i * rows + r, p)]);
                &gathered
            };
            *y = *y + dispatch(Dot(row, &vector));
        }
    });
}

/// Products of a stack: matrix i of `a` begins at `a_offsets[i]`, and so for `b`; results follow one another.
pub fn matmul_batched<T: Scalar>(a: MatRef<T>, a_offsets: &[usize], b: MatRef<T>, b_offsets: &[usize], out: &mut [T]) {
    let size = a.rows * b.cols;
    if size == 0 {
        return;
    }
    let each = size * a.cols;
    if each > 8 * PER_THREAD {
        // Large products divide among threads themselves.
        for (i, out) in out.chunks_exact_mut(size).enumerate() {
            matmul(MatRef { offset: a_offsets[i], ..a }, MatRef { offset: b_offsets[i], ..b }, out, false);
        }
        return;
    }
    let per_task = (1usize << 16).div_ceil(each.max(1)).max(1);
    let work = each * a_offsets.len();
    pool::parallel_chunks(out, per_task * size, work, &|task, out| {
        for (j, out) in out.chunks_exact_mut(size).enumerate() {
            let i = task * per_task + j;
            matmul(MatRef { offset: a_offsets[i], ..a }, MatRef { offset: b_offsets[i], ..b }, out, false);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f64 / 504.5 - 1.0).collect()
    }
    fn check(m: usize, k: usize, n: usize, turned: [bool; 2]) {
        let (x, y) = (numbers(m * k + 3, 1), numbers(k * n + 3, 2));
        let view = |data, rows: usize, cols: usize, t: bool| MatRef {
            data,
            offset: 3,
            rows,
            cols,
            row_stride: if t { 1 } else { cols as isize },
            col_stride: if t { rows as isize } else { 1 },
        };
        let (a, b) = (view(&x[..], m, k, turned[0]), view(&y[..], k, n, turned[1]));
        let mut results = Vec::new();
        for threads in [1, 3] {
            pool::set_num_threads(threads);
            let mut out = vec![f64::NAN; m * n];
            matmul(a, b, &mut out, false);
            results.push(out);
        }
        assert_eq!(results[0], results[1], "{m}x{k}x{n}: threads change bits");
        for i in 0..m {
            for j in 0..n {
                let exact: f64 = (0..k).map(|p| a.data[a.at(i, p)] * b.data[b.at(p, j)]).sum();
                let got = results[0][i * n + j];
                assert!((got - exact).abs() <= 1e-12 * k as f64, "{m}x{k}x{n} at {i},{j}: {got} {exact}");
            }
        }
    }
    #[test]
    fn products_agree_with_the_definition() {
        for (m, k, n) in [
            (1, 1, 1),
            (3, 4, 5),
            (1, 70, 9),
            (9, 70, 1),
            (5, 0, 4),
            (30, 31, 32),
            (70, 1, 90),
            (200, 130, 7),
            (7, 130, 200),
            (150, 160, 170),
        ] {
            for turned in [[false, false], [true, false], [false, true], [true, true]] {
                check(m, k, n, turned);
            }
        }
    }
    #[test]
    fn integers_and_complex_numbers_multiply() {
        let (a, b) = ([1i64, 2, 3, 4], [5i64, 6, 7, 8]);
        let view = |data| MatRef { data, offset: 0, rows: 2, cols: 2, row_stride: 2, col_stride: 1 };
        let mut out = [0; 4];
        matmul(view(&a[..]), view(&b[..]), &mut out, false);
        assert_eq!(out, [19, 22, 43, 50]);
        let i = Complex::new(0.0, 1.0);
        let z = vec![i; 40 * 40];
        let view = MatRef { data: &z[..], offset: 0, rows: 40, cols: 40, row_stride: 40, col_stride: 1 };
        let mut out = vec![Complex::default(); 1600];
        matmul(view, view, &mut out, false);
        assert!(out.iter().all(|&v| v == Complex::new(-40.0, 0.0)));
    }
}
