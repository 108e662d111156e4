//! Nodes: an op that was recorded, its parents, and what its reverse rule will read.
use super::arena;
use crate::{
    array::{Array, Aval},
    error::{Error, Result},
    op::{Prim, Saved, Which},
    trace::Value,
};
use smallvec::SmallVec;
use std::{
    any::Any,
    cell::{Cell, RefCell},
    ptr::NonNull,
    sync::{
        atomic::{fence, AtomicBool, AtomicU32, Ordering},
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    },
};

/// One output of a node: where the cotangent of a value goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    pub node: NodeRef,
    pub slot: u32,
}
/// A value kept for the reverse rule, with the version its storage had.
pub struct SavedValue {
    value: Value,
    version: u32,
}
impl SavedValue {
    pub fn new(value: Value) -> SavedValue {
        let version = value.version();
        SavedValue { value, version }
    }
}
type Kept = SmallVec<[SavedValue; 2]>;

/// A recorded op. Lives in an arena slot; shared by reference count.
pub struct Node {
    references: AtomicU32,
    /// Kept values were taken by a sweep without `retain_graph`.
    released: AtomicBool,
    /// Recording order: larger than that of all parents.
    pub seq: u64,
    pub op: Prim,
    pub parents: SmallVec<[Option<Edge>; 2]>,
    kept: Mutex<Option<Kept>>,
    avals: Option<Box<[Aval]>>,
    extra: OnceLock<Box<Extra>>,
}
/// What few nodes have: hooks and the cell of a leaf.
#[derive(Default)]
pub struct Extra {
    hooks: Mutex<Vec<(u64, When, Arc<dyn Hook>)>>,
    /// The gradient cell of a leaf, or of a tensor that asked to retain its gradient.
    cells: Mutex<SmallVec<[(u32, Arc<GradCell>); 1]>>,
}
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
}
/// Where the gradient of a leaf (or of a tensor that retains it) is kept.
#[derive(Default)]
pub struct GradCell {
    gradient: Mutex<Option<Value>>,
    /// Run after a gradient was accumulated here.
    pub post_hooks: Mutex<Vec<(u64, Arc<dyn Hook>)>>,
    /// What the language binding wants to keep with it.
    pub companion: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
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
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A shared handle to a node.
pub struct NodeRef(NonNull<Node>);
// SAFETY: nodes are immutable but for atomics and mutexes, and counted atomically.
unsafe impl Send for NodeRef {}
// SAFETY: as above.
unsafe impl Sync for NodeRef {}

thread_local! {
    static LAST: Cell<u64> = const { Cell::new(0) };
    /// Dead nodes waiting to be freed, while one is being freed further up the stack.
    static DOOMED: RefCell<Option<Vec<NonNull<Node>>>> = const { RefCell::new(None) };
}
/// The next recording number: after all parents, and after this thread's last (a Lamport clock), so that recording
/// order is a topological order even across threads.
fn next_seq(parents: &[Option<Edge>]) -> u64 {
    let seq = 1 + parents.iter().flatten().fold(LAST.with(Cell::get), |seq, p| seq.max(p.node.seq));
    LAST.with(|last| last.set(seq));
    seq
}

impl NodeRef {
    pub fn new(op: Prim, parents: SmallVec<[Option<Edge>; 2]>, kept: Kept, avals: Option<Box<[Aval]>>) -> NodeRef {
        NodeRef(arena::place(Node {
            references: AtomicU32::new(1),
            released: AtomicBool::new(false),
            seq: next_seq(&parents),
            op,
            parents,
            kept: Mutex::new(Some(kept)),
            avals,
            extra: OnceLock::new(),
        }))
    }
    /// A node of its own for a leaf: the cotangent that arrives here is accumulated in `cell`.
    pub fn leaf(cell: Arc<GradCell>) -> NodeRef {
        let node = NodeRef::new(crate::ops::leaf::Leaf.into(), SmallVec::new(), SmallVec::new(), None);
        node.add_cell(0, cell);
        node
    }
    /// Identity, for maps and comparison.
    pub fn id(&self) -> usize {
        self.0.as_ptr() as usize
    }
    pub fn is_leaf(&self) -> bool {
        matches!(self.op, Prim::Leaf(_))
    }
    fn extra(&self) -> &Extra {
        self.extra.get_or_init(Box::default)
    }
    pub fn add_cell(&self, slot: u32, cell: Arc<GradCell>) {
        lock(&self.extra().cells).push((slot, cell));
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
    pub fn has_extra(&self) -> bool {
        self.extra.get().is_some()
    }
    pub fn hooks(&self) -> Vec<(When, Arc<dyn Hook>)> {
        self.extra.get().map(|e| lock(&e.hooks).iter().map(|(_, w, h)| (*w, h.clone())).collect()).unwrap_or_default()
    }
    /// What the reverse rule reads. With `rewrap`, kept values carry their history again, so that the rule itself is
    /// recorded. With `release`, they are given up.
    pub fn saved(&self, release: bool, rewrap: Option<&dyn Fn(Value, Edge) -> Value>) -> Result<Saved> {
        if self.released.load(Ordering::Acquire) {
            return Err(Error::graph(
                "backward",
                format!(
                    "cannot go through `{}` a second time (the values it saved were freed by the first backward); \
                     use retain_graph=True in the first call",
                    self.op.name()
                ),
            ));
        }
        let needs =
            self.parents.iter().enumerate().fold(Which::NONE, |w, (i, p)| if p.is_some() { w.with(i) } else { w });
        let mut kept = lock(&self.kept);
        // What saved nothing can be gone through again, as in PyTorch.
        if release && kept.as_ref().is_some_and(|k| !k.is_empty()) {
            self.released.store(true, Ordering::Release);
        }
        let Some(values) = kept.as_ref() else { return Ok(Saved::default()) };
        for saved in values {
            if saved.value.version() != saved.version {
                return Err(Error::graph(
                    "backward",
                    format!(
                        "a value that `{}` saved for its derivative, of shape {}, was changed in place afterwards by {} (it is at version {}, \
                         saved at {}); use the out-of-place form there, or clone() before it",
                        self.op.name(),
                        crate::shape::show(saved.value.shape()),
                        saved.value.last_writer(),
                        saved.value.version(),
                        saved.version
                    ),
                ));
            }
        }
        let saves = self.op.saves(needs);
        let (mut inputs, mut outputs) = (SmallVec::new(), SmallVec::new());
        let owned: Kept = if release {
            kept.as_mut().map(std::mem::take).unwrap_or_default()
        } else {
            values.iter().map(|s| SavedValue { value: s.value.clone(), version: s.version }).collect()
        };
        let mut owned = owned.into_iter().map(|s| s.value);
        if saves.inputs != Which::NONE {
            for (i, parent) in self.parents.iter().enumerate() {
                inputs.push(match (saves.inputs.has(i), parent, rewrap) {
                    (false, ..) => None,
                    (true, Some(edge), Some(wrap)) => owned.next().map(|v| wrap(v, edge.clone())),
                    (true, ..) => owned.next(),
                });
            }
        }
        if saves.outputs {
            for (slot, value) in owned.enumerate() {
                outputs.push(Some(match rewrap {
                    Some(wrap) if value.dtype().is_inexact() => {
                        wrap(value, Edge { node: self.clone(), slot: slot as u32 })
                    }
                    _ => value,
                }));
            }
        }
        Ok(Saved::new(inputs, outputs, self.avals.clone(), needs))
    }
}
/// Recording number of the last node this thread made.
pub fn last_seq() -> u64 {
    LAST.with(Cell::get)
}
/// Before `storage` is overwritten: nodes recorded after `since` that lead to `edge` get copies of what they saved of it.
/// An in-place op that needs its input's old contents for its derivative thus keeps them.
pub fn preserve(edge: &Edge, since: u64, storage: &Array) -> Result<()> {
    let mut stack = vec![edge.node.clone()];
    while let Some(node) = stack.pop() {
        if node.seq <= since {
            continue;
        }
        if let Some(kept) = lock(&node.kept).as_mut() {
            for saved in kept.iter_mut() {
                let copy = match saved.value.plain() {
                    Some(array) if array.shares_storage(storage) => array.copied("clone")?,
                    _ => continue,
                };
                *saved = SavedValue::new(Value::Array(copy));
            }
        }
        stack.extend(node.parents.iter().flatten().map(|p| p.node.clone()));
    }
    Ok(())
}
impl std::ops::Deref for NodeRef {
    type Target = Node;
    #[inline]
    fn deref(&self) -> &Node {
        // SAFETY: a live handle keeps the node in its slot.
        unsafe { self.0.as_ref() }
    }
}
impl Clone for NodeRef {
    #[inline]
    fn clone(&self) -> NodeRef {
        self.references.fetch_add(1, Ordering::Relaxed);
        NodeRef(self.0)
    }
}
impl Drop for NodeRef {
    #[inline]
    fn drop(&mut self) {
        if self.references.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            bury(self.0);
        }
    }
}
/// Free a node whose last handle is gone. Its parents may die with it: they queue up instead of recursing, so a chain
/// of any length is dropped in constant stack.
fn bury(first: NonNull<Node>) {
    let queued = DOOMED.try_with(|doomed| {
        let mut doomed = doomed.borrow_mut();
        match doomed.as_mut() {
            Some(queue) => {
                queue.push(first);
                true
            }
            None => {
                *doomed = Some(Vec::new());
                false
            }
        }
    });
    match queued {
        Ok(true) => return,
        Ok(false) => {}
        Err(_) => {
            // The thread is ending and its queue is gone; nothing records here any more.
            // SAFETY: the count reached zero.
            drop(unsafe { arena::remove(first) });
            return;
        }
    }
    let mut next = Some(first);
    while let Some(slot) = next {
        // SAFETY: the count of this node, and of every queued one, reached zero.
        drop(unsafe { arena::remove(slot) });
        next = DOOMED.with(|doomed| doomed.borrow_mut().as_mut().and_then(Vec::pop));
    }
    DOOMED.with(|doomed| *doomed.borrow_mut() = None);
}
impl std::fmt::Debug for NodeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.op.name(), self.seq)
    }
}
impl PartialEq for NodeRef {
    fn eq(&self, other: &NodeRef) -> bool {
        self.0 == other.0
    }
}
impl Eq for NodeRef {}
impl std::hash::Hash for NodeRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_usize(self.id());
    }
}
