//! Rules written in Python while they run: what they read as plain numbers has lost its derivative.
use super::{super::tensor::Tensor, custom::name_of};
use crate::{
    array::Array,
    error::{Error, Reason, Result},
    trace::{Kind, Value},
};
use pyo3::{prelude::*, types::PyTuple};
use smallvec::SmallVec;
use std::cell::RefCell;

/// A running rule (without a name: one whose numbers are nobody's business), and what it detached.
struct Running {
    name: Option<&'static str>,
    detached: Vec<Array>,
}
thread_local! {
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}
/// Marks a rule as running until it is dropped.
pub struct Guard;
impl Guard {
    fn enter(name: Option<&'static str>) -> Guard {
        RUNNING.with_borrow_mut(|rules| rules.push(Running { name, detached: Vec::new() }));
        Guard
    }
}
impl Drop for Guard {
    fn drop(&mut self) {
        // The arrays are dropped outside of the borrow: they may be the last of their kind.
        drop(RUNNING.with_borrow_mut(Vec::pop));
    }
}
/// Nothing counts as read by a rule until the guard is dropped.
pub fn outside_of_rules() -> Guard {
    Guard::enter(None)
}
/// Whether somebody differentiates by the value, at whatever level.
fn differentiated(value: &Value) -> bool {
    match value {
        Value::Array(_) => false,
        Value::Taped(_) => true,
        Value::Traced(t) => match &t.kind {
            Kind::Dual { .. } | Kind::Taped { .. } | Kind::Series { .. } => true,
            Kind::Batch(inner) | Kind::Sets { value: inner, .. } => differentiated(inner),
        },
    }
}
/// Take note of a value that is being detached.
pub fn detaching(value: &Value) {
    RUNNING.with_borrow_mut(|rules| {
        if let Some(Running { name: Some(_), detached }) = rules.last_mut() {
            if differentiated(value) {
                detached.push(value.storage().clone());
            }
        }
    });
}
/// An error if a rule reads numbers of a value that somebody differentiates by, or that it detached from one: these would
/// pass for constants. Branches (`bool`) are no numbers.
pub fn reading(op: &'static str, value: &Value) -> Result<()> {
    value.read();
    RUNNING.with_borrow(|rules| match rules.last() {
        Some(Running { name: Some(name), detached })
            if op != "bool"
                && (differentiated(value) || detached.iter().any(|d| d.shares_storage(value.storage()))) =>
        {
            Err(Error::refused(
                name,
                Reason::Rule,
                format!(
                    "its rule reads the plain numbers ({op}) of a tensor while the rule itself is being \
                     differentiated, which would lose that derivative; write it in tensor operations, or mark \
                     backward() once_differentiable"
                ),
            ))
        }
        _ => Ok(()),
    })
}
/// A callable that runs as the rule of the function of that name, or as none (`name=None`).
#[pyclass(frozen, module = "rustgrad._core")]
pub struct _Rule {
    call: Py<PyAny>,
    name: Option<&'static str>,
}
#[pymethods]
impl _Rule {
    #[new]
    #[pyo3(signature = (call, name=None))]
    fn new(call: Py<PyAny>, name: Option<String>) -> _Rule {
        _Rule { call, name: name.map(name_of) }
    }
    #[pyo3(signature = (*args))]
    fn __call__<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let _running = Guard::enter(self.name);
        let Some(name) = self.name else { return self.call.bind(py).call1(args) };
        let mut given: SmallVec<[(Value, u32); 2]> = SmallVec::new();
        for tensor in args.iter_borrowed().filter_map(|arg| arg.cast::<Tensor>().ok()) {
            let value = tensor.get().value()?;
            let version = value.version();
            given.push((value, version));
        }
        let found = self.call.bind(py).call1(args)?;
        if given.iter().any(|(value, version)| value.version() != *version) {
            let why =
                "the rule changes in place what it is given, which may be the gradient or tangent of other tensors, \
                       too; let it change a clone()";
            return Err(Error::graph(name, why).into());
        }
        Ok(found)
    }
}
