//! Elementwise ops over large dual numbers are put off, so that a row of them runs together.
//!
//! One op after the other, every intermediate primal and tangent goes out to memory and comes back. Together they go over
//! pieces that stay in a near cache (`pieces.rs`), and only what the program still holds is written.
use super::{jvp::dual, pieces, weak_zeros, Value};
use crate::{
    array::{make_room, put_off, Array, Aval, Promise},
    dtype::{DType, Scalar},
    error::{Error, Result},
    op::{Locality, Pair, Prim},
    shape::Dims,
};
use smallvec::{smallvec, SmallVec};
use std::{
    any::Any,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
};

/// Bytes of an operand from which on it pays to put an op off: what is smaller stays in the last cache by itself.
static LARGE: AtomicUsize = AtomicUsize::new(1 << 20);
/// Set the bytes of an operand from which on ops are put off, and those of a piece; gives what they were.
pub fn set_gathering(from: usize, piece: usize) -> (usize, usize) {
    (LARGE.swap(from, Ordering::Relaxed), pieces::set_piece(piece))
}

/// Primals, then as many tangents, of which those that are `None` are known zeros.
pub(super) type Inputs<T> = SmallVec<[Option<T>; 6]>;

/// One op over dual numbers that was put off.
pub(super) struct Step {
    /// What is left to do; `None` once it is done.
    work: Mutex<Option<Work>>,
    done: AtomicBool,
    results: Pair<Mutex<Outcome>>,
    /// Shape and dtype of both results.
    pub aval: Aval,
    /// The lock under which it runs.
    turn: usize,
}
pub(super) struct Work {
    pub op: Prim,
    pub inputs: Inputs<Input>,
}
pub(super) enum Input {
    Ready(Array),
    Waiting(Use),
}
/// A step's result being an input of another step that waits.
pub(super) struct Use {
    pub step: Arc<Step>,
    pub which: usize,
}
/// What is known of a result.
#[derive(Default)]
pub(super) struct Outcome {
    pub array: Option<Array>,
    /// Whether the program holds an array that shows it.
    pub shown: bool,
    /// How many steps wait for it.
    pub uses: usize,
}
impl Outcome {
    /// Give up the numbers when nobody is left to read them.
    fn tidy(&mut self) {
        if !self.shown && self.uses == 0 {
            self.array = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
impl Use {
    fn new(step: Arc<Step>, which: usize) -> Use {
        step.outcome(which).uses += 1;
        Use { step, which }
    }
}
impl Drop for Use {
    fn drop(&mut self) {
        let mut outcome = self.step.outcome(self.which);
        outcome.uses -= 1;
        outcome.tidy();
    }
}
impl Step {
    pub fn outcome(&self, which: usize) -> MutexGuard<'_, Outcome> {
        lock(&self.results[which])
    }
    pub fn work(&self) -> MutexGuard<'_, Option<Work>> {
        lock(&self.work)
    }
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
    /// Take note of the numbers that are wanted; what the step was computed from is given back.
    pub fn finish(&self, results: Pair<Option<Array>>) -> Option<Work> {
        for (which, array) in results.into_iter().enumerate() {
            let mut outcome = self.outcome(which);
            outcome.array = array;
            outcome.tidy();
        }
        let work = self.work().take();
        self.done.store(true, Ordering::Release);
        work
    }
}
impl Promise for Step {
    fn keep(self: Arc<Self>, which: usize) -> Result<Array> {
        run(&self)?;
        let lost = || Error::graph("jvp", "the result of an op that was put off is lost");
        self.outcome(which).array.clone().ok_or_else(lost)
    }
    fn keep_all(self: Arc<Self>) -> Result<()> {
        if (0..2).any(|which| self.outcome(which).shown) {
            run(&self)?;
        }
        Ok(())
    }
    fn pending(&self) -> bool {
        !self.is_done()
    }
    fn forget(&self, which: usize) {
        let mut outcome = self.outcome(which);
        outcome.shown = false;
        outcome.tidy();
    }
}

/// Locks under which steps run. Each thread puts steps off under one of them, and a step waits for those of its own lock
/// only: so one lock holds all that runs together, and threads that have nothing in common do not wait for each other.
static TURNS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];
static THREADS: AtomicUsize = AtomicUsize::new(0);
thread_local! { static TURN: usize = THREADS.fetch_add(1, Ordering::Relaxed) % TURNS.len() }
/// Keeps other threads from running what was put off until it is dropped.
pub fn hold() -> Box<dyn Any> {
    Box::new(TURNS.iter().map(lock).collect::<Vec<_>>())
}
fn run(step: &Arc<Step>) -> Result<()> {
    // Before the lock, too: steps that run read the results of others.
    if step.is_done() {
        return Ok(());
    }
    let running = lock(&TURNS[step.turn]);
    let over = if step.is_done() { Vec::new() } else { pieces::run(step)? };
    // What the steps read may own anything; it goes when the lock is open.
    drop(running);
    drop(over);
    Ok(())
}

/// Put the op off if it is one of a kind that pays: elementwise, over large plain numbers that nobody else can write.
pub(super) fn wait(op: &Prim, primals: &[Value], tangents: &[Option<Value>]) -> Result<Option<Pair>> {
    let Some(Value::Array(first)) = primals.first() else { return Ok(None) };
    if first.len() * first.dtype().size() < LARGE.load(Ordering::Relaxed) || !op.differentiable() || weak_zeros() {
        return Ok(None);
    }
    if op.locality() != Locality::Elementwise {
        return Ok(None);
    }
    let mut arrays: Inputs<&Array> = Inputs::new();
    for value in primals.iter().map(Some).chain(tangents.iter().map(Option::as_ref)) {
        arrays.push(match value {
            None => None,
            Some(Value::Array(array)) if fits(array, first) => Some(array),
            Some(_) => return Ok(None),
        });
    }
    let Some(dtype) = outcome(op, &arrays) else { return Ok(None) };
    let bytes = 2 * first.len() * dtype.size();
    let turn = TURN.with(|turn| *turn);
    for array in arrays.iter().flatten() {
        if array.promise::<Step>().is_some_and(|(step, _)| step.turn != turn) {
            array.ready()?;
        }
    }
    make_room(bytes)?;
    // Only now: making room may have computed some of them.
    let inputs = arrays.into_iter().map(|array| array.map(input)).collect();
    let shown = || Mutex::new(Outcome { shown: true, ..Outcome::default() });
    let promise: Arc<dyn Promise> = Arc::new(Step {
        work: Mutex::new(Some(Work { op: op.clone(), inputs })),
        done: AtomicBool::new(false),
        results: [shown(), shown()],
        aval: Aval { shape: Dims::from_slice(first.shape()), dtype },
        turn,
    });
    put_off(&promise, bytes);
    let show = |which| Array::later(op.name(), Dims::from_slice(first.shape()), dtype, promise.clone(), which);
    Ok(Some([show(0)?, show(1)?]))
}
fn input(array: &Array) -> Input {
    match array.promise::<Step>() {
        Some((step, which)) => Input::Waiting(Use::new(step, which)),
        None => Input::Ready(array.clone()),
    }
}
/// Whether the elements can be read piece by piece, in the order of `first`, at any later time.
fn fits(array: &Array, first: &Array) -> bool {
    let plain = array.dtype().is_float() || array.dtype() == DType::Bool;
    let ordered = array.is_contiguous() || pieces::is_one_number(array);
    plain && ordered && array.shape() == first.shape() && array.is_private()
}
/// The dtype of primal and tangent, tried on one element; `None` if the op does not turn such inputs into both.
fn outcome(op: &Prim, inputs: &Inputs<&Array>) -> Option<DType> {
    let one = |array: &Array| Array::full(op.name(), smallvec![1], array.dtype(), Scalar::Float(1.0)).ok();
    let mut ones: Inputs<Array> = Inputs::new();
    for input in inputs {
        ones.push(match input {
            None => None,
            Some(array) => Some(one(array)?),
        });
    }
    let ones: Inputs<&Array> = ones.iter().map(Option::as_ref).collect();
    let room = &mut |_| Array::new(op.name(), smallvec![1], inputs[0].map_or(DType::F32, Array::dtype));
    let [y, dy] = dual(op, &ones, room).ok()??;
    (y.dtype() == dy.dtype() && y.dtype().is_float() && y.len() == 1 && dy.len() == 1).then(|| y.dtype())
}
