//! Levels for the transforms in `rustgrad.func` and `rustgrad.autograd.forward_ad`.
use super::{
    lent::{deliver, returned, returns, Lent},
    pullback::Watched,
    tensor::{run, Tensor},
};
use crate::{
    array::{Array, Aval},
    error::Error,
    graph::{Edge, GradCell, NodeRef},
    ops::expand,
    trace::{any_active, reach, series, Kind, Lanes, Level as CoreLevel, LevelRef, Randomness, Value},
};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An active transformation. `exit` ends it; tensors that stay behind raise when used.
#[pyclass(frozen, module = "rustgrad._core")]
pub struct Level {
    active: Mutex<Option<CoreLevel>>,
    lent: Mutex<Vec<Lent>>,
    pub info: LevelRef,
}
impl Level {
    pub fn of(level: CoreLevel) -> Level {
        Level::lending(level, Vec::new())
    }
    /// A level at which tensors are lent to a function.
    pub fn lending(level: CoreLevel, lent: Vec<Lent>) -> Level {
        Level { info: level.info().clone(), active: Mutex::new(Some(level)), lent: Mutex::new(lent) }
    }
    fn lent(&self) -> MutexGuard<'_, Vec<Lent>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The value of a tensor that a function returns at this level; refused while a later level holds it.
    pub fn settled(&self, tensor: &Tensor) -> PyResult<Value> {
        let value = tensor.value()?;
        reach::settled(self.info.name(), &value, &self.info)?;
        Ok(value)
    }
    fn active(&self) -> MutexGuard<'_, Option<CoreLevel>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
pub fn check_tangent(op: &'static str, primal: &Value, tangent: &Value) -> Result<(), Error> {
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
    if !primal.dtype().is_inexact() {
        return Err(Error::not_differentiable(
            op,
            format!("a {} tensor has no tangent; convert it to a float dtype first", primal.dtype()),
        ));
    }
    Ok(())
}
/// What is meant by vmap's `randomness`.
pub fn randomness_of(name: &str) -> Result<Randomness, Error> {
    match name {
        "error" => Ok(Randomness::Error),
        "different" => Ok(Randomness::Different),
        "same" => Ok(Randomness::Same),
        other => {
            let why = format!("randomness={other:?} is not one of \"error\", \"different\", \"same\"");
            Err(Error::value("vmap", why))
        }
    }
}
/// The stack of all values that a value stands for at a level: repeated `n` times if it is the same for all.
pub fn stacked(level: &LevelRef, value: Value, n: usize) -> Result<Value, Error> {
    reach::settled(level.name(), &value, level)?;
    match value.at(level) {
        Some(Kind::Batch(stack)) => Ok(stack.clone()),
        _ => expand::leading(&value, n),
    }
}
/// Zeros of the shape and dtype of a value.
pub fn zeros_of(op: &'static str, like: &Aval) -> Result<Value, Error> {
    Ok(Value::Array(Array::zeros(op, like.shape.clone(), like.dtype)?))
}
/// The value as a leaf of a level's tape, and the leaf.
pub fn watched(op: &'static str, level: &LevelRef, value: Value) -> Result<(Value, Edge), Error> {
    if !value.dtype().is_inexact() {
        return Err(Error::not_differentiable(
            op,
            format!("there is no gradient by {} tensors; convert the input to a float dtype first", value.dtype()),
        ));
    }
    let edge = Edge { node: NodeRef::leaf(Arc::<GradCell>::default()), slot: 0 };
    Ok((Value::traced(level, Kind::Taped { value, edge: edge.clone() }), edge))
}
#[pymethods]
impl Level {
    #[new]
    #[pyo3(signature = (name, lanes=None, randomness="error", strict=false))]
    fn enter(name: &str, lanes: Option<usize>, randomness: &str, strict: bool) -> PyResult<Level> {
        let name = match name {
            "jvp" => "func.jvp",
            "vmap" => "func.vmap",
            "vjp" => "func.vjp",
            "taylor" => "func.taylor",
            "sparsity" => "func.sparsity",
            _ => "dual_level",
        };
        let randomness = randomness_of(randomness)?;
        Ok(Level::of(CoreLevel::with_lanes(name, lanes.map(|count| Lanes { count, randomness, strict }))))
    }
    /// The number by which exceptions name this level.
    #[getter]
    fn id(&self) -> u64 {
        self.info.id()
    }
    fn __eq__(&self, other: &Level) -> bool {
        self.info.id() == other.info.id()
    }
    fn __hash__(&self) -> u64 {
        self.info.id()
    }
    /// Whether the transformation is over.
    #[getter]
    fn ended(&self) -> bool {
        self.info.check("level").is_err()
    }
    /// Whether a tensor from outside was written in place meanwhile.
    #[getter]
    fn wrote_outside(&self) -> bool {
        self.info.wrote_outside()
    }
    /// Whether nothing may run lane by lane here.
    #[getter]
    fn strict(&self) -> bool {
        self.info.lanes().is_some_and(|lanes| lanes.strict)
    }
    /// Whether plain numbers were asked of what stands for many here, and nobody has answered by other means yet.
    #[getter]
    fn refused(&self) -> bool {
        self.info.refused()
    }
    #[setter]
    fn set_refused(&self, yes: bool) {
        self.info.set_refused(yes);
    }
    /// What a function gets for its argument `target`: by default the slices along the first axis; `target` itself if that
    /// is given again; or a tensor of the value of `copy`, where `target` is one slice of `whole`.
    #[pyo3(signature = (target, copy=None, whole=None))]
    fn lend(
        &self,
        py: Python<'_>,
        target: Py<Tensor>,
        copy: Option<Py<Tensor>>,
        whole: Option<Py<Tensor>>,
    ) -> PyResult<Py<Tensor>> {
        let mut all = self.lent();
        let before = || all.iter().find(|lent| lent.target.is(&target) && !lent.lane.is(&target));
        let lane = match copy {
            Some(copy) if copy.is(&target) => copy,
            copy => match (before(), copy) {
                (Some(before), _) => before.lane.clone_ref(py),
                (None, Some(copy)) => Py::new(py, Lent::tensor(copy.get().value()?))?,
                (None, None) => {
                    let slices = Value::traced(&self.info, Kind::Batch(target.get().value()?));
                    Py::new(py, Lent::tensor(slices))?
                }
            },
        };
        all.push(Lent::new(target, lane.clone_ref(py), whole)?);
        Ok(lane)
    }
    /// End the transformation, and write what a function wrote into what was lent to it where it came from.
    pub fn settle(&self) -> PyResult<()> {
        let lent = std::mem::take(&mut *self.lent());
        let writes = returns(&lent, &self.info, self.info.lanes().map(|lanes| lanes.count));
        self.exit();
        Ok(deliver(writes?)?)
    }
    /// End the transformation; tensors that stay behind raise when used, and what was written into lent ones is dropped.
    pub fn exit(&self) {
        self.lent().clear();
        self.active().take();
    }
    /// `primal` travelling with `tangent`.
    fn make_dual(&self, primal: &Tensor, tangent: &Tensor) -> PyResult<Tensor> {
        let (primal, tangent) = (primal.value()?, tangent.value()?);
        check_tangent("make_dual", &primal, &tangent)?;
        Ok(reach::dual("make_dual", &self.info, primal, tangent)?.into())
    }
    /// (primal, tangent or None) at this level.
    fn unpack_dual(&self, py: Python<'_>, tensor: &Tensor) -> PyResult<(Tensor, Option<Tensor>)> {
        let value = tensor.value()?;
        // Large parts may have to be computed yet.
        let (primal, tangent) = run(py, value.len(), || reach::parts("unpack_dual", &value, &self.info))?;
        Ok((primal.into(), tangent.map(Tensor::new)))
    }
    /// `primal` travelling with the higher coefficients of a Taylor series, None for zeros.
    fn make_series(&self, primal: &Tensor, terms: Vec<Option<Py<Tensor>>>) -> PyResult<Tensor> {
        let primal = primal.value()?;
        let terms =
            terms.iter().map(|t| t.as_ref().map(|t| t.get().value()).transpose()).collect::<Result<Vec<_>, _>>()?;
        for term in terms.iter().flatten() {
            check_tangent("taylor", &primal, term)?;
        }
        Ok(series(&self.info, primal, terms).into())
    }
    /// (primal, [coefficient or None, …]) at this level.
    fn unpack_series(&self, tensor: &Tensor) -> PyResult<(Tensor, Vec<Option<Tensor>>)> {
        let value = self.settled(tensor)?;
        Ok(match value.at(&self.info) {
            Some(Kind::Series { primal, terms }) => {
                (primal.clone().into(), terms.iter().map(|t| t.clone().map(Tensor::new)).collect())
            }
            _ => (value.into(), Vec::new()),
        })
    }
    /// Whether the tensor is followed by this level's tape.
    fn is_taped(&self, tensor: &Tensor) -> PyResult<bool> {
        Ok(matches!(self.settled(tensor)?.at(&self.info), Some(Kind::Taped { .. })))
    }
    /// What random operators do inside of this level: "error", "different" or "same".
    #[getter]
    fn randomness(&self) -> &'static str {
        match self.info.lanes().map(|lanes| lanes.randomness) {
            Some(Randomness::Different) => "different",
            Some(Randomness::Same) => "same",
            _ => "error",
        }
    }
    /// What is underneath the tensor at this level: its primal, its value, or the stack of all lanes.
    fn strip(&self, tensor: &Tensor) -> PyResult<Tensor> {
        let value = self.settled(tensor)?;
        Ok(value.at(&self.info).map_or_else(|| value.clone(), |kind| kind.inner().clone()).into())
    }
    /// The slices of `stack` along its first axis, as one tensor that stands for all of them.
    fn batch(&self, stack: &Tensor) -> PyResult<Tensor> {
        Ok(Value::traced(&self.info, Kind::Batch(stack.value()?)).into())
    }
    /// The stack of all values that `tensor` stands for: repeated `n` times if it is the same for all.
    fn unbatch(&self, tensor: Bound<'_, Tensor>, n: usize) -> PyResult<Py<Tensor>> {
        if let Some(lent) = returned(&self.lent(), &tensor)? {
            return Ok(lent.target.clone_ref(tensor.py()));
        }
        Py::new(tensor.py(), Tensor::new(stacked(&self.info, tensor.get().value()?, n)?))
    }
    /// Whether the tensor stands for a stack at this level.
    fn is_batched(&self, tensor: &Tensor) -> PyResult<bool> {
        Ok(matches!(self.settled(tensor)?.at(&self.info), Some(Kind::Batch(_))))
    }
    /// Tensors as leaves of this level's tape, and what a pullback needs to know of them.
    fn watch<'py>(
        &self,
        py: Python<'py>,
        tensors: Vec<Bound<'py, Tensor>>,
    ) -> PyResult<(Vec<Bound<'py, PyAny>>, Watched)> {
        Watched::new(py, "vjp", &self.info, &tensors).map(|(watched, inputs)| (inputs, watched))
    }
    /// The value underneath this level's tape.
    fn unwatch(&self, tensor: &Tensor) -> PyResult<Tensor> {
        let value = self.settled(tensor)?;
        Ok(match value.at(&self.info) {
            Some(Kind::Taped { value, .. }) => value.clone(),
            _ => value,
        }
        .into())
    }
}
/// Whether any transformation is active on this thread.
#[pyfunction]
fn _any_active() -> bool {
    any_active()
}
/// How the innermost transformation that watches any of the tensors does so: (level or None, kind).
///
/// The kind is "plain" (nobody watches), "tape", "dual", "batch", "series" or "sets"; the bottom tape has no level.
#[pyfunction]
fn _innermost(tensors: Vec<Py<Tensor>>) -> PyResult<(Option<Level>, &'static str)> {
    let mut found: (Option<LevelRef>, &'static str) = (None, "plain");
    for tensor in &tensors {
        match &tensor.get().value()? {
            Value::Array(_) => {}
            Value::Taped(_) if found.0.is_none() => found.1 = "tape",
            Value::Taped(_) => {}
            Value::Traced(t) => {
                if found.0.as_ref().is_none_or(|level| t.level.id() > level.id()) {
                    let kind = match &t.kind {
                        Kind::Dual { .. } => "dual",
                        Kind::Batch(_) => "batch",
                        Kind::Taped { .. } => "tape",
                        Kind::Series { .. } => "series",
                        Kind::Sets { .. } => "sets",
                    };
                    found = (Some(t.level.clone()), kind);
                }
            }
        }
    }
    Ok((found.0.map(|info| Level { info, active: Mutex::new(None), lent: Mutex::default() }), found.1))
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(_any_active, m)?)?;
    m.add_function(wrap_pyfunction!(_innermost, m)?)?;
    m.add_class::<Level>()
}
