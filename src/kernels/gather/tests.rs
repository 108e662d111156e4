//! Against loops over every element, with random shapes, strides (negative, zero, with gaps) and sizes of zero.
use super::*;
use crate::array::{Strided, StridedMut};
use crate::kernels::pool;

struct Random(u64);
impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
    fn indices(&mut self, count: usize, size: usize) -> Vec<i64> {
        (0..count).map(|_| self.below(size.max(1)) as i64).collect()
    }
}
struct Sample {
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<isize>,
    reach: usize,
}
impl Sample {
    fn new(random: &mut Random, shape: &[usize], zeros: bool) -> Sample {
        let rank = shape.len();
        let mut order: Vec<usize> = (0..rank).collect();
        if random.below(3) > 0 {
            (1..rank).for_each(|i| order.swap(i, random.below(i + 1)));
        }
        let (mut strides, mut step, mut offset) = (vec![0; rank], 1, random.below(3));
        let shift = offset;
        for &a in order.iter().rev() {
            let n = shape[a].max(1);
            let gap = if random.below(5) == 0 { 2 } else { 1 };
            let kind = random.below(8);
            if kind == 0 && zeros {
                continue;
            }
            strides[a] = (step * gap) as isize;
            if kind == 1 {
                strides[a] = -strides[a];
                offset += (n - 1) * step * gap;
            }
            step *= n * gap;
        }
        Sample { offset, shape: shape.to_vec(), strides, reach: step + shift + 1 }
    }
    fn view<'a, T>(&'a self, data: &'a [T]) -> Strided<'a, T> {
        Strided { data, offset: self.offset, shape: &self.shape, strides: &self.strides }
    }
    fn data(&self) -> Vec<f64> {
        (0..self.reach).map(|i| (i * 7919 % 10007) as f64).collect()
    }
    fn at(&self, index: &[usize]) -> usize {
        let steps: isize = index.iter().zip(&self.strides).map(|(&i, &s)| i as isize * s).sum();
        (self.offset as isize + steps) as usize
    }
}
fn places(shape: &[usize]) -> Vec<Vec<usize>> {
    let len: usize = shape.iter().product();
    let place = |mut i: usize| {
        let mut index = vec![0; shape.len()];
        for a in (0..shape.len()).rev() {
            index[a] = i % shape[a];
            i /= shape[a];
        }
        index
    };
    (0..len).map(place).collect()
}
fn flat(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |at, (&n, &i)| at * n + i)
}
fn shape(random: &mut Random, low_rank: usize, limit: usize) -> Vec<usize> {
    let rank = low_rank + random.below(5 - low_rank);
    let size = |random: &mut Random| if random.below(12) == 0 { random.below(2) } else { 1 + random.below(limit) };
    (0..rank).map(|_| size(random)).collect()
}
fn limit(round: usize) -> usize {
    if round.is_multiple_of(8) {
        30
    } else {
        7
    }
}

#[test]
fn copies_agree_with_naive_loops() {
    let mut random = Random(1);
    pool::set_num_threads(2);
    for round in 0..500 {
        let shape = shape(&mut random, 0, limit(round));
        let s = Sample::new(&mut random, &shape, true);
        let data = s.data();
        let want: Vec<f64> = places(&shape).iter().map(|p| data[s.at(p)]).collect();
        let mut got = vec![-1.0; want.len()];
        copy_strided(s.view(&data), &mut got);
        assert_eq!(got, want, "{shape:?} {:?}", s.strides);
        let bytes: Vec<u8> = data.iter().map(|v| *v as u8).collect();
        let mut got = vec![0; want.len()];
        copy_strided(s.view(&bytes), &mut got);
        assert!(got.iter().zip(&want).all(|(g, w)| *g == *w as u8));
    }
}
#[test]
fn transposes_of_any_size_are_exact() {
    pool::set_num_threads(2);
    for [n, m] in [[1, 500], [500, 3], [3, 500], [64, 64], [65, 127], [300, 301], [16, 5000], [5000, 16]] {
        let data: Vec<f32> = (0..2 * n * m).map(|i| i as f32).collect();
        let shape = [2, m, n];
        let x = Strided { data: &data, offset: 0, shape: &shape, strides: &[(n * m) as isize, 1, m as isize] };
        let mut out = vec![-1.0; 2 * n * m];
        copy_strided(x, &mut out);
        for (p, y) in places(&shape).iter().zip(&out) {
            assert_eq!(*y, data[p[0] * n * m + p[2] * m + p[1]]);
        }
    }
}
#[test]
fn writes_agree_with_naive_loops() {
    let mut random = Random(2);
    pool::set_num_threads(2);
    for round in 0..600 {
        let shape = shape(&mut random, 0, limit(round));
        let (from, to) = (Sample::new(&mut random, &shape, true), Sample::new(&mut random, &shape, round % 3 == 0));
        let data = from.data();
        let mut want = vec![-1.0; to.reach];
        places(&shape).iter().for_each(|p| want[to.at(p)] = data[from.at(p)]);
        let mut got = vec![-1.0; to.reach];
        write_strided(
            from.view(&data),
            StridedMut { data: &mut got, offset: to.offset, shape: &shape, strides: &to.strides },
        );
        assert_eq!(got, want, "{shape:?} {:?} {:?}", from.strides, to.strides);
    }
    // Many elements with gaps between rows: several tasks.
    let data: Vec<f64> = (0..300 * 400).map(f64::from).collect();
    let x = Strided { data: &data, offset: 0, shape: &[300, 400], strides: &[400, 1] };
    let mut got = vec![-1.0; 300 * 500];
    write_strided(x, StridedMut { data: &mut got, offset: 50, shape: &[300, 400], strides: &[500, 1] });
    for (i, row) in got.chunks(500).enumerate() {
        assert_eq!(row[50..450], data[i * 400..(i + 1) * 400]);
        assert!(row[..50].iter().chain(&row[450..]).all(|&v| v == -1.0));
    }
}
#[test]
fn slices_are_taken_and_put_along_any_axis() {
    let mut random = Random(3);
    for round in 0..500 {
        let shape = shape(&mut random, 1, limit(round));
        let axis = random.below(shape.len());
        let s = Sample::new(&mut random, &shape, true);
        let data = s.data();
        let count = if shape[axis] == 0 { 0 } else { random.below(9) };
        let indices = random.indices(count, shape[axis]);
        let mut taken = shape.clone();
        taken[axis] = count;
        let from = |p: &[usize]| {
            let mut p = p.to_vec();
            p[axis] = indices[p[axis]] as usize;
            p
        };
        let want: Vec<f64> = places(&taken).iter().map(|p| data[s.at(&from(p))]).collect();
        let mut got = vec![-1.0; want.len()];
        take_axis(s.view(&data), axis, &indices, &mut got);
        assert_eq!(got, want, "{shape:?} {:?} {axis} {indices:?}", s.strides);

        let v = Sample::new(&mut random, &taken, true);
        let values = v.data();
        let start: Vec<f64> = (0..shape.iter().product::<usize>()).map(|i| i as f64).collect();
        for (threads, add) in [(1, true), (2, true), (1, false), (2, false)] {
            let mut want = start.clone();
            for p in places(&taken) {
                let y = &mut want[flat(&shape, &from(&p))];
                *y = if add { *y } else { 0.0 } + values[v.at(&p)];
            }
            pool::set_num_threads(threads);
            let mut got = start.clone();
            put_axis(&mut got, &shape, axis, &indices, v.view(&values), add);
            assert_eq!(got, want, "{shape:?} {:?} {axis} {indices:?} {add}", v.strides);
        }
    }
}
#[test]
fn flags_that_are_set_are_found() {
    let mut random = Random(5);
    for count in [0, 1, 100, 50_000] {
        let mask: Vec<u8> = (0..count).map(|_| u8::from(random.below(3) == 0)).collect();
        let found = nonzero(&mask);
        assert!(found.is_sorted() && found.iter().all(|&i| mask[i] == 1));
        assert_eq!(found.len(), mask.iter().filter(|&&m| m == 1).count());
    }
}
#[test]
fn indices_out_of_range_are_named() {
    assert!(check_indices("take", &[0, 2], 3).is_ok() && check_indices("take", &[], 0).is_ok());
    let message = check_indices("take", &[0, 1, -1], 3).unwrap_err().to_string();
    assert!(message.contains("index -1 at position 2") && message.contains("size 3"), "{message}");
    assert!(check_indices("take", &[3], 3).is_err());
}
