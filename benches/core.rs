//! Kernels, recording and the sweep, measured with criterion: `cargo bench`.
#![allow(clippy::expect_used)] // a benchmark stops where it cannot run
use criterion::{criterion_group, criterion_main, Criterion};
use rustgrad::{
    array::Array,
    dtype::DType,
    graph::{
        sweep::{seed, sweep, Options},
        Edge, GradCell, NodeRef,
    },
    ops::{
        arith::{Add, Mul},
        binary::Binary,
        exponential::Exp,
        matmul::matmul,
        reshape::reshape,
        sum::sum,
        unary::Unary,
    },
    shape::Axes,
    trace::Value,
};
use std::sync::Arc;

fn counting(n: usize) -> Value {
    let numbers: Vec<f64> = (0..n).map(|i| (i % 100) as f64 / 100.0).collect();
    Value::Array(Array::from_slice(DType::F64, &numbers).expect("a vector fits"))
}
fn leaf(value: Value) -> Value {
    let edge = Edge { node: NodeRef::leaf(Arc::<GradCell>::default()), slot: 0 };
    value.taped(None, edge)
}
fn kernels(c: &mut Criterion) {
    let x = counting(1_000_000);
    c.bench_function("add 1e6", |b| b.iter(|| Add::of(&x, &x)));
    c.bench_function("exp 1e6", |b| b.iter(|| Exp.of(&x)));
    let square = reshape(&x, &[1000, 1000]).expect("a million elements");
    c.bench_function("sum rows 1000x1000", |b| b.iter(|| sum(&square, Axes::one(1), false, None)));
    c.bench_function("sum columns 1000x1000", |b| b.iter(|| sum(&square, Axes::one(0), false, None)));
    c.bench_function("matmul 1000", |b| b.iter(|| matmul(&square, &square)));
}
fn tape(c: &mut Criterion) {
    let x = leaf(counting(1));
    c.bench_function("recorded scalar mul", |b| b.iter(|| Mul::of(&x, &x)));
    c.bench_function("chain of 100, forward and backward", |b| {
        b.iter(|| {
            let mut y = x.clone();
            for _ in 0..50 {
                y = Add::of(&Mul::of(&y, &x)?, &x)?;
            }
            let g = seed("bench", &y.aval(), None)?;
            let root = y.edge().cloned().into_iter().map(|e| (e, g.clone())).collect();
            let options = Options {
                retain_graph: false,
                create_graph: false,
                level: None,
                capture: None,
                accumulate: true,
                every_leaf: false,
            };
            sweep(root, &options)
        })
    });
}
criterion_group!(benches, kernels, tape);
criterion_main!(benches);
