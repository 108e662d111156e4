//! Processes that fork while other threads compute: the child must not inherit a lock that nobody is left to open.
#[cfg(target_os = "linux")]
mod handlers {
    use crate::{array, graph, kernels::pool, trace};
    use std::{any::Any, cell::RefCell, sync::Once};

    thread_local! {
        /// The locks of everything that threads share, while this thread forks.
        static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    }
    extern "C" fn before() {
        let _ = HELD.try_with(|held| {
            if let Ok(mut held) = held.try_borrow_mut() {
                // In the order in which they are taken elsewhere: a computation that was put off uses all that follow.
                held.push(trace::hold());
                held.push(array::hold_waiting());
                held.extend([pool::hold(), graph::hold(), array::hold()]);
            }
        });
    }
    extern "C" fn after() {
        let _ = HELD.try_with(|held| held.try_borrow_mut().map(|mut held| held.clear()));
    }
    extern "C" fn after_in_child() {
        after();
        array::forget_other_threads();
    }
    pub fn install() {
        static ONCE: Once = Once::new();
        // SAFETY: the handlers only lock and unlock, and stay as long as the process: modules are never unloaded. They
        // are the system's, not Python's, so that nothing runs between them and the fork.
        ONCE.call_once(|| unsafe {
            libc::pthread_atfork(Some(before), Some(after), Some(after_in_child));
        });
    }
}
/// Let this process fork at any time from now on.
pub fn install() {
    #[cfg(target_os = "linux")]
    handlers::install();
}
