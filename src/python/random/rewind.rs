//! Going back to where generators stood, so that a program that runs again draws the same numbers.
use super::generator::{set_to, Generator};
use crate::kernels::random::Philox;
use pyo3::{prelude::*, types::PyTuple};
use std::{
    cell::RefCell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Generators (`None`: the default one) with their states before they were first used.
#[derive(Default)]
struct States(Mutex<Vec<(Option<Py<Generator>>, Philox)>>);
impl States {
    fn lock(&self) -> MutexGuard<'_, Vec<(Option<Py<Generator>>, Philox)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
thread_local! {
    /// What is being remembered on this thread.
    static REMEMBERING: RefCell<Vec<Arc<States>>> = const { RefCell::new(Vec::new()) };
}
/// A generator is about to leave the state it is in.
pub fn remember(generator: Option<&Bound<'_, Generator>>, state: Philox) {
    REMEMBERING.with_borrow(|all| {
        for states in all {
            let mut states = states.lock();
            let known = states.iter().any(|(g, _)| match (g, generator) {
                (Some(g), Some(generator)) => g.is(generator),
                (None, None) => true,
                _ => false,
            });
            if !known {
                states.push((generator.map(|g| g.clone().unbind()), state));
            }
        }
    });
}
/// Remembers, as a context, the states of the generators that its block draws from; `rewind` goes back to them.
#[pyclass(frozen, name = "_Rewind", module = "rustgrad._core")]
pub struct Rewind(Arc<States>);
#[pymethods]
impl Rewind {
    #[new]
    fn new() -> Rewind {
        Rewind(Arc::default())
    }
    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        REMEMBERING.with_borrow_mut(|all| all.push(slf.get().0.clone()));
        slf
    }
    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        REMEMBERING.with_borrow_mut(|all| {
            if let Some(at) = all.iter().rposition(|states| Arc::ptr_eq(states, &self.0)) {
                all.remove(at);
            }
        });
    }
    /// Put every generator that was used since back to where it was before.
    fn rewind(&self, py: Python<'_>) {
        for (generator, state) in self.0.lock().iter() {
            set_to(generator.as_ref().map(|g| g.bind(py)), *state);
        }
    }
}
