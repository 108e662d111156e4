//! Levels: each active transformation owns one; inner ones are higher; an id is never used again.
use super::mode::{bottom_records, count_silenced, grad_enabled, set_grad_enabled};
use crate::error::{Error, Result};
use std::{
    cell::RefCell,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc,
    },
};

/// What values know of the level they belong to.
#[derive(Debug)]
pub struct Info {
    id: u64,
    name: &'static str,
    ended: AtomicBool,
}
pub type LevelRef = Arc<Info>;
impl Info {
    pub fn id(&self) -> u64 {
        self.id
    }
    /// An error if the transformation is over: a value that escaped it means nothing any more.
    #[inline]
    pub fn check(&self, op: &'static str) -> Result<()> {
        if self.ended.load(Ordering::Relaxed) {
            return Err(self.escaped(op));
        }
        Ok(())
    }
    #[cold]
    fn escaped(&self, op: &'static str) -> Error {
        Error::graph(
            op,
            format!(
                "a tensor from inside {} is used after it ended; return it from the function instead of keeping it aside",
                self.name
            ),
        )
    }
}

thread_local! {
    /// Active levels of this thread, with the grad mode that was set outside each.
    static ACTIVE: RefCell<Vec<(u64, bool)>> = const { RefCell::new(Vec::new()) };
}
/// A transformation being active; dropping it (also on error and panic) ends it.
#[derive(Debug)]
pub struct Level {
    info: LevelRef,
}
impl Level {
    /// Begin a transformation. Recording is on inside it; `no_grad` outside concerns the levels outside only.
    pub fn enter(name: &'static str) -> Level {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let outside = set_grad_enabled(true);
        if !outside {
            count_silenced(1);
        }
        ACTIVE.with(|a| a.borrow_mut().push((id, outside)));
        Level { info: Arc::new(Info { id, name, ended: AtomicBool::new(false) }) }
    }
    pub fn info(&self) -> &LevelRef {
        &self.info
    }
}
impl Drop for Level {
    fn drop(&mut self) {
        self.info.ended.store(true, Ordering::Relaxed);
        let _ = ACTIVE.try_with(|a| {
            let mut active = a.borrow_mut();
            if let Some(at) = active.iter().rposition(|(id, _)| *id == self.info.id) {
                let (_, outside) = active.remove(at);
                set_grad_enabled(outside);
                if !outside {
                    count_silenced(-1);
                }
            }
        });
    }
}
/// Whether the tape of this level (`None`: the bottom) records now: `no_grad` inside a transformation silences it and
/// all levels outside; `no_grad` outside it silences only those outside.
#[inline]
pub(super) fn records(level: Option<&Info>) -> bool {
    let Some(level) = level else { return bottom_records() };
    grad_enabled()
        && ACTIVE.with(|a| {
            let active = a.borrow();
            active.iter().filter(|(id, _)| *id > level.id).all(|(_, outside)| *outside)
        })
}
