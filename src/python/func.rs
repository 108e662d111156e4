//! Levels for the transforms in `rustgrad.func` and `rustgrad.autograd.forward_ad`.
use super::tensor::Tensor;
use crate::{
    error::Error,
    graph::{
        sweep::{seed, sweep, Options},
        Edge, GradCell, NodeRef,
    },
    ops::expand,
    trace::{Kind, Level as CoreLevel, LevelRef, Value},
};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An active transformation. `exit` ends it; tensors that stay behind raise when used.
#[pyclass(frozen, module = "rustgrad._core")]
struct Level {
    active: Mutex<Option<CoreLevel>>,
    info: LevelRef,
}
impl Level {
    fn active(&self) -> MutexGuard<'_, Option<CoreLevel>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
fn check_tangent(op: &'static str, primal: &Value, tangent: &Value) -> Result<(), Error> {
    if primal.shape() != tangent.shape() || primal.dtype() != tangent.dtype() {
        return Err(Error::shape(
            op,
            format!(
                "the tangent {} {} does not fit the primal {} {}; shape and dtype must be equal",
                tangent.dtype(),
                crate::shape::show(tangent.shape()),
                primal.dtype(),
                crate::shape::show(primal.shape())
            ),
        ));
    }
    if !primal.dtype().is_float() {
        return Err(Error::not_differentiable(
            op,
            format!("a {} tensor has no tangent; convert it to a float dtype first", primal.dtype()),
        ));
    }
    Ok(())
}
#[pymethods]
impl Level {
    #[new]
    fn enter(name: &str) -> Level {
        let name = match name {
            "jvp" => "func.jvp",
            "vmap" => "func.vmap",
            "vjp" => "func.vjp",
            _ => "dual_level",
        };
        let level = CoreLevel::enter(name);
        Level { info: level.info().clone(), active: Mutex::new(Some(level)) }
    }
    /// End the transformation; tensors that stay behind raise when used.
    fn exit(&self) {
        self.active().take();
    }
    /// `primal` travelling with `tangent`.
    fn make_dual(&self, primal: &Tensor, tangent: &Tensor) -> PyResult<Tensor> {
        let (primal, tangent) = (primal.value()?, tangent.value()?);
        check_tangent("make_dual", &primal, &tangent)?;
        if matches!(primal.at(&self.info), Some(Kind::Dual { .. })) {
            return Err(
                Error::graph("make_dual", "the tensor has a tangent at this level already; unpack it first").into()
            );
        }
        Ok(Value::traced(&self.info, Kind::Dual { primal, tangent }).into())
    }
    /// (primal, tangent or None) at this level.
    fn unpack_dual(&self, tensor: &Tensor) -> PyResult<(Tensor, Option<Tensor>)> {
        let value = tensor.value()?;
        Ok(match value.at(&self.info) {
            Some(Kind::Dual { primal, tangent }) => (primal.clone().into(), Some(tangent.clone().into())),
            _ => (value.into(), None),
        })
    }
    /// The slices of `stack` along its first axis, as one tensor that stands for all of them.
    fn batch(&self, stack: &Tensor) -> PyResult<Tensor> {
        Ok(Value::traced(&self.info, Kind::Batch(stack.value()?)).into())
    }
    /// The stack of all values that `tensor` stands for: repeated `n` times if it is the same for all.
    fn unbatch(&self, tensor: &Tensor, n: usize) -> PyResult<Tensor> {
        let value = tensor.value()?;
        Ok(match value.at(&self.info) {
            Some(Kind::Batch(stack)) => stack.clone(),
            _ => expand::leading(&value, n)?,
        }
        .into())
    }
    /// Whether the tensor stands for a stack at this level.
    fn is_batched(&self, tensor: &Tensor) -> PyResult<bool> {
        Ok(matches!(tensor.value()?.at(&self.info), Some(Kind::Batch(_))))
    }
    /// `tensor` as a leaf of this level's tape.
    fn watch(&self, tensor: &Tensor) -> PyResult<Tensor> {
        let value = tensor.value()?;
        if !value.dtype().is_float() {
            return Err(Error::not_differentiable(
                "vjp",
                format!("a {} tensor has no gradient; convert it to a float dtype first", value.dtype()),
            )
            .into());
        }
        let edge = Edge { node: NodeRef::leaf(Arc::<GradCell>::default()), slot: 0 };
        Ok(Value::traced(&self.info, Kind::Taped { value, edge }).into())
    }
    /// The value underneath this level's tape.
    fn unwatch(&self, tensor: &Tensor) -> PyResult<Tensor> {
        let value = tensor.value()?;
        Ok(match value.at(&self.info) {
            Some(Kind::Taped { value, .. }) => value.clone(),
            _ => value,
        }
        .into())
    }
    /// Cotangents of `inputs` (as returned by `watch`) from those of `outputs`; None where there is no dependence.
    fn pull(
        &self,
        py: Python<'_>,
        outputs: Vec<Py<Tensor>>,
        cotangents: Vec<Py<Tensor>>,
        inputs: Vec<Py<Tensor>>,
        retain: bool,
    ) -> PyResult<Vec<Option<Tensor>>> {
        let edge = |v: &Value| match v.at(&self.info) {
            Some(Kind::Taped { edge, .. }) => Some(edge.clone()),
            _ => None,
        };
        let mut roots = Vec::new();
        for (output, g) in outputs.iter().zip(&cotangents) {
            let value = output.get().value()?;
            let g = seed("vjp", &value, Some(&g.get().value()?))?;
            if let Some(edge) = edge(&value) {
                roots.push((edge, g));
            }
        }
        let edges = inputs
            .iter()
            .map(|t| edge(&t.get().value()?).ok_or_else(|| Error::graph("vjp", "an input is not of this level")))
            .collect::<Result<Vec<_>, _>>()?;
        let options = Options {
            retain_graph: retain,
            create_graph: false,
            level: Some(&self.info),
            capture: Some(&edges),
            accumulate: false,
        };
        let found = py.detach(|| sweep(roots, &options))?;
        Ok(found.into_iter().map(|g| g.map(Tensor::new)).collect())
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Level>()
}
