//! Random tensors and their generators in Python.
mod draw;
mod fill;
mod generator;

use pyo3::prelude::*;

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    generator::register(m)?;
    draw::register(m)
}
