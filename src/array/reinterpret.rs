//! The same storage read as elements of another dtype.
use super::Array;
use crate::{
    dtype::DType,
    error::{Error, Result},
    shape::{show, Dims, Strides},
};

impl Array {
    /// The same storage read as the other of (complex, two reals); `None` where strides do not allow it.
    pub fn reinterpret(&self, dtype: DType) -> Option<Array> {
        self.ready().ok()?;
        let (mut shape, mut strides) = (Dims::from_slice(self.shape()), Strides::from_slice(self.strides()));
        if self.dtype().is_complex() && dtype == self.dtype().real() {
            strides.iter_mut().for_each(|s| *s *= 2);
            shape.push(2);
            strides.push(1);
            let len = self.len() * 2;
            return Some(self.view_unchecked(dtype, shape, strides, 0, len));
        }
        if dtype.is_complex() && self.dtype() == dtype.real() {
            let (last, step) = (shape.pop()?, strides.pop()?);
            let aligned = (self.data() as usize).is_multiple_of(self.dtype().size());
            if last != 2 || step != 1 || strides.iter().any(|s| s % 2 != 0) || !aligned {
                return None;
            }
            strides.iter_mut().for_each(|s| *s /= 2);
            let len = self.len() / 2;
            return Some(self.view_unchecked(dtype, shape, strides, 0, len));
        }
        None
    }
    /// The same bytes read as elements of another dtype, the last axis taking the change of size.
    pub fn bits_as(&self, dtype: DType) -> Result<Array> {
        self.ready()?;
        let (from, to) = (self.dtype().size(), dtype.size());
        let refused = |why: &str| {
            let shape = show(self.shape());
            Err(Error::shape("view", format!("cannot read {} of shape {shape} as {dtype}: {why}", self.dtype())))
        };
        let (mut shape, mut strides) = (Dims::from_slice(self.shape()), Strides::from_slice(self.strides()));
        if dtype == DType::Bool && self.dtype() != DType::Bool {
            return refused("not all bytes are truth values; use .bool()");
        }
        if from != to {
            let (Some(last), Some(step)) = (shape.last_mut(), strides.last_mut()) else {
                return refused("a number has no axis that could take another size; reshape it to (1,) first");
            };
            if *step != 1 && *last > 1 {
                return refused("the last dimension is not contiguous; use .contiguous() first");
            }
            if *last * from % to != 0 {
                return refused("the last dimension does not divide; pad it first");
            }
            *last = *last * from / to;
            *step = 1;
            let outer = strides.len() - 1;
            let scaled = strides[..outer].iter().map(|&s| s * from as isize).collect::<Vec<_>>();
            if scaled.iter().any(|bytes| bytes % to as isize != 0) {
                return refused("the strides do not divide; use .contiguous() first");
            }
            strides[..outer].iter_mut().zip(scaled).for_each(|(s, bytes)| *s = bytes / to as isize);
        }
        if !(self.data() as usize).is_multiple_of(to.min(8)) {
            return refused("the elements are not aligned for it; use .clone() first");
        }
        let len = shape.iter().product();
        Ok(self.view_unchecked(dtype, shape, strides, 0, len))
    }
}
