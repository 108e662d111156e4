//! Patterns of sparse matrices and their colourings, for `rustgrad.func.sparsity`.
use super::tensor::Tensor;
use crate::{
    array::Array,
    dtype::DType,
    error::Error,
    sparse::{columns_within, recover_columns, recover_star, star, Coloring, Pattern as CorePattern},
    trace::Value,
};
use pyo3::prelude::*;

/// Which entries of a matrix can differ from zero, row by row.
#[pyclass(frozen, name = "_Pattern", module = "rustgrad._core")]
pub struct Pattern(CorePattern);

fn wrong(message: String) -> PyErr {
    Error::value("pattern", message).into()
}
fn indices(numbers: &[u32]) -> PyResult<Tensor> {
    let wide: Vec<i64> = numbers.iter().map(|&n| n.into()).collect();
    Ok(Value::Array(Array::from_slice(DType::I64, &wide)?).into())
}
fn found(coloring: &Coloring) -> PyResult<(Tensor, u32)> {
    Ok((indices(&coloring.colors)?, coloring.count))
}
#[pymethods]
impl Pattern {
    /// From the offsets of the rows and the sorted columns of each.
    #[new]
    fn new(rows: usize, width: usize, offsets: &Tensor, members: &Tensor) -> PyResult<Pattern> {
        let offsets = offsets.numbers("pattern")?.to_vec::<i64>()?.into_iter().map(|o| o as usize).collect();
        let members = members.numbers("pattern")?.to_vec::<i64>()?.into_iter().map(|m| m as u32).collect();
        CorePattern::from_parts(rows, width, offsets, members).map(Pattern).map_err(wrong)
    }
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.0.rows(), self.0.columns())
    }
    fn offsets(&self) -> PyResult<Tensor> {
        let wide: Vec<i64> = self.0.offsets().iter().map(|&o| o as i64).collect();
        Ok(Value::Array(Array::from_slice(DType::I64, &wide)?).into())
    }
    fn indices(&self) -> PyResult<Tensor> {
        indices(self.0.indices())
    }
    fn transpose(&self) -> Pattern {
        Pattern(self.0.transpose())
    }
    /// The union with the transpose.
    fn symmetrized(&self) -> PyResult<Pattern> {
        self.0.symmetrized(false).map(Pattern).map_err(wrong)
    }
    /// (colour of each column, number of colours): columns of one colour share no row. None if `most` are too few.
    #[pyo3(signature = (most=None))]
    fn color_columns(&self, most: Option<usize>) -> PyResult<Option<(Tensor, u32)>> {
        columns_within(&self.0, most.unwrap_or(usize::MAX)).map(|coloring| found(&coloring)).transpose()
    }
    /// For each entry, row by row, the colour to read it from.
    fn recover_columns(&self, colors: &Tensor, count: u32) -> PyResult<Tensor> {
        let coloring = coloring(colors, count)?;
        indices(&recover_columns(&self.0, &coloring).map_err(wrong)?)
    }
    /// (colour of each column, number of colours): a star colouring of a symmetric pattern.
    fn color_star(&self) -> PyResult<(Tensor, u32)> {
        found(&star(&self.0).map_err(wrong)?)
    }
    /// For each entry, row by row, the row and the colour to read it from.
    fn recover_star(&self, colors: &Tensor, count: u32) -> PyResult<(Tensor, Tensor)> {
        let places = recover_star(&self.0, &coloring(colors, count)?).map_err(wrong)?;
        let (rows, colors): (Vec<u32>, Vec<u32>) = places.into_iter().unzip();
        Ok((indices(&rows)?, indices(&colors)?))
    }
}
fn coloring(colors: &Tensor, count: u32) -> PyResult<Coloring> {
    let colors = colors.numbers("pattern")?.to_vec::<i64>()?.into_iter().map(|c| c as u32).collect();
    Ok(Coloring { colors, count })
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Pattern>()
}
