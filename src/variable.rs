//! Mutation: a variable holds an immutable value and may be rebound; views and bases of one storage stay in step.
//!
//! A base and its views form a family. Writing through any member rewrites the base's value (a recorded scatter
//! along the views' path) and starts a new generation; the others replay their path from the base when next read.
mod path;
use crate::{
    array::assign,
    error::{Error, Reason, Result},
    graph::{self, Edge, GradCell, NodeRef},
    op::{Call, Prim},
    ops::{convert, expand, overwrite::Overwrite},
    shape::show,
    trace::{self, Kind, Value},
};
use path::{arranged, same_geometry, scatter, shares};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A rebindable value: what a tensor object holds.
pub struct Variable {
    value: Value,
    /// Where the gradient of a leaf, or a retained gradient, arrives.
    cell: Option<Arc<GradCell>>,
    family: Option<Arc<Family>>,
    /// Ops that lead from the family's base to this view.
    path: Option<Arc<[Prim]>>,
    generation: u64,
    /// The last level entered when this variable was made: values of later levels must not be written into it.
    born: u64,
    /// Whether it stands for a caller's tensor, which is to see what is written here whatever becomes of this one.
    lent: bool,
    /// Whether it was detached from a tensor that would have to see what is written here, but cannot.
    detached: bool,
}
struct Family {
    base: Mutex<Base>,
    /// Likewise, of the base.
    born: u64,
    detached: bool,
}
struct Base {
    value: Value,
    generation: u64,
}
impl Family {
    fn base(&self) -> MutexGuard<'_, Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Variable {
    pub fn new(value: Value) -> Variable {
        Variable {
            value,
            cell: None,
            family: None,
            path: None,
            generation: 0,
            born: trace::latest_level(),
            lent: false,
            detached: false,
        }
    }
    /// A variable that stands for another one.
    pub fn lent(value: Value) -> Variable {
        Variable { lent: true, ..Variable::new(value) }
    }
    /// The numbers of `value` without its history. Where they stand for many, each tensor keeps its own.
    pub fn detached(value: &Value) -> Variable {
        Variable { detached: value.batch_level().is_some(), ..Variable::new(value.detached()) }
    }
    /// The value, where it is known to be current without looking at a base.
    #[inline]
    pub fn current(&self) -> Option<&Value> {
        match self.family {
            None => Some(&self.value),
            Some(_) => None,
        }
    }
    /// The current value; a view whose base changed is brought up to date first.
    pub fn value(&mut self) -> Result<Value> {
        if let Some(family) = &self.family {
            let base = family.base();
            if base.generation != self.generation {
                // Recorded wherever it is read first: what a view hangs on is not for `no_grad` to decide.
                let outside = trace::set_grad_enabled(true);
                let replayed =
                    self.path.iter().flat_map(|p| p.iter()).try_fold(base.value.clone(), |value, op| {
                        Ok(trace::apply(op.clone(), &[&value])?.swap_remove(0))
                    });
                trace::set_grad_enabled(outside);
                let value = replayed?;
                if base.value.edge().is_some() && value.edge().is_none() {
                    return Ok(value); // a sweep keeps the tape silent: good for this one reading
                }
                self.generation = base.generation;
                drop(base);
                let retained = self.retained();
                self.value = value;
                self.keep_retaining(retained);
            }
        }
        Ok(self.value.clone())
    }
    /// The cell of a computed tensor that retains its gradient, and where it hangs.
    fn retained(&self) -> Option<(Arc<GradCell>, Edge)> {
        let cell = self.cell.as_ref()?;
        let edge = self.value.edge().filter(|edge| !edge.node.is_leaf())?;
        Some((cell.clone(), edge.clone()))
    }
    /// Whoever retains its gradient retains that of its new value.
    fn keep_retaining(&mut self, retained: Option<(Arc<GradCell>, Edge)>) {
        if let (Some((cell, from)), Some(to)) = (retained, self.value.edge()) {
            from.node.remove_cell(&cell);
            to.node.add_cell(to.slot, cell);
        }
    }
    /// Rebind to another value, leaving any family.
    pub fn rebind(&mut self, value: Value) {
        *self = Variable { cell: self.cell.take(), ..Variable::new(value) };
    }
    /// Take on the value of a function that wrote this variable's storage itself.
    pub fn written(&mut self, op: &'static str, new: Value) -> Result<()> {
        let old = self.value()?;
        self.check_outside(op, &new)?;
        if self.family.is_none() {
            self.rebind(new);
            return Ok(());
        }
        self.check_leaf(op, &old)?;
        if matches!(new, Value::Traced(_)) {
            let text = "a view, or a tensor with views, cannot be changed inside of a transform; clone() it before";
            return Err(Error::graph(op, text));
        }
        if !same_geometry(&old.detached(), &new.detached()) {
            let text = "a view must come back as itself, written in place; clone() it before the function";
            return Err(Error::graph(op, text));
        }
        self.adopt(new, true)
    }
    /// The view `op` of this variable, a member of its family.
    pub fn view(&mut self, op: Prim) -> Result<Variable> {
        let value = self.value()?;
        let family = self.family.get_or_insert_with(|| {
            let base = Mutex::new(Base { value: value.clone(), generation: 0 });
            Arc::new(Family { base, born: self.born, detached: self.detached })
        });
        let seen = trace::apply(op.clone(), &[&value])?.swap_remove(0);
        if !shares(&seen, &value) {
            return Ok(Variable::new(seen));
        }
        // A view that changes nothing adds no step, and one that looks like the base needs none: loops that reshape
        // the same tensor over and over keep a path of constant length.
        let path = if same_geometry(&seen, &value) {
            self.path.clone().unwrap_or_else(|| Arc::new([]))
        } else if same_geometry(&seen, &family.base().value) {
            Arc::new([]) as Arc<[Prim]>
        } else {
            self.path.iter().flat_map(|p| p.iter().cloned()).chain([op]).collect()
        };
        Ok(Variable {
            value: seen,
            cell: None,
            family: Some(family.clone()),
            path: Some(path),
            generation: self.generation,
            born: self.born,
            lent: false,
            detached: self.detached,
        })
    }
    pub fn is_view(&self) -> bool {
        self.path.is_some()
    }
    pub fn edge(&mut self) -> Result<Option<Edge>> {
        Ok(self.value()?.edge().cloned())
    }
    pub fn cell(&self) -> Option<&Arc<GradCell>> {
        self.cell.as_ref()
    }
    /// The gradient cell, made if there is none.
    pub fn make_cell(&mut self) -> Arc<GradCell> {
        self.cell.get_or_insert_with(Arc::default).clone()
    }
    /// Begin or stop to follow a leaf.
    pub fn set_requires_grad(&mut self, on: bool) -> Result<()> {
        let value = self.value()?;
        match (&value, on) {
            (Value::Array(array), true) => {
                if !array.dtype().is_inexact() {
                    return Err(Error::graph(
                        "requires_grad_",
                        format!(
                            "a {} tensor cannot require a gradient; convert it to a float dtype first",
                            array.dtype()
                        ),
                    ));
                }
                let cell = self.cell.get_or_insert_with(Arc::default).clone();
                let edge = Edge { node: NodeRef::leaf(cell), slot: 0 };
                self.replace(value.clone().taped(None, edge));
                Ok(())
            }
            (Value::Taped(taped), false) => {
                if !taped.edge.node.is_leaf() {
                    return Err(Error::graph(
                        "requires_grad_",
                        "only a leaf can stop requiring its gradient; use detach() for a computed tensor",
                    ));
                }
                self.replace(Value::Array(taped.array.clone()));
                Ok(())
            }
            (Value::Traced(_), true) if graph::pullback::edges(&value).is_empty() => Err(Error::graph(
                "requires_grad_",
                "cannot follow a tensor that a transformation or a dual level watches; set requires_grad before, or take \
                 the derivative with func.grad",
            )),
            _ => Ok(()),
        }
    }
    /// A new history for the same numbers.
    fn replace(&mut self, value: Value) {
        if let (Some(family), None) = (&self.family, &self.path) {
            let mut base = family.base();
            base.value = value.clone();
            base.generation += 1;
            self.generation = base.generation;
        }
        self.value = value;
    }
    pub fn retain_grad(&mut self) -> Result<()> {
        let Some(edge) = self.edge()? else {
            return Err(Error::graph("retain_grad", "the tensor does not require a gradient"));
        };
        if self.cell.is_none() && !edge.node.is_leaf() {
            let cell: Arc<GradCell> = Arc::default();
            edge.node.add_cell(edge.slot, cell.clone());
            self.cell = Some(cell);
        }
        Ok(())
    }
    /// Cut the history: the variable becomes a leaf without gradient.
    pub fn detach_in_place(&mut self) -> Result<()> {
        if self.is_view() {
            return Err(Error::graph(
                "detach_",
                "cannot detach a view in place (its base keeps the history); use detach()",
            ));
        }
        let value = self.value()?.detached();
        self.replace(value);
        Ok(())
    }

    /// Replace the contents by `f(value)`: writes the storage (seen by all views and NumPy arrays) and gives the
    /// variable, its base and all other views the matching history.
    pub fn write(&mut self, op: &'static str, f: impl FnOnce(&Value) -> Result<Value>) -> Result<()> {
        let old = self.value()?;
        self.check_leaf(op, &old)?;
        let since = graph::last_seq();
        let new = f(&old)?;
        self.write_value(op, old, new, since)
    }
    /// Take over `new`, which a function made in place of the value `given` of this variable: the write it would have
    /// been if the function had worked on this variable itself. Ops recorded after `since` may need the old contents.
    pub fn receive(&mut self, op: &'static str, given: &Value, new: Value, since: u64) -> Result<()> {
        let old = self.value()?;
        // What was written under `no_grad` left no history, and leaves none here.
        let outside = trace::set_grad_enabled(trace::grad_enabled() && !trace::same_history(given, &new));
        let done = self.check_leaf(op, &old).and_then(|()| self.write_value(op, old, new, since));
        trace::set_grad_enabled(outside);
        done
    }
    /// The value with all that was written through views, of the base if this became a view itself.
    pub fn whole(&self) -> Value {
        self.family.as_ref().map_or_else(|| self.value.clone(), |family| family.base().value.clone())
    }
    /// Show the same elements by the view `view` of them from now on; the base and other views stay as they are.
    pub fn turn_into_view(&mut self, op: &'static str, view: Prim) -> Result<()> {
        let old = self.value()?;
        self.check_leaf(op, &old)?;
        if old.edge().is_some_and(|e| e.node.is_leaf()) {
            return Err(Error::graph(op, "cannot reshape a leaf that requires a gradient in place; use a view of it"));
        }
        *self = match self.family {
            Some(_) => self.view(view)?,
            None if self.lent => self.view(view)?,
            None => Variable::new(trace::apply(view, &[&old])?.swap_remove(0)),
        };
        Ok(())
    }
    /// Refuse to overwrite a leaf that is being followed.
    fn check_leaf(&self, op: &'static str, old: &Value) -> Result<()> {
        if self.family.as_ref().map_or(self.detached, |family| family.detached) {
            let text =
                "inside of vmap the tensor that this one was detached from would not see the change; clone() what \
                        detach() gives, or change the tensor itself under no_grad()";
            return Err(Error::refused(op, Reason::Detached, text));
        }
        if trace::silent() {
            return Ok(());
        }
        let base_is_leaf = self.is_view() && self.family.as_ref().is_some_and(|f| leaf(&f.base().value));
        if leaf(old) || base_is_leaf {
            return Err(Error::graph(
                op,
                format!(
                    "cannot change a leaf of shape {} that requires a gradient in place{}; do it under no_grad(), or on a clone()",
                    show(old.shape()),
                    if base_is_leaf { " through a view" } else { "" }
                ),
            ));
        }
        Ok(())
    }
    /// Refuse values of a transformation that began after this tensor was made: they would be dead when it ends, and the
    /// tensor with them. Dual levels are entered by hand, and what they leave behind says so itself.
    fn check_outside(&self, op: &'static str, new: &Value) -> Result<()> {
        let born = self.family.as_ref().map_or(self.born, |family| family.born);
        trace::writing(born);
        match new {
            Value::Traced(t) if t.level.id() > born && t.level.name() != "dual_level" => Err(Error::graph(
                op,
                format!(
                    "cannot write a value of {} into a tensor of shape {} from outside of it; clone() that tensor inside",
                    t.level.name(),
                    show(new.shape())
                ),
            )),
            _ => Ok(()),
        }
    }
    fn write_value(&mut self, op: &'static str, old: Value, new: Value, since: u64) -> Result<()> {
        self.check_outside(op, &new)?;
        if new.dtype() != old.dtype() && new.dtype().category() > old.dtype().category() {
            return Err(Error::dtype(
                op,
                format!(
                    "the result is {} and cannot be written into a {} tensor in place; use the out-of-place form",
                    new.dtype(),
                    old.dtype()
                ),
            ));
        }
        let new = convert::to(&new, old.dtype())?;
        if crate::shape::broadcast(op, new.shape(), old.shape())?.as_slice() != old.shape() {
            return Err(Error::shape(
                op,
                format!(
                    "the result has shape {}, which does not fit in place into shape {}",
                    show(new.shape()),
                    show(old.shape())
                ),
            ));
        }
        let new = expand::to(op, &new, old.shape())?;
        let plain = |v: &Value| !matches!(v, Value::Traced(_));
        if plain(&old) && plain(&new) {
            let target = old.array()?.clone();
            if let Some(edge) = new.edge() {
                graph::preserve(edge, since, &target)?;
            }
            assign(op, &target, new.array()?)?;
            if trace::silent() || (old.edge().is_none() && new.edge().is_none()) {
                return Ok(()); // nobody follows: the storage is all there is
            }
            let new = match new {
                Value::Taped(t) => Value::Array(target).taped(None, t.edge),
                _ => trace::relabel(Overwrite.into(), &[&old], target)?,
            };
            return self.adopt(new, true);
        }
        // Plain numbers in place of watched ones need storage of their own: the next write goes there.
        let new = if plain(&new) { convert::Copy.call(&[&new])? } else { new };
        let new = if trace::silent() { trace::keeping_history(&old, new)? } else { new };
        self.adopt(new, false)
    }
    /// Take on a new value, and carry it to the base if this is a view. `written`: the storage has it already.
    fn adopt(&mut self, new: Value, written: bool) -> Result<()> {
        let retained = self.retained();
        self.cell = retained.as_ref().map(|(cell, _)| cell.clone());
        if let (Some(family), Some(path)) = (&self.family, &self.path) {
            let mut base = family.base();
            let whole = scatter(&base.value, path, &new, written)?;
            let whole = if trace::silent() { trace::keeping_history(&base.value, whole)? } else { whole };
            base.value = arranged(&base.value, whole)?;
            base.generation += 1;
            drop(base);
            self.value()?; // replays the path, so that this view hangs on the base's new history
            return Ok(());
        }
        let new = arranged(&self.value, new)?;
        self.replace(new);
        self.keep_retaining(retained);
        Ok(())
    }
}

/// Whether a value is a leaf, or stands for the slices of one.
fn leaf(value: &Value) -> bool {
    match value {
        Value::Traced(t) => matches!(&t.kind, Kind::Batch(stack) if leaf(stack)),
        plain => plain.edge().is_some_and(|e| e.node.is_leaf()),
    }
}
