//! Dynamic values of the command surface as Python objects, and back.

use hamq_core::api::COMMANDS;
use hamq_core::api::value::Value;
use pyo3::exceptions::{PyRecursionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// Deepest nesting of a value; nothing on the surface comes near it.
const DEPTH_MAX: usize = 64;

/// Names of all commands with their snake-case spellings, so that a test can look for a gap.
#[pyfunction(name = "_command_names")]
pub(crate) fn command_names() -> Vec<(&'static str, String)> {
    COMMANDS
        .iter()
        .map(|spec| (spec.name, spec.snake_name()))
        .collect()
}

/// `value` as a Python object.
///
/// # Errors
/// Those of the interpreter (memory), `RecursionError` for a value nested too deep.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    convert_out(py, value, DEPTH_MAX)
}

fn convert_out<'py>(py: Python<'py>, value: &Value, depth: usize) -> PyResult<Bound<'py, PyAny>> {
    let depth = deeper(depth)?;
    Ok(match value {
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Integer(number) => i128::from(*number).into_pyobject(py)?.into_any(),
        Value::Float(number) => PyFloat::new(py, *number).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Tag(_, inner) => convert_out(py, inner, depth)?,
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(convert_out(py, item, depth)?)?;
            }
            list.into_any()
        }
        Value::Map(entries) => {
            let dict = PyDict::new(py);
            for (key, item) in entries {
                dict.set_item(convert_out(py, key, depth)?, convert_out(py, item, depth)?)?;
            }
            dict.into_any()
        }
        _ => py.None().into_bound(py),
    })
}

/// A Python object as a value.
///
/// # Errors
/// `TypeError` with the type that has no counterpart, `OverflowError` for a number of more than 64 bits.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert_in(object, DEPTH_MAX)
}

fn convert_in(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let depth = deeper(depth)?;
    if object.is_none() {
        return Ok(Value::Null);
    }
    // bool before int: True is an int too.
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return integer(object);
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(object.extract()?));
    }
    if object.is_instance_of::<PyString>() {
        return Ok(Value::Text(object.extract()?));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().to_vec()));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return map(dict, depth);
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let items = object.try_iter()?.map(|item| convert_in(&item?, depth));
        return Ok(Value::Array(items.collect::<PyResult<_>>()?));
    }
    let name = object.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "a command takes no {name}; use None, bool, int, float, str, bytes, list or dict"
    )))
}

fn integer(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(number) = object.extract::<u64>() {
        return Ok(Value::Integer(number.into()));
    }
    Ok(Value::Integer(object.extract::<i64>()?.into()))
}

fn map(dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<Value> {
    let mut entries = Vec::with_capacity(dict.len());
    for (key, item) in dict {
        entries.push((convert_in(&key, depth)?, convert_in(&item, depth)?));
    }
    Ok(Value::Map(entries))
}

fn deeper(depth: usize) -> PyResult<usize> {
    depth
        .checked_sub(1)
        .ok_or_else(|| PyRecursionError::new_err("the value is nested too deep"))
}
