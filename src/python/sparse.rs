//! Following elements to what depends on them, patterns of sparse matrices, and their colourings.
use super::{func::Level, tensor::Tensor};
use crate::{
    array::Array,
    dtype::DType,
    error::Error,
    sparse::{columns_within, recover_columns, recover_star, star, Coloring, Pattern as CorePattern},
    trace::{
        sets::{depending, elementwise, everything, Followed, Sets},
        Kind, LevelRef, Value,
    },
};
use pyo3::prelude::*;
use std::sync::Arc;

/// A value underneath a level that follows patterns, and what its elements depend on.
fn known<'a>(level: &LevelRef, value: &'a Value) -> (&'a Value, Option<&'a Arc<Sets>>) {
    match value.at(level) {
        Some(Kind::Sets { value, sets }) => (value, Some(sets)),
        _ => (value, None),
    }
}
#[pymethods]
impl Level {
    /// `tensor` with every element followed to the results that depend on it; they are numbered from `start` on.
    #[pyo3(signature = (tensor, start=0))]
    fn follow(&self, tensor: &Tensor, start: usize) -> PyResult<Tensor> {
        let value = tensor.value()?;
        let end = start.saturating_add(value.len());
        if end >= u32::MAX as usize {
            return Err(Error::memory("sparsity", format!("cannot follow {end} elements")).into());
        }
        let sets = Arc::new(Sets::of_inputs(start, value.len()));
        Ok(depending(&self.info, value, sets).into())
    }
    /// (value, row offsets, columns): which followed elements each element of the tensor depends on.
    fn unfollow(&self, tensor: &Tensor) -> PyResult<(Tensor, Tensor, Tensor)> {
        let value = self.settled(tensor)?;
        let array = |numbers: Vec<i64>| Array::from_slice(DType::I64, &numbers).map(|a| Tensor::new(Value::Array(a)));
        Ok(match value.at(&self.info) {
            Some(Kind::Sets { value, sets }) => (
                value.clone().into(),
                array(sets.offsets.iter().map(|&o| o as i64).collect())?,
                array(sets.members.iter().map(|&m| m.into()).collect())?,
            ),
            _ => {
                let n = value.len() + 1;
                (value.into(), array(vec![0; n])?, array(Vec::new())?)
            }
        })
    }
    /// `tensor` as depending on all followed elements that it, or any of `inputs`, depends on.
    fn depend_on_all(&self, tensor: &Tensor, inputs: Vec<Py<Tensor>>) -> PyResult<Tensor> {
        let values = inputs.iter().map(|t| t.get().value()).collect::<Result<Vec<_>, _>>()?;
        let tensor = tensor.value()?;
        let (value, own) = known(&self.info, &tensor);
        let mut sets: Vec<_> = values.iter().map(|v| known(&self.info, v).1).collect();
        sets.push(own);
        let sets = everything(&sets, value.len())?;
        Ok(depending(&self.info, value.clone(), sets).into())
    }
    /// `tensor` as depending on what a rule reads of `inputs`, which `probe` followed through it: `slopes` are the
    /// tangent, or (`start`: the number of the tensor's first cotangent) the cotangents of all inputs. None if that is
    /// not proven.
    #[pyo3(signature = (tensor, inputs, probe, slopes, start=None))]
    fn depend_through(
        &self,
        tensor: &Tensor,
        inputs: Vec<Py<Tensor>>,
        probe: &Level,
        slopes: Vec<Option<Py<Tensor>>>,
        start: Option<usize>,
    ) -> PyResult<Option<Tensor>> {
        let values = inputs.iter().map(|t| self.settled(t.get())).collect::<PyResult<Vec<_>>>()?;
        let slopes = slopes
            .iter()
            .map(|t| t.as_ref().map(|t| probe.settled(t.get())).transpose())
            .collect::<PyResult<Vec<_>>>()?;
        let slopes: Vec<_> = slopes.iter().map(|s| s.as_ref().map(|s| known(&probe.info, s))).collect();
        let inputs: Vec<_> = values.iter().map(|v| known(&self.info, v)).collect();
        let value = self.settled(tensor)?;
        if probe.info.lost() {
            return Ok(None);
        }
        let (value, own) = known(&self.info, &value);
        let Some(sets) = Followed { inputs: &inputs, slopes: &slopes }.through(value.len(), start)? else {
            return Ok(None);
        };
        let sets = elementwise(&[Some(&sets), own])?;
        Ok(Some(depending(&self.info, value.clone(), sets).into()))
    }
}

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
