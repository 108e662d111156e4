//! Nodes live as long as someone holds them, slots are reused, and threads may share a graph.
use super::{
    arena,
    sweep::{seed, sweep, Options},
    Edge, GradCell, NodeRef,
};
use crate::{
    array::Array,
    dtype::DType,
    error::Result,
    ops::{
        arith::{Add, Mul},
        binary::Binary,
        exponential::Exp,
        unary::Unary,
    },
    trace::Value,
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

/// Tests here count chunks of the whole process, so they take turns.
static TURN: Mutex<()> = Mutex::new(());
fn turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
fn leaf(x: f64) -> (Value, Arc<GradCell>) {
    let cell = Arc::<GradCell>::default();
    let edge = Edge { node: NodeRef::leaf(cell.clone()), slot: 0 };
    (Value::Array(Array::from_slice(DType::F64, &[x]).unwrap()).taped(None, edge), cell)
}
fn backward(y: &Value) -> Result<()> {
    let roots =
        y.edge().cloned().into_iter().map(|e| Ok((e, seed("test", &y.aval(), None)?))).collect::<Result<Vec<_>>>()?;
    let options = Options {
        retain_graph: false,
        create_graph: false,
        level: None,
        capture: None,
        accumulate: true,
        every_leaf: false,
    };
    sweep(roots, &options).map(drop)
}
fn number(cell: &GradCell) -> f64 {
    cell.get().unwrap().array().unwrap().slice::<f64>().unwrap()[0]
}
/// y ↦ y·x + x, `n` times: its slope at x = 1, y = 0 is the sum of 1 … n.
fn chain(x: &Value, n: usize) -> Value {
    let mut y = Value::Array(Array::from_slice(DType::F64, &[0.0]).unwrap());
    for _ in 0..n {
        y = Add::of(&Mul::of(&y, x).unwrap(), x).unwrap();
    }
    y
}

#[test]
fn nodes_have_slots_of_their_own() {
    let _turn = turn();
    let nodes: Vec<NodeRef> = (0..10_000).map(|_| NodeRef::leaf(Arc::default())).collect();
    let places: HashSet<usize> = nodes.iter().map(NodeRef::id).collect();
    assert_eq!(places.len(), nodes.len());
}
#[test]
fn slots_are_used_again_and_empty_chunks_go_back() {
    let _turn = turn();
    let round = || -> Vec<NodeRef> { (0..200_000).map(|_| NodeRef::leaf(Arc::default())).collect() };
    drop(round());
    let after_one = arena::chunks();
    for _ in 0..5 {
        drop(round());
    }
    assert!(arena::chunks() <= after_one + 1, "chunks grow: {after_one}, then {}", arena::chunks());
    assert!(arena::empty_chunks() <= 64, "{} empty chunks are kept", arena::empty_chunks());
}
#[test]
fn one_long_lived_node_keeps_one_chunk() {
    let _turn = turn();
    let before = arena::chunks();
    let mut kept = Vec::new();
    for _ in 0..50 {
        let round: Vec<NodeRef> = (0..3000).map(|_| NodeRef::leaf(Arc::default())).collect();
        kept.push(round[1500].clone());
    }
    assert!(arena::chunks() <= before + 4, "50 nodes hold {} chunks", arena::chunks() - before);
}
#[test]
fn nodes_die_on_another_thread_and_after_their_own() {
    let _turn = turn();
    for _ in 0..4 {
        let nodes =
            std::thread::spawn(|| -> Vec<NodeRef> { (0..5000).map(|_| NodeRef::leaf(Arc::default())).collect() })
                .join()
                .unwrap();
        std::thread::spawn(move || drop(nodes)).join().unwrap();
    }
}
#[test]
fn long_chains_are_swept_and_dropped_without_recursion() {
    let _turn = turn();
    let n = if cfg!(miri) { 500 } else { 60_000 };
    let small_stack = std::thread::Builder::new().stack_size(256 << 10);
    let run = move || {
        let (x, cell) = leaf(1.0);
        let y = chain(&x, n);
        backward(&y).unwrap();
        assert_eq!(number(&cell), (n * (n + 1) / 2) as f64);
        drop(chain(&x, n)); // never swept
    };
    small_stack.spawn(run).unwrap().join().unwrap();
}
#[test]
fn threads_sweep_graphs_that_share_a_leaf() {
    let _turn = turn();
    let (x, cell) = leaf(1.0);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| (0..50).for_each(|_| backward(&chain(&x, 10)).unwrap()));
        }
    });
    assert_eq!(number(&cell), 4.0 * 50.0 * 55.0);
}
#[test]
fn a_graph_may_be_swept_once() {
    let _turn = turn();
    let (x, _) = leaf(0.5);
    let y = Exp.of(&Mul::of(&x, &x).unwrap()).unwrap();
    backward(&y).unwrap();
    let error = backward(&y).unwrap_err().to_string();
    assert!(error.contains("retain_graph"), "{error}");
}
