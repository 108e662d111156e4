//! Per-thread modes: whether plain tensors are recorded, and the default float type.
use super::level::any_active;
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
    /// Somebody wants to see what is recorded: slow paths only.
    observed: Cell<u32>,
    /// Zero times infinity is NaN in derivatives too, as plain arithmetic has it.
    weak_zeros: Cell<bool>,
}
thread_local! {
    static MODE: Mode =
        const { Mode { grad: Cell::new(true), silenced: Cell::new(0), inference: Cell::new(false),
        observed: Cell::new(0),
        weak_zeros: Cell::new(false) } };
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
/// How the bottom tape behaves while a sweep runs over it: silent, or recording. The levels above are not concerned.
pub struct SilentTape {
    /// Silenced because levels above share the switch; otherwise the switch itself was set.
    silenced: bool,
    before: bool,
}
impl SilentTape {
    pub fn during_sweep(create_graph: bool) -> SilentTape {
        let silenced = !create_graph && any_active();
        let before = grad_enabled();
        match silenced {
            true => count_silenced(1),
            false => {
                set_grad_enabled(create_graph);
            }
        }
        SilentTape { silenced, before }
    }
}
impl Drop for SilentTape {
    fn drop(&mut self) {
        match self.silenced {
            true => count_silenced(-1),
            false => {
                set_grad_enabled(self.before);
            }
        }
    }
}
/// Whether new tensors are inference tensors, which never take part in recording.
pub fn inference() -> bool {
    MODE.with(|m| m.inference.get())
}
pub fn set_inference(on: bool) -> bool {
    MODE.with(|m| m.inference.replace(on))
}

/// Whether a zero cotangent times an infinite slope is NaN (asked for by name) instead of zero.
#[inline]
pub fn weak_zeros() -> bool {
    MODE.with(|m| m.weak_zeros.get())
}
pub fn set_weak_zeros(on: bool) -> bool {
    MODE.with(|m| m.weak_zeros.replace(on))
}
/// Whether recording is observed: saved values are packed, or origins noted.
#[inline]
pub fn observed() -> bool {
    MODE.with(|m| m.observed.get() != 0)
}
pub fn count_observers(change: i32) {
    MODE.with(|m| m.observed.set(m.observed.get().saturating_add_signed(change)));
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
