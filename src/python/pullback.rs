//! `func.vjp` of tensors in tuples, lists and dicts: one call that records, and an object that pulls cotangents back.
use super::{
    direct::{arguments, tensor},
    func::{watched, zeros_of, Level},
    tensor::Tensor,
    tree::{shown, Nest},
};
use crate::{
    array::Aval,
    graph::{
        sweep::{seed, sweep, Options},
        Edge,
    },
    trace::{reach, Kind, Level as CoreLevel, LevelRef, Value},
};
use pyo3::{prelude::*, types::PyTuple, IntoPyObjectExt};
use smallvec::SmallVec;

/// The inputs of a function that a level's tape follows, as they were before it was called: it may write to what it gets.
/// Their numbers are not held: what rules read lies on the tape.
#[pyclass(frozen, name = "_Watched", module = "rustgrad._core")]
pub struct Watched {
    avals: Vec<Aval>,
    edges: Vec<Edge>,
}
impl Watched {
    /// The values of tensors and, for the function, tensors that the level follows.
    pub fn new<'py>(
        py: Python<'py>,
        op: &'static str,
        level: &LevelRef,
        xs: &[Bound<'py, Tensor>],
    ) -> PyResult<(Watched, Vec<Bound<'py, PyAny>>)> {
        let (mut avals, mut edges) = (Vec::with_capacity(xs.len()), Vec::with_capacity(xs.len()));
        let mut inputs = Vec::with_capacity(xs.len());
        for x in xs {
            let value = x.get().value()?;
            avals.push(value.aval());
            let (input, edge) = watched(op, level, value)?;
            inputs.push(tensor(py, input)?);
            edges.push(edge);
        }
        Ok((Watched { avals, edges }, inputs))
    }
    /// Their cotangents from those of outputs of the level; nothing where there is no dependence.
    fn found(
        &self,
        py: Python<'_>,
        level: &LevelRef,
        roots: Vec<(Edge, Value)>,
        retain_graph: bool,
    ) -> PyResult<Vec<Option<Value>>> {
        let options = Options {
            retain_graph,
            create_graph: false,
            level: Some(level),
            capture: Some(&self.edges),
            accumulate: false,
            every_leaf: true,
        };
        Ok(py.detach(|| sweep(roots, &options))?)
    }
    /// As `found`, zeros where there is no dependence.
    pub fn pulled<'py>(
        &self,
        py: Python<'py>,
        op: &'static str,
        level: &LevelRef,
        roots: Vec<(Edge, Value)>,
        retain_graph: bool,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let found = self.found(py, level, roots, retain_graph)?.into_iter().zip(&self.avals);
        found.map(|(g, like)| tensor(py, g.map_or_else(|| zeros_of(op, like), Ok)?)).collect()
    }
}
/// An output of a level: what its cotangent must be like and where that goes, if anywhere. Its numbers are not held.
struct Output {
    aval: Aval,
    edge: Option<Edge>,
}
impl Output {
    fn new(value: &Value, level: &LevelRef) -> Output {
        Output { aval: value.aval(), edge: value.edge_at(Some(level)).cloned() }
    }
    fn root(&self, cotangent: &Tensor) -> PyResult<Option<(Edge, Value)>> {
        let g = seed("vjp", &self.aval, Some(&cotangent.value()?))?;
        Ok(self.edge.clone().map(|edge| (edge, g)))
    }
}

/// Pulls cotangents of several outputs of a level back to what is watched there.
#[pyclass(frozen, module = "rustgrad._core")]
struct _Pull {
    level: LevelRef,
    outputs: SmallVec<[Output; 2]>,
    inputs: Py<Watched>,
}
#[pymethods]
impl _Pull {
    #[new]
    fn of(level: &Level, outputs: Vec<Py<Tensor>>, inputs: Py<Watched>) -> PyResult<_Pull> {
        let output = |y: &Py<Tensor>| level.settled(y.get()).map(|value| Output::new(&value, &level.info));
        let outputs = outputs.iter().map(output).collect::<PyResult<_>>()?;
        Ok(_Pull { level: level.info.clone(), outputs, inputs })
    }
    /// The cotangents of the inputs from one for each output; None, or zeros with `fill`, where there is no dependence.
    #[pyo3(signature = (cotangents, retain_graph=true, fill=false))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        cotangents: Vec<Py<Tensor>>,
        retain_graph: bool,
        fill: bool,
    ) -> PyResult<Vec<Option<Bound<'py, PyAny>>>> {
        let mut roots = Vec::with_capacity(self.outputs.len());
        for (output, g) in self.outputs.iter().zip(&cotangents) {
            roots.extend(output.root(g.get())?);
        }
        let inputs = self.inputs.get();
        if fill {
            let pulled = inputs.pulled(py, "vjp", &self.level, roots, retain_graph)?;
            return Ok(pulled.into_iter().map(Some).collect());
        }
        let found = inputs.found(py, &self.level, roots, retain_graph)?;
        found.into_iter().map(|g| g.map(|g| tensor(py, g)).transpose()).collect()
    }
}

/// Pulls the cotangent of a lone tensor back to the inputs of the function that made it.
#[pyclass(frozen, module = "rustgrad._core")]
struct _Pullback {
    level: LevelRef,
    output: Output,
    inputs: Watched,
    nest: Nest,
    /// Raises what is to be said of cotangents that are no tensor.
    refuse: Py<PyAny>,
}
#[pymethods]
impl _Pullback {
    // PyTorch's `create_graph` changes nothing here: what a pullback returns can always be differentiated.
    #[pyo3(signature = (cotangents, retain_graph=true, create_graph=None))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        cotangents: &Bound<'py, PyAny>,
        retain_graph: bool,
        create_graph: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = create_graph;
        let Ok(g) = cotangents.cast::<Tensor>() else { return self.refuse.bind(py).call1((cotangents,)) };
        let roots = self.output.root(g.get())?.into_iter().collect();
        let found = self.inputs.pulled(py, "vjp", &self.level, roots, retain_graph)?;
        self.nest.filled(py, &mut found.into_iter())
    }
}
/// (value, pullback) of `func` at tensors, or None before anything is called if there is more than tensors to it.
/// What is not a lone tensor in the end goes to `unpack(level, inputs, output, structure)`, the level still active.
#[pyfunction]
#[pyo3(signature = (func, primals, unpack, refuse, has_aux))]
fn _vjp<'py>(
    py: Python<'py>,
    func: &Bound<'py, PyAny>,
    primals: &Bound<'py, PyTuple>,
    unpack: &Bound<'py, PyAny>,
    refuse: &Bound<'py, PyAny>,
    has_aux: bool,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut xs = Vec::new();
    let Some(nest) = Nest::of(primals, &mut xs, 0)? else { return Ok(None) };
    if xs.is_empty() {
        return Ok(None);
    }
    let level = CoreLevel::enter("func.vjp");
    let (followed, inputs) = Watched::new(py, "vjp", level.info(), &xs)?;
    let out = func.call1(arguments(py, &nest, inputs)?)?;
    let (Ok(y), false) = (out.cast::<Tensor>(), has_aux) else {
        let level = Bound::new(py, Level::of(level))?;
        let given = unpack.call1((&level, followed, out, shown(py, nest)?));
        level.get().exit();
        return given.map(Some);
    };
    let output = y.get().value()?;
    let info = level.info().clone();
    drop(level);
    reach::settled("func.vjp", &output, &info)?;
    let value = match output.at(&info) {
        Some(Kind::Taped { value, .. }) => value.clone(),
        _ => output.clone(),
    };
    let output = Output::new(&output, &info);
    let pull = _Pullback { level: info, output, inputs: followed, nest, refuse: refuse.clone().unbind() };
    (Tensor::new(value), pull).into_bound_py_any(py).map(Some)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Watched>()?;
    m.add_class::<_Pull>()?;
    m.add_class::<_Pullback>()?;
    m.add_function(wrap_pyfunction!(_vjp, m)?)
}
