//! Largest and smallest elements, and where they are. NaN wins, the first of equals is named.
use super::lines;
use crate::{array::Strided, dtype::Element};

/// Whether `a` comes before `b` when looking for the largest (or smallest).
#[inline(always)]
fn beats<T: PartialOrd>(a: &T, b: &T, largest: bool) -> bool {
    let nan = |x: &T| x.partial_cmp(x).is_none();
    (if largest { a > b } else { a < b }) || (nan(a) && !nan(b))
}
/// Axes as one: the array with the reduced axes moved behind the kept ones and merged where strides allow.
fn arranged(shape: &[usize], strides: &[isize], axes: u64) -> (Vec<usize>, Vec<isize>, usize) {
    let (mut kept, mut reduced) = (Vec::new(), Vec::new());
    for (a, (&n, &s)) in shape.iter().zip(strides).enumerate() {
        if axes >> a & 1 == 1 { &mut reduced } else { &mut kept }.push((n, s));
    }
    let count = kept.len();
    let all = kept.into_iter().chain(reduced);
    let (shape, strides) = all.unzip();
    (shape, strides, count)
}
/// The extreme over `axes`, one result for each place of the others.
pub fn extreme<T: Element + PartialOrd>(x: Strided<T>, axes: u64, largest: bool, out: &mut [T]) {
    let (shape, strides, kept) = arranged(x.shape, x.strides, axes);
    let n: usize = shape[kept..].iter().product();
    let moved = Strided { data: x.data, offset: x.offset, shape: &shape, strides: &strides };
    let lines = (1usize << 14).div_ceil(n.max(1));
    super::pool::parallel_chunks(out, lines, x.len(), &|task, out| {
        let mut line = vec![T::default(); n];
        for (i, y) in out.iter_mut().enumerate() {
            let row = (task * lines + i) * n;
            let line: &[T] = match moved.contiguous_slice() {
                Some(all) => &all[row..row + n],
                None => {
                    moved.gather(row, &mut line);
                    &line
                }
            };
            // Eight running extremes hide the latency of the comparison.
            let mut best = [line[0]; 8];
            for chunk in line.chunks(8) {
                for (b, v) in best.iter_mut().zip(chunk) {
                    *b = if beats(v, b, largest) { *v } else { *b };
                }
            }
            *y = best.into_iter().reduce(|a, b| if beats(&b, &a, largest) { b } else { a }).unwrap_or(line[0]);
        }
    });
}
/// Position of the extreme along `axis`.
pub fn arg_extreme<T: Element + PartialOrd>(x: Strided<T>, axis: usize, largest: bool, out: &mut [i64]) {
    lines::each(x, axis, 1, 1, out, &|line, result| {
        let mut at = 0;
        for i in 1..line.len() {
            if beats(&line[i], &line[at], largest) {
                at = i;
            }
        }
        result[0] = at as i64;
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn extremes_and_their_places() {
        let data = [1., 5., 3., 5., f64::NAN, 2.];
        let x = Strided { data: &data, offset: 0, shape: &[2, 3], strides: &[3, 1] };
        let (mut y, mut at) = ([0.; 2], [0; 2]);
        extreme(x, 0b10, true, &mut y);
        assert!(y[0] == 5. && y[1].is_nan());
        arg_extreme(x, 1, true, &mut at);
        assert_eq!(at, [1, 1]);
        let mut columns = [0.; 3];
        extreme(x, 0b01, false, &mut columns);
        assert!(columns[0] == 1. && columns[1].is_nan() && columns[2] == 2.);
    }
}
