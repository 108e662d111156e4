//! Forward- and reverse-mode automatic differentiation on the CPU.
//!
//! Arrows only go down: `python` → `ops` → `trace` → `graph`, `kernels` → `array`. See `docs/architecture.md`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
pub mod array;
pub mod dtype;
pub mod error;
pub mod fork;
pub mod graph;
pub mod kernels;
pub mod math;
pub mod num;
pub mod op;
pub mod ops;
#[cfg(feature = "python")]
mod python;
pub mod shape;
pub mod sparse;
pub mod trace;
pub mod variable;
