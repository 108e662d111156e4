//! Errors become Python exceptions; exceptions from callbacks travel through the core unchanged.
use crate::{
    error::{Error, Reason, Result},
    graph::{origin, sweep},
    trace::note_refusal,
};
use pyo3::{create_exception, exceptions::*, prelude::*};
use std::sync::Arc;

create_exception!(
    rustgrad,
    NotDifferentiableError,
    PyRuntimeError,
    "Raised where an operator has no derivative in the mode that was asked for."
);
create_exception!(
    rustgrad,
    DataDependentError,
    PyRuntimeError,
    "Raised where a program asks a tensor for plain numbers while it stands for many; `vmap` then runs lane by lane."
);

impl From<Error> for PyErr {
    fn from(e: Error) -> PyErr {
        let text = e.to_string();
        match e {
            Error::Shape { .. } | Error::Value { .. } => PyValueError::new_err(text),
            Error::DType { .. } => PyTypeError::new_err(text),
            Error::Index { .. } => PyIndexError::new_err(text),
            Error::Graph { .. } => PyRuntimeError::new_err(text),
            Error::Refused { reason, .. } => {
                let (error, reason) = match reason {
                    Reason::Detached => (PyRuntimeError::new_err(text), "detached"),
                    Reason::Hook => (PyRuntimeError::new_err(text), "hook"),
                    Reason::Numbers => (PyRuntimeError::new_err(text), "numbers"),
                    Reason::Rule => (not_differentiable(text), "numbers"),
                };
                // Without the reason, callers pass the error on.
                let _ = Python::attach(|py| error.value(py).setattr("reason", reason));
                error
            }
            Error::NotDifferentiable { .. } => not_differentiable(text),
            Error::DataDependent { level, .. } => {
                note_refusal(level);
                let error = DataDependentError::new_err(text);
                // Without the level, vmap passes the error on, which is right if not helpful.
                let _ = Python::attach(|py| error.value(py).setattr("level", level));
                error
            }
            Error::Memory { .. } => PyMemoryError::new_err(text),
            Error::Foreign(any) => match any.downcast_ref::<PyErr>() {
                Some(e) => Python::attach(|py| e.clone_ref(py)),
                None => PyRuntimeError::new_err(text),
            },
        }
    }
}
fn not_differentiable(text: String) -> PyErr {
    let place = frames(1).map(|place| format!(" ({place})")).unwrap_or_default();
    NotDifferentiableError::new_err(text + &place)
}
/// Carry a Python exception through the core.
pub fn foreign(e: PyErr) -> Error {
    Error::Foreign(Arc::new(e))
}
fn interrupted() -> Result<()> {
    Python::attach(|py| py.check_signals()).map_err(foreign)
}
/// The user's innermost `depth` calls, outermost first, without those of this package.
fn frames(depth: usize) -> Option<String> {
    Python::attach(|py| -> PyResult<Option<String>> {
        let home: String = py.import("rustgrad")?.getattr("__path__")?.get_item(0)?.extract()?;
        let mut frame = py.import("sys")?.call_method0("_getframe")?;
        let mut found = Vec::new();
        while !frame.is_none() && found.len() < depth {
            let code = frame.getattr("f_code")?;
            let file: String = code.getattr("co_filename")?.extract()?;
            if !file.starts_with(&home) {
                let (line, name) = (frame.getattr("f_lineno")?, code.getattr("co_name")?);
                let text = py.import("linecache")?.call_method1("getline", (&file, &line))?.extract::<String>()?;
                let text = text.trim();
                let shown = if text.is_empty() { String::new() } else { format!(": {text}") };
                found.push(format!("{file}:{line}, in {name}{shown}"));
            }
            frame = frame.getattr("f_back")?;
        }
        found.reverse();
        Ok((!found.is_empty()).then(|| found.join("\n")))
    })
    .ok()
    .flatten()
}
/// How many of the user's calls an anomaly shows.
const CALLS_SHOWN: usize = 5;
fn place() -> Option<String> {
    frames(CALLS_SHOWN)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    sweep::set_interrupt(interrupted);
    origin::set_where(place);
    m.add("DataDependentError", m.py().get_type::<DataDependentError>())?;
    m.add("NotDifferentiableError", m.py().get_type::<NotDifferentiableError>())
}
