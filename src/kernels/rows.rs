//! Rows by number: gather, scatter-add and overwrite whole rows of a contiguous matrix.
use super::pool;
use crate::{
    dtype::Element,
    error::{Error, Result},
};
use std::ops::Add;

/// All positions name one of `rows` rows.
pub fn check(op: &'static str, positions: &[i64], rows: usize) -> Result<()> {
    match positions.iter().find(|&&p| p < 0 || p >= rows as i64) {
        Some(p) => Err(Error::index(op, format!("position {p} is out of range for {rows} rows"))),
        None => Ok(()),
    }
}
/// `out[i] = from[positions[i]]`, rows of `length` elements.
pub fn take<T: Element>(from: &[T], positions: &[i64], length: usize, out: &mut [T]) {
    if length == 0 {
        return;
    }
    let per_task = (1usize << 14).div_ceil(length);
    let work = out.len() * 2;
    pool::parallel_chunks(out, per_task * length, work, &|task, out| {
        let positions = &positions[task * per_task..];
        if length == 1 {
            out.iter_mut().zip(positions).for_each(|(y, &p)| *y = from[p as usize]);
            return;
        }
        for (row, &p) in out.chunks_exact_mut(length).zip(positions) {
            row.copy_from_slice(&from[p as usize * length..][..length]);
        }
    });
}
/// `out[positions[i]] += values[i]`, in order, so that the sums do not depend on threads.
pub fn add<T: Element + Add<Output = T>>(out: &mut [T], positions: &[i64], length: usize, values: &[T]) {
    if length == 0 {
        return;
    }
    for (&p, row) in positions.iter().zip(values.chunks_exact(length)) {
        out[p as usize * length..][..length].iter_mut().zip(row).for_each(|(y, &v)| *y = *y + v);
    }
}
/// `out[positions[i]] = values[i]`; of equal positions the last stays.
pub fn put<T: Element>(out: &mut [T], positions: &[i64], length: usize, values: &[T]) {
    if length == 0 {
        return;
    }
    for (&p, row) in positions.iter().zip(values.chunks_exact(length)) {
        out[p as usize * length..][..length].copy_from_slice(row);
    }
}
/// Flat places of the flags that are set.
pub fn nonzero(flags: &[u8]) -> Vec<usize> {
    flags.iter().enumerate().filter(|(_, &f)| f != 0).map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn rows_are_taken_added_and_put() {
        let from = [1., 2., 3., 4., 5., 6.];
        let mut out = [0.; 6];
        take(&from, &[2, 0, 2], 2, &mut out);
        assert_eq!(out, [5., 6., 1., 2., 5., 6.]);
        let mut sum = [0.; 6];
        add(&mut sum, &[2, 0, 2], 2, &out);
        assert_eq!(sum, [1., 2., 0., 0., 10., 12.]);
        put(&mut sum, &[1, 1], 2, &[7., 7., 8., 8.]);
        assert_eq!(sum, [1., 2., 8., 8., 10., 12.]);
        assert!(check("take", &[0, 3], 3).is_err() && check("take", &[0, 2], 3).is_ok());
        assert_eq!(nonzero(&[0, 1, 0, 1]), [1, 3]);
    }
}
