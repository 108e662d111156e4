//! Running sums along an axis.
use super::lines;
use crate::{array::Strided, dtype::Element};
use std::ops::Add;

/// Running sum of every line along `axis`, from its end if `reverse`.
pub fn cumsum<T: Element + Add<Output = T>>(x: Strided<T>, axis: usize, reverse: bool, out: &mut [T]) {
    let n = x.shape[axis];
    lines::each(x, axis, n, 1, out, &|line, result| {
        let mut sum = T::default();
        let mut step = |(y, &v): (&mut T, &T)| {
            sum = sum + v;
            *y = sum;
        };
        if reverse {
            result.iter_mut().zip(line).rev().for_each(&mut step);
        } else {
            result.iter_mut().zip(line).for_each(&mut step);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn sums_run_both_ways() {
        let data = [1., 2., 3., 4., 5., 6.];
        let x = Strided { data: &data, offset: 0, shape: &[2, 3], strides: &[3, 1] };
        let mut out = [0.; 6];
        cumsum(x, 1, false, &mut out);
        assert_eq!(out, [1., 3., 6., 4., 9., 15.]);
        cumsum(x, 0, true, &mut out);
        assert_eq!(out, [5., 7., 9., 4., 5., 6.]);
    }
}
