//! Per-thread modes: whether plain tensors are recorded, and the default float type.
use crate::dtype::DType;
use std::{
    cell::Cell,
    sync::atomic::{AtomicU8, Ordering},
};

thread_local! {
    static GRAD: Cell<bool> = const { Cell::new(true) };
    static INFERENCE: Cell<bool> = const { Cell::new(false) };
}
/// Whether ops on tensors that require a gradient are recorded.
#[inline]
pub fn grad_enabled() -> bool {
    GRAD.with(Cell::get)
}
/// Switch recording; returns what it was.
pub fn set_grad_enabled(on: bool) -> bool {
    GRAD.with(|g| g.replace(on))
}
/// Whether new tensors are inference tensors, which never take part in recording.
pub fn inference() -> bool {
    INFERENCE.with(Cell::get)
}
pub fn set_inference(on: bool) -> bool {
    INFERENCE.with(|i| i.replace(on))
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
