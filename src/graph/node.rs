//! Nodes: an op that was recorded, its parents, and what its reverse rule will read.
use super::{
    arena,
    hooks::{GradCell, Hook, When},
    origin::Origin,
    saved::{Kept, Outgoing, SavedValue, Store},
};
use crate::{
    array::{Array, Aval},
    error::{Error, Result},
    op::{Prim, Saved, Which},
    trace::Value,
};
use smallvec::SmallVec;
use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    },
};

/// One output of a node: where the cotangent of a value goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    pub node: NodeRef,
    pub slot: u32,
}
/// Where the cotangents of an op's inputs go.
pub type Parents = SmallVec<[Option<Edge>; 2]>;

/// A recorded op. Lives in an arena slot; shared by reference count. Its size is what recording costs in memory.
pub struct Node {
    pub(super) references: AtomicU32,
    /// Number of inputs, where `parents` holds them.
    arity: u8,
    slots: [u8; 2],
    /// Recording order: larger than that of all parents.
    pub seq: u64,
    pub op: Prim,
    /// The first two parents, with `slots`, unless `extra` holds all of them.
    parents: [Option<NodeRef>; 2],
    kept: Mutex<Store>,
    pub(super) extra: OnceLock<Box<Extra>>,
}
const _: () = assert!(std::mem::size_of::<Node>() <= 120, "a recorded op is promised to take at most 128 bytes");

/// What few nodes have.
#[derive(Default)]
pub(super) struct Extra {
    /// All parents, where there are more than two (or an output number too large for a slot).
    parents: Option<Box<[Option<Edge>]>>,
    /// Shapes and dtypes of the inputs, for rules that ask for them.
    avals: Option<Box<[Aval]>>,
    /// Where the op was recorded, when anomalies are looked for.
    pub(super) origin: Origin,
    pub(super) hooks: Mutex<Vec<(u64, When, Arc<dyn Hook>)>>,
    /// The gradient cell of a leaf, or of a tensor that asked to retain its gradient.
    pub(super) cells: Mutex<SmallVec<[(u32, Arc<GradCell>); 1]>>,
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
#[inline]
fn next_seq<'a>(parents: impl Iterator<Item = &'a Edge>) -> u64 {
    LAST.with(|last| {
        let seq = 1 + parents.fold(last.get(), |seq, p| seq.max(p.node.seq));
        last.set(seq);
        seq
    })
}

impl Node {
    /// Where the cotangent of each input goes.
    pub fn parents(&self) -> impl Iterator<Item = Option<(&NodeRef, u32)>> {
        let first = self.parents[..self.arity.into()].iter().zip(self.slots);
        let all = self.extra.get().and_then(|e| e.parents.as_deref()).unwrap_or_default();
        let all = all.iter().map(|p| p.as_ref().map(|e| (&e.node, e.slot)));
        first.map(|(p, slot)| p.as_ref().map(|p| (p, slot.into()))).chain(all)
    }
    /// Inputs whose gradient is wanted.
    fn needs(&self) -> Which {
        self.parents().enumerate().fold(Which::NONE, |w, (i, p)| if p.is_some() { w.with(i) } else { w })
    }
}
impl NodeRef {
    pub fn new(op: Prim, mut parents: Parents, kept: Kept, avals: Option<Box<[Aval]>>) -> NodeRef {
        let seq = next_seq(parents.iter().flatten());
        let (mut slots, mut first, extra) = ([0; 2], [None, None], OnceLock::new());
        let fits = parents.len() <= 2 && parents.iter().flatten().all(|p| p.slot <= u8::MAX.into());
        if !fits || avals.is_some() {
            let parents = (!fits).then(|| std::mem::take(&mut parents).into_boxed_slice());
            let _ = extra.set(Box::new(Extra { parents, avals, ..Extra::default() }));
        }
        let arity = parents.len() as u8;
        for (i, edge) in parents.into_iter().enumerate() {
            if let Some(Edge { node, slot }) = edge {
                (first[i], slots[i]) = (Some(node), slot as u8);
            }
        }
        let (references, kept) = (AtomicU32::new(1), Mutex::new(Store::new(kept)));
        NodeRef(arena::place(Node { references, arity, slots, seq, op, parents: first, kept, extra }))
    }
    /// The short way for ops with one or two inputs that ask for no shapes.
    #[inline]
    pub fn short(op: Prim, arity: u8, edges: [Option<&Edge>; 2], kept: [Option<SavedValue>; 2]) -> NodeRef {
        let seq = next_seq(edges.iter().flatten().copied());
        let [first, second] = kept;
        NodeRef(arena::place(Node {
            references: AtomicU32::new(1),
            arity,
            slots: edges.map(|e| e.map_or(0, |e| e.slot as u8)),
            seq,
            op,
            parents: edges.map(|e| e.map(|e| e.node.clone())),
            kept: Mutex::new(Store::Two(first, second)),
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
    /// Give up what is saved.
    pub fn release(&self) {
        let saved = lock(&self.kept).release();
        drop(saved); // outside of the lock: values may be the last handle of other nodes
    }
    /// What the reverse rule reads. With `rewrap`, kept values carry their history again, so that the rule itself is
    /// recorded. With `release`, they are given up.
    pub fn saved(&self, release: bool, rewrap: Option<&dyn Fn(Value, Edge) -> Value>) -> Result<Saved> {
        let needs = self.needs();
        let owned = {
            let mut kept = lock(&self.kept);
            if matches!(*kept, Store::Released) {
                return Err(self.gone());
            }
            if let Some((saved, version)) = kept.each_mut().find_map(|s| s.outdated().map(|version| (s, version))) {
                return Err(self.changed(saved, version));
            }
            match release {
                true => kept.release(),
                false => kept.copies(),
            }
        };
        let owned = owned.into_iter().map(Outgoing::value).collect::<Result<SmallVec<[Value; 2]>>>()?;
        let mut owned = owned.into_iter();
        let saves = self.op.saves(needs);
        let (mut inputs, mut outputs) = (SmallVec::new(), SmallVec::new());
        if saves.inputs != Which::NONE {
            for (i, parent) in self.parents().enumerate() {
                inputs.push(match (saves.inputs.has(i), parent, rewrap) {
                    (false, ..) => None,
                    (true, Some((node, slot)), Some(wrap)) => {
                        owned.next().map(|v| wrap(v, Edge { node: node.clone(), slot }))
                    }
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
        let avals = self.extra.get().and_then(|e| e.avals.clone());
        Ok(Saved::new(inputs, outputs, avals, needs))
    }
    #[cold]
    fn gone(&self) -> Error {
        Error::graph(
            "backward",
            format!(
                "cannot go through `{}` a second time (the values it saved were freed by the first backward); \
                 use retain_graph=True in the first call",
                self.op.name()
            ),
        )
    }
    #[cold]
    fn changed(&self, saved: &SavedValue, version: u32) -> Error {
        let Some(storage) = saved.storage() else { return self.gone() };
        let (shape, now) = (crate::shape::show(storage.shape()), storage.version());
        Error::graph(
            "backward",
            format!(
                "a value that `{}` saved for its derivative, of shape {shape}, was changed in place afterwards by {} \
                 (it is at version {now}, saved at {version}); use the out-of-place form there, or clone() before it",
                self.op.name(),
                storage.last_writer()
            ),
        )
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
        for saved in lock(&node.kept).each_mut() {
            if let SavedValue::Array { array, .. } = saved {
                if array.shares_storage(storage) {
                    *saved = SavedValue::new(Value::Array(array.copied("clone")?));
                }
            }
        }
        stack.extend(node.parents().flatten().map(|(p, _)| p.clone()));
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
        // The only handle cannot be cloned by anyone else meanwhile: no need to count down.
        if self.references.load(Ordering::Acquire) == 1 || self.references.fetch_sub(1, Ordering::AcqRel) == 1 {
            bury(self.0);
        }
    }
}
/// Free a node whose last handle is gone. Its parents may die with it: they queue up instead of recursing, so a chain
/// of any length is dropped in constant stack.
fn bury(first: NonNull<Node>) {
    let mut dead: SmallVec<[NonNull<Node>; 8]> = SmallVec::new();
    dead.push(first);
    while let Some(mut slot) = dead.pop() {
        // SAFETY: the count of this node reached zero: nobody else can reach it.
        let node = unsafe { slot.as_mut() };
        let parents = std::mem::take(&mut node.parents);
        let plain = node.extra.get().is_none() && node.kept.get_mut().is_ok_and(|kept| kept.holds_only_arrays());
        if plain {
            // SAFETY: as above.
            unsafe { arena::remove(slot) };
        } else {
            bury_with_values(slot);
        }
        for parent in parents.into_iter().flatten().map(std::mem::ManuallyDrop::new) {
            let references = &parent.references;
            if references.load(Ordering::Acquire) == 1 || references.fetch_sub(1, Ordering::AcqRel) == 1 {
                dead.push(parent.0);
            }
        }
    }
}
/// Free a node that holds values with a history of their own, whose nodes die with it: those queue up as well.
#[cold]
fn bury_with_values(first: NonNull<Node>) {
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
            unsafe { arena::remove(first) };
            return;
        }
    }
    let mut next = Some(first);
    while let Some(slot) = next {
        // SAFETY: the count of this node, and of every queued one, reached zero.
        unsafe { arena::remove(slot) };
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
