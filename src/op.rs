//! The contract: what an operator must say about itself, and what its rules get to see.
pub use crate::ops::Prim;
use crate::{
    array::{Array, Aval},
    error::Result,
    shape::Axes,
    trace::{apply, Value},
};
use smallvec::SmallVec;
use std::fmt::Debug;

/// Results of an op; nearly always one.
pub type Arrays = SmallVec<[Array; 1]>;
/// Results of an op as values.
pub type Values = SmallVec<[Value; 1]>;
/// Tangents or cotangents; `None` is a known zero, never materialised and never multiplied.
pub type Slopes = SmallVec<[Option<Value>; 2]>;

/// A cotangent that is not computed yet, so that it can be added where it is wanted in one pass over memory.
pub trait Pending {
    fn value(self: Box<Self>) -> Result<Array>;
    /// Add it to `sum`, if that can be overwritten; says whether it was done.
    fn add_to(&self, sum: &mut Array) -> Result<bool>;
}
/// What a reverse rule hands on to one input.
pub enum Share {
    Value(Value),
    Pending(Box<dyn Pending>),
}
pub type Shares = SmallVec<[Option<Share>; 2]>;

/// A set of inputs, as a mask. Inputs from 63 on (of `cat` and `stack`) count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Which(pub u64);
impl Which {
    pub const NONE: Which = Which(0);
    pub const FIRST: Which = Which(1);
    pub const ALL: Which = Which(u64::MAX);
    #[inline]
    pub fn has(self, i: usize) -> bool {
        self.0 >> i.min(63) & 1 == 1
    }
    #[inline]
    pub fn with(self, i: usize) -> Which {
        Which(self.0 | 1 << i.min(63))
    }
}

/// What the reverse rule will ask for.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Saves {
    pub inputs: Which,
    pub outputs: bool,
    /// Shapes and dtypes of all inputs.
    pub avals: bool,
}
impl Saves {
    pub const NOTHING: Saves = Saves { inputs: Which::NONE, outputs: false, avals: false };
    pub const INPUTS: Saves = Saves { inputs: Which::ALL, outputs: false, avals: false };
    pub const OUTPUTS: Saves = Saves { inputs: Which::NONE, outputs: true, avals: false };
    pub const AVALS: Saves = Saves { inputs: Which::NONE, outputs: false, avals: true };
}

/// What `vjp` gets to see of the forward pass: what [`Op::saves`] asked for.
#[derive(Default)]
pub struct Saved {
    inputs: SmallVec<[Option<Value>; 2]>,
    outputs: SmallVec<[Option<Value>; 1]>,
    avals: Option<Box<[Aval]>>,
    /// Inputs whose gradient is wanted.
    pub needs: Which,
}
impl Saved {
    pub fn new(
        inputs: SmallVec<[Option<Value>; 2]>,
        outputs: SmallVec<[Option<Value>; 1]>,
        avals: Option<Box<[Aval]>>,
        needs: Which,
    ) -> Saved {
        Saved { inputs, outputs, avals, needs }
    }
    /// Input `i`, if it was saved.
    #[inline]
    pub fn kept(&self, i: usize) -> Option<&Value> {
        self.inputs.get(i).and_then(Option::as_ref)
    }
    /// Input `i` to have for oneself, if it was saved.
    pub fn take(&mut self, i: usize) -> Option<Value> {
        self.inputs.get_mut(i).and_then(Option::take)
    }
    /// Output `i`, if it was saved.
    #[inline]
    pub fn made(&self, i: usize) -> Option<&Value> {
        self.outputs.get(i).and_then(Option::as_ref)
    }
    pub fn input(&self, i: usize) -> Result<&Value> {
        self.inputs.get(i).and_then(Option::as_ref).ok_or_else(|| missing("input"))
    }
    pub fn output(&self, i: usize) -> Result<&Value> {
        self.outputs.get(i).and_then(Option::as_ref).ok_or_else(|| missing("output"))
    }
    pub fn aval(&self, i: usize) -> Result<&Aval> {
        self.avals.as_ref().and_then(|a| a.get(i)).ok_or_else(|| missing("shape"))
    }
}
/// A rule that reads what it did not ask for is a bug of that rule; say so instead of computing nonsense.
#[cold]
fn missing(what: &str) -> crate::error::Error {
    crate::error::Error::graph("vjp", format!("the rule reads an {what} that it did not save"))
}

/// Which elements of the inputs an element of the outputs can depend on, whatever the numbers are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Locality {
    /// On those in its own place.
    Elementwise,
    /// On one: the op moves elements of these inputs, of any dtype, to other places, or leaves them out.
    Moves(Which),
    /// On those that differ from it by their place along these axes; the output has that shape, or size 1 or nothing there.
    Along(Axes),
    /// On those up to its place along this axis, or from it on.
    Running { axis: usize, reverse: bool },
    /// On the pair (real, imaginary) in whose place it stands, or as one of which.
    Pairs,
    /// On a row of the first and a column of the second.
    Product,
    /// On those that are added up in its place: rows of the first input, at the positions in the second.
    AddsRows,
    /// On all of all inputs.
    Everything,
}

/// The algebra of an op, where power series have a recurrence of their own for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    General,
    /// Linear in each of its two inputs.
    Product,
    /// The first input divided by the last; a constant by it where that is the only one.
    Quotient,
}

/// Primal and tangent.
pub type Pair<T = Array> = [T; 2];
/// Gives an array to write result 0 (the primal) or 1 (the tangent) to.
pub type Room<'a> = &'a mut dyn FnMut(usize) -> Result<Array>;

/// An op in full. Every method is one rule; an op's file holds all of them.
pub trait Op: Clone + Debug + PartialEq + Send + Sync + Into<Prim> {
    const NAME: &'static str;
    /// False for ops whose results carry no derivative at all (comparisons, indices): they are never recorded.
    const DIFFERENTIABLE: bool = true;
    const FORM: Form = Form::General;
    fn name(&self) -> &'static str {
        Self::NAME
    }
    /// Whether the rules hold for complex numbers as well.
    fn on_complex(&self) -> bool {
        false
    }
    /// Whether the forward rule reads the outputs.
    fn reads_outputs(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Everything
    }
    /// Shape rule and numbers in one: what does not fit is an error before anything is written.
    fn eval(&self, xs: &[&Array]) -> Result<Arrays>;
    /// Forward rule: tangents of the outputs from those of the inputs (at least one is there).
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes>;
    /// Which values the reverse rule reads, given the inputs that need a gradient.
    fn saves(&self, needs: Which) -> Saves;
    /// Reverse rule: cotangents of the inputs from those of the outputs (at least one is there).
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes>;
    /// The reverse rule over large plain arrays, with products left to be computed where they are wanted, for ops
    /// that have such a form. What was saved may be taken: nobody reads it afterwards, unless the answer is `None`.
    fn shares(&self, _at: &mut Saved, _gs: &[Option<Value>]) -> Option<Result<Shares>> {
        None
    }
    /// Batching rule: inputs in `batched` carry a leading axis of length `n`, and so must all results.
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values>;
    /// Primal and tangent in one pass over plain numbers, where the op has such a loop. It writes them to what `room` gives
    /// for each: contiguous arrays of the first input's shape and dtype.
    fn dual(&self, _xs: &[&Array], _ts: &[Option<&Array>], _room: Room) -> Option<Result<Pair>> {
        None
    }
}

/// `Op` with the types rubbed out, so that one pointer reaches every rule.
pub trait Rules: Send + Sync {
    fn name(&self) -> &'static str;
    fn differentiable(&self) -> bool;
    fn form(&self) -> Form;
    fn on_complex(&self) -> bool;
    fn reads_outputs(&self) -> bool;
    fn locality(&self) -> Locality;
    fn eval(&self, xs: &[&Array]) -> Result<Arrays>;
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes>;
    fn saves(&self, needs: Which) -> Saves;
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes>;
    fn shares(&self, at: &mut Saved, gs: &[Option<Value>]) -> Option<Result<Shares>>;
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values>;
    fn dual(&self, xs: &[&Array], ts: &[Option<&Array>], room: Room) -> Option<Result<Pair>>;
}
impl<O: Op> Rules for O {
    fn name(&self) -> &'static str {
        Op::name(self)
    }
    fn differentiable(&self) -> bool {
        O::DIFFERENTIABLE
    }
    fn form(&self) -> Form {
        O::FORM
    }
    fn on_complex(&self) -> bool {
        Op::on_complex(self)
    }
    fn reads_outputs(&self) -> bool {
        Op::reads_outputs(self)
    }
    fn locality(&self) -> Locality {
        Op::locality(self)
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        Op::eval(self, xs)
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        Op::jvp(self, xs, ys, ts)
    }
    fn saves(&self, needs: Which) -> Saves {
        Op::saves(self, needs)
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        Op::vjp(self, at, gs)
    }
    fn shares(&self, at: &mut Saved, gs: &[Option<Value>]) -> Option<Result<Shares>> {
        Op::shares(self, at, gs)
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        Op::batch(self, xs, batched, n)
    }
    fn dual(&self, xs: &[&Array], ts: &[Option<&Array>], room: Room) -> Option<Result<Pair>> {
        Op::dual(self, xs, ts, room)
    }
}

/// One result.
#[inline]
pub fn one<T, const N: usize>(x: T) -> SmallVec<[T; N]>
where
    [T; N]: smallvec::Array<Item = T>,
{
    let mut v = SmallVec::new();
    v.push(x);
    v
}
/// Forward rule of an op that is linear in its one input.
pub fn linear<O: Op>(op: &O, ts: &[Option<Value>]) -> Result<Slopes> {
    match &ts[0] {
        Some(t) => Ok(one(Some(op.call(&[t])?))),
        None => Ok(one(None)),
    }
}
/// Sum of two slopes, either of which may be a known zero.
pub fn add(a: Option<Value>, b: Option<Value>) -> Result<Option<Value>> {
    match (a, b) {
        (Some(a), Some(b)) => Ok(Some(<crate::ops::arith::Add as crate::ops::binary::Binary>::of(&a, &b)?)),
        (a, b) => Ok(a.or(b)),
    }
}
/// Batching by bringing every input to the batch first, then running `shifted`, the same op one axis further on.
pub fn batch_all<O: Op>(shifted: O, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
    let xs = all_batched(xs, batched, n)?;
    let refs: SmallVec<[&Value; 4]> = xs.iter().collect();
    apply(shifted, &refs)
}
/// Inputs with a leading batch axis everywhere; those without it are repeated as views, without copies.
pub fn all_batched(xs: &[Value], batched: Which, n: usize) -> Result<SmallVec<[Value; 2]>> {
    xs.iter()
        .enumerate()
        .map(|(i, x)| if batched.has(i) { Ok(x.clone()) } else { crate::ops::expand::leading(x, n) })
        .collect()
}

/// Calling an op on values, for its own and other ops' rules.
pub trait Call: Op {
    /// Apply an op with one result.
    fn call(&self, xs: &[&Value]) -> Result<Value> {
        let mut ys = apply(self.clone(), xs)?;
        ys.pop().ok_or_else(|| crate::error::Error::graph(Self::NAME, "gave no result"))
    }
}
impl<O: Op> Call for O {}
