//! Lines along one axis: brings each into a contiguous buffer, in parallel, for kernels that need whole lines.
use super::pool;
use crate::{array::Strided, dtype::Element};

/// For every line of `x` along `axis`, run `f(line, result)` with room for `count` results, and lay the results out
/// as a contiguous array with `count` in place of the axis.
pub fn each<T: Element, U: Element>(
    x: Strided<T>,
    axis: usize,
    count: usize,
    cost: usize,
    out: &mut [U],
    f: &(dyn Fn(&[T], &mut [U]) + Sync),
) {
    let n = x.shape[axis];
    let inner: usize = x.shape[axis + 1..].iter().product();
    let outer: usize = x.shape[..axis].iter().product();
    if outer * inner * count == 0 {
        return;
    }
    // One task holds all lines of one outer index: its results are one piece of the output.
    let work = outer * inner * n * cost;
    pool::parallel_chunks(out, inner * count, work, &|outer_index, piece| {
        let (mut line, mut result) = (vec![T::default(); n], vec![U::default(); count]);
        for i in 0..inner {
            let mut at = x.offset as isize;
            let mut rest = i;
            for a in (axis + 1..x.shape.len()).rev() {
                at += (rest % x.shape[a]) as isize * x.strides[a];
                rest /= x.shape[a];
            }
            let mut rest = outer_index;
            for a in (0..axis).rev() {
                at += (rest % x.shape[a]) as isize * x.strides[a];
                rest /= x.shape[a];
            }
            for (k, v) in line.iter_mut().enumerate() {
                *v = x.data[(at + k as isize * x.strides[axis]) as usize];
            }
            f(&line, &mut result);
            for (k, &r) in result.iter().enumerate() {
                piece[k * inner + i] = r;
            }
        }
    });
}
