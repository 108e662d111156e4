//! Per-thread modes: whether plain tensors are recorded, and the default float type.
use crate::dtype::DType;
use std::{
    cell::Cell,
    sync::atomic::{AtomicU8, Ordering},
};

struct Mode {
    grad: Cell<bool>,
    /// Active transformations that were entered while recording was off.
    silenced: Cell<usize>,
    inference: Cell<bool>,
}
thread_local! {
    static MODE: Mode = const { Mode { grad: Cell::new(true), silenced: Cell::new(0), inference: Cell::new(false) } };
}
/// Whether ops on tensors that require a gradient are recorded.
#[inline]
pub fn grad_enabled() -> bool {
    MODE.with(|m| m.grad.get())
}
/// Whether the bottom tape records: on now, and outside of every active transformation.
#[inline]
pub(super) fn bottom_records() -> bool {
    MODE.with(|m| m.grad.get() && m.silenced.get() == 0)
}
pub(super) fn count_silenced(change: isize) {
    MODE.with(|m| m.silenced.set(m.silenced.get().saturating_add_signed(change)));
}
/// Switch recording; returns what it was.
pub fn set_grad_enabled(on: bool) -> bool {
    MODE.with(|m| m.grad.replace(on))
}
/// Whether new tensors are inference tensors, which never take part in recording.
pub fn inference() -> bool {
    MODE.with(|m| m.inference.get())
}
pub fn set_inference(on: bool) -> bool {
    MODE.with(|m| m.inference.replace(on))
}

static DOUBLE: AtomicU8 = AtomicU8::new(0);
/// The type of floats that come without one: float32 unless changed.
pub fn default_dtype() -> DType {
    if DOUBLE.load(Ordering::Relaxed) == 1 {
        DType::F64
    } else {
        DType::F32
    }
}
pub fn set_default_dtype(dtype: DType) {
    DOUBLE.store(u8::from(dtype == DType::F64), Ordering::Relaxed);
}
