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

/// What random operators do while one program runs for many lanes at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Randomness {
    /// Refuse, so that nobody gets one of the others by accident.
    Error,
    /// Every lane draws numbers of its own.
    Different,
    /// All lanes see the same numbers.
    Same,
}
/// The lanes of a batching level.
#[derive(Clone, Copy, Debug)]
pub struct Lanes {
    pub count: usize,
    pub randomness: Randomness,
    /// Whether nothing may run lane by lane here.
    pub strict: bool,
}
/// What values know of the level they belong to.
#[derive(Debug)]
pub struct Info {
    id: u64,
    name: &'static str,
    lanes: Option<Lanes>,
    ended: AtomicBool,
    /// Whether a tensor from outside was written in place meanwhile: a second run would meet other numbers.
    wrote_outside: AtomicBool,
    /// Whether plain numbers were asked of what stands for many here, and nobody has answered yet.
    refused: AtomicBool,
    /// Whether numbers went on without the sets of inputs they depend on.
    lost: AtomicBool,
}
pub type LevelRef = Arc<Info>;
impl Info {
    pub fn id(&self) -> u64 {
        self.id
    }
    pub fn name(&self) -> &'static str {
        self.name
    }
    pub fn lanes(&self) -> Option<Lanes> {
        self.lanes
    }
    pub fn wrote_outside(&self) -> bool {
        self.wrote_outside.load(Ordering::Relaxed)
    }
    pub fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
    pub fn set_refused(&self, yes: bool) {
        self.refused.store(yes, Ordering::Relaxed);
    }
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
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
    pub(super) fn escaped(&self, op: &'static str) -> Error {
        Error::graph(
            op,
            format!(
                "a tensor from inside {} is used after it ended; return it from the function instead of keeping it aside",
                self.name
            ),
        )
    }
}

/// The id of the next level.
static NEXT: AtomicU64 = AtomicU64::new(1);
/// The id of the level that was entered last, on any thread: what is made now is older than all later ones.
#[inline]
pub fn latest_level() -> u64 {
    NEXT.load(Ordering::Relaxed) - 1
}
thread_local! {
    /// Active levels of this thread, with the grad mode that was set outside each.
    static ACTIVE: RefCell<Vec<(LevelRef, bool)>> = const { RefCell::new(Vec::new()) };
}
/// A transformation being active; dropping it (also on error and panic) ends it.
#[derive(Debug)]
pub struct Level {
    info: LevelRef,
}
impl Level {
    /// Begin a transformation. Recording is on inside it; `no_grad` outside concerns the levels outside only.
    pub fn enter(name: &'static str) -> Level {
        Level::with_lanes(name, None)
    }
    /// As `enter`, for a level on which values stand for many.
    pub fn with_lanes(name: &'static str, lanes: Option<Lanes>) -> Level {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let outside = set_grad_enabled(true);
        if !outside {
            count_silenced(1);
        }
        let no = || AtomicBool::new(false);
        let info = Arc::new(Info { id, name, lanes, ended: no(), wrote_outside: no(), refused: no(), lost: no() });
        ACTIVE.with(|a| a.borrow_mut().push((info.clone(), outside)));
        Level { info }
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
            if let Some(at) = active.iter().rposition(|(info, _)| info.id == self.info.id) {
                let (_, outside) = active.remove(at);
                set_grad_enabled(outside);
                if !outside {
                    count_silenced(-1);
                }
            }
        });
    }
}
/// Whether any transformation is active on this thread.
pub fn any_active() -> bool {
    ACTIVE.with(|active| !active.borrow().is_empty())
}
/// Take note that a tensor is written that was made when level `born` was the latest.
pub fn writing(born: u64) {
    ACTIVE.with(|active| {
        for (info, _) in active.borrow().iter().filter(|(info, _)| info.id > born) {
            info.wrote_outside.store(true, Ordering::Relaxed);
        }
    });
}
/// Take note that numbers were refused to the program at this level: it may catch the exception.
pub fn note_refusal(id: u64) {
    ACTIVE.with(|active| {
        active.borrow().iter().filter(|(info, _)| info.id == id).for_each(|(info, _)| info.set_refused(true));
    });
}
/// The levels whose lanes draw random numbers of their own, outermost first, with the number of lanes of each.
pub fn drawing_lanes(op: &'static str) -> Result<Vec<(LevelRef, usize)>> {
    ACTIVE.with(|active| {
        let mut found = Vec::new();
        for (info, _) in active.borrow().iter() {
            match info.lanes {
                Some(Lanes { randomness: Randomness::Error, .. }) => {
                    return Err(Error::graph(
                        op,
                        "cannot draw random numbers inside vmap without knowing for whom; pass \
                         randomness=\"different\" (each lane its own) or \"same\" to vmap",
                    ))
                }
                Some(Lanes { randomness: Randomness::Different, count, .. }) => found.push((info.clone(), count)),
                _ => {}
            }
        }
        Ok(found)
    })
}
/// Whether the tape of this level (`None`: the bottom) records now: `no_grad` inside a transformation silences it and
/// all levels outside; `no_grad` outside it silences only those outside.
#[inline]
pub(super) fn records(level: Option<&Info>) -> bool {
    let Some(level) = level else { return bottom_records() };
    grad_enabled()
        && ACTIVE.with(|a| {
            let active = a.borrow();
            active.iter().filter(|(info, _)| info.id > level.id).all(|(_, outside)| *outside)
        })
}
