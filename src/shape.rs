//! Shapes, strides and dimension arguments: how they combine and what is said when they do not.
use crate::error::{Error, Result};
use smallvec::SmallVec;

/// Sizes along each dimension.
pub type Dims = SmallVec<[usize; 4]>;
/// Steps along each dimension, in elements; zero for broadcast, negative for reversed.
pub type Strides = SmallVec<[isize; 4]>;
/// Dimensions an array may have: sets of axes are 64-bit masks and every transform may add one axis.
pub const MAX_RANK: usize = 60;

/// Number of elements, or an error when it does not fit the address space.
pub fn count(op: &'static str, shape: &[usize]) -> Result<usize> {
    let mut n: usize = 1;
    for &d in shape {
        if d == 0 {
            return Ok(0);
        }
        n = n
            .checked_mul(d)
            .filter(|&n| n <= isize::MAX as usize / 16)
            .ok_or_else(|| Error::memory(op, format!("cannot hold shape {} (too many elements)", show(shape))))?;
    }
    Ok(n)
}
/// Row-major strides of a contiguous array.
pub fn contiguous_strides(shape: &[usize]) -> Strides {
    let mut strides: Strides = SmallVec::from_elem(1, shape.len());
    let mut step = 1isize;
    for i in (0..shape.len()).rev() {
        strides[i] = step;
        step = step.wrapping_mul(shape[i].max(1) as isize);
    }
    strides
}
pub fn is_contiguous(shape: &[usize], strides: &[isize]) -> bool {
    if shape.contains(&0) {
        return true;
    }
    let mut step = 1isize;
    for i in (0..shape.len()).rev() {
        if shape[i] != 1 && strides[i] != step {
            return false;
        }
        step *= shape[i] as isize;
    }
    true
}
/// The shape as PyTorch and Python write it: `[2, 3]`.
pub fn show(shape: &[usize]) -> String {
    format!("{shape:?}")
}
/// A dimension argument, negative counting from the end. A 0-d tensor accepts 0 and -1, as in PyTorch.
pub fn axis(op: &'static str, dim: i64, rank: usize) -> Result<usize> {
    let n = rank.max(1) as i64;
    if dim < -n || dim >= n {
        return Err(Error::index(
            op,
            format!("dim {dim} is out of range for a tensor with {rank} dimensions (expected {} to {})", -n, n - 1),
        ));
    }
    Ok(if dim < 0 { dim + n } else { dim } as usize)
}
/// As [`axis`], for what a 0-d tensor has not.
pub fn present_axis(op: &'static str, dim: i64, rank: usize) -> Result<usize> {
    if rank == 0 {
        return Err(Error::index(op, format!("dim {dim} is out of range, a 0-d tensor has no dimensions")));
    }
    axis(op, dim, rank)
}
/// The shape both operands broadcast to.
pub fn broadcast(op: &'static str, a: &[usize], b: &[usize]) -> Result<Dims> {
    let rank = a.len().max(b.len());
    let mut out: Dims = SmallVec::from_elem(1, rank);
    for i in 0..rank {
        let da = if i + a.len() >= rank { a[i + a.len() - rank] } else { 1 };
        let db = if i + b.len() >= rank { b[i + b.len() - rank] } else { 1 };
        out[i] = match (da, db) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => {
                return Err(Error::shape(
                    op,
                    format!(
                        "cannot broadcast shapes {} and {} (sizes {da} and {db} differ at dimension {i}); \
                         sizes must be equal or 1",
                        show(a),
                        show(b)
                    ),
                ))
            }
        };
    }
    Ok(out)
}

/// A set of axes as a bit mask: `Copy`, comparable, shifted in one instruction when a batch axis appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Axes(pub u64);
impl Axes {
    pub fn all(rank: usize) -> Axes {
        Axes((1u64 << rank) - 1)
    }
    pub fn one(axis: usize) -> Axes {
        Axes(1 << axis)
    }
    pub fn has(self, axis: usize) -> bool {
        self.0 >> axis & 1 == 1
    }
    pub fn with(self, axis: usize) -> Axes {
        Axes(self.0 | 1 << axis)
    }
    pub fn shifted(self) -> Axes {
        Axes(self.0 << 1)
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub fn iter(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..64).filter(move |&a| self.has(a))
    }
    /// From dimension arguments; none at all means every axis. A dimension named twice is an error.
    pub fn from_dims(op: &'static str, dims: Option<&[i64]>, rank: usize) -> Result<Axes> {
        let Some(dims) = dims else { return Ok(Axes::all(rank)) };
        let mut axes = Axes(0);
        for &d in dims {
            let a = axis(op, d, rank)?;
            if axes.has(a) {
                return Err(Error::value(op, format!("dim {d} appears twice in {dims:?}")));
            }
            axes = axes.with(a);
        }
        Ok(Axes(axes.0 & Axes::all(rank).0))
    }
    /// `shape` without these axes.
    pub fn removed_from(self, shape: &[usize]) -> Dims {
        shape.iter().enumerate().filter(|(a, _)| !self.has(*a)).map(|(_, &n)| n).collect()
    }
    /// `shape` with these axes of size 1.
    pub fn kept_in(self, shape: &[usize]) -> Dims {
        shape.iter().enumerate().map(|(a, &n)| if self.has(a) { 1 } else { n }).collect()
    }
    /// Product of the sizes along these axes.
    pub fn count(self, shape: &[usize]) -> usize {
        shape.iter().enumerate().filter(|(a, _)| self.has(*a)).map(|(_, &n)| n).product()
    }
}
