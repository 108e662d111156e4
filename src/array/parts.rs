//! A new array that is written in parts, each by a thread of its own.
use super::{Array, Owner};
use crate::{
    dtype::DType,
    error::{Error, Result},
    shape::Dims,
    with_element,
};
use smallvec::smallvec;
use std::sync::atomic::{AtomicBool, Ordering};

/// An array in the making: every run of `length` elements can be taken once, and is written as an array of its own.
pub struct Parts {
    whole: Array,
    length: usize,
    taken: Vec<AtomicBool>,
}
impl Parts {
    pub fn new(op: &'static str, shape: Dims, dtype: DType, length: usize) -> Result<Parts> {
        let whole = Array::new(op, shape, dtype)?;
        let taken = (0..whole.len().div_ceil(length)).map(|_| AtomicBool::new(false)).collect();
        Ok(Parts { whole, length, taken })
    }
    /// Part `i`, for writing; `None` if it was taken before.
    pub fn take(&self, i: usize) -> Option<Array> {
        if self.taken.get(i)?.swap(true, Ordering::AcqRel) {
            return None;
        }
        let from = i * self.length;
        let len = self.length.min(self.whole.len() - from);
        let data = self.whole.data().wrapping_add(from * self.whole.dtype().size());
        let owner = Owner::Part(self.whole.clone());
        Some(Array::make(self.whole.dtype(), smallvec![len], smallvec![1], len, true, data, owner))
    }
    /// The array, when all parts are written and given back.
    pub fn join(self) -> Result<Array> {
        if self.whole.is_unique() {
            return Ok(self.whole);
        }
        Err(Error::graph("array", "a part is still in use"))
    }
}
impl Array {
    /// Whether this is the only handle to memory of its own, which may be used for something else.
    pub fn is_spare(&self) -> bool {
        self.is_unique() && !matches!(self.header().owner, Owner::Part(_))
    }
    /// Write the elements of another array of this length and dtype, while no one else holds this one.
    pub fn fill_from(&mut self, source: &Array) -> Result<()> {
        with_element!(self.dtype(), T => {
            source.strided::<T>()?.gather(0, self.slice_mut()?);
        });
        Ok(())
    }
}
