//! Strided arrays into contiguous ones: whole rows where rows lie together, square tiles where axes are exchanged.
use super::layout::{offset, read_row, Layout, RowWalk};
use crate::{
    array::Strided,
    dtype::Element,
    kernels::{
        isa::{dispatch, Kernel},
        pool,
    },
};

/// Elements per task.
const PIECE: usize = 1 << 15;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Copy `x` into `out` in row-major order.
pub fn copy_strided<T: Element>(x: Strided<T>, out: &mut [T]) {
    if !out.is_empty() {
        copy_layout(x.data, x.offset as isize, &Layout::of(x.shape, x.strides), out);
    }
}
pub fn copy_layout<T: Element>(data: &[T], origin: isize, layout: &Layout, out: &mut [T]) {
    match exchanged_axis::<T>(layout) {
        Some(axis) => transpose(data, origin, layout, axis, out),
        None => {
            let work = out.len();
            pool::parallel_chunks(out, PIECE, work, &|task, out| rows(data, origin, layout, task * PIECE, out));
        }
    }
}
/// Elements `start..start + out.len()` in row-major order, row by row.
pub fn rows<T: Copy>(data: &[T], origin: isize, layout: &Layout, start: usize, out: &mut [T]) {
    let ((n, step), last) = (layout.inner(), layout.shape.len() - 1);
    let mut walk = RowWalk::new(&layout.shape[..last], [&layout.strides[..last]], [origin], start / n);
    let (mut column, mut rest) = (start % n, out);
    while !rest.is_empty() {
        // The length first: `take` leaves an empty slice behind.
        let count = (n - column).min(rest.len());
        let (row, tail) = std::mem::take(&mut rest).split_at_mut(count);
        read_row(data, walk.at[0] + column as isize * step, step, row);
        walk.advance();
        column = 0;
        rest = tail;
    }
}

/// The axis along which neighbours lie in memory, if it is not the innermost and tiles pay.
fn exchanged_axis<T>(layout: &Layout) -> Option<usize> {
    let (_, step) = layout.inner();
    let last = layout.shape.len() - 1;
    let near = (0..last).filter(|&a| layout.strides[a] != 0).min_by_key(|&a| layout.strides[a].unsigned_abs())?;
    let worth = step.unsigned_abs() * std::mem::size_of::<T>() >= LINE
        && layout.strides[near].unsigned_abs() < step.unsigned_abs()
        && layout.shape[near] >= 4;
    worth.then_some(near)
}
/// Rows of the exchanged axis are shared out; each task goes through tiles of a cache line by a cache line.
fn transpose<T: Element>(data: &[T], origin: isize, layout: &Layout, axis: usize, out: &mut [T]) {
    let (shape, strides, last) = (&layout.shape, &layout.strides, layout.shape.len() - 1);
    let (high, along) = (shape[axis], strides[axis]);
    let (wide, across) = layout.inner();
    let row: usize = shape[axis + 1..].iter().product();
    let mut per_task = PIECE.div_ceil(row).next_multiple_of(64);
    if high < per_task {
        per_task = (per_task / high) * high;
    }
    let work = out.len();
    pool::parallel_chunks(out, per_task * row, work, &|task, piece| {
        let (mut first, mut rest) = (task * per_task, piece);
        while !rest.is_empty() {
            let i = first % high;
            let count = (high - i).min(rest.len() / row);
            let corner = origin + offset(&shape[..axis], &strides[..axis], first / high) + i as isize * along;
            let (slab, tail) = std::mem::take(&mut rest).split_at_mut(count * row);
            for middle in 0..row / wide {
                let at = corner + offset(&shape[axis + 1..last], &strides[axis + 1..last], middle);
                let out = &mut slab[middle * wide..];
                dispatch(Tiles { data, at, along, across, high: count, wide, row, out });
            }
            first += count;
            rest = tail;
        }
    });
}
/// `out[i * row + j] = data[at + i * along + j * across]` for `i < high`, `j < wide`.
struct Tiles<'a, T> {
    data: &'a [T],
    at: isize,
    along: isize,
    across: isize,
    high: usize,
    wide: usize,
    row: usize,
    out: &'a mut [T],
}
impl<T: Element> Kernel for Tiles<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        match std::mem::size_of::<T>() {
            1 => self.tiles::<32>(),
            2..=4 => self.tiles::<16>(),
            _ => self.tiles::<8>(),
        }
    }
}
impl<T: Element> Tiles<'_, T> {
    #[inline(always)]
    fn tiles<const B: usize>(self) {
        let Tiles { data, at, along, across, high, wide, row, out } = self;
        for left in (0..wide).step_by(B) {
            for top in (0..high).step_by(B) {
                let corner = at + top as isize * along + left as isize * across;
                let out = &mut out[top * row + left..];
                let (h, w) = (B.min(high - top), B.min(wide - left));
                if along != 1 || h < B || w < B {
                    for j in 0..w {
                        let column = corner + j as isize * across;
                        for i in 0..h {
                            out[i * row + j] = data[(column + i as isize * along) as usize];
                        }
                    }
                    continue;
                }
                let mut tile = [[T::default(); B]; B];
                for (j, column) in tile.iter_mut().enumerate() {
                    let start = (corner + j as isize * across) as usize;
                    column.copy_from_slice(&data[start..start + B]);
                }
                for i in 0..B {
                    let target = &mut out[i * row..i * row + B];
                    for j in 0..B {
                        target[j] = tile[j][i];
                    }
                }
            }
        }
    }
}
