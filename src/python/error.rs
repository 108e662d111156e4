//! Errors become Python exceptions; exceptions from callbacks travel through the core unchanged.
use crate::{
    error::{Error, Result},
    graph::sweep,
};
use pyo3::{create_exception, exceptions::*, prelude::*};
use std::sync::Arc;

create_exception!(
    rustgrad,
    NotDifferentiableError,
    PyRuntimeError,
    "Raised where an operator has no derivative in the mode that was asked for."
);

impl From<Error> for PyErr {
    fn from(e: Error) -> PyErr {
        let text = e.to_string();
        match e {
            Error::Shape { .. } | Error::Value { .. } => PyValueError::new_err(text),
            Error::DType { .. } => PyTypeError::new_err(text),
            Error::Index { .. } => PyIndexError::new_err(text),
            Error::Graph { .. } => PyRuntimeError::new_err(text),
            Error::NotDifferentiable { .. } => NotDifferentiableError::new_err(text),
            Error::Memory { .. } => PyMemoryError::new_err(text),
            Error::Foreign(any) => match any.downcast_ref::<PyErr>() {
                Some(e) => Python::attach(|py| e.clone_ref(py)),
                None => PyRuntimeError::new_err(text),
            },
        }
    }
}
/// Carry a Python exception through the core.
pub fn foreign(e: PyErr) -> Error {
    Error::Foreign(Arc::new(e))
}
fn interrupted() -> Result<()> {
    Python::attach(|py| py.check_signals()).map_err(foreign)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    sweep::set_interrupt(interrupted);
    m.add("NotDifferentiableError", m.py().get_type::<NotDifferentiableError>())
}
