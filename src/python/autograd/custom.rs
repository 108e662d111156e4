//! Functions with rules written in Python, and hooks on saved values: how the graph calls them.
use super::super::{error::foreign, func::Level, tensor::Tensor};
use crate::{
    error::{Error, Result},
    graph::{origin, packing, pullback},
    op::{Saved, Slopes, Values, Which},
    ops::custom::{Custom, Reverse},
    shape::show,
    trace::{grad_enabled, record_custom, LevelRef, Value},
};
use pyo3::{prelude::*, types::PyTuple};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Names of functions live as long as the process: there are as many as classes in the program.
pub(super) fn name_of(name: String) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_with(HashSet::new);
    match names.get(name.as_str()) {
        Some(known) => known,
        None => {
            let kept: &'static str = Box::leak(name.into_boxed_str());
            names.insert(kept);
            kept
        }
    }
}
/// A Python callable as a reverse rule.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    call: Py<PyAny>,
    inputs: usize,
    kept: usize,
    outputs: usize,
}
impl Rule {
    fn run(&self, py: Python<'_>, at: &Saved, gs: &[Option<Value>]) -> PyResult<Slopes> {
        let tensors = |found: Vec<Option<Value>>| {
            PyTuple::new(py, found.into_iter().map(|v| v.map(Tensor::new)).collect::<Vec<_>>())
        };
        let kept = tensors((0..self.kept).map(|i| at.kept(i).cloned()).collect())?;
        let made = tensors((0..self.outputs).map(|i| at.made(i).cloned()).collect())?;
        let given = tensors((0..self.outputs).map(|i| gs.get(i).cloned().flatten()).collect())?;
        let found: Vec<Option<Py<Tensor>>> = self.call.call1(py, (kept, made, given))?.extract(py)?;
        if found.len() != self.inputs {
            let (n, m) = (found.len(), self.inputs);
            return Err(Error::value(self.name, format!("the rule gave {n} gradients for {m} inputs")).into());
        }
        found.into_iter().map(|g| g.map(|g| Ok(g.get().value()?)).transpose()).collect()
    }
}
impl Reverse for Rule {
    fn name(&self) -> &'static str {
        self.name
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        Python::attach(|py| self.run(py, at, gs)).map_err(foreign)
    }
}

/// Record outputs that were computed elsewhere with the reverse rule `call(kept, outputs, gradients)`.
///
/// `level`: the tape (None: plain requires_grad); `inputs`: as that tape sees them; `kept`: what the rule reads, as the
/// levels below see it: one entry per input (None: not read), then any other values; `constant`: outputs without slope.
#[pyfunction]
fn _record(
    level: Option<&Level>,
    name: String,
    call: Py<PyAny>,
    inputs: Vec<Py<Tensor>>,
    kept: Vec<Option<Py<Tensor>>>,
    outputs: Vec<Py<Tensor>>,
    keep_outputs: bool,
    constant: Vec<bool>,
) -> PyResult<Vec<Tensor>> {
    let level: Option<LevelRef> = level.map(|l| l.info.clone());
    let values = |tensors: &[Py<Tensor>]| tensors.iter().map(|t| t.get().value()).collect::<Result<Vec<_>>>();
    let (xs, ys) = (values(&inputs)?, values(&outputs)?);
    let mut saves = Which::NONE;
    let mut shown = Vec::with_capacity(kept.len());
    for (i, value) in kept.iter().enumerate() {
        shown.push(match value {
            Some(t) => {
                saves = saves.with(i);
                t.get().value()?
            }
            // Not read, but from the 64th on all are kept: stand in with the input itself.
            None => xs.get(i).or(ys.first()).cloned().ok_or_else(|| Error::graph("function", "has no inputs"))?,
        });
    }
    // The bottom tape keeps numbers; their history comes back with the place of the input.
    if level.is_none() {
        shown = shown.iter().map(|v| v.plain().cloned().map_or_else(|| v.clone(), Value::Array)).collect();
    }
    let rule = Rule { name: name_of(name), call, inputs: xs.len(), kept: shown.len(), outputs: ys.len() };
    let op = Custom { rule: Arc::new(rule), saves, outputs: keep_outputs };
    let ys = record_custom(level.as_ref(), op, &xs, &shown, Values::from_vec(ys), &constant)?;
    Ok(ys.into_iter().map(Tensor::new).collect())
}

/// A pair of Python callables on saved values.
struct PackHooks {
    pack: Py<PyAny>,
    unpack: Py<PyAny>,
}
struct PackedObject {
    object: Py<PyAny>,
    unpack: Py<PyAny>,
    /// Whether the value had a history on the bottom tape, which must come back with it.
    followed: bool,
}
impl packing::Pack for PackHooks {
    fn pack(&self, value: Value) -> Result<Arc<dyn packing::Unpack>> {
        Python::attach(|py| {
            let followed = matches!(value, Value::Taped(_));
            let object = self.pack.call1(py, (Tensor::new(value),))?;
            let packed = PackedObject { object, unpack: self.unpack.clone_ref(py), followed };
            Ok(Arc::new(packed) as Arc<dyn packing::Unpack>)
        })
        .map_err(foreign)
    }
}
impl packing::Unpack for PackedObject {
    fn unpack(&self) -> Result<Value> {
        Python::attach(|py| {
            let found = self.unpack.call1(py, (&self.object,))?;
            let tensor = found.bind(py).cast::<Tensor>().map_err(|_| {
                pyo3::exceptions::PyTypeError::new_err(format!(
                    "saved_tensors_hooks: the unpack hook must return a tensor, not a {}",
                    found.bind(py).get_type()
                ))
            })?;
            let value = tensor.get().value()?;
            match (self.followed, &value) {
                (true, Value::Array(_)) if grad_enabled() => Err(Error::graph(
                    "saved_tensors_hooks",
                    "a func transform saved a tensor that requires a gradient itself, and the unpack hook (or checkpoint) gave \
                     it back without that history; detach() what the transform is given, or call it without the hooks",
                )
                .into()),
                (true, _) => Ok(value),
                _ => Ok(value.plain().cloned().map_or(value, Value::Array)),
            }
        })
        .map_err(foreign)
    }
}
#[pyfunction]
fn _push_saved_hooks(pack: Py<PyAny>, unpack: Py<PyAny>) -> PyResult<()> {
    Ok(packing::push(Arc::new(PackHooks { pack, unpack }))?)
}
#[pyfunction]
fn _forbid_saved_hooks(why: String) -> PyResult<()> {
    Ok(packing::forbid(why)?)
}
#[pyfunction]
fn _pop_saved_hooks() {
    packing::pop();
}
/// None: off; otherwise whether NaN is looked for. Returns what it was.
#[pyfunction]
fn _set_detecting(mode: Option<bool>) -> Option<bool> {
    origin::set_detecting(mode)
}
/// Whether the sweep that runs now brings values and tangents apart, so that rules must be linear.
#[pyfunction]
fn _in_parts() -> bool {
    pullback::in_parts()
}
/// Whether anomaly detection is on.
///
/// >>> rg.is_anomaly_enabled()
/// False
#[pyfunction]
fn is_anomaly_enabled() -> bool {
    origin::detecting().is_some()
}
/// The shapes do not fit: said in one place for all rules written in Python.
#[pyfunction]
fn _check_gradient(name: &str, index: usize, gradient: &Tensor, input: &Tensor) -> PyResult<()> {
    let (g, x) = (gradient.value()?, input.value()?);
    if g.shape() != x.shape() {
        return Err(pyo3::exceptions::PyRuntimeError::new_err(format!(
            "{name}: the gradient of input {index} has shape {} but the input has shape {}; they must be equal",
            show(g.shape()),
            show(x.shape())
        )));
    }
    Ok(())
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(_record, m)?)?;
    m.add_function(wrap_pyfunction!(_push_saved_hooks, m)?)?;
    m.add_function(wrap_pyfunction!(_forbid_saved_hooks, m)?)?;
    m.add_function(wrap_pyfunction!(_pop_saved_hooks, m)?)?;
    m.add_function(wrap_pyfunction!(_set_detecting, m)?)?;
    m.add_function(wrap_pyfunction!(_check_gradient, m)?)?;
    m.add_function(wrap_pyfunction!(_in_parts, m)?)?;
    m.add_function(wrap_pyfunction!(is_anomaly_enabled, m)?)
}
