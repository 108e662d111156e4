//! Columns shared out: work along an axis that is not the innermost, where neighbours in memory lie in different lines.
use super::pool;
use std::sync::{Mutex, PoisonError};

/// `out` is [.., n, inner]. Each task gets `width` neighbouring columns (fewer at the edge) as their `n` rows, and the
/// flat position of the first element.
pub fn each<T: Send>(
    out: &mut [T],
    n: usize,
    inner: usize,
    width: usize,
    work: usize,
    f: &(dyn Fn(usize, &mut [&mut [T]]) + Sync),
) {
    let width = width.clamp(1, inner);
    let strips = inner.div_ceil(width);
    if work < pool::THRESHOLD || pool::num_threads() == 1 || out.len() <= n * width {
        for (outer, slab) in out.chunks_exact_mut(n * inner).enumerate() {
            let mut rest: Vec<&mut [T]> = slab.chunks_exact_mut(inner).collect();
            for strip in 0..strips {
                let count = width.min(inner - strip * width);
                let mut rows: Vec<&mut [T]> = Vec::with_capacity(n);
                for row in &mut rest {
                    let (head, tail) = std::mem::take(row).split_at_mut(count);
                    rows.push(head);
                    *row = tail;
                }
                f(outer * n * inner + strip * width, &mut rows);
            }
        }
        return;
    }
    let mut tasks: Vec<Vec<&mut [T]>> = Vec::new();
    for (i, row) in out.chunks_exact_mut(inner).enumerate() {
        if i % n == 0 {
            tasks.extend((0..strips).map(|_| Vec::with_capacity(n)));
        }
        let first = tasks.len() - strips;
        tasks[first..].iter_mut().zip(row.chunks_mut(width)).for_each(|(task, piece)| task.push(piece));
    }
    let tasks: Vec<Mutex<Vec<&mut [T]>>> = tasks.into_iter().map(Mutex::new).collect();
    pool::parallel(tasks.len(), work, &|task| {
        let mut rows = std::mem::take(&mut *tasks[task].lock().unwrap_or_else(PoisonError::into_inner));
        f(task / strips * n * inner + task % strips * width, &mut rows);
    });
}
