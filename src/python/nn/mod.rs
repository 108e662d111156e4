//! `rustgrad.nn.functional`, and those of its functions that PyTorch also has at the top.
mod activation;
mod layer;
mod limits;
mod loss;

use super::tensor::Tensor;
use crate::{error::Error, trace::Value};
use pyo3::prelude::*;

fn optional(t: Option<&Tensor>) -> Result<Option<Value>, Error> {
    t.map(Tensor::value).transpose()
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    activation::register(m)?;
    layer::register(m)?;
    limits::register(m)?;
    loss::register(m)
}
