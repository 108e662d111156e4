//! What a node keeps for its reverse rule, with the versions that storage had.
use super::packing::{self, Packed};
use crate::{
    array::Array,
    error::Result,
    trace::{observed, Value},
};
use smallvec::SmallVec;

/// A value kept for the reverse rule, with the version its storage had.
pub enum SavedValue {
    Array {
        version: u32,
        array: Array,
    },
    /// What a transformation follows is rare: boxed, it does not make plain values larger.
    Traced {
        version: u32,
        value: Box<Value>,
    },
    /// Given to a hook, which gives it back when it is read.
    Packed(Box<Packed>),
}
impl SavedValue {
    /// As `new`, shown to the hook that packs saved values, if there is one.
    pub fn keep(value: Value) -> Result<SavedValue> {
        match observed() {
            false => Ok(SavedValue::new(value)),
            true => match packing::pack(&value)? {
                Some(packed) => Ok(SavedValue::Packed(Box::new(packed))),
                None => Ok(SavedValue::new(value)),
            },
        }
    }
    pub fn new(value: Value) -> SavedValue {
        let version = value.version();
        match value {
            Value::Array(array) => SavedValue::Array { version, array },
            value => SavedValue::Traced { version, value: Box::new(value) },
        }
    }
    pub(super) fn get(&self) -> Outgoing {
        match self {
            SavedValue::Array { array, .. } => Outgoing::Value(Value::Array(array.clone())),
            SavedValue::Traced { value, .. } => Outgoing::Value((**value).clone()),
            SavedValue::Packed(packed) => Outgoing::Packed((**packed).clone()),
        }
    }
    pub(super) fn take(self) -> Outgoing {
        match self {
            SavedValue::Array { array, .. } => Outgoing::Value(Value::Array(array)),
            SavedValue::Traced { value, .. } => Outgoing::Value(*value),
            SavedValue::Packed(packed) => Outgoing::Packed(*packed),
        }
    }
    /// The memory that was saved, where it is still the same.
    pub(super) fn storage(&self) -> Option<&Array> {
        match self {
            SavedValue::Array { array, .. } => Some(array),
            SavedValue::Traced { value, .. } => Some(value.storage()),
            SavedValue::Packed(_) => None,
        }
    }
    /// The version that was saved, if the storage is at another one now.
    pub(super) fn outdated(&self) -> Option<u32> {
        let (SavedValue::Array { version, .. } | SavedValue::Traced { version, .. }) = self else { return None };
        self.storage().filter(|array| array.version() != *version).map(|_| *version)
    }
}
/// A kept value on its way out: hooks unpack only after the node's lock is free.
pub(super) enum Outgoing {
    Value(Value),
    Packed(Packed),
}
impl Outgoing {
    pub(super) fn value(self) -> Result<Value> {
        match self {
            Outgoing::Value(value) => Ok(value),
            Outgoing::Packed(packed) => packed.unpack(),
        }
    }
}
/// What a node keeps: seldom more than two values.
pub type Kept = SmallVec<[SavedValue; 2]>;
/// Kept values, until a sweep without `retain_graph` takes them.
pub(super) enum Store {
    Two(Option<SavedValue>, Option<SavedValue>),
    Many(Box<[SavedValue]>),
    Released,
}
impl Store {
    pub(super) fn new(mut kept: Kept) -> Store {
        if kept.len() > 2 {
            return Store::Many(kept.into_boxed_slice());
        }
        let second = if kept.len() == 2 { kept.pop() } else { None };
        Store::Two(kept.pop(), second)
    }
    pub(super) fn each_mut(&mut self) -> impl Iterator<Item = &mut SavedValue> {
        let (two, many): (_, &mut [SavedValue]) = match self {
            Store::Two(a, b) => ([a.as_mut(), b.as_mut()], &mut []),
            Store::Many(values) => ([None, None], values),
            Store::Released => ([None, None], &mut []),
        };
        two.into_iter().flatten().chain(many)
    }
    pub(super) fn holds_only_arrays(&mut self) -> bool {
        self.each_mut().all(|saved| matches!(saved, SavedValue::Array { .. }))
    }
    pub(super) fn copies(&mut self) -> SmallVec<[Outgoing; 2]> {
        self.each_mut().map(|saved| saved.get()).collect()
    }
    /// The values themselves; what saved nothing can be gone through again, as in PyTorch.
    pub(super) fn release(&mut self) -> SmallVec<[Outgoing; 2]> {
        if matches!(self, Store::Two(None, None)) {
            return SmallVec::new();
        }
        match std::mem::replace(self, Store::Released) {
            Store::Two(a, b) => [a, b].into_iter().flatten().map(SavedValue::take).collect(),
            Store::Many(values) => values.into_vec().into_iter().map(SavedValue::take).collect(),
            Store::Released => SmallVec::new(),
        }
    }
}
