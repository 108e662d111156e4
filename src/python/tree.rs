//! Nested tuples, lists and dicts of tensors, taken apart and put together; `optree` does it for all other trees.
use super::tensor::Tensor;
use crate::error::Error;
use pyo3::{
    prelude::*,
    types::{PyDict, PyList, PyString, PyTuple},
    IntoPyObjectExt,
};

/// Deeper trees are left to `optree`, which has a limit of its own.
const DEPTH: usize = 64;
/// How a tree is put together.
pub enum Nest {
    Leaf,
    Tuple(Vec<Nest>),
    List(Vec<Nest>),
    /// Keys in the order of the dict; parts in that of the sorted keys, as `optree` has them, each with its key's place.
    Dict(Vec<Py<PyString>>, Vec<(usize, Nest)>),
}
impl Nest {
    /// The structure of a tree whose leaves, all tensors, are added to `leaves`; None if there is anything else to it.
    pub fn of<'py>(
        tree: &Bound<'py, PyAny>,
        leaves: &mut Vec<Bound<'py, Tensor>>,
        depth: usize,
    ) -> PyResult<Option<Nest>> {
        if let Ok(leaf) = tree.cast::<Tensor>() {
            leaves.push(leaf.clone());
            return Ok(Some(Nest::Leaf));
        }
        if depth == DEPTH {
            return Ok(None);
        }
        let mut within = |parts: &mut dyn Iterator<Item = Bound<'py, PyAny>>| -> PyResult<Option<Vec<Nest>>> {
            parts.map(|part| Nest::of(&part, leaves, depth + 1)).collect()
        };
        if let Ok(tuple) = tree.cast_exact::<PyTuple>() {
            return Ok(within(&mut tuple.iter())?.map(Nest::Tuple));
        }
        if let Ok(list) = tree.cast_exact::<PyList>() {
            return Ok(within(&mut list.iter())?.map(Nest::List));
        }
        let Ok(dict) = tree.cast_exact::<PyDict>() else { return Ok(None) };
        let mut entries = Vec::with_capacity(dict.len());
        for (place, (key, value)) in dict.iter().enumerate() {
            let Ok(key) = key.cast_into_exact::<PyString>() else { return Ok(None) };
            let Ok(text) = key.to_str().map(str::to_owned) else { return Ok(None) };
            entries.push((text, place, key.unbind(), value));
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let Some(nests) = within(&mut entries.iter().map(|entry| entry.3.clone()))? else { return Ok(None) };
        let parts = entries.iter().map(|entry| entry.1).zip(nests).collect();
        entries.sort_unstable_by_key(|entry| entry.1);
        Ok(Some(Nest::Dict(entries.into_iter().map(|entry| entry.2).collect(), parts)))
    }
    /// The tree of this structure with the next of these leaves.
    pub fn filled<'py>(
        &self,
        py: Python<'py>,
        leaves: &mut dyn Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Nest::Leaf => leaves.next().ok_or_else(|| Error::value("unflatten", "there are too few leaves").into()),
            Nest::Tuple(parts) => {
                let parts = parts.iter().map(|part| part.filled(py, leaves)).collect::<PyResult<Vec<_>>>()?;
                Ok(PyTuple::new(py, parts)?.into_any())
            }
            Nest::List(parts) => {
                let parts = parts.iter().map(|part| part.filled(py, leaves)).collect::<PyResult<Vec<_>>>()?;
                Ok(PyList::new(py, parts)?.into_any())
            }
            Nest::Dict(keys, parts) => {
                let mut values = vec![None; keys.len()];
                for (place, part) in parts {
                    values[*place] = Some(part.filled(py, leaves)?);
                }
                let dict = PyDict::new(py);
                for (key, value) in keys.iter().zip(values) {
                    dict.set_item(key, value)?;
                }
                Ok(dict.into_any())
            }
        }
    }
    fn count(&self) -> usize {
        match self {
            Nest::Leaf => 1,
            Nest::Tuple(parts) | Nest::List(parts) => parts.iter().map(Nest::count).sum(),
            Nest::Dict(_, parts) => parts.iter().map(|(_, part)| part.count()).sum(),
        }
    }
    pub fn alike(&self, py: Python<'_>, other: &Nest) -> PyResult<bool> {
        let all = |a: &[Nest], b: &[Nest]| -> PyResult<bool> {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b) {
                if !a.alike(py, b)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match (self, other) {
            (Nest::Leaf, Nest::Leaf) => Ok(true),
            (Nest::Tuple(a), Nest::Tuple(b)) | (Nest::List(a), Nest::List(b)) => all(a, b),
            (Nest::Dict(keys, a), Nest::Dict(others, b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for ((i, a), (j, b)) in a.iter().zip(b) {
                    if !keys[*i].bind(py).as_any().eq(others[*j].bind(py))? || !a.alike(py, b)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
/// A structure for Python. A lone tensor is None there, and a tuple of n tensors n: nearly all calls have one of these.
#[pyclass(frozen, module = "rustgrad._core")]
pub struct _Nest(pub Nest);
#[pymethods]
impl _Nest {
    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        other.cast::<_Nest>().map_or(Ok(false), |other| self.0.alike(py, &other.get().0))
    }
    /// How many leaves there are.
    #[getter]
    fn count(&self) -> usize {
        self.0.count()
    }
    /// The tree of this structure with these leaves.
    fn filled<'py>(&self, leaves: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyAny>> {
        let mut rest = leaves.iter();
        let tree = self.0.filled(leaves.py(), &mut rest)?;
        match rest.next() {
            None => Ok(tree),
            Some(_) => Err(Error::value("unflatten", "there are too many leaves").into()),
        }
    }
}
/// A structure as Python has it.
pub fn shown(py: Python<'_>, nest: Nest) -> PyResult<Bound<'_, PyAny>> {
    match &nest {
        Nest::Leaf => Ok(py.None().into_bound(py)),
        Nest::Tuple(parts) if parts.iter().all(|part| matches!(part, Nest::Leaf)) => parts.len().into_bound_py_any(py),
        _ => _Nest(nest).into_bound_py_any(py),
    }
}
/// (leaves, structure) of tensors in tuples, lists and dicts; None if there is anything else to the tree.
#[pyfunction]
fn _flatten<'py>(tree: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyList>, Bound<'py, PyAny>)>> {
    let mut leaves = Vec::new();
    match Nest::of(tree, &mut leaves, 0)? {
        Some(nest) => Ok(Some((PyList::new(tree.py(), leaves)?, shown(tree.py(), nest)?))),
        None => Ok(None),
    }
}
/// One entry (None or an integer) of `prefix` for each tensor of `tree`, where both are nested alike so far as the prefix
/// is; None if there is anything else to either.
#[pyfunction]
fn _spread<'py>(prefix: &Bound<'py, PyAny>, tree: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
    let entries = PyList::empty(tree.py());
    Ok(spread(prefix, tree, &entries)?.then_some(entries))
}
pub fn spread<'py>(
    prefix: &Bound<'py, PyAny>,
    tree: &Bound<'py, PyAny>,
    entries: &Bound<'py, PyList>,
) -> PyResult<bool> {
    if prefix.is_none() || prefix.is_exact_instance_of::<pyo3::types::PyInt>() {
        let mut leaves = Vec::new();
        if Nest::of(tree, &mut leaves, 0)?.is_none() {
            return Ok(false);
        }
        leaves.iter().try_for_each(|_| entries.append(prefix))?;
        return Ok(true);
    }
    let (Ok(prefixes), Ok(parts)) = (prefix.cast_exact::<PyTuple>(), tree.cast_exact::<PyTuple>()) else {
        return Ok(false);
    };
    if prefixes.len() != parts.len() {
        return Ok(false);
    }
    for (prefix, part) in prefixes.iter().zip(parts.iter()) {
        // Deeper prefixes are rare.
        let plain = prefix.is_none() || prefix.is_exact_instance_of::<pyo3::types::PyInt>();
        if !plain || !spread(&prefix, &part, entries)? {
            return Ok(false);
        }
    }
    Ok(true)
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<_Nest>()?;
    m.add_function(wrap_pyfunction!(_flatten, m)?)?;
    m.add_function(wrap_pyfunction!(_spread, m)?)
}
