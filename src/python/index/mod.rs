//! `x[…]` for reading and writing, and indexing by name.
mod combine;
mod item;
mod reads;
mod writes;

use pyo3::prelude::*;

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    reads::register(m)?;
    writes::register(m)?;
    combine::register(m)
}
