//! The one error type; each kind knows which Python exception it becomes.
use std::{any::Any, fmt, sync::Arc};

/// What went wrong, as one sentence: `op: cannot VERB SHAPES (why); hint`.
#[derive(Clone, Debug)]
pub enum Error {
    /// Shapes, dimensions or sizes that do not fit (Python: `ValueError`).
    Shape { op: &'static str, message: String },
    /// A dtype the operator does not take (Python: `TypeError`).
    DType { op: &'static str, message: String },
    /// An index or dimension out of range (Python: `IndexError`).
    Index { op: &'static str, message: String },
    /// An argument with a value that makes no sense (Python: `ValueError`).
    Value { op: &'static str, message: String },
    /// The graph is not in the state the call needs (Python: `RuntimeError`).
    Graph { op: &'static str, message: String },
    /// For a reason by which callers tell it from others (Python: the attribute `reason` of a `RuntimeError`).
    Refused { op: &'static str, reason: Reason, message: String },
    /// There is no derivative here (Python: `NotDifferentiableError`, a `RuntimeError`).
    NotDifferentiable { op: &'static str, message: String },
    /// Plain numbers were asked of a tensor that stands for many (Python: `DataDependentError`, a `RuntimeError`).
    DataDependent { op: &'static str, level: u64 },
    /// More memory asked for than there can be (Python: `MemoryError`).
    Memory { op: &'static str, message: String },
    /// The user pressed Ctrl-C, or a callback failed: the exception itself travels through (Python: as it was).
    Foreign(Arc<dyn Any + Send + Sync>),
}
/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// It would write to what was detached from a tensor that stands for many, which would not see it.
    Detached,
    /// Nothing is recorded that a hook could be put on.
    Hook,
    /// It asks for the numbers of a tensor that is being differentiated.
    Numbers,
    /// As `Numbers`, in a rule of the user's (Python: a `NotDifferentiableError`).
    Rule,
}
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The same error under the name of the op that the user called.
    pub fn named(mut self, name: &'static str) -> Error {
        match &mut self {
            Error::Shape { op, .. }
            | Error::DType { op, .. }
            | Error::Index { op, .. }
            | Error::Value { op, .. }
            | Error::Graph { op, .. }
            | Error::Refused { op, .. }
            | Error::NotDifferentiable { op, .. }
            | Error::DataDependent { op, .. }
            | Error::Memory { op, .. } => *op = name,
            Error::Foreign(_) => {}
        }
        self
    }
}
impl Error {
    #[cold]
    pub fn refused(op: &'static str, reason: Reason, message: impl Into<String>) -> Error {
        Error::Refused { op, reason, message: message.into() }
    }
}
macro_rules! constructors { ($($name:ident $kind:ident)*) => {
    impl Error { $(
        #[cold]
        pub fn $name(op: &'static str, message: impl Into<String>) -> Error {
            Error::$kind { op, message: message.into() }
        }
    )* }
} }
constructors! { shape Shape dtype DType index Index value Value graph Graph not_differentiable NotDifferentiable memory Memory }

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Shape { op, message }
            | Error::DType { op, message }
            | Error::Index { op, message }
            | Error::Value { op, message }
            | Error::Graph { op, message }
            | Error::Refused { op, message, .. }
            | Error::NotDifferentiable { op, message }
            | Error::Memory { op, message } => write!(f, "{op}: {message}"),
            Error::DataDependent { op, .. } => write!(
                f,
                "{op}: the tensor is batched by vmap and has no numbers of its own here; return it instead, or compute \
                 with where() and masks"
            ),
            Error::Foreign(_) => write!(f, "a callback raised an exception"),
        }
    }
}
impl std::error::Error for Error {}
