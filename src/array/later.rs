//! Arrays whose numbers are computed when somebody reads them, and what must come before a write.
//!
//! Whoever puts a computation off reads its inputs later than the program thinks. So a write to any array, and a loan of
//! memory to somebody who may write it unseen, first computes all that still waits.
use super::{Array, Header, Lender, Owner};
use crate::{
    dtype::DType,
    error::Result,
    shape::{contiguous_strides, count, Dims},
};
use std::{
    any::Any,
    cell::Cell,
    ptr::null_mut,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
    },
    thread::{self, ThreadId},
};

/// A computation that was put off.
pub trait Promise: Any + Send + Sync {
    /// Result `which`, computed now if it was not before.
    fn keep(self: Arc<Self>, which: usize) -> Result<Array>;
    /// Compute what somebody can still read.
    fn keep_all(self: Arc<Self>) -> Result<()>;
    /// Whether nothing was computed yet.
    fn pending(&self) -> bool;
    /// No array shows result `which` any more.
    fn forget(&self, which: usize);
}
/// What an array holds that shows a result of a promise.
pub(super) struct Later {
    promise: Arc<dyn Promise>,
    which: usize,
    /// Owns the memory once it is computed.
    kept: OnceLock<Array>,
}
impl Drop for Later {
    fn drop(&mut self) {
        self.promise.forget(self.which);
    }
}

/// A promise that was not kept yet, the bytes of its results, and who put it off.
#[derive(Clone)]
struct Waiting {
    promise: Weak<dyn Promise>,
    bytes: usize,
    thread: ThreadId,
}
static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());
/// How many there are, so that a write needs no lock to see that there are none.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Computations that wait at a time, and the bytes of their results: what they read is kept alive as long.
const MOST: usize = 32;
const MOST_BYTES: usize = 1 << 28;
thread_local! { static KEEPING: Cell<bool> = const { Cell::new(false) } }

fn waiting() -> MutexGuard<'static, Vec<Waiting>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}
/// Keeps other threads from the list of what waits until it is dropped.
pub fn hold() -> Box<dyn Any> {
    Box::new(waiting())
}
/// In a process that was forked: what threads put off that are not there any more waits for nobody.
pub fn forget_other_threads() {
    let mut waiting = waiting();
    waiting.retain(|one| one.thread == thread::current().id());
    COUNT.store(waiting.len(), Ordering::Release);
}
/// Compute what waits if another computation, of so many bytes of results, would be too much.
pub fn make_room(bytes: usize) -> Result<()> {
    let full = {
        let mut waiting = waiting();
        waiting.retain(|one| one.promise.upgrade().is_some_and(|promise| promise.pending()));
        COUNT.store(waiting.len(), Ordering::Release);
        let held: usize = waiting.iter().map(|one| one.bytes).sum();
        !waiting.is_empty() && (waiting.len() >= MOST || held + bytes > MOST_BYTES)
    };
    if full {
        keep_all()?;
    }
    Ok(())
}
/// Let a computation wait.
pub fn put_off(promise: &Arc<dyn Promise>, bytes: usize) {
    let mut waiting = waiting();
    waiting.push(Waiting { promise: Arc::downgrade(promise), bytes, thread: thread::current().id() });
    COUNT.store(waiting.len(), Ordering::Release);
}
/// Compute everything that waits and can still be read.
#[inline]
pub fn keep_all() -> Result<()> {
    if COUNT.load(Ordering::Acquire) == 0 || KEEPING.with(Cell::get) {
        return Ok(());
    }
    keep_each()
}
#[cold]
fn keep_each() -> Result<()> {
    // The latest first: it brings along what it reads. Each stays on the list until it is done, so that another thread
    // that is about to write waits for it.
    while let Some(Waiting { promise, .. }) = latest() {
        if let Some(promise) = promise.upgrade().filter(|promise| promise.pending()) {
            promise.keep_all()?;
        }
        let mut waiting = waiting();
        waiting.retain(|other| !other.promise.ptr_eq(&promise));
        COUNT.store(waiting.len(), Ordering::Release);
    }
    Ok(())
}
fn latest() -> Option<Waiting> {
    waiting().last().cloned()
}
/// Run a part of a computation that was put off: what it writes is its own, nothing has to come before.
pub fn while_keeping<R>(run: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            KEEPING.with(|keeping| keeping.set(self.0));
        }
    }
    let _before = Before(KEEPING.with(|keeping| keeping.replace(true)));
    run()
}

/// Memory that somebody else sees, and may write, as long as this lives.
pub struct Loan(Array);
impl Drop for Loan {
    fn drop(&mut self) {
        self.0.root().header().lent.fetch_sub(1, Ordering::Relaxed);
    }
}
impl std::ops::Deref for Loan {
    type Target = Array;
    fn deref(&self) -> &Array {
        &self.0
    }
}

impl Array {
    /// A contiguous array that shows result `which` of a promise.
    pub fn later(
        op: &'static str,
        shape: Dims,
        dtype: DType,
        promise: Arc<dyn Promise>,
        which: usize,
    ) -> Result<Array> {
        let len = count(op, &shape)?;
        let strides = contiguous_strides(&shape);
        let owner = Owner::Later(Later { promise, which, kept: OnceLock::new() });
        Ok(Array::make(dtype, shape, strides, len, true, null_mut(), owner))
    }
    /// The promise whose result this array shows, if it is of type `P` and was not kept yet.
    pub fn promise<P: Promise>(&self) -> Option<(Arc<P>, usize)> {
        let Owner::Later(later) = &self.header().owner else { return None };
        let promise: Arc<dyn Any + Send + Sync> = later.promise.clone();
        let promise = promise.downcast::<P>().ok().filter(|promise| promise.pending())?;
        Some((promise, later.which))
    }
    /// Address of the first element, behind which all numbers are there.
    #[inline]
    pub(super) fn address(&self) -> Result<*mut u8> {
        let data = self.header().data.load(Ordering::Acquire);
        if data.is_null() {
            return computed(self.header());
        }
        Ok(data)
    }
    /// Compute the numbers now if they were put off.
    #[inline]
    pub fn ready(&self) -> Result<()> {
        self.address().map(|_| ())
    }
    /// Whether nobody else can write the numbers unseen.
    pub fn is_private(&self) -> bool {
        let root = self.root().header();
        root.lent.load(Ordering::Relaxed) == 0
            && match &root.owner {
                Owner::Foreign { keep, .. } => keep.alone(),
                _ => true,
            }
    }
    /// Let somebody else see the memory.
    pub fn lend(&self) -> Result<Loan> {
        self.expose()?;
        Ok(Loan(self.clone()))
    }
    /// Tell somebody the address for good.
    pub fn expose(&self) -> Result<*mut u8> {
        keep_all()?;
        self.root().header().lent.fetch_add(1, Ordering::Relaxed);
        self.address()
    }
}
#[cold]
fn computed(header: &Header) -> Result<*mut u8> {
    // Nothing else but an empty array of somebody else's has no address.
    let Owner::Later(later) = &header.owner else { return Ok(null_mut()) };
    let array = later.promise.clone().keep(later.which)?;
    let data = later.kept.get_or_init(|| array).address()?;
    header.data.store(data, Ordering::Release);
    Ok(data)
}
impl<T: Send + Sync> Lender for Vec<T> {}
