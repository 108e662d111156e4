//! `func.vjp` of tensors in tuples, lists and dicts: one call that records, and an object that pulls cotangents back.
use super::{
    direct::{arguments, tensor},
    func::{watched, zeros_of, Level},
    tensor::Tensor,
    tree::{shown, Nest},
};
use crate::{
    graph::{
        sweep::{seed, sweep, Options},
        Edge,
    },
    trace::{reach, Kind, Level as CoreLevel, LevelRef, Value},
};
use pyo3::{prelude::*, types::PyTuple, IntoPyObjectExt};

/// The inputs of a function, whose values a level's tape follows.
pub struct Watched {
    values: Vec<Value>,
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
        let (mut values, mut edges) = (Vec::with_capacity(xs.len()), Vec::with_capacity(xs.len()));
        let mut inputs = Vec::with_capacity(xs.len());
        for x in xs {
            let value = x.get().value()?;
            let (input, edge) = watched(op, level, value.clone())?;
            inputs.push(tensor(py, input)?);
            values.push(value);
            edges.push(edge);
        }
        Ok((Watched { values, edges }, inputs))
    }
    /// Their cotangents from those of outputs of the level, zeros where there is no dependence.
    pub fn pulled<'py>(
        &self,
        py: Python<'py>,
        op: &'static str,
        level: &LevelRef,
        roots: Vec<(Edge, Value)>,
        retain_graph: bool,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let options = Options {
            retain_graph,
            create_graph: false,
            level: Some(level),
            capture: Some(&self.edges),
            accumulate: false,
            every_leaf: true,
        };
        let found = py.detach(|| sweep(roots, &options))?;
        let filled = found.into_iter().zip(&self.values).map(|(g, like)| g.map_or_else(|| zeros_of(op, like), Ok));
        filled.map(|g| tensor(py, g?)).collect()
    }
}

/// Pulls the cotangent of a lone tensor back to the inputs of the function that made it.
#[pyclass(frozen, module = "rustgrad._core")]
struct _Pullback {
    level: LevelRef,
    output: Value,
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
        let g = seed("vjp", &self.output, Some(&g.get().value()?))?;
        let roots = match self.output.at(&self.level) {
            Some(Kind::Taped { edge, .. }) => vec![(edge.clone(), g)],
            _ => Vec::new(),
        };
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
    let out = func.call1(arguments(py, &nest, inputs.clone())?)?;
    let (Ok(y), false) = (out.cast::<Tensor>(), has_aux) else {
        let (level, inputs) = (Bound::new(py, Level::of(level))?, PyTuple::new(py, inputs)?);
        let given = unpack.call1((&level, inputs, out, shown(py, nest)?));
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
    let pull = _Pullback { level: info, output, inputs: followed, nest, refuse: refuse.clone().unbind() };
    (Tensor::new(value), pull).into_bound_py_any(py).map(Some)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<_Pullback>()?;
    m.add_function(wrap_pyfunction!(_vjp, m)?)
}
