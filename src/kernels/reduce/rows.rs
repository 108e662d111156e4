//! Reductions whose neighbours in memory belong to one result: every result is a line.
use super::{
    fold::{in_company, join_parts, line, lines, Fold, Tree, BLOCK, STREAMS},
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
            let row = |at: isize| &data[at as usize + low..at as usize + high];
            let together = in_company::<F>(high - low);
            let mut i = 0;
            while i < out.len() {
                let column = (first + i) % inner;
                let run = (inner - column).min(out.len() - i);
                let mut at = plan.offset + kept.offset(first + i);
                let run_end = i + run;
                while i < run_end {
                    // Companies form by number, so that no cut into tasks changes who is in which.
                    if together && (first + i).is_multiple_of(STREAMS) && i + STREAMS <= run_end {
                        let rows = std::array::from_fn(|s| row(at + s as isize * stride));
                        let results = lines(f, rows, std::array::from_fn(|s| with[i + s]));
                        out[i..i + STREAMS].copy_from_slice(&results);
                        (i, at) = (i + STREAMS, at + STREAMS as isize * stride);
                    } else {
                        out[i] = line(f, row(at), with[i]);
                        (i, at) = (i + 1, at + stride);
                    }
                }
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
    let company = if in_company::<F>(length) { STREAMS } else { 1 };
    let per_task = (PIECE / length.max(1)).max(together(count, length)).next_multiple_of(company);
    pool::parallel_chunks(out, per_task, work, &|task, out| {
        let first = task * per_task;
        let with = &with[first..first + out.len()];
        dispatch(Lines { f, data, plan, first, low: 0, high: length, with, out });
    });
}
