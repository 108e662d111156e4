//! Every reduction against a naive loop, over random shapes, strides, axes and thread counts.
use super::*;
use crate::kernels::pool;

/// A small generator for shapes and numbers (Knuth's MMIX constants).
pub struct Random(u64);
impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }
    fn number(&mut self) -> f64 {
        self.below(1 << 20) as f64 / (1 << 19) as f64 - 1.0
    }
}
struct Sample {
    data: Vec<f64>,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<isize>,
}
impl Sample {
    /// Axes in any memory order, some reversed, stepped over, broadcast, of size one or empty.
    fn new(random: &mut Random, limit: usize) -> Sample {
        let rank = random.below(5);
        let shape: Vec<usize> = (0..rank)
            .map(|_| match random.below(12) {
                0 => 0,
                1 => 1,
                _ => 1 + random.below(limit),
            })
            .collect();
        let mut order: Vec<usize> = (0..rank).collect();
        if random.below(2) == 0 {
            (1..rank).for_each(|i| order.swap(i, random.below(i + 1)));
        }
        let (mut strides, mut step, mut offset) = (vec![0; rank], 1, 0);
        for &a in order.iter().rev() {
            let n = shape[a].max(1);
            let gap = if random.below(6) == 0 { 2 } else { 1 };
            match random.below(8) {
                0 => strides[a] = 0,
                1 => {
                    strides[a] = -((step * gap) as isize);
                    offset += (n - 1) * step * gap;
                    step *= n * gap;
                }
                _ => {
                    strides[a] = (step * gap) as isize;
                    step *= n * gap;
                }
            }
        }
        Sample { data: (0..step + 1).map(|_| random.number()).collect(), offset, shape, strides }
    }
    fn view<'a, T>(&'a self, data: &'a [T]) -> Strided<'a, T> {
        Strided { data, offset: self.offset, shape: &self.shape, strides: &self.strides }
    }
    /// The elements of every result, in row-major order.
    fn groups(&self, axes: u64) -> Vec<Vec<f64>> {
        let kept: Vec<usize> = (0..self.shape.len()).filter(|a| axes >> a & 1 == 0).collect();
        let mut groups = vec![Vec::new(); kept.iter().map(|&a| self.shape[a]).product()];
        for i in 0..self.shape.iter().product() {
            let (mut rest, mut at, mut group, mut step) = (i, self.offset as isize, 0, 1);
            for a in (0..self.shape.len()).rev() {
                let k = rest % self.shape[a];
                rest /= self.shape[a];
                at += k as isize * self.strides[a];
                if kept.contains(&a) {
                    group += k * step;
                    step *= self.shape[a];
                }
            }
            groups[group].push(self.data[at as usize]);
        }
        groups
    }
}
fn close(got: &[f64], want: impl Iterator<Item = f64>, what: &str) {
    for (i, (&y, w)) in got.iter().zip(want).enumerate() {
        let same = (y - w).abs() <= 1e-9 * w.abs().max(1.0) || (y.is_nan() && w.is_nan()) || y == w;
        assert!(same, "{what}: result {i} is {y}, not {w}");
    }
}
/// The same bits on one and two threads.
fn twice<U: PartialEq + Clone + std::fmt::Debug>(out: &mut [U], run: impl Fn(&mut [U])) {
    pool::set_num_threads(1);
    run(out);
    let mut again = out.to_vec();
    pool::set_num_threads(2);
    run(&mut again);
    assert_eq!(out, again);
}

#[test]
fn reductions_agree_with_naive_loops() {
    let mut random = Random(1);
    for round in 0..300 {
        let s = Sample::new(&mut random, if round % 10 == 0 { 60 } else { 9 });
        let axes = random.below(1 << s.shape.len()) as u64;
        let (x, groups) = (s.view(&s.data), s.groups(axes));
        let what = format!("shape {:?} strides {:?} axes {axes:b}", s.shape, s.strides);
        let each = |f: &dyn Fn(&[f64]) -> f64| groups.iter().map(|g| f(g)).collect::<Vec<_>>().into_iter();
        let mut y = vec![7.0; groups.len()];
        twice(&mut y, |y| sum(x, axes, y));
        close(&y, each(&|g| g.iter().sum()), &what);
        twice(&mut y, |y| prod(x, axes, y));
        close(&y, each(&|g| g.iter().product()), &what);
        twice(&mut y, |y| sum_abs(x, axes, y));
        close(&y, each(&|g| g.iter().map(|v| v.abs()).sum()), &what);
        twice(&mut y, |y| sum_squares(x, axes, y));
        close(&y, each(&|g| g.iter().map(|v| v * v).sum()), &what);
        var(x, axes, 0.0, &mut y);
        let mean = |g: &[f64]| g.iter().sum::<f64>() / g.len() as f64;
        close(&y, each(&|g| g.iter().map(|v| (v - mean(g)).powi(2)).sum::<f64>() / g.len() as f64), &what);
        logsumexp(x, axes, &mut y);
        close(&y, each(&|g| g.iter().map(|v| v.exp()).sum::<f64>().ln()), &what);
        let flags: Vec<u8> = s.data.iter().map(|v| u8::from(*v > 0.6)).collect();
        let (flags, mut truth, mut counts) = (s.view(&flags), vec![7; y.len()], vec![7; y.len()]);
        twice(&mut truth, |y| any(flags, axes, y));
        assert!(truth.iter().zip(&groups).all(|(t, g)| (*t == 1) == g.iter().any(|v| *v > 0.6)), "{what}");
        twice(&mut truth, |y| all(flags, axes, y));
        assert!(truth.iter().zip(&groups).all(|(t, g)| (*t == 1) == g.iter().all(|v| *v > 0.6)), "{what}");
        twice(&mut counts, |y| count_nonzero(flags, axes, y));
        assert!(
            counts.iter().zip(&groups).all(|(t, g)| *t as usize == g.iter().filter(|v| **v > 0.6).count()),
            "{what}"
        );
        let largest = max(x, axes, &mut y);
        if groups.iter().any(Vec::is_empty) {
            assert_eq!(largest, Err(EmptyReduction));
            continue;
        }
        close(&y, each(&|g| g.iter().copied().fold(f64::NEG_INFINITY, f64::max)), &what);
        min(x, axes, &mut y).unwrap();
        close(&y, each(&|g| g.iter().copied().fold(f64::INFINITY, f64::min)), &what);
    }
}
#[test]
fn long_lines_and_columns_are_cut_alike_on_all_threads() {
    let mut random = Random(2);
    let shapes = [[70_001, 3], [3, 70_001], [1000, 300], [257, 2049], [1, 300_000], [40, 5000]];
    for shape in shapes.into_iter().chain([[131, 1024], [18, 70_001], [259, 17_001], [1, 5_000_011]]) {
        let data: Vec<f64> = (0..shape[0] * shape[1]).map(|_| random.number()).collect();
        let single: Vec<f32> = data.iter().map(|&v| v as f32).collect();
        for (strides, axes) in [
            ([shape[1] as isize, 1], 1),
            ([shape[1] as isize, 1], 2),
            ([shape[1] as isize, 1], 3),
            ([1, shape[0] as isize], 1),
        ] {
            let s = Sample { data: data.clone(), offset: 0, shape: shape.to_vec(), strides: strides.to_vec() };
            let groups = s.groups(axes);
            let mut y = vec![0.0; groups.len()];
            twice(&mut y, |y| sum(s.view(&data), axes, y));
            close(&y, groups.iter().map(|g| g.iter().sum()), "sum");
            let mut y = vec![0f32; groups.len()];
            twice(&mut y, |y| sum(s.view(&single), axes, y));
            for (y, g) in y.iter().zip(&groups) {
                let (exact, size) =
                    (g.iter().map(|&v| f64::from(v as f32)).sum::<f64>(), g.iter().map(|v| v.abs()).sum::<f64>());
                assert!((f64::from(*y) - exact).abs() <= 2e-7 * size, "{y} {exact} {size}");
            }
            twice(&mut y, |y| max(s.view(&single), axes, y).unwrap());
            assert!(y.iter().zip(&groups).all(|(y, g)| g.iter().all(|&v| v as f32 <= *y)));
            assert!(y.iter().zip(&groups).all(|(y, g)| g.iter().any(|&v| v as f32 == *y)));
        }
    }
}
#[test]
fn extremes_know_their_places() {
    let mut random = Random(3);
    for round in 0..400 {
        let mut s = Sample::new(&mut random, if round % 10 == 0 { 80 } else { 9 });
        if s.shape.is_empty() {
            continue;
        }
        // Few values, so that equals are frequent, and some NaN.
        s.data.iter_mut().for_each(|v| *v = if *v > 0.97 { f64::NAN } else { (*v * 4.0).round() });
        let axis = random.below(s.shape.len());
        for largest in [true, false] {
            let place = |g: &[f64]| {
                let better = |a: f64, b: f64| if largest { a > b } else { a < b } || (a.is_nan() && !b.is_nan());
                (1..g.len()).fold(0, |best, i| if better(g[i], g[best]) { i } else { best }) as i64
            };
            let groups = s.groups(1 << axis);
            let mut at = vec![-1; groups.len()];
            if s.shape[axis] == 0 && !at.is_empty() {
                assert_eq!(arg_extreme(s.view(&s.data), axis, largest, &mut at), Err(EmptyReduction));
                continue;
            }
            twice(&mut at, |at| arg_extreme(s.view(&s.data), axis, largest, at).unwrap());
            let want: Vec<i64> = groups.iter().map(|g| place(g)).collect();
            assert_eq!(at, want, "{:?} {:?} {axis}", s.shape, s.strides);
            let everything = s.groups(u64::MAX);
            match arg_extreme_all(s.view(&s.data), largest) {
                Ok(at) => assert_eq!(at, place(&everything[0])),
                Err(_) => assert!(everything[0].is_empty()),
            }
        }
    }
}
#[test]
fn nan_wins_and_nothing_has_no_extreme() {
    for n in [1, 2, 17, 300, 5000] {
        for place in [0, n / 2, n - 1] {
            let mut data = vec![1f32; n];
            data[place] = f32::NAN;
            let x = Strided { data: &data, offset: 0, shape: &[n], strides: &[1] };
            let mut y = [0.0];
            max(x, 1, &mut y).unwrap();
            assert!(y[0].is_nan());
            min(x, 1, &mut y).unwrap();
            assert!(y[0].is_nan());
            assert_eq!(arg_extreme_all(x, true), Ok(place as i64));
        }
    }
    let low = [i64::MIN, i64::MIN];
    let x = Strided { data: &low, offset: 0, shape: &[2], strides: &[1] };
    let mut y = [0];
    max(x, 1, &mut y).unwrap();
    assert_eq!(y, [i64::MIN]);
}
#[test]
fn softmax_is_stable_along_any_axis() {
    let mut random = Random(4);
    for round in 0..200 {
        let s = Sample::new(&mut random, if round % 10 == 0 { 80 } else { 9 });
        if s.shape.is_empty() {
            continue;
        }
        let data: Vec<f64> = s.data.iter().map(|v| v * 900.0).collect();
        let axis = random.below(s.shape.len());
        let len: usize = s.shape.iter().product();
        let (mut y, mut log) = (vec![0.0; len], vec![0.0; len]);
        twice(&mut y, |y| softmax(s.view(&data), axis, y));
        twice(&mut log, |y| log_softmax(s.view(&data), axis, y));
        let n = s.shape[axis];
        let inner: usize = s.shape[axis + 1..].iter().product();
        let groups = s.groups(1 << axis);
        for (i, g) in groups.iter().enumerate().filter(|(_, g)| !g.is_empty()) {
            let peak = g.iter().copied().fold(f64::NEG_INFINITY, f64::max) * 900.0;
            let total: f64 = g.iter().map(|v| (v * 900.0 - peak).exp()).sum();
            for (k, v) in g.iter().enumerate() {
                let at = (i / inner * n + k) * inner + i % inner;
                let want = (v * 900.0 - peak).exp() / total;
                assert!((y[at] - want).abs() <= 1e-13, "{} {want}", y[at]);
                assert!((log[at] - (v * 900.0 - peak - total.ln())).abs() <= 1e-10);
            }
        }
    }
}
