//! What flows through a program: an array, or an array that somebody watches.
use super::{sets::Sets, LevelRef};
use crate::{
    array::{Array, Aval},
    dtype::{DType, Scalar},
    error::{Error, Result},
    graph::Edge,
    shape::Dims,
};
use std::sync::Arc;

/// An array of numbers, or a wrapper of one that a transformation follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Array(Array),
    /// Followed by plain `requires_grad`: the bottom tape, always on.
    Taped(Taped),
    Traced(Arc<Traced>),
}
/// An array with its place in the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Taped {
    pub array: Array,
    pub edge: Edge,
}
/// A value that some transformation is watching.
#[derive(Debug)]
pub struct Traced {
    pub level: LevelRef,
    pub kind: Kind,
}
impl PartialEq for Traced {
    fn eq(&self, other: &Traced) -> bool {
        std::ptr::eq(self, other)
    }
}
/// How it is watched.
#[derive(Debug)]
pub enum Kind {
    Dual {
        primal: Value,
        tangent: Value,
    },
    /// Stands for many values, stacked along a hidden axis 0.
    Batch(Value),
    Taped {
        value: Value,
        edge: Edge,
    },
    /// Travels with the higher coefficients of a Taylor series, from the first on; `None` is a known zero.
    Series {
        primal: Value,
        terms: Box<[Option<Value>]>,
    },
    /// Travels with the sets of inputs that its elements depend on.
    Sets {
        value: Value,
        sets: Arc<Sets>,
    },
}
impl Kind {
    /// What is underneath: of a batch, the whole stack.
    pub fn inner(&self) -> &Value {
        match self {
            Kind::Dual { primal: value, .. }
            | Kind::Taped { value, .. }
            | Kind::Series { primal: value, .. }
            | Kind::Sets { value, .. }
            | Kind::Batch(value) => value,
        }
    }
}

impl Value {
    pub fn traced(level: &LevelRef, kind: Kind) -> Value {
        Value::Traced(Arc::new(Traced { level: level.clone(), kind }))
    }
    /// This value followed by a tape (`None`: the bottom one).
    pub fn taped(self, level: Option<&LevelRef>, edge: Edge) -> Value {
        match (level, self) {
            (None, Value::Array(array)) => Value::Taped(Taped { array, edge }),
            (Some(level), value) => Value::traced(level, Kind::Taped { value, edge }),
            (None, value) => value,
        }
    }
    /// How this level watches the value, if it does.
    pub fn at(&self, level: &LevelRef) -> Option<&Kind> {
        match self {
            Value::Traced(t) if t.level.id() == level.id() => Some(&t.kind),
            _ => None,
        }
    }
    /// The numbers of a value that nobody watches.
    #[inline]
    pub fn array(&self) -> Result<&Array> {
        match self {
            Value::Array(a) => Ok(a),
            Value::Taped(t) => Ok(&t.array),
            Value::Traced(_) => Err(self.without_numbers("array")),
        }
    }
    /// The numbers, if no transformation above the bottom tape watches them.
    #[inline]
    pub fn plain(&self) -> Option<&Array> {
        match self {
            Value::Array(a) => Some(a),
            Value::Taped(t) => Some(&t.array),
            Value::Traced(_) => None,
        }
    }
    /// The numbers behind dual and taped wrappers; a batched value has none of its own.
    pub fn numbers(&self) -> Option<&Array> {
        match self {
            Value::Array(a) => Some(a),
            Value::Taped(t) => Some(&t.array),
            Value::Traced(t) => match &t.kind {
                Kind::Batch(_) => None,
                kind => kind.inner().numbers(),
            },
        }
    }
    /// The innermost level at which this value stands for many.
    pub fn batch_level(&self) -> Option<&LevelRef> {
        let Value::Traced(t) = self else { return None };
        match &t.kind {
            Kind::Batch(_) => Some(&t.level),
            kind => kind.inner().batch_level(),
        }
    }
    /// Why there are no plain numbers.
    #[cold]
    pub fn without_numbers(&self, op: &'static str) -> Error {
        match self.batch_level() {
            // Over for good: nobody will run the function again lane by lane.
            Some(level) if level.check(op).is_err() => level.escaped(op),
            Some(level) => Error::DataDependent { op, level: level.id() },
            None => Error::graph(op, "a tensor inside a transformation has no plain numbers"),
        }
    }
    #[inline]
    pub fn shape(&self) -> &[usize] {
        match self {
            Value::Array(a) => a.shape(),
            Value::Taped(t) => t.array.shape(),
            Value::Traced(t) => match &t.kind {
                Kind::Batch(stack) => &stack.shape()[1..],
                kind => kind.inner().shape(),
            },
        }
    }
    #[inline]
    pub fn dtype(&self) -> DType {
        match self {
            Value::Array(a) => a.dtype(),
            Value::Taped(t) => t.array.dtype(),
            Value::Traced(t) => t.kind.inner().dtype(),
        }
    }
    pub fn rank(&self) -> usize {
        self.shape().len()
    }
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }
    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }
    pub fn aval(&self) -> Aval {
        Aval { shape: Dims::from_slice(self.shape()), dtype: self.dtype() }
    }
    /// Where its cotangent arrives on the tape of a level (`None`: the bottom one).
    #[inline]
    pub fn edge_at(&self, level: Option<&LevelRef>) -> Option<&Edge> {
        match (self, level) {
            (Value::Taped(t), None) => Some(&t.edge),
            (Value::Traced(t), Some(level)) if t.level.id() == level.id() => match &t.kind {
                Kind::Taped { edge, .. } => Some(edge),
                _ => None,
            },
            _ => None,
        }
    }
    pub fn edge(&self) -> Option<&Edge> {
        match self {
            Value::Taped(t) => Some(&t.edge),
            _ => None,
        }
    }
    /// The storage underneath all wrappers.
    pub fn storage(&self) -> &Array {
        match self {
            Value::Array(a) => a,
            Value::Taped(t) => &t.array,
            Value::Traced(t) => t.kind.inner().storage(),
        }
    }
    /// Version of the storage underneath.
    pub fn version(&self) -> u32 {
        self.storage().version()
    }
    pub fn last_writer(&self) -> &'static str {
        self.storage().last_writer()
    }
    /// A plain constant of this shape and dtype.
    pub fn full_like(&self, c: f64) -> Result<Value> {
        let scalar = Array::full("full_like", Dims::new(), self.dtype(), Scalar::Float(c))?;
        let strides = smallvec::SmallVec::from_elem(0, self.rank());
        // One number, repeated by zero strides.
        if self.is_empty() {
            return Ok(Value::Array(Array::zeros("full_like", Dims::from_slice(self.shape()), self.dtype())?));
        }
        Ok(Value::Array(scalar.view("full_like", Dims::from_slice(self.shape()), strides, 0)?))
    }
    /// The same value for ops that carry no derivative: taped and dual wrappers are left off.
    pub fn unwatched(&self) -> Value {
        self.detached()
    }
    /// Without any history: what `detach` shows. Inside transformations only the given wrapper kinds go.
    pub fn detached(&self) -> Value {
        match self {
            Value::Array(a) => Value::Array(a.clone()),
            Value::Taped(t) => Value::Array(t.array.clone()),
            Value::Traced(t) => match &t.kind {
                Kind::Batch(stack) => Value::traced(&t.level, Kind::Batch(stack.detached())),
                kind => {
                    if let Kind::Sets { .. } = kind {
                        t.level.lose();
                    }
                    kind.inner().detached()
                }
            },
        }
    }
    /// Take note that the numbers are read: what becomes of them is not followed.
    pub fn read(&self) {
        if let Value::Traced(t) = self {
            if let Kind::Sets { .. } = t.kind {
                t.level.lose();
            }
            t.kind.inner().read();
        }
    }
}
