//! Operators and elementwise functions of tensors.
mod binary;
mod closeness;
mod logic;
mod operators;
mod unary;

pub use operators::binary;
use pyo3::prelude::*;

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    unary::register(m)?;
    binary::register(m)?;
    logic::register(m)?;
    closeness::register(m)
}
