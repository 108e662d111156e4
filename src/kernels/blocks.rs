//! Large matrix products in blocks that fit the caches, for processors with AVX2: after Goto and van de Geijn, "Anatomy
//! of high-performance matrix multiplication" (2008).
//!
//! A block of `b` is packed in panels as wide as two vector registers, a block of `a` in panels of six rows; a tile of
//! 6 × 2 registers stays in registers while it walks along both. Rows of the result are asked for before they are
//! needed: they lie far apart, and waiting for them is what large products lose otherwise.
use super::{
    isa::{self, dispatch, Kernel},
    matmul::{MatRef, Scalar},
};
use crate::math::Real;

/// Rows of a tile: twelve running sums and the operands fill sixteen registers.
pub const HEIGHT: usize = 6;
/// Inner products are cut in parts of this length: two panels stay in the first-level cache.
const DEPTH: usize = 256;
/// Rows of `a` packed at once (second-level cache).
const ROWS: usize = 12 * HEIGHT;
/// Bytes of a row of `b` packed at once (third level).
const ROW_BYTES: usize = 1 << 13;

/// Element types with tiles of their own.
pub trait Tiled: Scalar + Real {
    /// Run the blocks with as many columns to a tile as two registers hold.
    fn run(product: Product<'_, Self>);
}
impl Tiled for f32 {
    fn run(product: Product<'_, f32>) {
        dispatch(Blocks::<f32, 16>(product));
    }
}
impl Tiled for f64 {
    fn run(product: Product<'_, f64>) {
        dispatch(Blocks::<f64, 8>(product));
    }
}
/// `out (+)= a · b`, `out` row-major with `b.cols` columns; all operands lie inside their slices.
pub struct Product<'a, T> {
    pub a: MatRef<'a, T>,
    pub b: MatRef<'a, T>,
    pub out: &'a mut [T],
    pub accumulate: bool,
}
struct Blocks<'a, T, const WIDTH: usize>(Product<'a, T>);

/// Rows `from..from + count` of columns `p0..p0 + depth` in panels of `HEIGHT` rows, filled up with zeros.
#[inline(always)]
fn pack_rows<T: Tiled>(a: MatRef<T>, from: usize, count: usize, p0: usize, depth: usize, packed: &mut [T]) {
    for (panel, target) in packed.chunks_exact_mut(HEIGHT * depth).take(count.div_ceil(HEIGHT)).enumerate() {
        let first = from + panel * HEIGHT;
        let height = HEIGHT.min(count - panel * HEIGHT);
        if height < HEIGHT {
            target.fill(T::default());
        }
        if a.col_stride == 1 {
            for i in 0..height {
                let start = a.at(first + i, p0);
                for (p, &v) in a.data[start..start + depth].iter().enumerate() {
                    target[p * HEIGHT + i] = v;
                }
            }
        } else {
            for (p, column) in target.chunks_exact_mut(HEIGHT).enumerate() {
                for (i, v) in column[..height].iter_mut().enumerate() {
                    *v = a.data[a.at(first + i, p0 + p)];
                }
            }
        }
    }
}
/// Columns `from..from + count` of rows `p0..p0 + depth` in panels of `WIDTH` columns, filled up with zeros.
#[inline(always)]
fn pack_columns<T: Tiled, const WIDTH: usize>(
    b: MatRef<T>,
    from: usize,
    count: usize,
    p0: usize,
    depth: usize,
    packed: &mut [T],
) {
    for (panel, target) in packed.chunks_exact_mut(WIDTH * depth).take(count.div_ceil(WIDTH)).enumerate() {
        let first = from + panel * WIDTH;
        let width = WIDTH.min(count - panel * WIDTH);
        if width < WIDTH {
            target.fill(T::default());
        }
        if b.col_stride == 1 {
            for (p, row) in target.chunks_exact_mut(WIDTH).enumerate() {
                let start = b.at(p0 + p, first);
                row[..width].copy_from_slice(&b.data[start..start + width]);
            }
        } else {
            for j in 0..width {
                for p in 0..depth {
                    target[p * WIDTH + j] = b.data[b.at(p0 + p, first + j)];
                }
            }
        }
    }
}
/// The sums of one tile.
#[inline(always)]
fn tile<T: Tiled, const WIDTH: usize>(a: &[T], b: &[T]) -> [[T; WIDTH]; HEIGHT] {
    let mut sums = [[T::default(); WIDTH]; HEIGHT];
    for (a, b) in a.as_chunks::<HEIGHT>().0.iter().zip(b.as_chunks::<WIDTH>().0) {
        for i in 0..HEIGHT {
            for j in 0..WIDTH {
                sums[i][j] = Real::mul_add(a[i], b[j], sums[i][j]);
            }
        }
    }
    sums
}
/// A tile of sums into its place: rows `stride` apart, the first at `start`.
#[inline(always)]
fn put<T: Tiled, const WIDTH: usize>(
    sums: &[[T; WIDTH]; HEIGHT],
    out: &mut [T],
    start: usize,
    stride: usize,
    height: usize,
    width: usize,
    add: bool,
) {
    for (i, sums) in sums.iter().enumerate().take(height) {
        let row = &mut out[start + i * stride..start + i * stride + width];
        if let (Ok(row), true) = (<&mut [T; WIDTH]>::try_from(&mut *row), add) {
            for j in 0..WIDTH {
                row[j] = row[j] + sums[j];
            }
        } else {
            for (y, &v) in row.iter_mut().zip(sums) {
                *y = if add { *y + v } else { v };
            }
        }
    }
}
impl<T: Tiled, const WIDTH: usize> Kernel for Blocks<'_, T, WIDTH> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Product { a, b, out, accumulate } = self.0;
        let (m, k, n) = (a.rows, a.cols, b.cols);
        let deepest = DEPTH.min(k);
        let widest = ROW_BYTES / std::mem::size_of::<T>();
        let mut columns = vec![T::default(); deepest * widest.min(n.next_multiple_of(WIDTH))];
        let mut rows = vec![T::default(); deepest * ROWS];
        for j0 in (0..n).step_by(widest) {
            let across = widest.min(n - j0);
            for p0 in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - p0);
                let add = accumulate || p0 > 0;
                pack_columns::<T, WIDTH>(b, j0, across, p0, depth, &mut columns);
                for i0 in (0..m).step_by(ROWS) {
                    let down = ROWS.min(m - i0);
                    pack_rows(a, i0, down, p0, depth, &mut rows);
                    for (panel, b) in columns.chunks_exact(WIDTH * depth).take(across.div_ceil(WIDTH)).enumerate() {
                        let j = panel * WIDTH;
                        for (panel, a) in rows.chunks_exact(HEIGHT * depth).take(down.div_ceil(HEIGHT)).enumerate() {
                            let i = panel * HEIGHT;
                            let start = (i0 + i) * n + j0 + j;
                            let height = HEIGHT.min(down - i);
                            for r in 0..height {
                                isa::prefetch(out, start + r * n);
                            }
                            let sums = tile::<T, WIDTH>(a, b);
                            put(&sums, out, start, n, height, WIDTH.min(across - j), add);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f64 / 504.5 - 1.0).collect()
    }
    /// Sizes on both sides of every block, operands as they lie and transposed, written and added.
    #[test]
    fn blocks_agree_with_the_definition() {
        for (m, k, n) in [(1, 1, 1), (6, 256, 8), (7, 257, 9), (73, 300, 40), (80, 513, 1033)] {
            let (x, y) = (numbers(m * k, 1), numbers(k * n, 2));
            for turned in [false, true] {
                let view = |data, rows: usize, cols: usize| MatRef {
                    data,
                    offset: 0,
                    rows,
                    cols,
                    row_stride: if turned { 1 } else { cols as isize },
                    col_stride: if turned { rows as isize } else { 1 },
                };
                let (a, b) = (view(&x[..], m, k), view(&y[..], k, n));
                let mut out = vec![f64::NAN; m * n];
                for times in [1.0, 2.0] {
                    Tiled::run(Product { a, b, out: &mut out, accumulate: times == 2.0 });
                    for (i, j) in (0..m).step_by(11).flat_map(|i| (0..n).step_by(7).map(move |j| (i, j))) {
                        let exact: f64 = (0..k).map(|p| a.data[a.at(i, p)] * b.data[b.at(p, j)]).sum();
                        let got = out[i * n + j];
                        assert!(
                            (got - times * exact).abs() <= 1e-12 * k as f64,
                            "{m}x{k}x{n} at {i},{j}: {got} {exact}"
                        );
                    }
                }
            }
        }
    }
}
