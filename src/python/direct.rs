//! Transforms of functions of plain tensors in one call: the way of nearly all calls, at a fraction of the cost of the
//! dozen small ones that nested arguments take.
use super::{
    func::{check_tangent, watched, zeros_of, Level},
    tensor::Tensor,
};
use crate::{
    array::Array,
    dtype::Scalar,
    error::Error,
    graph::{
        sweep::{sweep, Options},
        Edge,
    },
    shape::{show, Dims},
    trace::{Kind, Level as CoreLevel, LevelRef, Value},
};
use pyo3::{
    prelude::*,
    types::{PyDict, PyTuple},
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
    let all_tensors = |tuple: &Bound<'py, PyTuple>| tuple.iter().all(|x| x.is_instance_of::<Tensor>());
    if primals.is_empty() || primals.len() != tangents.len() || !all_tensors(primals) || !all_tensors(tangents) {
        return Ok(None);
    }
    let level = CoreLevel::enter("func.jvp");
    let mut duals = Vec::with_capacity(primals.len());
    for (x, t) in primals.iter().zip(tangents) {
        let (primal, tangent) = (x.cast::<Tensor>()?.get().value()?, t.cast::<Tensor>()?.get().value()?);
        check_tangent("jvp", &primal, &tangent)?;
        duals.push(Tensor::new(Value::traced(level.info(), Kind::Dual { primal, tangent })));
    }
    let out = func.call1(PyTuple::new(py, duals)?)?;
    let Ok(y) = out.cast::<Tensor>() else {
        let level = Bound::new(py, Level::of(level))?;
        let pair = unpack.call1((&level, out));
        level.get().exit();
        return pair.map(Some);
    };
    let value = y.get().value()?;
    let (primal, tangent) = match value.at(level.info()) {
        Some(Kind::Dual { primal, tangent }) => (primal.clone(), tangent.clone()),
        _ => (value.clone(), zeros_of("jvp", &value)?),
    };
    let pair = PyTuple::new(py, [Tensor::new(primal), Tensor::new(tangent)])?;
    Ok(Some(pair.into_any()))
}

/// (level, watched inputs, output) of `func` at tensors, the level still active; None before anything is called if there
/// is more than tensors to it.
#[pyfunction]
fn _record_call<'py>(
    py: Python<'py>,
    func: &Bound<'py, PyAny>,
    primals: &Bound<'py, PyTuple>,
) -> PyResult<Option<(Level, Bound<'py, PyTuple>, Bound<'py, PyAny>)>> {
    if primals.is_empty() || !primals.iter().all(|x| x.is_instance_of::<Tensor>()) {
        return Ok(None);
    }
    let level = CoreLevel::enter("func.vjp");
    let mut inputs = Vec::with_capacity(primals.len());
    for x in primals {
        let (input, _) = watched("vjp", level.info(), x.cast::<Tensor>()?.get().value()?)?;
        inputs.push(Tensor::new(input));
    }
    let inputs = PyTuple::new(py, inputs)?;
    let out = func.call1(&inputs)?;
    Ok(Some((Level::of(level), inputs, out)))
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
/// The cotangent of `input` from that of `output`, zeros where there is no dependence.
fn pulled(py: Python<'_>, info: &LevelRef, output: &Value, input: &Edge, like: &Value) -> PyResult<(Value, Value)> {
    let Some(Kind::Taped { value, edge }) = output.at(info) else {
        return Ok((output.clone(), zeros_of("grad", like)?));
    };
    let one = Value::Array(Array::full("grad", Dims::new(), output.dtype(), Scalar::Float(1.0))?);
    let capture = std::slice::from_ref(input);
    let options = Options {
        retain_graph: false,
        create_graph: false,
        level: Some(info),
        capture: Some(capture),
        accumulate: false,
        every_leaf: true,
    };
    let roots = vec![(edge.clone(), one)];
    let mut found = py.detach(|| sweep(roots, &options))?;
    let gradient = match found.pop().flatten() {
        Some(gradient) => gradient,
        None => zeros_of("grad", like)?,
    };
    Ok((value.clone(), gradient))
}
/// (gradient by argument `place`, value) of a function of positional arguments, or None before anything is called if
/// that argument is not a tensor.
#[pyfunction]
#[pyo3(signature = (func, place, args, kwargs=None))]
fn _gradient<'py>(
    func: &Bound<'py, PyAny>,
    place: usize,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Option<(Tensor, Tensor)>> {
    let py = func.py();
    let Some(Ok(x)) = args.iter().nth(place).map(|x| x.cast_into::<Tensor>()) else { return Ok(None) };
    let value = x.get().value()?;
    let level = CoreLevel::enter("func.vjp");
    let (input, edge) = watched("grad", level.info(), value.clone())?;
    let input = Bound::new(py, Tensor::new(input))?.into_any();
    let arguments = args.iter().enumerate().map(|(i, arg)| if i == place { input.clone() } else { arg });
    let out = func.call(PyTuple::new(py, arguments.collect::<Vec<_>>())?, kwargs)?;
    let y = single_number(&out)?;
    let info = level.info().clone();
    drop(level);
    let (y, gradient) = pulled(py, &info, &y, &edge, &value)?;
    Ok(Some((Tensor::new(gradient), Tensor::new(y))))
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(_push, m)?)?;
    m.add_function(wrap_pyfunction!(_record_call, m)?)?;
    m.add_function(wrap_pyfunction!(_gradient, m)?)
}
