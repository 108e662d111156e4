//! Anomaly detection: where each op was recorded, and whether its rule makes numbers that are none.
use super::node::NodeRef;
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, Result},
    trace::{count_observers, Value},
};
use num_complex::Complex;
use std::{
    cell::Cell,
    sync::{Mutex, OnceLock, PoisonError},
};

thread_local! {
    static DETECTING: Cell<Option<bool>> = const { Cell::new(None) };
}
/// Begin or stop to note origins on this thread; `nan`: also look for NaN. Returns what was set before.
pub fn set_detecting(mode: Option<bool>) -> Option<bool> {
    let before = DETECTING.with(|d| d.replace(mode));
    count_observers(i32::from(mode.is_some()) - i32::from(before.is_some()));
    before
}
pub fn detecting() -> Option<bool> {
    DETECTING.with(Cell::get)
}
/// Says where the user's program is now.
pub type Where = fn() -> Option<String>;
static WHERE: OnceLock<Where> = OnceLock::new();
/// Tell the graph how to find the user's place in the program.
pub fn set_where(f: Where) {
    let _ = WHERE.set(f);
}
/// Note where a node was recorded, if somebody wants to know.
pub fn note(node: &NodeRef) {
    if detecting().is_none() {
        return;
    }
    if let Some(place) = WHERE.get().and_then(|f| f()) {
        *node.extra().origin.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }
}
/// Where a node was recorded, if that was noted.
pub fn of(node: &NodeRef) -> Option<String> {
    node.extra.get()?.origin.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
/// The place of a node, as it appears in a node's rare part.
pub type Origin = Mutex<Option<String>>;

fn has_nan(array: &Array) -> bool {
    match array.dtype() {
        DType::F64 => array.to_vec::<f64>().is_ok_and(|v| v.iter().any(|x| x.is_nan())),
        DType::F32 => array.to_vec::<f32>().is_ok_and(|v| v.iter().any(|x| x.is_nan())),
        DType::C64 => array.to_vec::<Complex<f32>>().is_ok_and(|v| v.iter().any(|z| z.is_nan())),
        DType::C128 => array.to_vec::<Complex<f64>>().is_ok_and(|v| v.iter().any(|z| z.is_nan())),
        _ => false,
    }
}
/// An error if the rule of `node` gave a NaN to one of its inputs.
pub(super) fn check(node: &NodeRef, outputs: &[Option<Value>]) -> Result<()> {
    let bad = |g: &Option<Value>| g.as_ref().is_some_and(|g| has_nan(g.storage()));
    let Some(i) = outputs.iter().position(bad) else { return Ok(()) };
    let place = match of(node) {
        Some(place) => format!("it was recorded here:\n{place}"),
        None => "it was recorded outside of detect_anomaly, so where is not known".into(),
    };
    Err(Error::graph("backward", format!("`{}` gives a gradient with NaN to its input {i}; {place}", node.op.name())))
}
