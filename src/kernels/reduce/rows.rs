//! Reductions whose neighbours in memory belong to one result: every result is a line.
use super::{
    fold::{in_company, join_parts, line, lines, Fold, Tree, BLOCK, FAR, STREAMS},
    plan::{Axes, Plan},
};
use crate::kernels::{
    isa::{dispatch, Kernel},
    pool,
};

/// The least elements per partial result of a long line, and that make a task.
const PIECE: usize = 1 << 15;
/// The most that make a task: neighbours in memory keep the prefetchers going.
const LONG: usize = 1 << 19;
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
            let together = in_company::<F>(high - low, kept.len());
            let mut i = 0;
            while i < out.len() {
                let column = (first + i) % inner;
                let run = (inner - column).min(out.len() - i);
                let mut at = plan.offset + kept.offset(first + i);
                let run_end = i + run;
                while i < run_end {
                    // Companies form by number, so that no cut into tasks changes who is in one.
                    if together && (first + i).is_multiple_of(STREAMS) && i + STREAMS <= run_end {
                        let apart = (FAR / (high - low)).clamp(1, (run_end - i) / STREAMS);
                        for j in 0..apart {
                            let place = |s: usize| s * apart + j;
                            let rows = std::array::from_fn(|s| row(at + place(s) as isize * stride));
                            let results = lines(f, rows, std::array::from_fn(|s| with[i + place(s)]));
                            for (s, result) in results.into_iter().enumerate() {
                                out[i + place(s)] = result;
                            }
                        }
                        (i, at) = (i + STREAMS * apart, at + (STREAMS * apart) as isize * stride);
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
        // Long parts where there are enough of them: the beginning of each is waited for. By the length alone: it decides
        // who is added to whom.
        let piece = (length / 64).next_power_of_two().clamp(PIECE, 2 * FAR);
        let parts = length.div_ceil(piece);
        let mut partial = vec![f.start(); parts * count];
        let per_task = together(parts * count, piece);
        pool::parallel_chunks(&mut partial, per_task, work, &|task, out| {
            for (j, out) in out.chunks_exact_mut(1).enumerate() {
                let (i, part) = ((task * per_task + j) % count, (task * per_task + j) / count);
                let (low, high) = (part * piece, (part * piece + piece).min(length));
                dispatch(Lines { f, data, plan, first: i, low, high, with: &with[i..=i], out });
            }
        });
        join_parts(f, &mut partial, count);
        out.copy_from_slice(&partial[..count]);
        return;
    }
    let company = if in_company::<F>(length, count) { STREAMS } else { 1 };
    let per_task = (PIECE / length.max(1)).max(together(count, length)).next_multiple_of(company);
    pool::parallel_chunks(out, per_task, work, &|task, out| {
        let first = task * per_task;
        let with = &with[first..first + out.len()];
        dispatch(Lines { f, data, plan, first, low: 0, high: length, with, out });
    });
}
