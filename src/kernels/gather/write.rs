//! Writing into a strided array: its axes are put in the order of memory, so that rows are long and tasks disjoint.
use super::{
    copy::copy_layout,
    layout::{read_row, Layout, RowWalk},
};
use crate::{
    array::{Strided, StridedMut},
    dtype::Element,
    kernels::pool,
};
use smallvec::SmallVec;

/// Elements per task.
const PIECE: usize = 1 << 15;

/// One axis of both arrays.
#[derive(Clone, Copy)]
struct Axis {
    n: usize,
    from: isize,
    to: isize,
}

/// Copy `x` into `out`, of the same shape. Where elements of `out` share a place, the last in row-major order stays.
pub fn write_strided<T: Element>(x: Strided<T>, out: StridedMut<T>) {
    if x.is_empty() {
        return;
    }
    let (mut from, mut to) = (x.offset as isize, out.offset as isize);
    let mut axes: SmallVec<[Axis; 4]> = SmallVec::new();
    for (a, &n) in x.shape.iter().enumerate().filter(|(_, &n)| n != 1) {
        axes.push(Axis { n, from: x.strides[a], to: out.strides[a] });
    }
    let mut sorted = axes.clone();
    for axis in sorted.iter_mut().filter(|axis| axis.to < 0) {
        // Walk the other way round: both arrays begin at the other end.
        from += (axis.n as isize - 1) * axis.from;
        to += (axis.n as isize - 1) * axis.to;
        (axis.from, axis.to) = (-axis.from, -axis.to);
    }
    sorted.sort_by_key(|axis| std::cmp::Reverse(axis.to));
    if !disjoint(&sorted) {
        return in_order(x, &axes, out);
    }
    let merged = merge(&sorted);
    let dense = match merged.as_slice() {
        [] => true,
        [axis] => axis.to == 1,
        _ => is_dense(&sorted),
    };
    if dense {
        let layout = Layout::merged(sorted.iter().map(|axis| (axis.n, axis.from)));
        let len = x.len();
        return copy_layout(x.data, from, &layout, &mut out.data[to as usize..to as usize + len]);
    }
    scattered(x.data, from, &merged, &mut out.data[to as usize..]);
}
/// Whether no two elements share a place: every axis steps over all that lies inside it.
fn disjoint(sorted: &[Axis]) -> bool {
    let mut reach = 0;
    sorted.iter().rev().all(|axis| {
        let free = axis.to > reach;
        reach += (axis.n as isize - 1) * axis.to;
        free
    })
}
fn is_dense(sorted: &[Axis]) -> bool {
    let mut step = 1;
    sorted.iter().rev().all(|axis| {
        let next = axis.to == step;
        step *= axis.n as isize;
        next
    })
}
/// Axes that lie end to end in both arrays become one.
fn merge(axes: &[Axis]) -> SmallVec<[Axis; 4]> {
    let mut merged: SmallVec<[Axis; 4]> = SmallVec::new();
    for &axis in axes {
        let n = axis.n as isize;
        match merged.last_mut() {
            Some(last) if last.from == n * axis.from && last.to == n * axis.to => {
                *last = Axis { n: last.n * axis.n, ..axis };
            }
            _ => merged.push(axis),
        }
    }
    merged
}
/// Axes in the order of memory with gaps between: the outermost axis cuts the target into disjoint pieces.
fn scattered<T: Element>(data: &[T], from: isize, axes: &[Axis], out: &mut [T]) {
    let [outer, rest @ ..] = axes else { return };
    let inside: usize = rest.iter().map(|axis| axis.n).product();
    let per_task = PIECE.div_ceil(inside).min(outer.n);
    let piece = per_task * outer.to as usize;
    let used = ((outer.n - 1) * outer.to as usize).saturating_add(reach(rest) + 1);
    pool::parallel_chunks(&mut out[..used], piece, outer.n * inside, &|task, part| {
        let low = task * per_task;
        let count = per_task.min(outer.n - low);
        let mut here: SmallVec<[Axis; 4]> = SmallVec::from_slice(axes);
        here[0].n = count;
        each_row(data, from + low as isize * outer.from, &here, 0, part);
    });
}
fn reach(axes: &[Axis]) -> usize {
    axes.iter().map(|axis| (axis.n - 1) * axis.to as usize).sum()
}
/// Elements that share places: strictly row-major.
fn in_order<T: Element>(x: Strided<T>, axes: &[Axis], out: StridedMut<T>) {
    each_row(x.data, x.offset as isize, axes, out.offset as isize, out.data);
}
fn each_row<T: Element>(data: &[T], from: isize, axes: &[Axis], to: isize, out: &mut [T]) {
    let Some((inner, outer)) = axes.split_last() else {
        out[to as usize] = data[from as usize];
        return;
    };
    let shape: SmallVec<[usize; 4]> = outer.iter().map(|axis| axis.n).collect();
    let froms: SmallVec<[isize; 4]> = outer.iter().map(|axis| axis.from).collect();
    let tos: SmallVec<[isize; 4]> = outer.iter().map(|axis| axis.to).collect();
    let mut walk = RowWalk::new(&shape, [&froms, &tos], [from, to], 0);
    for _ in 0..shape.iter().product() {
        let [from, to] = walk.at;
        match inner.to {
            1 => read_row(data, from, inner.from, &mut out[to as usize..to as usize + inner.n]),
            step if step > 1 && inner.from == 1 => {
                let row = &data[from as usize..from as usize + inner.n];
                let targets = out[to as usize..].iter_mut().step_by(step as usize);
                targets.zip(row).for_each(|(y, &x)| *y = x);
            }
            step => {
                for i in 0..inner.n as isize {
                    out[(to + i * step) as usize] = data[(from + i * inner.from) as usize];
                }
            }
        }
        walk.advance();
    }
}
