//! Transforms of functions of tensors in tuples, lists and dicts in one call: the way of nearly all calls, at a fraction
//! of the cost of the dozen small ones that other arguments take.
use super::{
    autograd::asks_for_numbers,
    error::DataDependentError,
    func::{check_tangent, randomness_of, stacked, zeros_of, Level},
    lent::{returned, settle, Lent},
    pullback::Watched,
    tensor::{run, Tensor},
    tree::{spread, Nest},
};
use crate::{
    array::Array,
    dtype::Scalar,
    error::Error,
    shape::{show, Dims},
    trace::{reach, Kind, Lanes, Level as CoreLevel, LevelRef, Value},
};
use pyo3::{
    prelude::*,
    types::{PyDict, PyList, PyTuple},
};

/// Value and derivative of `func` at tensors, or None before anything is called if there is more than tensors to it.
/// What is not a lone tensor in the end goes to `unpack(level, output)`.
#[pyfunction]
fn _push<'py>(
    py: Python<'py>,
    func: &Bound<'py, PyAny>,
    primals: &Bound<'py, PyTuple>,
    tangents: &Bound<'py, PyTuple>,
    unpack: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (mut xs, mut ts) = (Vec::new(), Vec::new());
    let (Some(nest), Some(other)) = (Nest::of(primals, &mut xs, 0)?, Nest::of(tangents, &mut ts, 0)?) else {
        return Ok(None);
    };
    if xs.is_empty() || !nest.alike(py, &other)? {
        return Ok(None);
    }
    let level = CoreLevel::enter("func.jvp");
    let mut duals = Vec::with_capacity(xs.len());
    for (x, t) in xs.iter().zip(ts) {
        let (primal, tangent) = (x.get().value()?, t.get().value()?);
        check_tangent("jvp", &primal, &tangent)?;
        duals.push(tensor(py, Value::traced(level.info(), Kind::Dual { primal, tangent }))?);
    }
    let out = func.call1(arguments(py, &nest, duals)?)?;
    let Ok(y) = out.cast::<Tensor>() else {
        let level = Bound::new(py, Level::of(level))?;
        let pair = unpack.call1((&level, out));
        level.get().exit();
        return pair.map(Some);
    };
    let value = y.get().value()?;
    // Large results may have to be computed yet.
    let parts = run(py, value.len(), || reach::parts("func.jvp", &value, level.info()))?;
    let (primal, tangent) = match parts {
        (primal, Some(tangent)) => (primal, tangent),
        (value, None) => (value.clone(), zeros_of("jvp", &value.aval())?),
    };
    let pair = PyTuple::new(py, [Tensor::new(primal), Tensor::new(tangent)])?;
    Ok(Some(pair.into_any()))
}

pub fn tensor(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(Bound::new(py, Tensor::new(value))?.into_any())
}
/// Leaves put back into the tuple of arguments that they were found in.
pub fn arguments<'py>(py: Python<'py>, nest: &Nest, leaves: Vec<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyTuple>> {
    Ok(nest.filled(py, &mut leaves.into_iter())?.cast_into::<PyTuple>()?)
}
/// What `grad` refuses: anything but one real number.
fn single_number(out: &Bound<'_, PyAny>) -> PyResult<Value> {
    let Ok(y) = out.cast::<Tensor>() else {
        let kind = out.get_type().name()?;
        return Err(Error::value(
            "grad",
            format!("the function must return a 0-d tensor, not {kind}; reduce it, e.g. with .sum()"),
        )
        .into());
    };
    let value = y.get().value()?;
    if value.rank() != 0 {
        let shape = show(value.shape());
        return Err(Error::value(
            "grad",
            format!("the function must return a 0-d tensor, not {shape}; reduce it, e.g. with .sum()"),
        )
        .into());
    }
    if value.dtype().is_complex() {
        return Err(Error::dtype(
            "grad",
            format!("the function must return a real number, not {}; take .real or .abs()", value.dtype()),
        )
        .into());
    }
    Ok(value)
}
/// The gradients by `inputs` of an output of the level, and the output's own value.
fn differentiated<'py>(
    py: Python<'py>,
    info: &LevelRef,
    output: &Value,
    inputs: &Watched,
) -> PyResult<(Vec<Bound<'py, PyAny>>, Value)> {
    reach::settled("func.grad", output, info)?;
    let (roots, value) = match output.at(info) {
        Some(Kind::Taped { value, edge }) => {
            let one = Array::full("grad", Dims::new(), output.dtype(), Scalar::Float(1.0))?;
            (vec![(edge.clone(), Value::Array(one))], value)
        }
        _ => (Vec::new(), output),
    };
    Ok((inputs.pulled(py, "grad", info, roots, false)?, value.clone()))
}
/// (gradient by argument `place`, value) of a function of positional arguments, or None before anything is called if
/// there is more than tensors to that argument.
#[pyfunction]
#[pyo3(signature = (func, place, args, kwargs=None))]
fn _gradient<'py>(
    func: &Bound<'py, PyAny>,
    place: usize,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Option<(Bound<'py, PyAny>, Tensor)>> {
    let py = func.py();
    let mut xs = Vec::new();
    let Some(nest) = Nest::of(&args.get_item(place)?, &mut xs, 0)? else { return Ok(None) };
    if xs.is_empty() {
        return Ok(None);
    }
    let level = CoreLevel::enter("func.vjp");
    let (watched, inputs) = Watched::new(py, "grad", level.info(), &xs)?;
    let chosen = nest.filled(py, &mut inputs.into_iter())?;
    let all = args.iter().enumerate().map(|(i, arg)| if i == place { chosen.clone() } else { arg });
    let out = func.call(PyTuple::new(py, all.collect::<Vec<_>>())?, kwargs)?;
    let y = single_number(&out)?;
    let info = level.info().clone();
    drop(level);
    let (gradients, y) = differentiated(py, &info, &y, &watched)?;
    Ok(Some((nest.filled(py, &mut gradients.into_iter())?, Tensor::new(y))))
}
/// What became of a function run for all lanes: (None, its results), or what refused and the level, which is over.
type Ran<'py> = (Option<PyErr>, Bound<'py, PyAny>);
/// `func` at tensors of which those with a number in `in_dims` are sliced along their first axis, run for all slices at
/// once; None before anything is called if there is more to it. Results other than tensors in tuples, lists and dicts go to
/// `finish(level, output, lanes)`.
#[pyfunction]
fn _over_lanes<'py>(
    py: Python<'py>,
    func: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
    in_dims: &Bound<'py, PyAny>,
    randomness: &str,
    finish: &Bound<'py, PyAny>,
) -> PyResult<Option<Ran<'py>>> {
    let (mut xs, dims) = (Vec::new(), PyList::empty(py));
    let Some(nest) = Nest::of(args, &mut xs, 0)? else { return Ok(None) };
    if !spread(in_dims, args, &dims)? || dims.len() != xs.len() {
        return Ok(None);
    }
    let values = xs.iter().map(|x| x.get().value()).collect::<Result<Vec<_>, Error>>()?;
    let mut count = None;
    let mut sliced = Vec::with_capacity(xs.len());
    for (dim, value) in dims.iter().zip(&values) {
        sliced.push(!dim.is_none());
        if dim.is_none() {
            continue;
        }
        let Some(&n) = value.shape().first() else { return Ok(None) };
        if !dim.eq(0)? || count.is_some_and(|count| count != n) {
            return Ok(None);
        }
        count = Some(n);
    }
    let Some(count) = count else { return Ok(None) };
    let lanes = Lanes { count, randomness: randomness_of(randomness)?, strict: false };
    let level = CoreLevel::with_lanes("func.vmap", Some(lanes));
    let (mut inputs, mut lent) = (Vec::with_capacity(xs.len()), Vec::<Lent>::with_capacity(xs.len()));
    for ((x, value), yes) in xs.into_iter().zip(values).zip(sliced) {
        let x = x.unbind();
        let before = || lent.iter().find(|lent| lent.target.is(&x) && !lent.lane.is(&x));
        let lane = match yes.then(before) {
            None => x.clone_ref(py),
            Some(Some(before)) => before.lane.clone_ref(py),
            Some(None) => Py::new(py, Lent::tensor(Value::traced(level.info(), Kind::Batch(value))))?,
        };
        inputs.push(lane.bind(py).clone().into_any());
        lent.push(Lent::new(x, lane, None)?);
    }
    let called = func.call(arguments(py, &nest, inputs)?, Some(kwargs));
    let refused = match &called {
        Ok(_) if level.info().refused() => Some(DataDependentError::new_err("it catches the refusal")),
        Err(error) if asks_for_numbers(py, error, level.info().id()) => Some(error.clone_ref(py)),
        _ => None,
    };
    if refused.is_some() {
        let level = Bound::new(py, Level::of(level))?;
        level.get().exit();
        return Ok(Some((refused, level.into_any())));
    }
    let out = match called {
        Ok(out) => out,
        Err(error) => {
            // Another level's refusal: its function runs again, from what is there now.
            if !error.is_instance_of::<DataDependentError>(py) {
                let _ = settle(level, &lent, count); // the exception tells more than what came of it
            }
            return Err(error);
        }
    };
    let mut ys = Vec::new();
    let Some(nest) = Nest::of(&out, &mut ys, 0)? else {
        let level = Bound::new(py, Level::lending(level, lent))?;
        let results = finish.call1((&level, out, count));
        let settled = level.get().settle();
        let results = results?;
        return settled.map(|()| Some((None, results)));
    };
    let results = ys.iter().map(|y| match returned(&lent, y)? {
        Some(one) => Ok(one.target.bind(py).clone().into_any()),
        None => tensor(py, stacked(level.info(), y.get().value()?, count)?),
    });
    let results = results.collect::<PyResult<Vec<_>>>();
    settle(level, &lent, count)?;
    Ok(Some((None, nest.filled(py, &mut results?.into_iter())?)))
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(_push, m)?)?;
    m.add_function(wrap_pyfunction!(_over_lanes, m)?)?;
    m.add_function(wrap_pyfunction!(_gradient, m)?)
}
