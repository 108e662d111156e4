//! The sweep that runs on this thread now: hooks ask which nodes it will come to.
use super::node::{Edge, NodeRef};
use std::{
    cell::RefCell,
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
};

struct Running {
    id: u64,
    roots: Vec<NodeRef>,
    targets: Option<Vec<NodeRef>>,
}
thread_local! {
    static SWEEPS: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}
/// Marks a sweep as running until it is dropped.
pub(super) struct Guard;
impl Guard {
    pub(super) fn enter(roots: &[(Edge, crate::trace::Value)], targets: Option<&[Edge]>) -> Guard {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let roots = roots.iter().map(|(edge, _)| edge.node.clone()).collect();
        let targets = targets.map(|edges| edges.iter().map(|edge| edge.node.clone()).collect());
        SWEEPS.with(|s| s.borrow_mut().push(Running { id, roots, targets }));
        Guard
    }
}
impl Drop for Guard {
    fn drop(&mut self) {
        let _ended = SWEEPS.with(|s| s.borrow_mut().pop());
    }
}
/// The number of the innermost running sweep.
pub fn id() -> Option<u64> {
    SWEEPS.with(|s| s.borrow().last().map(|r| r.id))
}
/// Which of these nodes the innermost running sweep comes to.
pub fn reaches(nodes: &[NodeRef]) -> Vec<bool> {
    let Some((roots, targets)) = SWEEPS.with(|s| s.borrow().last().map(|r| (r.roots.clone(), r.targets.clone())))
    else {
        return vec![false; nodes.len()];
    };
    let oldest = nodes.iter().map(|n| n.seq).min().unwrap_or(0);
    let (mut seen, mut stack) = (HashSet::new(), roots);
    while let Some(node) = stack.pop() {
        if node.seq >= oldest && seen.insert(node.clone()) {
            stack.extend(node.parents().flatten().map(|(parent, _)| parent.clone()));
        }
    }
    let leads_on = |node: &NodeRef| targets.as_ref().is_none_or(|targets| leads_to(node, targets));
    nodes.iter().map(|node| seen.contains(node) && leads_on(node)).collect()
}
fn leads_to(node: &NodeRef, targets: &[NodeRef]) -> bool {
    let oldest = targets.iter().map(|n| n.seq).min().unwrap_or(0);
    let (mut seen, mut stack) = (HashSet::new(), vec![node.clone()]);
    while let Some(node) = stack.pop() {
        if targets.contains(&node) {
            return true;
        }
        if node.seq >= oldest && seen.insert(node.clone()) {
            stack.extend(node.parents().flatten().map(|(parent, _)| parent.clone()));
        }
    }
    false
}
