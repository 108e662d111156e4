//! Shape changes in Python: views that share storage and history, parts, joins and copies.
mod copies;
mod joins;
mod parts;
mod views;

use pyo3::prelude::*;

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    views::register(m)?;
    parts::register(m)?;
    copies::register(m)?;
    joins::register(m)
}
