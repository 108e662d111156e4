//! Methods as functions of the module: `rg.sum(x)` is `x.sum()`, with PyTorch's names `input=` and `out=`.
use super::tensor::Tensor;
use crate::{error::Error, shape::show, trace::Value};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyCFunction, PyDict, PyTuple},
};
use std::ffi::{CStr, CString};

/// Export methods of `Tensor` as functions whose results are views, or have no other place to go.
pub fn export(m: &Bound<'_, PyModule>, names: &[&'static str]) -> PyResult<()> {
    names.iter().try_for_each(|name| add(m, name, false))
}
/// Export methods of `Tensor` as functions that take `out=`.
pub fn export_with_out(m: &Bound<'_, PyModule>, names: &[&'static str]) -> PyResult<()> {
    names.iter().try_for_each(|name| add(m, name, true))
}

fn add(m: &Bound<'_, PyModule>, name: &'static str, takes_out: bool) -> PyResult<()> {
    let method = m.getattr("Tensor")?.getattr(name)?;
    let signature: String = method.getattr("__text_signature__")?.extract()?;
    let doc: String = method.getattr("__doc__")?.extract()?;
    let text = format!("{name}{}\n--\n\n{doc}", parameters(&signature, takes_out));
    let method = method.unbind();
    let call = move |args: &Bound<'_, PyTuple>, keywords: Option<&Bound<'_, PyDict>>| {
        let method = method.bind(args.py());
        let plain = match keywords {
            Some(keywords) if takes_out => !keywords.contains("out")?,
            _ => true,
        };
        match plain && args.get_borrowed_item(0).is_ok_and(|x| x.is_instance_of::<Tensor>()) {
            true => method.call(args, keywords),
            false => with_keywords(name, method, args, keywords, takes_out),
        }
        .map(Bound::unbind)
    };
    m.add(name, PyCFunction::new_closure(m.py(), Some(kept(name)?), Some(kept(&text)?), call)?)
}
/// The result of a function as a new tensor, or in the one that `out=` names.
pub fn given<'py>(
    py: Python<'py>,
    name: &'static str,
    result: Value,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, Tensor>> {
    match out {
        None => Bound::new(py, Tensor::new(result)),
        Some(out) => deliver(name, result, out),
    }
}
/// Names and texts of functions must last as long as the interpreter.
fn kept(text: &str) -> PyResult<&'static CStr> {
    Ok(Box::leak(CString::new(text)?.into_boxed_c_str()))
}
/// The parameters of a method as those of a function.
fn parameters(signature: &str, takes_out: bool) -> String {
    let list = signature.replacen("$self", "input", 1);
    match (takes_out, list.strip_suffix(')')) {
        (true, Some(open)) if list.contains('*') => format!("{open}, out=None)"),
        (true, Some(open)) => format!("{open}, *, out=None)"),
        _ => list,
    }
}
#[cold]
fn with_keywords<'py>(
    name: &'static str,
    method: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    keywords: Option<&Bound<'py, PyDict>>,
    takes_out: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = args.py();
    let keywords = keywords.map_or_else(|| Ok(PyDict::new(py)), |k| k.copy())?;
    let mut args = args.clone();
    if args.is_empty() {
        let input =
            keywords.get_item("input")?.ok_or_else(|| PyTypeError::new_err(format!("{name}: input is missing")))?;
        keywords.del_item("input")?;
        args = PyTuple::new(py, [input])?;
    }
    let input = args.get_item(0)?;
    if !input.is_instance_of::<Tensor>() {
        return Err(PyTypeError::new_err(format!(
            "{name}: expected a tensor as input, not a {}; make it one with rustgrad.as_tensor()",
            input.get_type().name()?
        )));
    }
    let out = match takes_out {
        true => keywords.get_item("out")?.filter(|out| !out.is_none()),
        false => None,
    };
    if takes_out && keywords.contains("out")? {
        keywords.del_item("out")?;
    }
    let result = method.call(&args, Some(&keywords))?;
    let Some(out) = out else { return Ok(result) };
    deliver_all(name, &result, &out)?;
    Ok(out)
}
fn deliver_all(name: &'static str, result: &Bound<'_, PyAny>, out: &Bound<'_, PyAny>) -> PyResult<()> {
    match (result.cast::<PyTuple>(), out.cast::<PyTuple>()) {
        (Ok(results), Ok(outs)) if results.len() == outs.len() => {
            results.iter().zip(outs).try_for_each(|(result, out)| deliver_all(name, &result, &out))
        }
        (Ok(results), _) => {
            Err(PyTypeError::new_err(format!("{name}: out must be a tuple of {} tensors", results.len())))
        }
        _ => deliver(name, result.cast::<Tensor>()?.get().value()?, out).map(drop),
    }
}
/// Write a result into the tensor that `out=` names, and return that tensor.
pub fn deliver<'py>(name: &'static str, result: Value, out: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Tensor>> {
    let Ok(out) = out.cast::<Tensor>() else {
        return Err(PyTypeError::new_err(format!("{name}: out must be a tensor, not a {}", out.get_type().name()?)));
    };
    let mut target = out.get().variable()?;
    let old = target.value()?;
    if result.edge().is_some() || old.edge().is_some() {
        return Err(Error::graph(
            name,
            "out= keeps no history, but a tensor here requires a gradient; leave out= away or use no_grad()",
        )
        .into());
    }
    if result.shape() != old.shape() {
        return Err(Error::shape(
            name,
            format!("the result of shape {} does not fit out= of shape {}", show(result.shape()), show(old.shape())),
        )
        .into());
    }
    target.write(name, |_| Ok(result))?;
    drop(target);
    Ok(out.clone())
}
