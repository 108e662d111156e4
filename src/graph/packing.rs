//! Hooks on saved values: what a node keeps may be packed away (to disk, to be computed again) until it is read.
use crate::{
    error::{Error, Result},
    shape::show,
    trace::{count_observers, Value},
};
use std::{cell::RefCell, sync::Arc};

/// Packs values that are saved, and gives them back.
pub trait Pack: Send + Sync {
    fn pack(&self, value: Value) -> Result<Arc<dyn Unpack>>;
}
/// One packed value.
pub trait Unpack: Send + Sync {
    fn unpack(&self) -> Result<Value>;
}
/// A packed value, and what it must be when it comes back.
#[derive(Clone)]
pub struct Packed {
    content: Arc<dyn Unpack>,
    like: crate::array::Aval,
}
impl Packed {
    pub(super) fn unpack(&self) -> Result<Value> {
        let value = self.content.unpack()?;
        if value.shape() != self.like.shape.as_slice() || value.dtype() != self.like.dtype {
            return Err(Error::graph(
                "saved_tensors_hooks",
                format!(
                    "the unpack hook gave a {} tensor of shape {} for a saved {} tensor of shape {}; both must be equal",
                    value.dtype(),
                    show(value.shape()),
                    self.like.dtype,
                    show(&self.like.shape)
                ),
            ));
        }
        Ok(value)
    }
}

enum Entry {
    Hook(Arc<dyn Pack>),
    /// Hooks may not be set: why.
    Forbidden(String),
}
thread_local! {
    static HOOKS: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}
/// Pack what is saved from now on, until `pop`.
pub fn push(hook: Arc<dyn Pack>) -> Result<()> {
    HOOKS.with(|hooks| {
        if let Some(Entry::Forbidden(why)) = hooks.borrow().last() {
            return Err(Error::graph("saved_tensors_hooks", why.clone()));
        }
        hooks.borrow_mut().push(Entry::Hook(hook));
        count_observers(1);
        Ok(())
    })
}
/// Refuse hooks from now on, until `pop`. Raises if there are some already.
pub fn forbid(why: String) -> Result<()> {
    HOOKS.with(|hooks| {
        if matches!(hooks.borrow().last(), Some(Entry::Hook(_))) {
            return Err(Error::graph("disable_saved_tensors_hooks", why));
        }
        hooks.borrow_mut().push(Entry::Forbidden(why));
        count_observers(1);
        Ok(())
    })
}
pub fn pop() {
    HOOKS.with(|hooks| {
        if hooks.borrow_mut().pop().is_some() {
            count_observers(-1);
        }
    });
}
/// What the innermost hook makes of a value; `None` without hooks, and inside of a hook.
pub(super) fn pack(value: &Value) -> Result<Option<Packed>> {
    let hook = HOOKS.with(|hooks| match hooks.borrow().last() {
        Some(Entry::Hook(hook)) => Some(hook.clone()),
        _ => None,
    });
    let Some(hook) = hook else { return Ok(None) };
    let version = value.version();
    let content = hook.pack(value.clone())?;
    if value.version() != version {
        return Err(Error::graph(
            "saved_tensors_hooks",
            format!(
                "the pack hook changed the saved tensor of shape {} in place by {}, so that the operator's own result and \
                 derivative would change; clone() it first",
                show(value.shape()),
                value.last_writer()
            ),
        ));
    }
    Ok(Some(Packed { content, like: value.aval() }))
}
