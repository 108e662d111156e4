//! The reverse sweep: cotangents flow from the outputs to the leaves, last recorded op first.
use super::{
    hooks::{shown, GradCell, When},
    node::{lock, Edge, NodeRef},
    origin, running,
};
use crate::{
    array::{self, Array, Aval},
    error::{Error, Result},
    op::{Share, Slopes},
    ops::{arith::Add, binary::Binary, leaf::Leaf},
    shape::show,
    trace::{LevelRef, SilentTape, Value},
};
use smallvec::SmallVec;
use std::{
    collections::{BinaryHeap, HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

/// How a sweep treats the graph.
pub struct Options<'a> {
    /// Keep saved values for another sweep.
    pub retain_graph: bool,
    /// Record the sweep itself, at this tape (`None`: the bottom tape).
    pub create_graph: bool,
    pub level: Option<&'a LevelRef>,
    /// Give back the cotangents of these edges, and accumulate nowhere else.
    pub capture: Option<&'a [Edge]>,
    /// Accumulate into the leaves (and retained gradients) that are reached.
    pub accumulate: bool,
    /// The captured edges are all leaves of this tape: every node leads to one, so that none need be looked for.
    pub every_leaf: bool,
}

/// Called now and then during long sweeps: returns an error when the user wants to stop.
pub type Interrupt = fn() -> Result<()>;
fn never() -> Result<()> {
    Ok(())
}
static CHECK: std::sync::OnceLock<Interrupt> = std::sync::OnceLock::new();
/// Tell long computations how to notice that they should stop.
pub fn set_interrupt(check: Interrupt) {
    let _ = CHECK.set(check);
}
/// Look whether the user wants to stop.
pub fn interrupted() -> Result<()> {
    CHECK.get().copied().unwrap_or(never)()
}
/// Nodes between two looks at the interrupt.
const NODES_PER_LOOK: usize = 4096;

/// Node addresses are spread by one multiplication.
#[derive(Default)]
struct AddressHasher(u64);
impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 = (self.0 ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    fn write_usize(&mut self, n: usize) {
        self.0 = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}
type ByNode<T> = HashMap<NodeRef, T, BuildHasherDefault<AddressHasher>>;

/// Waiting nodes with the cotangents that arrived so far: the last recorded comes out first.
#[derive(Default)]
struct Pending {
    /// The only waiting node, in the common case of a chain: no heap, no map.
    single: Option<(NodeRef, Slopes)>,
    order: BinaryHeap<(u64, usize)>,
    waiting: ByNode<Slopes>,
    keys: HashMap<usize, NodeRef, BuildHasherDefault<AddressHasher>>,
}
impl Pending {
    fn push(&mut self, edge: Edge, g: Share) -> Result<()> {
        if self.waiting.is_empty() {
            match &mut self.single {
                None => {
                    let mut slots = Slopes::new();
                    put(&mut slots, edge.slot, g)?;
                    self.single = Some((edge.node, slots));
                    return Ok(());
                }
                Some((node, slots)) if *node == edge.node => return put(slots, edge.slot, g),
                Some(_) => {
                    if let Some((node, slots)) = self.single.take() {
                        self.insert(node, slots);
                    }
                }
            }
        }
        if let Some(slots) = self.waiting.get_mut(&edge.node) {
            return put(slots, edge.slot, g);
        }
        let mut slots = Slopes::new();
        put(&mut slots, edge.slot, g)?;
        self.insert(edge.node, slots);
        Ok(())
    }
    fn has_sum(&self, edge: &Edge) -> bool {
        let waiting = match &self.single {
            Some((node, slots)) if *node == edge.node => Some(slots),
            _ => self.waiting.get(&edge.node),
        };
        waiting.and_then(|slots| slots.get(edge.slot as usize)).is_some_and(Option::is_some)
    }
    fn insert(&mut self, node: NodeRef, slots: Slopes) {
        self.order.push((node.seq, node.id()));
        self.keys.insert(node.id(), node.clone());
        self.waiting.insert(node, slots);
    }
    fn pop(&mut self) -> Option<(NodeRef, Slopes)> {
        if let Some(single) = self.single.take() {
            return Some(single);
        }
        let (_, id) = self.order.pop()?;
        let node = self.keys.remove(&id)?;
        self.waiting.remove_entry(&node)
    }
}
fn put(slots: &mut Slopes, slot: u32, g: Share) -> Result<()> {
    let slot = slot as usize;
    if slots.is_empty() && slot == 0 {
        slots.push(Some(computed(g)?));
        return Ok(());
    }
    if slots.len() <= slot {
        slots.resize(slot + 1, None);
    }
    slots[slot] = match slots[slot].take() {
        None => Some(computed(g)?),
        Some(Value::Array(mut sum)) => match g {
            Share::Pending(g) if g.add_to(&mut sum)? => Some(Value::Array(sum)),
            g => Some(sum_of(Value::Array(sum), computed(g)?)?),
        },
        Some(sum) => Some(sum_of(sum, computed(g)?)?),
    };
    Ok(())
}
fn computed(g: Share) -> Result<Value> {
    match g {
        Share::Value(g) => Ok(g),
        Share::Pending(g) => g.value().map(Value::Array),
    }
}
/// `a + b`, into the buffer of either if nobody else holds it.
fn sum_of(a: Value, b: Value) -> Result<Value> {
    match (a, b) {
        (Value::Array(mut x), Value::Array(mut y)) => {
            if x.add_in_place(&y) {
                Ok(Value::Array(x))
            } else if y.add_in_place(&x) {
                Ok(Value::Array(y))
            } else {
                Add::of(&Value::Array(x), &Value::Array(y))
            }
        }
        (a, b) => Add::of(&a, &b),
    }
}

/// Sweep from `roots`. The result holds the captured cotangents, in the order of `options.capture`.
pub fn sweep(roots: Vec<(Edge, Value)>, options: &Options) -> Result<Vec<Option<Value>>> {
    let _silent = options.level.is_none().then(|| SilentTape::during_sweep(options.create_graph));
    let _running = running::Guard::enter(&roots, options.capture);
    let watch_nan = origin::detecting() == Some(true);
    let mut captured: Vec<Option<Value>> = vec![None; options.capture.map_or(0, <[Edge]>::len)];
    let chosen = options.capture.filter(|_| !options.every_leaf);
    let needed = chosen.map(|edges| leading_to(roots.iter().map(|(e, _)| e.node.clone()), edges));
    let mut pending = Pending::default();
    for (edge, g) in roots {
        if needed.as_ref().is_none_or(|n| n.contains(&edge.node)) {
            pending.push(edge, Share::Value(g))?;
        }
    }
    let wrap = |v: Value, edge: Edge| v.taped(options.level, edge);
    let rewrap: Option<&dyn Fn(Value, Edge) -> Value> = if options.create_graph { Some(&wrap) } else { None };
    let mut count = 0;
    while let Some((node, mut gs)) = pending.pop() {
        count += 1;
        if count % NODES_PER_LOOK == 0 {
            interrupted()?;
        }
        let hooks = if node.has_extra() { node.hooks() } else { Vec::new() };
        for (when, hook) in &hooks {
            match when {
                When::Tensor(slot) => {
                    if let Some(g) = gs.get_mut(*slot as usize).filter(|g| g.is_some()) {
                        if let Some(new) = shown(&**hook, std::slice::from_ref(g), &[])? {
                            *g = new.into_iter().next().flatten();
                        }
                    }
                }
                When::Before => {
                    if let Some(new) = shown(&**hook, &gs, &[])? {
                        gs = new.into();
                    }
                }
                When::After => {}
            }
        }
        if let Some(edges) = options.capture {
            for (edge, out) in edges.iter().zip(&mut captured) {
                if edge.node == node {
                    *out = gs.get(edge.slot as usize).cloned().flatten();
                }
            }
        }
        let after_leaf = node.is_leaf() && hooks.iter().any(|(when, _)| *when == When::After);
        let arrived = if after_leaf { gs.clone() } else { SmallVec::new() };
        // A computed tensor that asked for its gradient gets it from every sweep, a leaf from those that accumulate. Parts
        // of dual numbers and values of lanes are not gradients of their own, and the latter die with their level.
        let retained = !node.is_leaf() && !super::pullback::in_parts();
        if node.has_extra() && (options.accumulate || retained) {
            for (slot, cell) in node.cells() {
                if let Some(Some(g)) = gs.get(slot as usize) {
                    if !node.is_leaf() && matches!(g, Value::Traced(_)) {
                        continue;
                    }
                    // A leaf's cell takes the only handle, so that it can keep the buffer itself.
                    let g = if node.is_leaf() { gs[slot as usize].take() } else { Some(g.clone()) };
                    if let Some(g) = g {
                        deposit(&cell, g)?;
                    }
                }
            }
        }
        if node.is_leaf() {
            for (_, hook) in hooks.iter().filter(|(when, _)| *when == When::After) {
                hook.call(&[], &arrived)?; // a leaf has no inputs whose gradients could be replaced
            }
            continue;
        }
        if gs.iter().all(Option::is_none) {
            continue;
        }
        let mut saved = node.saved(!options.retain_graph, rewrap)?;
        if rewrap.is_none() && hooks.is_empty() && !watch_nan {
            if let Some(shares) = node.op.shares(&mut saved, &gs) {
                // From here on the products alone hold the cotangent: the last may be computed in its place.
                drop((saved, gs));
                let to = |(parent, g): (Option<(&NodeRef, u32)>, Option<Share>)| {
                    let (node, slot) = parent.filter(|(p, _)| needed.as_ref().is_none_or(|n| n.contains(p)))?;
                    Some((Edge { node: node.clone(), slot }, g?))
                };
                let shares: SmallVec<[_; 2]> = node.parents().zip(shares?).filter_map(to).collect();
                // Those that are added to a sum go first: they need no memory.
                let (sums, others): (SmallVec<[_; 2]>, SmallVec<[_; 2]>) =
                    shares.into_iter().partition(|(edge, _)| pending.has_sum(edge));
                for (edge, g) in sums.into_iter().chain(others) {
                    pending.push(edge, g)?;
                }
                continue;
            }
        }
        let mut outputs = node.op.vjp(&saved, &gs)?;
        drop(saved);
        if watch_nan {
            origin::check(&node, &outputs)?;
        }
        for (when, hook) in &hooks {
            if *when == When::After {
                if let Some(new) = shown(&**hook, &outputs, &gs)? {
                    outputs = new.into();
                }
            }
        }
        for (parent, g) in node.parents().zip(outputs) {
            let (Some((parent, slot)), Some(g)) = (parent, g) else { continue };
            if needed.as_ref().is_none_or(|n| n.contains(parent)) {
                pending.push(Edge { node: parent.clone(), slot }, Share::Value(g))?;
            }
        }
    }
    Ok(captured)
}

/// Nodes on some path from the roots to the edges: only through these does the sweep go.
fn leading_to(
    roots: impl Iterator<Item = NodeRef>,
    edges: &[Edge],
) -> HashSet<NodeRef, BuildHasherDefault<AddressHasher>> {
    let oldest = edges.iter().map(|e| e.node.seq).min().unwrap_or(u64::MAX);
    let mut seen: HashSet<NodeRef, BuildHasherDefault<AddressHasher>> = HashSet::default();
    let mut stack: Vec<NodeRef> = roots.collect();
    let mut reached = Vec::new();
    while let Some(node) = stack.pop() {
        // Nodes recorded before the oldest target cannot lead to one.
        if node.seq < oldest || !seen.insert(node.clone()) {
            continue;
        }
        stack.extend(node.parents().flatten().map(|(parent, _)| parent.clone()));
        reached.push(node);
    }
    reached.sort_unstable_by_key(|n| n.seq);
    let mut needed: HashSet<NodeRef, BuildHasherDefault<AddressHasher>> = HashSet::default();
    for node in reached {
        let target = edges.iter().any(|e| e.node == node);
        if target || node.parents().flatten().any(|(parent, _)| needed.contains(parent)) {
            needed.insert(node);
        }
    }
    needed
}

/// Give up what is saved between roots and edges, as a sweep does that need not retain the graph.
pub fn release(roots: impl Iterator<Item = NodeRef>, edges: &[Edge]) {
    leading_to(roots, edges).iter().for_each(NodeRef::release);
}
/// Add `g` to a gradient cell: into its own storage where nobody watches, so that views of `.grad` see it.
pub fn deposit(cell: &Arc<GradCell>, g: Value) -> Result<()> {
    cell.update(|old| match (old, g) {
        (Some(Value::Array(sum)), Value::Array(g)) if sum.shape() == g.shape() && sum.dtype() == g.dtype() => {
            match array::accumulate(&sum, &g) {
                Ok(_) => Ok(Value::Array(sum)),
                Err(_) => Add::of(&Value::Array(sum), &Value::Array(g)),
            }
        }
        (Some(old), g) => Add::of(&old, &g),
        // The cell needs storage of its own: later in-place changes to .grad must not reach anything else.
        (_, Value::Array(g)) if !g.is_unique() || !g.is_contiguous() => Ok(Value::Array(g.copied("backward")?)),
        (_, g) => Ok(g),
    })?;
    let hooks: Vec<_> = lock(&cell.post_hooks).iter().map(|(_, h)| h.clone()).collect();
    for hook in hooks {
        hook.call(&[cell.get()], &[])?;
    }
    Ok(())
}
/// The cotangent to start from: the one given, checked against the output, or one for a single number.
pub fn seed(op: &'static str, output: &Aval, given: Option<&Value>) -> Result<Value> {
    let single = output.shape.iter().product::<usize>() == 1;
    match given {
        Some(g) if g.shape() != &output.shape[..] => Err(Error::shape(
            op,
            format!(
                "the gradient has shape {} but the output it belongs to has shape {}; they must be equal",
                show(g.shape()),
                show(&output.shape)
            ),
        )),
        Some(g) => crate::ops::convert::to(g, output.dtype),
        None if single && output.dtype.is_complex() => Err(Error::graph(
            op,
            "a complex output has no gradient to start from by itself; pass gradient= (or grad_outputs=), or take .real",
        )),
        None if single => {
            Ok(Value::Array(Array::full(op, output.shape.clone(), output.dtype, crate::dtype::Scalar::Float(1.0))?))
        }
        None => Err(Error::graph(
            op,
            format!(
                "an output of shape {} is not a single number, so its gradient must be given: pass gradient= (or grad_outputs=), or reduce it first, e.g. with .sum()",
                show(&output.shape)
            ),
        )),
    }
}
/// The name under which a leaf shows in messages.
pub const LEAF: &str = <Leaf as crate::op::Op>::NAME;
