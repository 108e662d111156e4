//! Aligned, initialised memory blocks, and the bounded pool that keeps freed ones.
//!
//! A fresh large result costs several times the operation itself in page faults; a reused block costs nothing.
use crate::error::{Error, Result};
use std::{
    alloc::{alloc, dealloc, Layout},
    any::Any,
    ptr::NonNull,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Mutex, PoisonError,
    },
};

/// Cache line, and the widest vector register.
pub const ALIGNMENT: usize = 64;
/// Size classes: powers of two and three steps between, from 64 bytes on.
const CLASSES: usize = 4 * 44;
/// Blocks from here on are better off in pages of 2 MiB: fewer faults, and streams that run on over page ends.
const HUGE: usize = 1 << 22;
/// Bytes the pool may keep.
const POOL_LIMIT: usize = 1 << 29;

/// Owned bytes, aligned to [`ALIGNMENT`] and always initialised (zero when fresh, old contents when reused).
pub struct Block {
    pointer: NonNull<u8>,
    class: usize,
}
// SAFETY: a block owns its bytes alone; nothing in it is tied to a thread.
unsafe impl Send for Block {}
// SAFETY: a shared block hands out only its address.
unsafe impl Sync for Block {}

#[derive(Default)]
struct Pool {
    free: Vec<Vec<Block>>,
    bytes: usize,
}
/// Bytes in blocks that are in use, and the most there were since somebody asked.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
fn count_up(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    if live > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(live, Ordering::Relaxed);
    }
}
/// Bytes in use now, and at most since the last `reset`.
pub fn in_use(reset: bool) -> (usize, usize) {
    let live = LIVE.load(Ordering::Relaxed);
    if reset {
        PEAK.store(live, Ordering::Relaxed);
    }
    (live, PEAK.load(Ordering::Relaxed))
}
static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), bytes: 0 });

/// Keeps other threads from the pool until it is dropped.
pub fn hold() -> Box<dyn Any> {
    Box::new(POOL.lock().unwrap_or_else(PoisonError::into_inner))
}

fn class_of(bytes: usize) -> usize {
    let units = bytes.div_ceil(ALIGNMENT).max(1);
    if units <= 4 {
        return units - 1;
    }
    let top = (usize::BITS - 1 - (units - 1).leading_zeros()) as usize; // 2^top <= units - 1
    let quarter = ((units - 1) >> (top - 2)) & 3;
    4 * (top - 1) + quarter
}
fn class_bytes(class: usize) -> usize {
    if class < 4 {
        return (class + 1) * ALIGNMENT;
    }
    let (top, quarter) = (class / 4 + 1, class % 4);
    ((5 + quarter) << (top - 2)) * ALIGNMENT
}

/// Advice that the system may ignore.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(pointer: NonNull<u8>, size: usize) {
    const PAGE: usize = 1 << 21;
    let start = (pointer.as_ptr() as usize).next_multiple_of(PAGE);
    let end = (pointer.as_ptr() as usize + size) & !(PAGE - 1);
    if start < end {
        // SAFETY: whole pages inside an allocation that this module owns; the advice changes no contents.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}
#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: NonNull<u8>, _: usize) {}

impl Block {
    /// At least `bytes` bytes of initialised memory with unspecified contents.
    pub fn new(op: &'static str, bytes: usize) -> Result<Block> {
        Block::take(op, bytes).map(|(block, _)| block)
    }
    /// At least `bytes` zero bytes.
    pub fn zeroed(op: &'static str, bytes: usize) -> Result<Block> {
        let (mut block, fresh) = Block::take(op, bytes)?;
        if !fresh {
            block.bytes_mut()[..bytes].fill(0);
        }
        Ok(block)
    }
    fn take(op: &'static str, bytes: usize) -> Result<(Block, bool)> {
        let class = class_of(bytes);
        {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(block) = pool.free.get_mut(class).and_then(Vec::pop) {
                pool.bytes -= class_bytes(class);
                count_up(class_bytes(class));
                return Ok((block, false));
            }
        }
        let size = class_bytes(class);
        let no_memory =
            || Error::memory(op, format!("cannot allocate {bytes} bytes; free some tensors or work in pieces"));
        let layout = Layout::from_size_align(size, ALIGNMENT).map_err(|_| no_memory())?;
        // SAFETY: the layout has a non-zero size.
        let pointer = NonNull::new(unsafe { alloc(layout) }).ok_or_else(no_memory)?;
        if size >= HUGE {
            ask_for_huge_pages(pointer, size);
        }
        // SAFETY: the allocation has this size. Zeroed after the advice: the first write decides what pages are made of.
        unsafe { pointer.as_ptr().write_bytes(0, size) };
        count_up(size);
        Ok((Block { pointer, class }, true))
    }
    pub fn pointer(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the block owns this many initialised bytes, and is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), class_bytes(self.class)) }
    }
    fn release(pointer: NonNull<u8>, class: usize) {
        // SAFETY: `take` allocated exactly this layout; `new` checked it.
        unsafe { dealloc(pointer.as_ptr(), Layout::from_size_align_unchecked(class_bytes(class), ALIGNMENT)) }
    }
}
impl Drop for Block {
    fn drop(&mut self) {
        let size = class_bytes(self.class);
        LIVE.fetch_sub(size, Ordering::Relaxed);
        if self.class < CLASSES {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.bytes + size <= POOL_LIMIT {
                if pool.free.is_empty() {
                    pool.free.resize_with(CLASSES, Vec::new);
                }
                pool.bytes += size;
                pool.free[self.class].push(Block { pointer: self.pointer, class: self.class });
                return;
            }
        }
        Block::release(self.pointer, self.class);
    }
}

/// Give every pooled block back to the system; returns how many bytes that were.
pub fn empty_cache() -> usize {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = std::mem::take(&mut pool.bytes);
    for block in pool.free.iter_mut().flat_map(std::mem::take) {
        let block = std::mem::ManuallyDrop::new(block);
        Block::release(block.pointer, block.class);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn classes_hold_what_they_promise() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 3 << 30]) {
            let class = class_of(bytes);
            assert!(class_bytes(class) >= bytes, "{bytes}");
            assert!(class == 0 || class_bytes(class - 1) < bytes, "{bytes} would fit a smaller class");
        }
    }
    #[test]
    fn blocks_are_aligned_zeroed_and_reused() {
        let mut block = Block::new("test", 1000).unwrap();
        assert_eq!(block.pointer() as usize % ALIGNMENT, 0);
        block.bytes_mut().fill(7);
        drop(block);
        let mut again = Block::zeroed("test", 1000).unwrap();
        assert!(again.bytes_mut()[..1000].iter().all(|&b| b == 0));
    }
    #[test]
    fn absurd_sizes_are_errors() {
        assert!(matches!(Block::new("test", isize::MAX as usize - 4096), Err(Error::Memory { .. })));
    }
}
