//! Reductions whose neighbours in memory belong to one result: every result is a line.
use super::{
    fold::{join_parts, line, Fold, Tree, BLOCK},
    plan::{Axes, Plan},
};
use crate::kernels::{
    isa::{dispatch, Kernel},
    pool,
};

/// Elements per partial result of a long line, and the least that make a task.
const PIECE: usize = 1 << 15;
/// The most that make a task: neighbours in memory keep the prefetchers going.
const LONG: usize = 1 << 18;
/// With fewer results than this, long lines are cut in parts.
const FEW: usize = 16;

/// Some results one after the other; `with` belongs to them, `low..high` is the part of the line that counts.
struct Lines<'a, F: Fold> {
    f: F,
    data: &'a [F::Item],
    plan: &'a Plan,
    first: usize,
    low: usize,
    high: usize,
    with: &'a [F::With],
    out: &'a mut [F::Out],
}
impl<F: Fold> Kernel for Lines<'_, F> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Lines { f, data, plan, first, low, high, with, out } = self;
        let (kept, reduced) = (&plan.kept, &plan.reduced);
        let step = reduced.inner().1;
        if reduced.shape.len() == 1 && step == 1 {
            let (inner, stride) = kept.inner();
            let mut column = inner;
            let mut at = 0;
            for (i, (y, &w)) in out.iter_mut().zip(with).enumerate() {
                if column == inner {
                    column = (first + i) % inner;
                    at = plan.offset + kept.offset(first + i);
                }
                *y = line(f, &data[at as usize + low..at as usize + high], w);
                at += stride;
                column += 1;
            }
            return;
        }
        let mut buffer = vec![F::Item::default(); BLOCK.min(high - low)];
        for (i, (y, &w)) in out.iter_mut().zip(with).enumerate() {
            let at = plan.offset + kept.offset(first + i);
            *y = strided(f, data, reduced, at, low..high, w, &mut buffer);
        }
    }
}
/// A line made of several axes, or of steps other than one.
#[inline(always)]
fn strided<F: Fold>(
    f: F,
    data: &[F::Item],
    axes: &Axes,
    at: isize,
    range: std::ops::Range<usize>,
    with: F::With,
    buffer: &mut [F::Item],
) -> F::Out {
    let (row, step) = axes.inner();
    let mut tree = Tree::new(f);
    let mut i = range.start;
    while i < range.end {
        let direct = step == 1 && row >= BLOCK / 4;
        let length = if direct { (row - i % row).min(BLOCK) } else { BLOCK }.min(range.end - i);
        if direct {
            let start = (at + axes.offset(i)) as usize;
            tree.push(f.block(&data[start..start + length], with));
        } else {
            let buffer = &mut buffer[..length];
            axes.view(data, at).gather(i, buffer);
            tree.push(f.block(buffer, with));
        }
        i += length;
    }
    tree.finish()
}

/// How many of `count` pieces of work of `size` elements make a task.
fn together(count: usize, size: usize) -> usize {
    (count / (16 * pool::num_threads())).min(LONG / size.max(1)).max(1)
}
pub fn reduce<F: Fold>(f: F, data: &[F::Item], plan: &Plan, with: &[F::With], out: &mut [F::Out]) {
    let (count, length) = (out.len(), plan.reduced.len());
    let work = count * length;
    if count < FEW && length >= 2 * PIECE {
        let parts = length.div_ceil(PIECE);
        let mut partial = vec![f.start(); parts * count];
        let per_task = together(parts * count, PIECE);
        pool::parallel_chunks(&mut partial, per_task, work, &|task, out| {
            for (j, out) in out.chunks_exact_mut(1).enumerate() {
                let (i, part) = ((task * per_task + j) % count, (task * per_task + j) / count);
                let (low, high) = (part * PIECE, (part * PIECE + PIECE).min(length));
                dispatch(Lines { f, data, plan, first: i, low, high, with: &with[i..=i], out });
            }
        });
        join_parts(f, &mut partial, count);
        out.copy_from_slice(&partial[..count]);
        return;
    }
    let per_task = (PIECE / length.max(1)).max(together(count, length));
    pool::parallel_chunks(out, per_task, work, &|task, out| {
        let first = task * per_task;
        let with = &with[first..first + out.len()];
        dispatch(Lines { f, data, plan, first, low: 0, high: length, with, out });
    });
}
