//! Slots for graph nodes: bump-allocated chunks, freed slots reused, whole chunks returned when nothing in them lives.
//!
//! Each thread keeps a small stock of free slots, so recording takes no lock; stocks are filled and emptied in
//! batches from chunks under one mutex.
use super::node::Node;
use std::{
    alloc::{alloc, dealloc, handle_alloc_error, Layout},
    any::Any,
    cell::RefCell,
    mem::size_of,
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

type Slot = NonNull<Node>;
/// Chunks are aligned to their size, so a slot finds its chunk by masking its address.
const CHUNK_BYTES: usize = 1 << 18;
const SLOT_BYTES: usize = size_of::<Node>();
const HEADER_BYTES: usize = size_of::<Chunk>().next_multiple_of(64);
const SLOTS: usize = (CHUNK_BYTES - HEADER_BYTES) / SLOT_BYTES;
/// Slots moved at once between a thread's stock and the chunks.
const BATCH: usize = 512;
/// Empty chunks kept for the next graph.
const SPARE_CHUNKS: usize = 64;

struct Chunk {
    free: Vec<Slot>,
    /// Slots handed out so far, by bumping.
    bumped: usize,
    /// Whether the chunk is in the list of chunks with something to give.
    listed: bool,
}
#[derive(Default)]
struct Chunks {
    /// Chunks with free or never-used slots.
    available: Vec<NonNull<Chunk>>,
    empty: usize,
}
// SAFETY: chunks are reached only under the mutex.
unsafe impl Send for Chunks {}
static CHUNKS: Mutex<Chunks> = Mutex::new(Chunks { available: Vec::new(), empty: 0 });

/// Keeps other threads from the chunks until it is dropped.
pub fn hold() -> Box<dyn Any> {
    Box::new(CHUNKS.lock().unwrap_or_else(PoisonError::into_inner))
}
/// A thread's own free slots; what is left goes back when the thread ends.
struct Stock(Vec<Slot>);
impl Drop for Stock {
    fn drop(&mut self) {
        give_back(&mut self.0, 0);
    }
}
thread_local! { static STOCK: RefCell<Stock> = const { RefCell::new(Stock(Vec::new())) } }

fn layout() -> Layout {
    // SAFETY: a power of two, and not zero.
    unsafe { Layout::from_size_align_unchecked(CHUNK_BYTES, CHUNK_BYTES) }
}
fn chunk_of(slot: Slot) -> NonNull<Chunk> {
    let address = slot.as_ptr() as usize & !(CHUNK_BYTES - 1);
    // SAFETY: slots lie inside chunks, whose address is never zero.
    unsafe { NonNull::new_unchecked(address as *mut Chunk) }
}
fn new_chunk() -> NonNull<Chunk> {
    // SAFETY: the layout is not empty; the header is written before use.
    unsafe {
        let Some(chunk) = NonNull::new(alloc(layout()).cast::<Chunk>()) else { handle_alloc_error(layout()) };
        chunk.write(Chunk { free: Vec::new(), bumped: 0, listed: true });
        chunk
    }
}
/// Fill a thread's stock with a batch of slots.
#[cold]
fn fill(stock: &mut Vec<Slot>) {
    let mut chunks = CHUNKS.lock().unwrap_or_else(PoisonError::into_inner);
    while stock.len() < BATCH {
        let mut chunk = match chunks.available.last() {
            Some(&chunk) => chunk,
            None => {
                let chunk = new_chunk();
                chunks.available.push(chunk);
                chunks.empty += 1;
                chunk
            }
        };
        // SAFETY: listed chunks are alive, and the mutex is held.
        let header = unsafe { chunk.as_mut() };
        if header.bumped == header.free.len() {
            chunks.empty -= 1;
        }
        let want = BATCH - stock.len();
        let reused = header.free.len().min(want);
        stock.extend(header.free.drain(header.free.len() - reused..));
        let fresh = (SLOTS - header.bumped).min(BATCH - stock.len());
        for i in 0..fresh {
            let offset = HEADER_BYTES + (header.bumped + fresh - 1 - i) * SLOT_BYTES;
            // SAFETY: inside the chunk by the definition of SLOTS.
            stock.push(unsafe { NonNull::new_unchecked(chunk.as_ptr().cast::<u8>().add(offset).cast::<Node>()) });
        }
        header.bumped += fresh;
        if header.bumped == SLOTS && header.free.is_empty() {
            header.listed = false;
            chunks.available.pop();
        }
    }
}
/// Return slots to their chunks until `keep` are left.
#[cold]
fn give_back(stock: &mut Vec<Slot>, keep: usize) {
    let mut chunks = CHUNKS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut emptied = false;
    for slot in stock.drain(keep.min(stock.len())..) {
        let mut chunk = chunk_of(slot);
        // SAFETY: a chunk with a slot in use is alive, and the mutex is held.
        let header = unsafe { chunk.as_mut() };
        header.free.push(slot);
        if !header.listed {
            header.listed = true;
            chunks.available.push(chunk);
        }
        if header.free.len() == header.bumped {
            chunks.empty += 1;
            emptied = true;
        }
    }
    if emptied && chunks.empty > SPARE_CHUNKS {
        let mut surplus = chunks.empty - SPARE_CHUNKS;
        chunks.available.retain(|chunk| {
            // SAFETY: listed chunks are alive, and the mutex is held.
            let header = unsafe { chunk.as_ref() };
            if surplus == 0 || header.free.len() != header.bumped {
                return true;
            }
            surplus -= 1;
            // SAFETY: every slot of the chunk is in its own free list: nobody can reach it any more.
            unsafe {
                std::ptr::drop_in_place(chunk.as_ptr());
                dealloc(chunk.as_ptr().cast(), layout());
            }
            false
        });
        chunks.empty = SPARE_CHUNKS + surplus;
    }
}
/// Chunks with something to give, which after a quiet moment are nearly all.
#[cfg(test)]
pub(super) fn chunks() -> usize {
    CHUNKS.lock().unwrap_or_else(PoisonError::into_inner).available.len()
}
#[cfg(test)]
pub(super) fn empty_chunks() -> usize {
    CHUNKS.lock().unwrap_or_else(PoisonError::into_inner).empty
}

/// A slot holding `node`.
#[inline]
pub(super) fn place(node: Node) -> Slot {
    let slot = STOCK.try_with(|stock| {
        let stock = &mut stock.borrow_mut().0;
        if stock.is_empty() {
            fill(stock);
        }
        stock.pop()
    });
    let slot = match slot {
        Ok(Some(slot)) => slot,
        // The thread is ending and its stock is gone: take a batch for this one slot and return the rest.
        _ => {
            let mut stock = Vec::new();
            fill(&mut stock);
            let slot = stock.swap_remove(0);
            give_back(&mut stock, 0);
            slot
        }
    };
    // SAFETY: free slots are unused memory of the right size and alignment.
    unsafe { slot.write(node) };
    slot
}
/// Drop the node in this slot and free the slot.
///
/// # Safety
/// `slot` came from [`place`], and nobody uses it any more.
#[inline]
pub(super) unsafe fn remove(slot: Slot) {
    // SAFETY: the caller vouches that the slot holds a node that nobody else will touch.
    unsafe { std::ptr::drop_in_place(slot.as_ptr()) };
    let kept = STOCK.try_with(|stock| {
        let stock = &mut stock.borrow_mut().0;
        stock.push(slot);
        if stock.len() >= 4 * BATCH {
            give_back(stock, 2 * BATCH);
        }
    });
    if kept.is_err() {
        give_back(&mut vec![slot], 0);
    }
}
