//! The positions of flags that are set.
use crate::kernels::pool;

/// Elements per task.
const PIECE: usize = 1 << 14;

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
