//! Tensors that a function under `vmap` sees in place of its caller's: what it writes into them goes back in the end.
use super::tensor::Tensor;
use crate::{
    array::Array,
    error::Error,
    graph,
    ops::expand,
    trace::{Kind, Level, LevelRef, Value},
    variable::Variable,
};
use pyo3::prelude::*;

/// A tensor and what stands for it, which is the tensor itself where it is not sliced.
pub struct Lent {
    pub target: Py<Tensor>,
    pub lane: Py<Tensor>,
    /// All that lanes see of the tensor, where each has its own.
    whole: Option<Py<Tensor>>,
    /// What both were when the function began, and the versions of their storage.
    of: Value,
    given: Value,
    versions: (u32, u32),
    since: u64,
}
/// A write that is to reach its target: the value from which it started, and that in which it ended.
pub struct Return<'a> {
    lent: &'a Lent,
    given: Value,
    new: Value,
}
impl Lent {
    /// A tensor to lend, of this value.
    pub fn tensor(value: Value) -> Tensor {
        Tensor::from_variable(Variable::lent(value))
    }
    pub fn new(target: Py<Tensor>, lane: Py<Tensor>, whole: Option<Py<Tensor>>) -> Result<Lent, Error> {
        let (of, given) = (target.get().value()?, lane.get().value()?);
        let versions = (of.version(), given.version());
        Ok(Lent { target, lane, whole, of, given, versions, since: graph::last_seq() })
    }
    /// Whether the function wrote it: new storage where a level watches, a new version where none does.
    pub fn written(&self) -> Result<bool, Error> {
        if self.lane.is(&self.target) {
            return Ok(false);
        }
        let now = self.lane.get().variable()?.whole();
        let stored = now.storage() == self.given.storage();
        Ok(!stored || (now.plain().is_some() && now.version() != self.versions.1))
    }
    /// Whether `y` stands for all of the target as it will be.
    fn is_returned(&self, y: &Bound<'_, Tensor>) -> Result<bool, Error> {
        Ok(self.lane.is(y) && self.written()? && !y.get().variable()?.is_view())
    }
    /// Refuse what would come out otherwise than if all had been written at once where it lies.
    fn check(&self, all: &[Lent]) -> Result<(), Error> {
        let why = |text: &str| Err(Error::graph("vmap", format!("the function changes an argument in place {text}")));
        let target = self.target.get().value()?;
        if target != self.of || target.version() != self.versions.0 {
            return why("and by another name, too; use one of them");
        }
        let memory = |lent: &Lent| lent.whole.as_ref().unwrap_or(&lent.target).get().value();
        let own = memory(self)?;
        for other in all.iter().filter(|other| !other.lane.is(&self.lane)) {
            if overlap(own.storage(), memory(other)?.storage()) {
                return why("that shares memory with another argument; clone() one of them");
            }
        }
        Ok(())
    }
    fn ended(&self, level: &LevelRef, lanes: Option<usize>) -> Result<Return<'_>, Error> {
        let stack = |value: Value| match (value.at(level), lanes) {
            (Some(Kind::Batch(stack)), _) => Ok(stack.clone()),
            (_, Some(n)) if self.whole.is_none() => expand::leading(&value, n),
            _ => Ok(value),
        };
        let new = self.lane.get().variable()?.whole();
        Ok(Return { lent: self, given: stack(self.given.clone())?, new: stack(new)? })
    }
}
/// The writes of a function whose level is still active; `lanes`: how many it ran for at once, if it did.
pub fn returns<'a>(lent: &'a [Lent], level: &LevelRef, lanes: Option<usize>) -> Result<Vec<Return<'a>>, Error> {
    let mut found: Vec<Return<'a>> = Vec::new();
    for one in lent {
        // What is given twice is lent once.
        if one.written()? && !found.iter().any(|before| before.lent.lane.is(&one.lane)) {
            one.check(lent)?;
            found.push(one.ended(level, lanes)?);
        }
    }
    Ok(found)
}
/// End a level at which a function ran for so many lanes at once, and deliver what it wrote.
pub fn settle(level: Level, lent: &[Lent], lanes: usize) -> Result<(), Error> {
    let writes = returns(lent, level.info(), Some(lanes));
    drop(level);
    deliver(writes?)
}
/// What was lent and written and is `y`: its target stands for it.
pub fn returned<'a>(lent: &'a [Lent], y: &Bound<'_, Tensor>) -> Result<Option<&'a Lent>, Error> {
    for one in lent {
        if one.is_returned(y)? {
            return Ok(Some(one));
        }
    }
    Ok(None)
}
/// Write them, once the level is over.
pub fn deliver(returns: Vec<Return<'_>>) -> Result<(), Error> {
    returns.into_iter().try_for_each(|r| r.lent.target.get().variable()?.receive("vmap", &r.given, r.new, r.lent.since))
}
/// Whether two arrays have elements in common.
fn overlap(a: &Array, b: &Array) -> bool {
    if !a.shares_storage(b) || a.is_empty() || b.is_empty() {
        return false;
    }
    let mut of_a = places(a);
    of_a.sort_unstable();
    a.dtype() != b.dtype() || places(b).iter().any(|place| of_a.binary_search(place).is_ok())
}
/// The addresses of all elements.
fn places(array: &Array) -> Vec<isize> {
    let mut found = vec![array.data() as isize];
    for (&n, &step) in array.shape().iter().zip(array.strides()) {
        let step = step * array.dtype().size() as isize;
        found = found.iter().flat_map(|at| (0..n as isize).map(move |i| at + i * step)).collect();
    }
    found
}
