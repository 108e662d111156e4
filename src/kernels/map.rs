//! Element by element: brings any operands into contiguous pieces, so that each operator has exactly one loop.
use super::{
    isa::{dispatch, Kernel},
    pool,
};
use crate::{array::Strided, dtype::Element};
use std::sync::{Mutex, PoisonError};

/// One operand of an elementwise loop.
#[derive(Clone, Copy)]
pub enum Source<'a, T> {
    Slice(&'a [T]),
    /// The same number everywhere.
    Splat(T),
    Strided(Strided<'a, T>),
}
impl<'a, T: Element> Source<'a, T> {
    /// The cheapest form of an array's elements.
    #[inline]
    pub fn of(view: Strided<'a, T>) -> Source<'a, T> {
        if let Some(slice) = view.contiguous_slice() {
            Source::Slice(slice)
        } else if view.shape.iter().zip(view.strides).all(|(&n, &s)| n == 1 || s == 0) {
            Source::Splat(view.data[view.offset])
        } else {
            Source::Strided(view)
        }
    }
    fn fill(&self, start: usize, buffer: &mut [T]) {
        match self {
            Source::Slice(s) => buffer.copy_from_slice(&s[start..start + buffer.len()]),
            Source::Splat(v) => buffer.fill(*v),
            Source::Strided(view) => view.gather(start, buffer),
        }
    }
}

/// Elements per block when an operand has to be gathered first: the buffers stay in L1.
const BLOCK: usize = 1024;
/// Run `f` over blocks of the operands and results. `f` gets slices of equal length; `cost` is the rough number of
/// elementary operations per element.
#[inline]
pub fn zip<T: Element, U: Element, const K: usize, const M: usize>(
    sources: [Source<T>; K],
    mut outs: [&mut [U]; M],
    cost: usize,
    f: &(dyn Fn([&[T]; K], [&mut [U]; M]) + Sync),
) {
    let len = outs[0].len();
    if len * cost < pool::THRESHOLD || pool::num_threads() == 1 {
        return run(&sources, 0, outs, f);
    }
    let size = (pool::piece(len * cost.min(8)) / cost.min(8)).next_multiple_of(1 << 10);
    let mut cut = outs.each_mut().map(|out| out.chunks_mut(size));
    // Each task takes its piece of every result out of a slot, so no two can hold the same elements.
    let slots: Vec<Mutex<Option<[&mut [U]; M]>>> = (0..len.div_ceil(size))
        .map(|_| Mutex::new(Some(cut.each_mut().map(|pieces| pieces.next().unwrap_or_default()))))
        .collect();
    pool::parallel(slots.len(), len * cost, &|i| {
        let taken = slots[i].lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(outs) = taken {
            run(&sources, i * size, outs, f);
        }
    });
}

/// One task: directly where all operands are slices, else block by block through buffers.
#[inline]
fn run<T: Element, U: Element, const K: usize, const M: usize>(
    sources: &[Source<T>; K],
    start: usize,
    outs: [&mut [U]; M],
    f: &(dyn Fn([&[T]; K], [&mut [U]; M]) + Sync),
) {
    let len = outs[0].len();
    let direct: [Option<&[T]>; K] = std::array::from_fn(|k| match &sources[k] {
        Source::Slice(s) => Some(&s[start..start + len]),
        _ => None,
    });
    if direct.iter().all(Option::is_some) {
        return f(direct.map(Option::unwrap_or_default), outs);
    }
    if len > SMALL {
        if let Some(shape) = long_rows(sources) {
            return row_by_row(sources, shape, &direct, start, outs, f);
        }
    }
    if len <= SMALL {
        let mut buffers: [[T; SMALL]; K] = std::array::from_fn(|k| match &sources[k] {
            Source::Splat(v) => [*v; SMALL],
            _ => [T::default(); SMALL],
        });
        through_buffers(sources, &direct, start, outs, SMALL, buffers.each_mut().map(|b| &mut b[..]), f);
    } else {
        let block = BLOCK.min(len);
        let mut memory: [Vec<T>; K] = std::array::from_fn(|k| match &sources[k] {
            Source::Slice(_) => Vec::new(),
            Source::Splat(v) => vec![*v; block],
            Source::Strided(_) => vec![T::default(); block],
        });
        through_buffers(sources, &direct, start, outs, block, memory.each_mut().map(|m| &mut m[..]), f);
    }
}
/// Elements `done..done + n` of every result.
#[inline]
fn parts<'a, U, const M: usize>(outs: &'a mut [&mut [U]; M], done: usize, n: usize) -> [&'a mut [U]; M] {
    outs.each_mut().map(|out| &mut out[done..done + n])
}
/// The shape of the operands, if the rows of all that are strided lie in memory as they are, or repeat one element, and
/// are long enough to be handled one by one without a copy.
fn long_rows<'a, T: Element, const K: usize>(sources: &[Source<'a, T>; K]) -> Option<&'a [usize]> {
    let mut shape = None;
    for source in sources {
        if let Source::Strided(view) = source {
            let (&row, &step) = (view.shape.last()?, view.strides.last()?);
            if row < LONG_ROW || !matches!(step, 0 | 1) {
                return None;
            }
            shape = Some(view.shape);
        }
    }
    shape
}
/// Elements of a row from which a copy of it costs more than another call of the loop.
const LONG_ROW: usize = 32;

/// One task, row by row: broadcast operands are read where they lie.
fn row_by_row<T: Element, U: Element, const K: usize, const M: usize>(
    sources: &[Source<T>; K],
    shape: &[usize],
    direct: &[Option<&[T]>; K],
    start: usize,
    mut outs: [&mut [U]; M],
    f: &(dyn Fn([&[T]; K], [&mut [U]; M]) + Sync),
) {
    let (len, last) = (outs[0].len(), shape.len() - 1);
    let row = shape[last];
    let width = row.min(BLOCK);
    // One row of each operand that repeats an element; none where all lie in memory.
    let mut memory: [Vec<T>; K] = std::array::from_fn(|k| match &sources[k] {
        Source::Splat(v) => vec![*v; width],
        Source::Strided(view) if view.strides[last] == 0 => vec![T::default(); width],
        _ => Vec::new(),
    });
    let (mut done, mut filled) = (0, [usize::MAX; K]);
    while done < len {
        let (line, column) = ((start + done) / row, (start + done) % row);
        let n = (row - column).min(len - done).min(width);
        // Where this row begins in each strided operand, and how many elements it has there: one that is repeated.
        let mut ranges = [(0, 0); K];
        for k in 0..K {
            let Source::Strided(view) = &sources[k] else { continue };
            let (mut rest, mut at) = (line, view.offset as isize);
            for axis in (0..last).rev() {
                if view.shape[axis] != 1 {
                    at += (rest % view.shape[axis]) as isize * view.strides[axis];
                    rest /= view.shape[axis];
                }
            }
            if view.strides[last] == 1 {
                ranges[k] = (at as usize + column, n);
            } else if filled[k] != at as usize {
                memory[k].fill(view.data[at as usize]);
                filled[k] = at as usize;
            }
        }
        let ins: [&[T]; K] = std::array::from_fn(|k| match (direct[k], &sources[k]) {
            (Some(s), _) => &s[done..done + n],
            (None, Source::Strided(view)) if ranges[k].1 > 0 => &view.data[ranges[k].0..ranges[k].0 + n],
            _ => &memory[k][..n],
        });
        f(ins, parts(&mut outs, done, n));
        done += n;
    }
}
/// Up to here buffers lie on the stack.
const SMALL: usize = 16;

fn through_buffers<T: Element, U: Element, const K: usize, const M: usize>(
    sources: &[Source<T>; K],
    direct: &[Option<&[T]>; K],
    start: usize,
    mut outs: [&mut [U]; M],
    block: usize,
    buffers: [&mut [T]; K],
    f: &(dyn Fn([&[T]; K], [&mut [U]; M]) + Sync),
) {
    let (len, mut done) = (outs[0].len(), 0);
    while done < len {
        let n = block.min(len - done);
        for k in 0..K {
            // A constant filled its buffer before; a slice needs none.
            if let Source::Strided(view) = &sources[k] {
                view.gather(start + done, &mut buffers[k][..n]);
            }
        }
        let ins: [&[T]; K] = std::array::from_fn(|k| match direct[k] {
            Some(s) => &s[done..done + n],
            None => &buffers[k][..n],
        });
        f(ins, parts(&mut outs, done, n));
        done += n;
    }
}

struct AddInto<'a, T>(&'a mut [T], &'a [T]);
impl<T: Element + std::ops::Add<Output = T>> Kernel for AddInto<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        for (a, &b) in self.0.iter_mut().zip(self.1) {
            *a = *a + b;
        }
    }
}
/// `target += source`, the accumulation of gradients.
pub fn add_into<T: Element + std::ops::Add<Output = T>>(target: &mut [T], source: Strided<T>) {
    let (len, source) = (target.len(), Source::of(source));
    let size = pool::piece(len);
    pool::parallel_chunks(target, size, len, &|i, piece| {
        let start = i * size;
        if let Source::Slice(s) = source {
            return dispatch(AddInto(piece, &s[start..start + piece.len()]));
        }
        let mut buffer = vec![T::default(); BLOCK.min(piece.len())];
        for (j, part) in piece.chunks_mut(BLOCK).enumerate() {
            let buffer = &mut buffer[..part.len()];
            source.fill(start + j * BLOCK, buffer);
            dispatch(AddInto(part, buffer));
        }
    });
}
