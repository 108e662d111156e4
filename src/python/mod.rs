//! The Python module `rustgrad._core`. Only this folder calls Python.
mod args;
mod arith;
mod autograd;
mod complex;
mod contents;
mod convert;
mod create;
mod direct;
mod dtype;
mod error;
mod func;
mod function;
mod index;
mod inplace;
mod lent;
mod linear;
mod nn;
mod numpy;
mod order;
mod protocols;
mod pullback;
mod random;
mod reduce;
mod shape;
mod sparse;
mod tensor;
mod tree;

use function::{export, export_with_out};
use pyo3::prelude::*;
pub use tensor::Tensor;

#[pymodule(gil_used = false)]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::fork::install();
    m.add_class::<Tensor>()?;
    dtype::register(m)?;
    error::register(m)?;
    convert::register(m)?;
    numpy::register(m)?;
    autograd::register(m)?;
    func::register(m)?;
    direct::register(m)?;
    pullback::register(m)?;
    contents::register(m)?;
    tree::register(m)?;
    sparse::register(m)?;
    arith::register(m)?;
    complex::register(m)?;
    create::register(m)?;
    shape::register(m)?;
    reduce::register(m)?;
    order::register(m)?;
    index::register(m)?;
    linear::register(m)?;
    nn::register(m)?;
    protocols::register(m)?;
    random::register(m)?;
    inplace::register(m)
}
