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

/// Bytes of a cache line.
const LINE: usize = 64;

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

/// `COUNT` rows of equal length, interleaved: element p of row i goes to `target[p * width + at + i]`. The rows that
/// are packed next, `apart` elements further on, are asked for meanwhile.
#[inline(always)]
fn interleave<T: Tiled, const COUNT: usize>(
    data: &[T],
    starts: [usize; COUNT],
    depth: usize,
    apart: isize,
    target: &mut [T],
    width: usize,
    at: usize,
) {
    let mut rows: [&[T]; COUNT] = [&[]; COUNT];
    for i in 0..COUNT {
        rows[i] = &data[starts[i]..starts[i] + depth];
    }
    let line = LINE / std::mem::size_of::<T>();
    for (p, target) in target.chunks_exact_mut(width).take(depth).enumerate() {
        if p % line == 0 {
            for start in starts {
                isa::prefetch(data, start.wrapping_add_signed(apart).wrapping_add(p));
            }
        }
        let target = &mut target[at..at + COUNT];
        for i in 0..COUNT {
            target[i] = rows[i][p];
        }
    }
}
/// Rows `from..from + count` of columns `p0..p0 + depth` in panels of `HEIGHT` rows, filled up with zeros.
#[inline(always)]
fn pack_rows<T: Tiled>(a: MatRef<T>, from: usize, count: usize, p0: usize, depth: usize, packed: &mut [T]) {
    for (panel, target) in packed.chunks_exact_mut(HEIGHT * depth).take(count.div_ceil(HEIGHT)).enumerate() {
        let first = from + panel * HEIGHT;
        let height = HEIGHT.min(count - panel * HEIGHT);
        if height < HEIGHT {
            target.fill(T::default());
        }
        if a.col_stride == 1 && height == HEIGHT {
            let mut starts = [0; HEIGHT];
            for (i, start) in starts.iter_mut().enumerate() {
                *start = a.at(first + i, p0);
            }
            interleave(a.data, starts, depth, HEIGHT as isize * a.row_stride, target, HEIGHT, 0);
        } else {
            for (p, column) in target.chunks_exact_mut(HEIGHT).enumerate() {
                gather(&a, first, p0 + p, &mut column[..height]);
            }
        }
    }
}
/// Part of a column of `a`, from element (i, p) on.
#[inline(always)]
fn gather<T: Tiled>(a: &MatRef<T>, i: usize, p: usize, column: &mut [T]) {
    let start = a.at(i, p);
    if a.row_stride == 1 {
        for (to, &v) in column.iter_mut().zip(&a.data[start..]) {
            *to = v;
        }
    } else {
        for (i, to) in column.iter_mut().enumerate() {
            *to = a.data[start.wrapping_add_signed(i as isize * a.row_stride)];
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
    /// Columns read at a time where they are contiguous.
    const AT_ONCE: usize = 8;
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
        } else if b.row_stride == 1 && width == WIDTH {
            for at in (0..WIDTH).step_by(AT_ONCE) {
                let mut starts = [0; AT_ONCE];
                for (j, start) in starts.iter_mut().enumerate() {
                    *start = b.at(p0, first + at + j);
                }
                interleave(b.data, starts, depth, AT_ONCE as isize * b.col_stride, target, WIDTH, at);
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
/// The part of a buffer that begins with a cache line: no register of a panel then lies across two of them.
#[inline(always)]
fn from_line<T>(buffer: &mut [T]) -> &mut [T] {
    let skip = buffer.as_ptr().align_offset(LINE).min(LINE);
    &mut buffer[skip..]
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
/// A whole tile into its place, rows `stride` apart. Every index into the sums is known to the compiler, so that they
/// never leave the registers.
#[inline(always)]
fn put_whole<T: Tiled, const WIDTH: usize>(sums: [[T; WIDTH]; HEIGHT], out: &mut [T], stride: usize, add: bool) {
    for i in 0..HEIGHT {
        let row = &mut out[i * stride..i * stride + WIDTH];
        for j in 0..WIDTH {
            row[j] = if add { row[j] + sums[i][j] } else { sums[i][j] };
        }
    }
}
/// The part of a tile that lies inside the result.
#[inline(always)]
fn put_part<T: Tiled, const WIDTH: usize>(
    sums: &[[T; WIDTH]; HEIGHT],
    out: &mut [T],
    stride: usize,
    height: usize,
    width: usize,
    add: bool,
) {
    for (i, sums) in sums.iter().enumerate().take(height) {
        for (y, &v) in out[i * stride..i * stride + width].iter_mut().zip(sums) {
            *y = if add { *y + v } else { v };
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
        let mut columns = vec![T::default(); deepest * widest.min(n.next_multiple_of(WIDTH)) + LINE];
        let mut rows = vec![T::default(); deepest * ROWS + LINE];
        let (columns, rows) = (from_line(&mut columns), from_line(&mut rows));
        for j0 in (0..n).step_by(widest) {
            let across = widest.min(n - j0);
            for p0 in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - p0);
                let add = accumulate || p0 > 0;
                pack_columns::<T, WIDTH>(b, j0, across, p0, depth, columns);
                for i0 in (0..m).step_by(ROWS) {
                    let down = ROWS.min(m - i0);
                    pack_rows(a, i0, down, p0, depth, rows);
                    for (panel, b) in columns.chunks_exact(WIDTH * depth).take(across.div_ceil(WIDTH)).enumerate() {
                        let j = panel * WIDTH;
                        for (panel, a) in rows.chunks_exact(HEIGHT * depth).take(down.div_ceil(HEIGHT)).enumerate() {
                            let i = panel * HEIGHT;
                            let start = (i0 + i) * n + j0 + j;
                            let height = HEIGHT.min(down - i);
                            for r in 0..height {
                                isa::prefetch(out, start + r * n);
                            }
                            let width = WIDTH.min(across - j);
                            let out = &mut out[start..];
                            match (height, width) == (HEIGHT, WIDTH) {
                                true => put_whole(tile::<T, WIDTH>(a, b), out, n, add),
                                false => put_part(&tile::<T, WIDTH>(a, b), out, n, height, width, add),
                            }
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
    /// Sizes on both sides of every block, operands as they lie, transposed, reversed and with gaps, written and added.
    #[test]
    fn blocks_agree_with_the_definition() {
        for (m, k, n) in [(1, 1, 1), (6, 256, 8), (7, 257, 9), (73, 300, 40), (80, 513, 1033)] {
            let (x, y) = (numbers(2 * m * k, 1), numbers(2 * k * n, 2));
            for layout in 0..4 {
                let view = |data, rows: usize, cols: usize| {
                    let (offset, row_stride, col_stride) = match layout {
                        0 => (0, cols as isize, 1),
                        1 => (0, 1, rows as isize),
                        2 => (rows * cols - 1, -(cols as isize), -1),
                        _ => (1, 2 * cols as isize, 2),
                    };
                    MatRef { data, offset, rows, cols, row_stride, col_stride }
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
