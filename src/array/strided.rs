//! Borrowed strided views of elements: what kernels read from and write to, in safe code.
use crate::shape::is_contiguous;

/// A borrowed strided array: `data` is everything the array may touch,
/// element (i, j, …) is `data[offset + i*strides[0] + j*strides[1] + …]`.
#[derive(Clone, Copy)]
pub struct Strided<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    pub shape: &'a [usize],
    pub strides: &'a [isize],
}
impl<'a, T: Copy> Strided<'a, T> {
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }
    pub fn is_contiguous(&self) -> bool {
        is_contiguous(self.shape, self.strides)
    }
    pub fn contiguous_slice(&self) -> Option<&'a [T]> {
        if self.is_empty() {
            return Some(&[]);
        }
        self.is_contiguous().then(|| &self.data[self.offset..self.offset + self.len()])
    }
    /// Copy elements `start..start + out.len()` in row-major order, row by row.
    pub fn gather(&self, start: usize, out: &mut [T]) {
        let Some(last) = self.shape.len().checked_sub(1) else {
            out.fill(self.data[self.offset]);
            return;
        };
        let (row, step) = (self.shape[last], self.strides[last]);
        let (mut line, mut column, mut filled) = (start / row.max(1), start % row.max(1), 0);
        while filled < out.len() {
            let (mut rest, mut at) = (line, self.offset as isize);
            for axis in (0..last).rev() {
                at += (rest % self.shape[axis]) as isize * self.strides[axis];
                rest /= self.shape[axis];
            }
            let n = (row - column).min(out.len() - filled);
            let first = at + column as isize * step;
            let target = &mut out[filled..filled + n];
            match step {
                1 => target.copy_from_slice(&self.data[first as usize..first as usize + n]),
                0 => target.fill(self.data[first as usize]),
                _ if step > 0 => {
                    let source = self.data[first as usize..].iter().step_by(step as usize);
                    target.iter_mut().zip(source).for_each(|(t, &s)| *t = s);
                }
                _ => {
                    let source = self.data[..=first as usize].iter().rev().step_by(-step as usize);
                    target.iter_mut().zip(source).for_each(|(t, &s)| *t = s);
                }
            }
            filled += n;
            column = 0;
            line += 1;
        }
    }
}

/// A borrowed strided array that may be written.
pub struct StridedMut<'a, T> {
    pub data: &'a mut [T],
    pub offset: usize,
    pub shape: &'a [usize],
    pub strides: &'a [isize],
}
