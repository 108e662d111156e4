//! Threads: the caller works, helpers that are awake join in, nobody waits for one that has not started.
//!
//! Tasks are numbered; whoever is free takes the next number. A helper that wakes late finds the gate closed and goes
//! back to sleep, so a slow wake-up never delays a result. After its work a helper looks out for more for a short
//! while before it sleeps: operations come in rows, and waking a thread takes longer than many of them.
use super::gate::Gate;
use std::{
    any::Any,
    cell::Cell,
    hint::spin_loop,
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
    sync::{
        atomic::{AtomicU64, AtomicUsize, Ordering},
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
    },
    time::{Duration, Instant},
};

/// Work, in elementary operations, from which other threads are called at all.
pub const THRESHOLD: usize = 1 << 16;
/// How long a helper looks out for the next job before it sleeps.
const LOOKOUT: Duration = Duration::from_micros(200);

/// A set of tasks that helpers may join while the gate is open.
struct Job {
    /// The closure, with its lifetime erased. Touched only by its owner and inside of the gate.
    run: *const (dyn Fn(usize) + Sync),
    tasks: usize,
    next: AtomicUsize,
    gate: Gate,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}
// SAFETY: `run` points to a `Sync` closure, and the gate keeps every use of it within the caller's frame.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
impl Job {
    /// Take tasks until none is left. A panic is kept for the caller, and no further task is begun.
    fn work(&self) {
        // SAFETY: called by the owner of the closure, or inside of the gate, which the owner waits for.
        let run = unsafe { &*self.run };
        let outcome = catch_unwind(AssertUnwindSafe(|| loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= self.tasks {
                return;
            }
            run(i);
        }));
        if let Err(panic) = outcome {
            self.next.store(self.tasks, Ordering::Relaxed);
            lock(&self.panic).get_or_insert(panic);
        }
    }
}

/// The job that is offered to the helpers.
#[derive(Default)]
struct Offer {
    job: Option<Arc<Job>>,
    /// Helpers that may still take it up.
    places: usize,
    helpers: usize,
    asleep: usize,
    /// The process the helpers belong to: a fork has none of them.
    process: u32,
}
static OFFER: Mutex<Offer> = Mutex::new(Offer { job: None, places: 0, helpers: 0, asleep: 0, process: 0 });
static WAKE: Condvar = Condvar::new();
/// Counts offers, so that helpers on the lookout need no lock.
static OFFERS: AtomicU64 = AtomicU64::new(0);
static THREADS: AtomicUsize = AtomicUsize::new(0);
thread_local! { static WORKING: Cell<bool> = const { Cell::new(false) } }

/// Keeps other threads from offering and taking jobs until it is dropped.
pub fn hold() -> Box<dyn Any> {
    Box::new(lock(&OFFER))
}
/// Threads a computation may use, the caller among them.
pub fn num_threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let asked = std::env::var("RUSTGRAD_NUM_THREADS").ok().and_then(|v| v.parse().ok()).filter(|&n| n > 0);
            let n = asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
            THREADS.store(n, Ordering::Relaxed);
            n
        }
        n => n,
    }
}
/// Use at most `n` threads from now on.
pub fn set_num_threads(n: usize) {
    THREADS.store(n.max(1), Ordering::Relaxed);
}

impl Offer {
    fn take(&mut self) -> Option<Arc<Job>> {
        let job = self.job.as_ref().filter(|_| self.places > 0)?.clone();
        self.places -= 1;
        Some(job)
    }
}
/// Wait for a job: first awake, then asleep.
fn next_job(seen: &mut u64) -> Arc<Job> {
    let start = Instant::now();
    loop {
        for _ in 0..64 {
            let offers = OFFERS.load(Ordering::Acquire);
            if offers != *seen {
                *seen = offers;
                if let Some(job) = lock(&OFFER).take() {
                    return job;
                }
            }
            spin_loop();
        }
        if start.elapsed() > LOOKOUT {
            break;
        }
    }
    let mut offer = lock(&OFFER);
    loop {
        if let Some(job) = offer.take() {
            *seen = OFFERS.load(Ordering::Relaxed);
            return job;
        }
        offer.asleep += 1;
        offer = WAKE.wait(offer).unwrap_or_else(PoisonError::into_inner);
        offer.asleep -= 1;
    }
}
fn helper() {
    WORKING.with(|w| w.set(true));
    let mut seen = 0;
    loop {
        let job = next_job(&mut seen);
        if job.gate.enter() {
            job.work();
            job.gate.leave();
        }
    }
}
/// Offer the job to up to `wanted` helpers, starting threads that are not there yet.
fn call_helpers(job: &Arc<Job>, wanted: usize) {
    let mut offer = lock(&OFFER);
    let process = std::process::id();
    if offer.process != process {
        *offer = Offer { process, ..Offer::default() };
    }
    while offer.helpers < wanted {
        let started = std::thread::Builder::new().name("rustgrad".into()).spawn(helper);
        if started.is_err() {
            break; // fewer helpers: slower, not wrong
        }
        offer.helpers += 1;
    }
    offer.job = Some(job.clone());
    offer.places = wanted;
    OFFERS.fetch_add(1, Ordering::Release);
    let asleep = offer.asleep.min(wanted);
    drop(offer);
    (0..asleep).for_each(|_| WAKE.notify_one());
}
/// Run `f(0)` … `f(tasks - 1)`, on several threads if `work` elementary operations are worth it. A panic in a task
/// is passed on when all others have stopped.
pub fn parallel(tasks: usize, work: usize, f: &(dyn Fn(usize) + Sync)) {
    let useful = (work / (THRESHOLD / 2)).min(tasks).min(num_threads());
    if work < THRESHOLD || useful < 2 || WORKING.with(Cell::get) {
        (0..tasks).for_each(f);
        return;
    }
    // SAFETY: only the lifetime changes; `close` below waits until nobody can use the closure any more.
    let run = unsafe {
        std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(f)
    };
    let job = Arc::new(Job { run, tasks, next: AtomicUsize::new(0), gate: Gate::open(), panic: Mutex::default() });
    call_helpers(&job, useful - 1);
    WORKING.with(|w| w.set(true));
    job.work();
    WORKING.with(|w| w.set(false));
    job.gate.close();
    {
        let mut offer = lock(&OFFER);
        if offer.job.as_ref().is_some_and(|j| Arc::ptr_eq(j, &job)) {
            offer.job = None;
            offer.places = 0;
        }
    }
    let panic = lock(&job.panic).take();
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}
/// Elements for one task when `len` elements are shared out: a few tasks for each thread, so that a late helper finds
/// something left, but none so small that handing it over costs more than its work.
pub fn piece(len: usize) -> usize {
    (len / (4 * num_threads())).next_multiple_of(1 << 10).clamp(1 << 12, 1 << 15)
}
/// Split `out` in pieces of `piece` elements and run `f(index, piece)` over them.
pub fn parallel_chunks<T: Send>(out: &mut [T], piece: usize, work: usize, f: &(dyn Fn(usize, &mut [T]) + Sync)) {
    if work < THRESHOLD || out.len() <= piece || num_threads() == 1 {
        out.chunks_mut(piece.max(1)).enumerate().for_each(|(i, p)| f(i, p));
        return;
    }
    // Each task takes its piece out of a slot, so no two can hold the same elements.
    let pieces: Vec<Mutex<Option<&mut [T]>>> = out.chunks_mut(piece.max(1)).map(|p| Mutex::new(Some(p))).collect();
    parallel(pieces.len(), work, &|i| {
        if let Some(p) = lock(&pieces[i]).take() {
            f(i, p);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    const BIG: usize = 1 << 30;
    #[test]
    fn every_task_runs_once() {
        set_num_threads(4);
        for round in 0..2000 {
            let counts: Vec<AtomicUsize> = (0..1 + round % 37).map(|_| AtomicUsize::new(0)).collect();
            parallel(counts.len(), BIG, &|i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
        }
    }
    #[test]
    fn callers_may_share_the_helpers_and_nest() {
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..200 {
                        let sum = AtomicUsize::new(0);
                        parallel(8, BIG, &|i| {
                            parallel(4, BIG, &|j| {
                                sum.fetch_add(i * j, Ordering::Relaxed);
                            });
                        });
                        assert_eq!(sum.load(Ordering::Relaxed), 28 * 6);
                    }
                });
            }
        });
    }
    #[test]
    fn a_panic_reaches_the_caller() {
        let failed = catch_unwind(|| parallel(100, BIG, &|i| assert!(i != 50, "task fifty")));
        assert!(failed.is_err());
        let mut out = vec![0; 1000];
        parallel_chunks(&mut out, 10, BIG, &|i, p| p.fill(i));
        assert!(out.iter().enumerate().all(|(k, &v)| v == k / 10));
    }
}
