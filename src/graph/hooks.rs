//! What few nodes have besides: callbacks of the sweep, and the cells in which gradients arrive.
use super::{
    node::{lock, Extra, NodeRef},
    pullback::in_parts,
};
use crate::{
    error::{Error, Result},
    trace::Value,
};
use smallvec::SmallVec;
use std::{
    any::Any,
    cell::RefCell,
    sync::{atomic::Ordering, Arc, Mutex, PoisonError},
};

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// On the cotangent of this output, before anything else sees it.
    Tensor(u32),
    /// On all cotangents of the outputs before the rule runs.
    Before,
    /// After the rule, on the cotangents of the inputs.
    After,
}
/// A callback of the sweep. It may replace what it is shown.
pub trait Hook: Send + Sync {
    fn call(&self, shown: &[Option<Value>], also: &[Option<Value>]) -> Result<Option<Vec<Option<Value>>>>;
    /// What a garbage collector may want to look at.
    fn callee(&self) -> &dyn Any;
}
/// A hook that replaces what it is shown cannot be right for values and tangents that come by one after the other.
fn refuse_in_parts() -> Result<()> {
    match in_parts() {
        true => Err(Error::graph(
            "hook",
            "cannot replace a gradient in forward mode over backward() or autograd.grad, where values and tangents come \
             by apart; take func.jvp of func.grad, or let the hook return None",
        )),
        false => Ok(()),
    }
}
/// The versions of gradients that others hold, too: a hook that overwrites one of these would change the others'.
fn shared_versions(gs: &[Option<Value>]) -> SmallVec<[Option<u32>; 2]> {
    let version = |g: &Option<Value>| match g {
        Some(Value::Array(g)) if !g.is_unique() => Some(g.version()),
        _ => None,
    };
    gs.iter().map(version).collect()
}
/// Let a hook look at gradients, and perhaps replace them.
pub(super) fn shown(
    hook: &dyn Hook,
    gs: &[Option<Value>],
    outputs: &[Option<Value>],
) -> Result<Option<Vec<Option<Value>>>> {
    let given = || gs.iter().chain(outputs);
    let before = [shared_versions(gs), shared_versions(outputs)];
    let new = hook.call(gs, outputs)?;
    let spoiled = given().zip(before.iter().flatten()).any(|(g, &before)| match (g, before) {
        (Some(g), Some(version)) => g.version() != version,
        _ => false,
    });
    if spoiled {
        return Err(Error::graph(
            "hook",
            "changes in place a gradient that other tensors get as well; let it return a new one, or change a clone()",
        ));
    }
    if new.is_some() {
        refuse_in_parts()?;
    }
    Ok(new)
}
/// Where the gradient of a leaf (or of a tensor that retains it) is kept.
#[derive(Default)]
pub struct GradCell {
    gradient: Mutex<Option<Value>>,
    /// Run after a gradient was accumulated here.
    pub post_hooks: Mutex<Vec<(u64, Arc<dyn Hook>)>>,
    /// What the language binding wants to keep with it.
    pub companion: Mutex<Option<Companion>>,
}
impl GradCell {
    pub fn get(&self) -> Option<Value> {
        lock(&self.gradient).clone()
    }
    pub fn set(&self, gradient: Option<Value>) {
        let _old = std::mem::replace(&mut *lock(&self.gradient), gradient);
    }
    /// Change the gradient under its lock.
    pub fn update(&self, f: impl FnOnce(Option<Value>) -> Result<Value>) -> Result<()> {
        let mut gradient = lock(&self.gradient);
        let old = gradient.clone();
        *gradient = Some(f(old)?);
        Ok(())
    }
}
type Companion = Arc<dyn Any + Send + Sync>;
thread_local! {
    /// Companions of dead cells, while one is being dropped further up the stack.
    static FALLING: RefCell<Option<Vec<Companion>>> = const { RefCell::new(None) };
}
/// A gradient may have a gradient, and so on: what each keeps queues up instead of recursing.
impl Drop for GradCell {
    fn drop(&mut self) {
        let kept = self.companion.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(kept) = kept else { return };
        // Without the list, at the end of a thread, it is dropped in place.
        let first = FALLING.try_with(|falling| match &mut *falling.borrow_mut() {
            Some(queue) => {
                queue.push(kept);
                None
            }
            empty => {
                *empty = Some(Vec::new());
                Some(kept)
            }
        });
        let mut next = first.unwrap_or(None);
        while let Some(companion) = next {
            drop(companion);
            let following = FALLING.try_with(|falling| {
                let mut falling = falling.borrow_mut();
                let more = falling.as_mut().and_then(Vec::pop);
                if more.is_none() {
                    *falling = None;
                }
                more
            });
            next = following.unwrap_or(None);
        }
    }
}
impl NodeRef {
    pub(super) fn extra(&self) -> &Extra {
        self.extra.get_or_init(Box::default)
    }
    pub fn add_cell(&self, slot: u32, cell: Arc<GradCell>) {
        lock(&self.extra().cells).push((slot, cell));
    }
    pub fn remove_cell(&self, cell: &Arc<GradCell>) {
        if let Some(extra) = self.extra.get() {
            lock(&extra.cells).retain(|(_, c)| !Arc::ptr_eq(c, cell));
        }
    }
    pub fn cells(&self) -> SmallVec<[(u32, Arc<GradCell>); 1]> {
        self.extra.get().map(|e| lock(&e.cells).clone()).unwrap_or_default()
    }
    pub fn add_hook(&self, when: When, hook: Arc<dyn Hook>) -> u64 {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(&self.extra().hooks).push((id, when, hook));
        id
    }
    pub fn remove_hook(&self, id: u64) {
        if let Some(extra) = self.extra.get() {
            lock(&extra.hooks).retain(|(i, ..)| *i != id);
        }
    }
    /// Hooks that live and die with this handle: none if the node (or its gradient cell) has other owners.
    pub fn own_hooks(&self) -> Vec<Arc<dyn Hook>> {
        let Some(extra) = self.extra.get().filter(|_| self.references.load(Ordering::Acquire) == 1) else {
            return Vec::new();
        };
        let mut found: Vec<_> = lock(&extra.hooks).iter().map(|(.., hook)| hook.clone()).collect();
        for (_, cell) in lock(&extra.cells).iter().filter(|(_, cell)| Arc::strong_count(cell) <= 2) {
            found.extend(lock(&cell.post_hooks).iter().map(|(_, hook)| hook.clone()));
        }
        found
    }
    /// Drop all hooks of the node and of its gradient cells.
    pub fn clear_hooks(&self) {
        let Some(extra) = self.extra.get() else { return };
        // Taken out under the lock, dropped after it: their destructors may come back here.
        let mut dropped: Vec<_> = std::mem::take(&mut *lock(&extra.hooks)).into_iter().map(|(.., hook)| hook).collect();
        for (_, cell) in self.cells() {
            dropped.extend(std::mem::take(&mut *lock(&cell.post_hooks)).into_iter().map(|(_, hook)| hook));
        }
    }
    pub fn has_extra(&self) -> bool {
        self.extra.get().is_some()
    }
    pub fn hooks(&self) -> Vec<(When, Arc<dyn Hook>)> {
        self.extra.get().map(|e| lock(&e.hooks).iter().map(|(_, w, h)| (*w, h.clone())).collect()).unwrap_or_default()
    }
}
