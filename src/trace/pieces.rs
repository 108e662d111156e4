//! Runs ops that were put off, over one piece of their inputs after the other.
use super::{
    chain::{Input, Inputs, Step, Work},
    jvp::dual,
    mode::set_weak_zeros,
};
use crate::{
    array::{while_keeping, Array, Aval, Parts},
    error::{Error, Result},
    kernels::pool,
    op::{Pair, Prim, Room},
};
use smallvec::smallvec;
use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Arc, Mutex, MutexGuard, PoisonError,
};

/// Bytes of an operand in a piece: a handful of operands fit into the second cache.
static PIECE: AtomicUsize = AtomicUsize::new(3 << 14);
/// Set the bytes of an operand in a piece; gives what they were.
pub(super) fn set_piece(bytes: usize) -> usize {
    PIECE.swap(bytes, Ordering::Relaxed)
}
/// Elementary operations of an op on one element, for the decision how many threads take part.
const COST: usize = 4;

/// Where a step finds an input.
#[derive(Clone, Copy)]
enum Source {
    /// It is in memory: this one of the arrays that are read.
    Read(usize),
    /// It is a result of the planned step at this place.
    Made(usize, usize),
}
struct Planned {
    step: Arc<Step>,
    op: Prim,
    inputs: Inputs<Source>,
    /// How many planned steps read each result.
    inside: Pair<usize>,
    /// Results that no later step reads.
    last: Vec<(usize, usize)>,
}
/// Steps in order, each behind what it waits for, and what they read.
#[derive(Default)]
struct Plan {
    steps: Vec<Planned>,
    reads: Vec<Array>,
}

pub(super) fn is_one_number(array: &Array) -> bool {
    array.shape().iter().zip(array.strides()).all(|(&n, &step)| n == 1 || step == 0)
}
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plan {
    /// Add a step behind all that it waits for.
    fn visit(&mut self, step: &Arc<Step>) -> Result<usize> {
        if let Some(place) = self.steps.iter().position(|planned| Arc::ptr_eq(&planned.step, step)) {
            return Ok(place);
        }
        let lost = || Error::graph("jvp", "an op that was put off has lost its inputs");
        let work = step.work();
        let work = work.as_ref().ok_or_else(lost)?;
        let mut inputs = Inputs::new();
        for input in &work.inputs {
            inputs.push(match input {
                None => None,
                Some(Input::Ready(array)) => Some(self.read(array)),
                Some(Input::Waiting(used)) if used.step.is_done() => {
                    let array = used.step.outcome(used.which).array.clone();
                    Some(self.read(&array.ok_or_else(lost)?))
                }
                Some(Input::Waiting(used)) => {
                    let place = self.visit(&used.step)?;
                    self.steps[place].inside[used.which] += 1;
                    Some(Source::Made(place, used.which))
                }
            });
        }
        self.steps.push(Planned { step: step.clone(), op: work.op.clone(), inputs, inside: [0, 0], last: Vec::new() });
        Ok(self.steps.len() - 1)
    }
    fn read(&mut self, array: &Array) -> Source {
        let known = self.reads.iter().position(|read| read == array);
        Source::Read(known.unwrap_or_else(|| {
            self.reads.push(array.clone());
            self.reads.len() - 1
        }))
    }
    /// Note for each result after which step it is not needed any more.
    fn mark_last_uses(&mut self) {
        let mut last: Vec<Pair<usize>> = (0..self.steps.len()).map(|place| [place, place]).collect();
        for (place, planned) in self.steps.iter().enumerate() {
            for input in planned.inputs.iter().flatten() {
                if let Source::Made(made, which) = input {
                    last[*made][*which] = place;
                }
            }
        }
        for (made, pair) in last.into_iter().enumerate() {
            for (which, place) in pair.into_iter().enumerate() {
                self.steps[place].last.push((made, which));
            }
        }
    }
}

/// Compute a step and all that it waits for; what they were computed from is given back.
pub(super) fn run(step: &Arc<Step>) -> Result<Vec<Option<Work>>> {
    let mut plan = Plan::default();
    plan.visit(step)?;
    plan.mark_last_uses();
    let arrays = match &plan.steps[..] {
        [alone] => {
            let Aval { shape, dtype } = &step.aval;
            let mut room = |_| Array::new(alone.op.name(), shape.clone(), *dtype);
            let [y, dy] = undisturbed(|| alone.apply(&plan.reads, &[], &mut room))?;
            vec![[Some(owned(y)?), Some(owned(dy)?)]]
        }
        _ => plan.by_pieces(&step.aval)?,
    };
    Ok(plan.steps.iter().zip(arrays).map(|(planned, made)| planned.step.finish(made)).collect())
}
/// Run steps as when they were put off, whatever is asked for now.
fn undisturbed<R>(run: impl FnOnce() -> R) -> R {
    let weak = set_weak_zeros(false);
    let result = while_keeping(run);
    set_weak_zeros(weak);
    result
}
/// In memory of its own, in order: some ops hand on what they were given.
fn owned(array: Array) -> Result<Array> {
    if array.is_spare() && array.is_contiguous() {
        return Ok(array);
    }
    array.copied("jvp")
}
impl Planned {
    fn apply(&self, reads: &[Array], made: &[Pair<Option<Array>>], room: Room) -> Result<Pair> {
        let find = |source: &Source| match *source {
            Source::Read(i) => reads.get(i),
            Source::Made(place, which) => made[place][which].as_ref(),
        };
        let inputs: Inputs<&Array> = self.inputs.iter().map(|source| source.as_ref().and_then(find)).collect();
        dual(&self.op, &inputs, room)?.ok_or_else(|| Error::graph(self.op.name(), "has no tangent"))
    }
    /// Room for those results that somebody but the planned steps can read.
    fn wanted(&self, piece: usize) -> Result<Pair<Option<Parts>>> {
        let mut parts = [None, None];
        for (which, parts) in parts.iter_mut().enumerate() {
            let outcome = self.step.outcome(which);
            if outcome.shown || outcome.uses > self.inside[which] {
                let Aval { shape, dtype } = &self.step.aval;
                *parts = Some(Parts::new(self.op.name(), shape.clone(), *dtype, piece)?);
            }
        }
        Ok(parts)
    }
}
impl Plan {
    /// What is wanted of all steps, one piece of their inputs after the other.
    fn by_pieces(&self, aval: &Aval) -> Result<Vec<Pair<Option<Array>>>> {
        let len: usize = aval.shape.iter().product();
        let piece = (PIECE.load(Ordering::Relaxed) / aval.dtype.size()).max(1);
        let wanted = self.steps.iter().map(|planned| planned.wanted(piece)).collect::<Result<Vec<_>>>()?;
        let failed = Mutex::new(None);
        pool::parallel(len.div_ceil(piece), len * COST * self.steps.len(), &|i| {
            let (from, to) = (i * piece, len.min((i + 1) * piece));
            if let Err(error) = undisturbed(|| self.piece(from, to - from, &wanted, i)) {
                lock(&failed).get_or_insert(error);
            }
        });
        if let Some(error) = lock(&failed).take() {
            return Err(error);
        }
        let join = |parts: Option<Parts>| parts.map(Parts::join).transpose();
        wanted.into_iter().map(|[y, dy]| Ok([join(y)?, join(dy)?])).collect()
    }
    /// All steps over the `n` elements from `from` on, which are part `i` of what is wanted.
    fn piece(&self, from: usize, n: usize, wanted: &[Pair<Option<Parts>>], i: usize) -> Result<()> {
        let part = |array: &Array| match array.is_contiguous() {
            true => array.view("jvp", smallvec![n], smallvec![1], from as isize),
            // One number everywhere.
            false => array.view("jvp", smallvec![n], smallvec![0], 0),
        };
        let reads = self.reads.iter().map(part).collect::<Result<Vec<_>>>()?;
        let mut made: Vec<Pair<Option<Array>>> = Vec::with_capacity(self.steps.len());
        let mut spare: Vec<Array> = Vec::new();
        for (planned, wanted) in self.steps.iter().zip(wanted) {
            let dtype = planned.step.aval.dtype;
            let take = |which: usize| wanted[which].as_ref().and_then(|parts| parts.take(i));
            let pair = planned.apply(&reads, &made, &mut |which| match take(which) {
                Some(part) => Ok(part),
                None => match spare.iter().rposition(|array| array.dtype() == dtype) {
                    Some(at) => Ok(spare.swap_remove(at)),
                    None => Array::new(planned.op.name(), smallvec![n], dtype),
                },
            })?;
            for (which, array) in pair.iter().enumerate() {
                // Not every op writes to the room it is given.
                if let Some(mut part) = take(which) {
                    part.fill_from(array)?;
                }
            }
            made.push(pair.map(Some));
            for &(place, which) in &planned.last {
                spare.extend(made[place][which].take().filter(Array::is_spare));
            }
        }
        Ok(())
    }
}
