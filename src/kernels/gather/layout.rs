//! Axes of a strided array after merging those that lie end to end, and the walk along its rows.
use smallvec::SmallVec;

/// Shape and strides, outermost axis first; never empty (a single element is one axis of size 1).
#[derive(Clone)]
pub struct Layout {
    pub shape: SmallVec<[usize; 4]>,
    pub strides: SmallVec<[isize; 4]>,
}
impl Layout {
    pub fn merged(axes: impl Iterator<Item = (usize, isize)>) -> Layout {
        let mut layout = Layout { shape: SmallVec::new(), strides: SmallVec::new() };
        for (n, stride) in axes.filter(|&(n, _)| n != 1) {
            match (layout.shape.last_mut(), layout.strides.last_mut()) {
                (Some(size), Some(step)) if *step == n as isize * stride => {
                    *size *= n;
                    *step = stride;
                }
                _ => {
                    layout.shape.push(n);
                    layout.strides.push(stride);
                }
            }
        }
        if layout.shape.is_empty() {
            layout.shape.push(1);
            layout.strides.push(1);
        }
        layout
    }
    pub fn of(shape: &[usize], strides: &[isize]) -> Layout {
        Layout::merged(shape.iter().copied().zip(strides.iter().copied()))
    }
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// Size and stride of the innermost axis.
    pub fn inner(&self) -> (usize, isize) {
        let last = self.shape.len() - 1;
        (self.shape[last], self.strides[last])
    }
}

/// Where element `index` (row-major) of these axes lies, relative to the first.
#[inline]
pub fn offset(shape: &[usize], strides: &[isize], index: usize) -> isize {
    let (mut rest, mut at) = (index, 0);
    for (&n, &stride) in shape.iter().zip(strides).rev() {
        at += (rest % n) as isize * stride;
        rest /= n;
    }
    at
}

/// Steps through the rows of `N` arrays of one shape at once: `at` is where the present row begins in each.
pub struct RowWalk<'a, const N: usize> {
    shape: &'a [usize],
    strides: [&'a [isize]; N],
    index: SmallVec<[usize; 4]>,
    pub at: [isize; N],
}
impl<'a, const N: usize> RowWalk<'a, N> {
    /// `shape` and `strides` without the innermost axis; begins at row `row`.
    pub fn new(shape: &'a [usize], strides: [&'a [isize]; N], origin: [isize; N], row: usize) -> RowWalk<'a, N> {
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, shape.len());
        let mut rest = row;
        for (i, &n) in index.iter_mut().zip(shape).rev() {
            *i = rest % n;
            rest /= n;
        }
        let at = std::array::from_fn(|k| origin[k] + offset(shape, strides[k], row));
        RowWalk { shape, strides, index, at }
    }
    #[inline(always)]
    pub fn advance(&mut self) {
        for a in (0..self.shape.len()).rev() {
            self.index[a] += 1;
            if self.index[a] < self.shape[a] {
                for k in 0..N {
                    self.at[k] += self.strides[k][a];
                }
                return;
            }
            self.index[a] = 0;
            for k in 0..N {
                self.at[k] -= self.strides[k][a] * (self.shape[a] as isize - 1);
            }
        }
    }
}

/// Read a row: `out[i] = data[first + i * step]`.
#[inline(always)]
pub fn read_row<T: Copy>(data: &[T], first: isize, step: isize, out: &mut [T]) {
    let start = first as usize;
    match step {
        1 => out.copy_from_slice(&data[start..start + out.len()]),
        0 => out.fill(data[start]),
        _ if step > 0 => {
            let source = data[start..].iter().step_by(step as usize);
            out.iter_mut().zip(source).for_each(|(y, &x)| *y = x);
        }
        _ => {
            let source = data[..=start].iter().rev().step_by(step.unsigned_abs());
            out.iter_mut().zip(source).for_each(|(y, &x)| *y = x);
        }
    }
}
