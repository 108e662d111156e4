//! Stable sorting along an axis, as positions. NaN counts as larger than any number, as in NumPy and PyTorch.
//!
//! Every element becomes an integer whose order is the element's, with its position in the low bits: integers sort
//! several times faster than floats behind a comparison, no two are equal, so any sorting algorithm is stable and
//! every number of threads agrees.
use super::{gather::copy_strided, pool};
use crate::{array::Strided, dtype::Element};
use smallvec::SmallVec;

/// An element type that sorts.
pub trait Sortable: Element {
    /// Holds the order of an element above 32 bits of position.
    type Key: Copy + Ord + Send + Sync + Default;
    fn key(self, descending: bool, position: u32) -> Self::Key;
    fn position(key: Self::Key) -> u32;
}
macro_rules! sortable { ($($t:ty, $bits:ty, $key:ty: |$x:ident| $order:expr;)*) => { $(
    impl Sortable for $t {
        type Key = $key;
        #[inline(always)]
        fn key(self, descending: bool, position: u32) -> $key {
            let $x = self;
            let order: $bits = $order;
            let order = if descending { !order } else { order };
            <$key>::from(order) << 32 | <$key>::from(position)
        }
        #[inline(always)]
        fn position(key: $key) -> u32 { key as u32 }
    }
)* } }
/// The bits of a float as an integer of the same order: negative numbers reversed, the sign bit turned.
macro_rules! float_order {
    ($x:ident, $bits:ty, $signed:ty) => {{
        // -0 and 0 are equal; all NaN are equal and last.
        let bits = ($x + 0.0).to_bits();
        let mask = ((bits as $signed >> (<$bits>::BITS - 1)) as $bits) | 1 << (<$bits>::BITS - 1);
        if $x.is_nan() {
            <$bits>::MAX
        } else {
            bits ^ mask
        }
    }};
}
sortable! {
    u8, u32, u64: |x| u32::from(x);
    i32, u32, u64: |x| x as u32 ^ 1 << 31;
    i64, u64, u128: |x| x as u64 ^ 1 << 63;
    f32, u32, u64: |x| float_order!(x, u32, i32);
    f64, u64, u128: |x| float_order!(x, u64, i64);
}

/// Keys from which a line is sorted in parts, by several threads.
const LONG: usize = 1 << 16;
const PARTS: usize = 8;

/// The first `count` positions in sorted order of every line along `axis`. A line holds less than 2³² elements.
pub fn argsort<T: Sortable>(x: Strided<T>, axis: usize, descending: bool, count: usize, out: &mut [i64]) {
    if out.is_empty() {
        return;
    }
    let n = x.shape.get(axis).copied().unwrap_or(1);
    let inner: usize = x.shape.iter().skip(axis + 1).product();
    let lines = out.len() / count;
    // Lines one behind the other: the axis moved to the end, copied unless it lies there already.
    let order: SmallVec<[usize; 8]> = (0..x.shape.len()).filter(|&a| a != axis).chain([axis]).collect();
    let shape: SmallVec<[usize; 8]> = order.iter().map(|&a| x.shape.get(a).copied().unwrap_or(1)).collect();
    let strides: SmallVec<[isize; 8]> = order.iter().map(|&a| x.strides.get(a).copied().unwrap_or(0)).collect();
    let moved = Strided { data: x.data, offset: x.offset, shape: &shape, strides: &strides };
    let copy;
    let items = match moved.contiguous_slice() {
        Some(items) => items,
        None => {
            let mut memory = vec![T::default(); lines * n];
            copy_strided(moved, &mut memory);
            copy = memory;
            &copy
        }
    };
    if inner == 1 {
        return sort_lines(items, n, descending, count, out);
    }
    let mut sorted = vec![0i64; out.len()];
    sort_lines(items, n, descending, count, &mut sorted);
    // From [outer, inner, count] back to [outer, count, inner].
    let shape = [lines / inner, count, inner];
    let strides = [(inner * count) as isize, 1, count as isize];
    copy_strided(Strided { data: &sorted, offset: 0, shape: &shape, strides: &strides }, out);
}
/// The `count` largest (or smallest) of every line along `axis`, the first in order first.
pub fn topk<T: Sortable>(x: Strided<T>, axis: usize, largest: bool, count: usize, out: &mut [i64]) {
    argsort(x, axis, largest, count, out);
}

fn sort_lines<T: Sortable>(items: &[T], n: usize, descending: bool, count: usize, out: &mut [i64]) {
    let work = items.len().saturating_mul(8 + n.ilog2() as usize);
    let per_task = (LONG / 16 / n.max(1)).max(1);
    if out.len() == count {
        return sort_line(items, descending, &mut Vec::with_capacity(n), out, true);
    }
    pool::parallel_chunks(out, per_task * count, work, &|task, out| {
        let mut keys = Vec::with_capacity(n);
        let lines = items[task * per_task * n..].chunks_exact(n);
        for (line, result) in lines.zip(out.chunks_exact_mut(count)) {
            sort_line(line, descending, &mut keys, result, false);
        }
    });
}
fn sort_line<T: Sortable>(line: &[T], descending: bool, keys: &mut Vec<T::Key>, out: &mut [i64], alone: bool) {
    keys.clear();
    keys.extend(line.iter().zip(0..).map(|(x, i)| x.key(descending, i)));
    let count = out.len();
    // A few of many: those in front are found first, then sorted.
    if count < keys.len() / 4 {
        keys.select_nth_unstable(count);
        keys.truncate(count);
    }
    if alone && keys.len() >= LONG && pool::num_threads() > 1 {
        sort_in_parts(keys);
    } else {
        keys.sort_unstable();
    }
    out.iter_mut().zip(keys).for_each(|(y, key)| *y = i64::from(T::position(*key)));
}
/// Parts are sorted in parallel, then merged two by two.
fn sort_in_parts<K: Copy + Ord + Send + Sync + Default>(keys: &mut Vec<K>) {
    let (len, mut part) = (keys.len(), keys.len().div_ceil(PARTS));
    pool::parallel_chunks(keys, part, len * 16, &|_, part| part.sort_unstable());
    let mut merged = vec![K::default(); len];
    while part < len {
        let (source, width) = (&*keys, part);
        pool::parallel_chunks(&mut merged, 2 * width, len * 4, &|i, out| {
            let pair = &source[i * 2 * width..][..out.len()];
            let (mut a, mut b) = pair.split_at(width.min(pair.len()));
            for y in out {
                let from_a = match (a.first(), b.first()) {
                    (Some(a), Some(b)) => a < b,
                    (a, _) => a.is_some(),
                };
                let side = if from_a { &mut a } else { &mut b };
                if let Some((first, rest)) = side.split_first() {
                    *y = *first;
                    *side = rest;
                }
            }
        });
        std::mem::swap(keys, &mut merged);
        part *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    fn naive<T: Copy + PartialOrd>(line: &[T], descending: bool) -> Vec<i64> {
        let nan = |v: &T| v.partial_cmp(v).is_none();
        let compare = |a: &T, b: &T| a.partial_cmp(b).unwrap_or_else(|| nan(a).cmp(&nan(b)));
        let mut order: Vec<i64> = (0..line.len() as i64).collect();
        order.sort_by(|&i, &j| {
            let by = compare(&line[i as usize], &line[j as usize]);
            if descending {
                by.reverse()
            } else {
                by
            }
        });
        order
    }
    fn numbers(n: usize) -> Vec<f64> {
        let special = [f64::NAN, -f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY];
        (0..n).map(|i| if i % 5 == 0 { special[i / 5 % 6] } else { ((i * 7919 + i * i) % 23) as f64 - 11.0 }).collect()
    }
    fn check<T: Sortable + PartialOrd>(data: &[T], shape: &[usize], strides: &[isize], offset: usize, axis: usize) {
        let n = shape[axis];
        let (outer, inner): (usize, usize) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        let x = Strided { data, offset, shape, strides };
        let mut all = vec![T::default(); x.len()];
        x.gather(0, &mut all);
        for (descending, count) in [(false, n), (true, n), (true, n / 5), (false, n.min(1))] {
            let mut out = vec![-1; outer * inner * count];
            for threads in [1, 2] {
                pool::set_num_threads(threads);
                argsort(x, axis, descending, count, &mut out);
                for line in 0..outer * inner {
                    let (o, i) = (line / inner, line % inner);
                    let items: Vec<T> = (0..n).map(|k| all[(o * n + k) * inner + i]).collect();
                    let got: Vec<i64> = (0..count).map(|k| out[(o * count + k) * inner + i]).collect();
                    assert_eq!(got, naive(&items, descending)[..count], "{shape:?} {strides:?} axis {axis}");
                }
            }
        }
    }
    #[test]
    fn lines_are_sorted_stably_along_any_axis() {
        let data = numbers(5000);
        let single: Vec<f32> = data.iter().map(|&v| v as f32).collect();
        let whole: Vec<i64> = data.iter().map(|&v| (v as i64).wrapping_mul(i64::from(i32::MAX))).collect();
        let half: Vec<i32> = data.iter().map(|&v| v as i32).collect();
        let bytes: Vec<u8> = data.iter().map(|&v| v as u8).collect();
        for (shape, strides, offset) in [
            (vec![5, 7, 9], vec![63, 9, 1], 0),
            (vec![9, 40, 3], vec![1, 9, 360], 0),
            (vec![4, 0, 3], vec![1, 4, 4], 0),
            (vec![11, 30], vec![-60, 2], 700),
            (vec![3, 200], vec![0, -1], 900),
            (vec![1, 1], vec![1, 1], 0),
        ] {
            for axis in 0..shape.len() {
                check(&data, &shape, &strides, offset, axis);
                check(&single, &shape, &strides, offset, axis);
                check(&whole, &shape, &strides, offset, axis);
                check(&half, &shape, &strides, offset, axis);
                check(&bytes, &shape, &strides, offset, axis);
            }
        }
    }
    #[test]
    fn long_lines_are_sorted_in_parts() {
        for n in [LONG, LONG + 1, LONG * 2 + 77] {
            check(&numbers(n), &[n], &[1], 0, 0);
        }
    }
    #[test]
    fn keys_keep_the_order_of_numbers() {
        let ordered = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.0,
            -f64::MIN_POSITIVE,
            -5e-324,
            0.0,
            5e-324,
            1.0,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ];
        for pair in ordered.windows(2) {
            assert!(pair[0].key(false, 9) < pair[1].key(false, 1) && pair[0].key(true, 1) > pair[1].key(true, 9));
        }
        assert_eq!((-0.0f64).key(false, 1).cmp(&0.0f64.key(false, 1)), Ordering::Equal);
        assert_eq!(f32::NAN.key(false, 3), (-f32::NAN).key(false, 3));
        assert!(i64::MIN.key(false, 9) < i64::MAX.key(false, 0) && (-1i32).key(false, 9) < 0i32.key(false, 0));
    }
}
