//! A concrete strided array: one reference-counted header; the elements follow it, lie in a block, in the array
//! this one is a view of, or in memory that somebody else owns (NumPy, DLPack).
mod block;
mod contents;
mod later;
mod parts;
mod reinterpret;
mod strided;
mod write;
pub use block::{empty_cache, in_use};
pub use later::{
    forget_other_threads, hold as hold_waiting, keep_all, make_room, put_off, while_keeping, Loan, Promise,
};
pub use parts::Parts;
pub use strided::{Strided, StridedMut};
pub use write::{accumulate, assign, Written};

use crate::{
    dtype::{DType, Element},
    error::{Error, Result},
    shape::{contiguous_strides, count, is_contiguous, show, Dims, Strides},
};
use block::Block;
use later::Later;
use smallvec::SmallVec;
use std::{
    alloc::{alloc, dealloc, handle_alloc_error, Layout},
    any::Any,
    fmt,
    ptr::NonNull,
    sync::{
        atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
        Mutex, PoisonError,
    },
};

/// An error if so many bytes of scratch memory cannot be had; a vector that asked for them would abort the process.
pub fn room(op: &'static str, bytes: usize) -> Result<()> {
    // Less than this is not worth the question.
    const LARGE: usize = 1 << 30;
    if bytes >= LARGE && Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        return Err(Error::memory(op, format!("cannot hold the {bytes} bytes that it needs for a while")));
    }
    Ok(())
}
/// Shape and dtype: what can be known of a value without its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Aval {
    pub shape: Dims,
    pub dtype: DType,
}

/// Names of ops that wrote in place, so that a version can say who made it.
static WRITERS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
/// Keeps other threads from the pool of blocks and from those names until it is dropped.
pub fn hold() -> Box<dyn Any> {
    Box::new((block::hold(), WRITERS.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Results up to this many bytes lie right behind their header: one allocation in all.
const INLINE_BYTES: usize = 128;

enum Owner {
    Inline,
    /// Held for its memory alone.
    Block(#[allow(dead_code)] Block),
    /// The root array, never itself a view.
    View(Array),
    /// Keeps somebody else's memory alive; the flag says whether it may be written.
    Foreign {
        keep: Box<dyn Lender>,
        writable: bool,
    },
    /// Computed when it is read.
    Later(Later),
    /// A part of this array, which nobody else touches; held for its memory alone.
    Part(#[allow(dead_code)] Array),
}
/// Keeps memory alive that is not ours.
pub trait Lender: Send + Sync {
    /// Whether nobody but this can reach the memory.
    fn alone(&self) -> bool {
        false
    }
}
struct Header {
    references: AtomicUsize,
    /// Counts in-place writes (low half) and remembers the last writer (high half); meaningful on the root.
    version: AtomicU64,
    /// How many others see the memory and may write it unseen; meaningful on the root.
    lent: AtomicU32,
    dtype: DType,
    contiguous: bool,
    len: usize,
    /// Address of the first element; null until it is computed.
    data: AtomicPtr<u8>,
    shape: Dims,
    strides: Strides,
    owner: Owner,
}

/// A reference-counted strided array of numbers. Cloning shares it.
pub struct Array(NonNull<Header>);
// SAFETY: the header is immutable but for atomics; elements are shared for reading and written only through
// `write.rs` or a unique handle. (Two Python threads that write one tensor race as they do in NumPy.)
unsafe impl Send for Array {}
// SAFETY: as above.
unsafe impl Sync for Array {}

const fn header_layout(inline: usize) -> Layout {
    let size = std::mem::size_of::<Header>().next_multiple_of(16) + inline;
    // SAFETY: 16 is a power of two and the size is small.
    unsafe { Layout::from_size_align_unchecked(size, 16) }
}
fn inline_bytes(owner: &Owner, len: usize, dtype: DType) -> usize {
    if matches!(owner, Owner::Inline) {
        (len * dtype.size()).next_multiple_of(16)
    } else {
        0
    }
}

impl Clone for Array {
    #[inline]
    fn clone(&self) -> Array {
        self.header().references.fetch_add(1, Ordering::Relaxed);
        Array(self.0)
    }
}
impl Drop for Array {
    #[inline]
    fn drop(&mut self) {
        // The only handle cannot be cloned by anyone else meanwhile: no need to count down.
        let references = &self.header().references;
        if references.load(Ordering::Acquire) == 1 || references.fetch_sub(1, Ordering::AcqRel) == 1 {
            let layout = header_layout(inline_bytes(&self.header().owner, self.len(), self.dtype()));
            // SAFETY: this was the last handle; the layout is the one `make` allocated.
            unsafe {
                std::ptr::drop_in_place(self.0.as_ptr());
                dealloc(self.0.as_ptr().cast(), layout);
            }
        }
    }
}

impl Array {
    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: a live handle keeps the header alive.
        unsafe { self.0.as_ref() }
    }
    #[inline]
    fn make(
        dtype: DType,
        shape: Dims,
        strides: Strides,
        len: usize,
        contiguous: bool,
        data: *mut u8,
        owner: Owner,
    ) -> Array {
        let inline = inline_bytes(&owner, len, dtype);
        let layout = header_layout(inline);
        // SAFETY: the layout is not empty; the header is written before anyone sees it; inline elements start at
        // the next multiple of 16 behind it, inside the allocation, and are zeroed.
        unsafe {
            // Not `alloc_zeroed`: the C library's calloc bypasses its fast path for small blocks.
            let raw = alloc(layout);
            let Some(pointer) = NonNull::new(raw.cast::<Header>()) else { handle_alloc_error(layout) };
            let data = match owner {
                Owner::Inline => {
                    let data = raw.add(layout.size() - inline);
                    // Whole words: their number is small, and a call would cost more than the loop.
                    (0..inline / 16).for_each(|i| data.cast::<u128>().add(i).write(0));
                    data
                }
                _ => data,
            };
            let references = AtomicUsize::new(1);
            let (version, lent, data) = (AtomicU64::new(0), AtomicU32::new(0), AtomicPtr::new(data));
            pointer.write(Header { references, version, lent, dtype, contiguous, len, data, shape, strides, owner });
            Array(pointer)
        }
    }
    /// A new contiguous array with unspecified (but initialised) contents.
    #[inline]
    pub fn new(op: &'static str, shape: Dims, dtype: DType) -> Result<Array> {
        Array::owned(op, shape, dtype, false)
    }
    /// For the fast path of elementwise ops: an array like this one, if both are small and contiguous.
    #[inline]
    pub fn small_like(&self) -> Option<Array> {
        let h = self.header();
        if !h.contiguous || h.len * h.dtype.size() > INLINE_BYTES {
            return None;
        }
        let (shape, strides) = (short(&h.shape), short(&h.strides));
        Some(Array::make(h.dtype, shape, strides, h.len, true, std::ptr::null_mut(), Owner::Inline))
    }
    /// A new contiguous array of zeros.
    pub fn zeros(op: &'static str, shape: Dims, dtype: DType) -> Result<Array> {
        Array::owned(op, shape, dtype, true)
    }
    fn owned(op: &'static str, shape: Dims, dtype: DType, zero: bool) -> Result<Array> {
        let len = count(op, &shape)?;
        let strides = contiguous_strides(&shape);
        let bytes = len * dtype.size();
        if bytes <= INLINE_BYTES {
            return Ok(Array::make(dtype, shape, strides, len, true, std::ptr::null_mut(), Owner::Inline));
        }
        let block = if zero { Block::zeroed(op, bytes) } else { Block::new(op, bytes) }?;
        let data = block.pointer();
        Ok(Array::make(dtype, shape, strides, len, true, data, Owner::Block(block)))
    }
    /// An array over memory that `keep` keeps alive.
    ///
    /// # Safety
    /// Every element that shape and strides reach from `data` must be valid, aligned and initialised for as long as
    /// `keep` lives, and writable if `writable`.
    pub unsafe fn foreign(
        data: *mut u8,
        dtype: DType,
        shape: Dims,
        strides: Strides,
        keep: Box<dyn Lender>,
        writable: bool,
    ) -> Result<Array> {
        let len = count("from_numpy", &shape)?;
        let contiguous = is_contiguous(&shape, &strides);
        Ok(Array::make(dtype, shape, strides, len, contiguous, data, Owner::Foreign { keep, writable }))
    }
    /// A view of the same storage: element (i, j, …) is element `offset + i*strides[0] + …` counted from this
    /// array's first. Fails when it would reach beyond what this array's storage holds.
    pub fn view(&self, op: &'static str, shape: Dims, strides: Strides, offset: isize) -> Result<Array> {
        let len = count(op, &shape)?;
        if len > 0 {
            let (root, size) = (self.root(), self.dtype().size() as isize);
            let (low, high) = reach(&shape, &strides);
            let (root_low, root_high) = reach(root.shape(), root.strides());
            // Views of a view in another dtype (complex as real) count in their own element size.
            let root_size = root.dtype().size() as isize;
            let start = self.address()? as isize - root.address()? as isize + offset * size;
            let fits = start + low * size >= root_low * root_size
                && start + (high + 1) * size <= (root_high + 1) * root_size
                && !root.is_empty();
            if !fits {
                return Err(Error::value(
                    op,
                    format!(
                        "cannot view shape {} with strides {strides:?} and offset {offset} (it reaches outside the storage of the tensor of shape {})",
                        show(&shape),
                        show(self.shape())
                    ),
                ));
            }
        }
        Ok(self.view_unchecked(self.dtype(), shape, strides, offset * self.dtype().size() as isize, len))
    }
    fn view_unchecked(&self, dtype: DType, shape: Dims, strides: Strides, bytes: isize, len: usize) -> Array {
        let contiguous = is_contiguous(&shape, &strides);
        let data = self.data().wrapping_offset(if len == 0 { 0 } else { bytes });
        Array::make(dtype, shape, strides, len, contiguous, data, Owner::View(self.root().clone()))
    }
    fn root(&self) -> &Array {
        match &self.header().owner {
            Owner::View(root) => root,
            _ => self,
        }
    }
    #[inline]
    pub fn shape(&self) -> &[usize] {
        &self.header().shape
    }
    #[inline]
    pub fn strides(&self) -> &[isize] {
        &self.header().strides
    }
    #[inline]
    pub fn dtype(&self) -> DType {
        self.header().dtype
    }
    #[inline]
    pub fn rank(&self) -> usize {
        self.header().shape.len()
    }
    #[inline]
    pub fn len(&self) -> usize {
        self.header().len
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.header().contiguous
    }
    pub fn aval(&self) -> Aval {
        Aval { shape: Dims::from_slice(self.shape()), dtype: self.dtype() }
    }
    /// Address of the first element; null while it is not computed.
    pub fn data(&self) -> *mut u8 {
        self.header().data.load(Ordering::Acquire)
    }
    /// How many times the storage was written in place.
    #[inline]
    pub fn version(&self) -> u32 {
        self.root().header().version.load(Ordering::Relaxed) as u32
    }
    /// The op that last wrote the storage in place.
    pub fn last_writer(&self) -> &'static str {
        let id = (self.root().header().version.load(Ordering::Relaxed) >> 32) as usize;
        let writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
        writers.get(id).copied().unwrap_or("another op")
    }
    fn bump_version(&self, op: &'static str) {
        let mut writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
        let id = writers.iter().position(|w| std::ptr::eq(*w, op)).unwrap_or_else(|| {
            writers.push(op);
            writers.len() - 1
        });
        let version = &self.root().header().version;
        let next = (version.load(Ordering::Relaxed) as u32).wrapping_add(1);
        version.store((id as u64) << 32 | u64::from(next), Ordering::Relaxed);
    }
    pub fn is_writable(&self) -> bool {
        !matches!(self.root().header().owner, Owner::Foreign { writable: false, .. })
    }
    pub fn is_view(&self) -> bool {
        matches!(self.header().owner, Owner::View(_))
    }
    pub fn shares_storage(&self, other: &Array) -> bool {
        self.root().0 == other.root().0
    }
    /// The only handle to storage of its own: nobody could tell if it were overwritten.
    pub fn is_unique(&self) -> bool {
        matches!(self.header().owner, Owner::Inline | Owner::Block(_) | Owner::Part(_))
            && self.header().references.load(Ordering::Acquire) == 1
    }
    /// Whether somebody else holds this very array, which is no view.
    pub fn is_shared(&self) -> bool {
        !self.is_view() && self.header().references.load(Ordering::Acquire) > 1
    }
    /// Distance of the first element from the start of the storage, in elements.
    pub fn storage_offset(&self) -> usize {
        let bytes = self.data() as isize - self.root().data() as isize;
        (bytes / self.dtype().size() as isize).unsigned_abs()
    }
}

/// A copy of sizes or strides; nearly always four at most, which need no loop.
#[inline]
fn short<T: Copy + Default>(from: &[T]) -> SmallVec<[T; 4]> {
    if from.len() > 4 {
        return SmallVec::from_slice(from);
    }
    SmallVec::from_buf_and_len(std::array::from_fn(|i| from.get(i).copied().unwrap_or_default()), from.len())
}
/// Lowest and highest element an array of at least one element touches, counted from its first.
fn reach(shape: &[usize], strides: &[isize]) -> (isize, isize) {
    shape.iter().zip(strides).fold((0, 0), |(low, high), (&n, &s)| {
        let far = (n as isize - 1) * s;
        (low + far.min(0), high + far.max(0))
    })
}
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype(), show(self.shape()))
    }
}
impl PartialEq for Array {
    /// The same array, not equal numbers.
    fn eq(&self, other: &Array) -> bool {
        self.0 == other.0
    }
}

#[cfg(test)]
mod tests;
