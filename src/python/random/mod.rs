//! Random tensors and their generators in Python.
mod draw;
mod fill;
mod generator;
mod rewind;

use pyo3::prelude::*;

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    generator::register(m)?;
    m.add_class::<rewind::Rewind>()?;
    draw::register(m)
}
