//! What a node keeps for its reverse rule, with the versions that storage had.
use crate::{array::Array, trace::Value};
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
}
impl SavedValue {
    pub fn new(value: Value) -> SavedValue {
        let version = value.version();
        match value {
            Value::Array(array) => SavedValue::Array { version, array },
            value => SavedValue::Traced { version, value: Box::new(value) },
        }
    }
    pub(super) fn get(&self) -> Value {
        match self {
            SavedValue::Array { array, .. } => Value::Array(array.clone()),
            SavedValue::Traced { value, .. } => (**value).clone(),
        }
    }
    pub(super) fn take(self) -> Value {
        match self {
            SavedValue::Array { array, .. } => Value::Array(array),
            SavedValue::Traced { value, .. } => *value,
        }
    }
    pub(super) fn storage(&self) -> &Array {
        match self {
            SavedValue::Array { array, .. } => array,
            SavedValue::Traced { value, .. } => value.storage(),
        }
    }
    /// The version that was saved, if the storage is at another one now.
    pub(super) fn outdated(&self) -> Option<u32> {
        let (SavedValue::Array { version, .. } | SavedValue::Traced { version, .. }) = self;
        (self.storage().version() != *version).then_some(*version)
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
    pub(super) fn copies(&mut self) -> SmallVec<[Value; 2]> {
        self.each_mut().map(|saved| saved.get()).collect()
    }
    /// The values themselves; what saved nothing can be gone through again, as in PyTorch.
    pub(super) fn release(&mut self) -> SmallVec<[Value; 2]> {
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
