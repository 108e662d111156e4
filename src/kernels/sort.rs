//! Stable sorting along an axis, as positions. NaN counts as larger than any number.
use super::lines;
use crate::{array::Strided, dtype::Element};
use std::cmp::Ordering;

/// Numbers in order, NaN last and equal to itself.
fn order<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let nan = |x: &T| x.partial_cmp(x).is_none();
    a.partial_cmp(b).unwrap_or_else(|| nan(a).cmp(&nan(b)))
}
/// The first `count` positions in sorted order of every line along `axis`.
pub fn argsort<T: Element + PartialOrd>(x: Strided<T>, axis: usize, descending: bool, count: usize, out: &mut [i64]) {
    let compare = |a: &(T, i64), b: &(T, i64)| {
        let by_value = if descending { order(&b.0, &a.0) } else { order(&a.0, &b.0) };
        by_value.then(a.1.cmp(&b.1))
    };
    lines::each(x, axis, count, 20, out, &|line, result| {
        let mut numbered: Vec<(T, i64)> = line.iter().copied().zip(0..).collect();
        // Positions break ties, so the unstable sort is stable; a few of many are selected first.
        if count > 0 && count < numbered.len() / 4 {
            numbered.select_nth_unstable_by(count - 1, compare);
            numbered.truncate(count);
        }
        numbered.sort_unstable_by(compare);
        result.iter_mut().zip(numbered).for_each(|(r, (_, i))| *r = i);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn lines_are_sorted_stably_with_nan_last() {
        let data = [3., f64::NAN, 1., 3., 0., 2.];
        let x = Strided { data: &data, offset: 0, shape: &[2, 3], strides: &[1, 2] };
        let mut out = [0; 6];
        argsort(x, 1, false, 3, &mut out); // rows 3 1 0 and nan 3 2
        assert_eq!(out, [2, 1, 0, 2, 1, 0]);
        argsort(x, 1, true, 3, &mut out);
        assert_eq!(out, [0, 1, 2, 0, 1, 2]);
        let mut top = [0; 2];
        let many: Vec<f64> = (0..100).map(|i| ((i * 37) % 100) as f64).collect();
        argsort(Strided { data: &many, offset: 0, shape: &[100], strides: &[1] }, 0, true, 2, &mut top);
        assert_eq!((many[top[0] as usize], many[top[1] as usize]), (99., 98.));
    }
}
