//! Reading and writing single elements of contiguous arrays by flat position, and finding the positions of flags.
use crate::{
    dtype::Element,
    kernels::{pool, reduce::Number},
};

/// Elements per task.
const PIECE: usize = 1 << 14;

/// A position that has been checked: not negative and in range.
pub trait Position: Copy + Sync {
    fn place(self) -> usize;
}
impl Position for usize {
    #[inline(always)]
    fn place(self) -> usize {
        self
    }
}
impl Position for i64 {
    #[inline(always)]
    fn place(self) -> usize {
        self as usize
    }
}

/// `out[k] = x[offsets[k]]`.
pub fn take_flat<T: Element, P: Position>(x: &[T], offsets: &[P], out: &mut [T]) {
    let work = 3 * out.len();
    pool::parallel_chunks(out, PIECE, work, &|task, out| {
        let offsets = &offsets[task * PIECE..];
        out.iter_mut().zip(offsets).for_each(|(y, &p)| *y = x[p.place()]);
    });
}
/// `out[offsets[k]] = values[k]` (or `+=`), in order: sums are formed and the last value stays as the offsets say.
pub fn put_flat<T: Number, P: Position>(out: &mut [T], offsets: &[P], values: &[T], add: bool) {
    let pairs = offsets.iter().zip(values);
    if add {
        pairs.for_each(|(&p, &v)| out[p.place()] = out[p.place()].plus(v));
    } else {
        pairs.for_each(|(&p, &v)| out[p.place()] = v);
    }
}
/// Flat positions of the flags that are not 0, ascending.
pub fn nonzero(mask: &[u8]) -> Vec<usize> {
    let mut found: Vec<Vec<usize>> = vec![Vec::new(); mask.len().div_ceil(PIECE)];
    pool::parallel_chunks(&mut found, 1, 2 * mask.len(), &|task, found| {
        let start = task * PIECE;
        let flags = &mask[start..(start + PIECE).min(mask.len())];
        let places = flags.iter().enumerate().filter(|(_, &flag)| flag != 0).map(|(i, _)| start + i);
        found[0] = places.collect();
    });
    found.concat()
}
