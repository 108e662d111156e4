//! The gate of a job: helpers pass through it to work on something borrowed, and its owner waits until all have left.
#[cfg(not(loom))]
use std::{
    hint::spin_loop,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Condvar, Mutex, PoisonError,
    },
};
#[cfg(loom)]
use {
    loom::{
        hint::spin_loop,
        sync::{
            atomic::{AtomicUsize, Ordering},
            Condvar, Mutex,
        },
    },
    std::sync::PoisonError,
};

/// Looks at the gate before its owner sleeps: tasks are short, and most helpers leave at the same time as the owner.
const LOOKS: usize = if cfg!(loom) { 1 } else { 1 << 12 };
const CLOSED: usize = 1 << (usize::BITS - 1);

/// How many are inside, and whether the gate is closed.
pub struct Gate {
    state: AtomicUsize,
    sleeper: Mutex<()>,
    left: Condvar,
}
impl Gate {
    pub fn open() -> Gate {
        Gate { state: AtomicUsize::new(0), sleeper: Mutex::new(()), left: Condvar::new() }
    }
    /// Go in, unless the gate is closed. Whoever got in must [`leave`](Gate::leave).
    pub fn enter(&self) -> bool {
        if self.state.fetch_add(1, Ordering::Acquire) & CLOSED == 0 {
            return true;
        }
        self.leave();
        false
    }
    /// Go out; all that was done inside is visible to the owner when `close` returns.
    pub fn leave(&self) {
        if self.state.fetch_sub(1, Ordering::Release) == CLOSED | 1 {
            // The lock makes sure that the owner is not between its last look and its sleep.
            drop(self.sleeper.lock().unwrap_or_else(PoisonError::into_inner));
            self.left.notify_all();
        }
    }
    /// Let nobody in any more, and wait for those inside.
    pub fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        for _ in 0..LOOKS {
            if self.is_empty() {
                return;
            }
            spin_loop();
        }
        let mut guard = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_empty() {
            guard = self.left.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
    fn is_empty(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }
}

/// Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib gate`: every interleaving of the hand-over.
#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::{cell::UnsafeCell, sync::Arc, thread};

    struct Shared {
        gate: Gate,
        /// Stands for what the job borrows: written inside of the gate, read and dropped by the owner after `close`.
        borrowed: [UnsafeCell<usize>; 2],
    }
    #[test]
    fn nobody_is_inside_after_close() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3); // beyond three forced switches nothing new turns up, but minutes pass
        model.check(|| {
            let shared = Arc::new(Shared { gate: Gate::open(), borrowed: [UnsafeCell::new(0), UnsafeCell::new(0)] });
            let helpers: Vec<_> = (0..2)
                .map(|i| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let inside = shared.gate.enter();
                        if inside {
                            // SAFETY: each helper has a cell of its own; the owner looks only after `close`.
                            shared.borrowed[i].with_mut(|p| unsafe { *p = 1 });
                            shared.gate.leave();
                        }
                        inside
                    })
                })
                .collect();
            shared.gate.close();
            // SAFETY: everyone has left. loom reports a race if this is not so.
            let seen: Vec<usize> = shared.borrowed.iter().map(|c| c.with(|p| unsafe { *p })).collect();
            let entered: Vec<usize> = helpers.into_iter().map(|h| usize::from(h.join().unwrap())).collect();
            assert_eq!(seen, entered, "the owner saw all that was done inside, and nothing is done later");
        });
    }
}
