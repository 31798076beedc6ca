//! Arguments of a command as people and programs give them, made into what its struct takes.
//!
//! Pure. Names are matched without case; a number may be text, a duration `30s`, one value stands for a
//! list of one. What does not fit is an error that names the parameter.

use super::spec::{CommandSpec, ParameterSpec, ValueKind};
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

/// The arguments of `spec` with the spelling and the types of its struct.
///
/// # Errors
/// `Usage`: a parameter that does not exist, is missing, is given twice, or does not fit.
pub fn check(spec: &CommandSpec, arguments: Value) -> Result<Value> {
    let given = match arguments {
        Value::Map(entries) => entries,
        Value::Null => Vec::new(),
        _ => return Err(usage(spec, "the arguments must be a map of parameters")),
    };
    let mut fitted: Vec<(Value, Value)> = Vec::with_capacity(given.len());
    for (name, value) in given {
        let parameter = parameter(spec, &name)?;
        if value == Value::Null {
            continue;
        }
        let key = Value::Text(parameter.name.to_owned());
        if fitted.iter().any(|(name, _)| *name == key) {
            let text = format!("-{} is given twice", parameter.name);
            return Err(usage(spec, &text));
        }
        fitted.push((key, fit(spec, parameter, &value)?));
    }
    match missing(spec, &fitted) {
        Some(parameter) => Err(usage(spec, &format!("-{} is missing", parameter.name))),
        None => Ok(Value::Map(fitted)),
    }
}

/// The value of a parameter in checked arguments.
#[must_use]
pub fn get<'a>(arguments: &'a Value, name: &str) -> Option<&'a Value> {
    let entries = arguments.as_map()?;
    let found = entries
        .iter()
        .find(|(key, _)| key.as_text().is_some_and(|key| key == name));
    found.map(|(_, value)| value)
}

/// The text of a parameter in checked arguments.
#[must_use]
pub fn text<'a>(arguments: &'a Value, name: &str) -> Option<&'a str> {
    get(arguments, name)?.as_text()
}

fn parameter(spec: &CommandSpec, name: &Value) -> Result<&'static ParameterSpec> {
    let Some(name) = name.as_text() else {
        return Err(usage(spec, "a parameter's name must be text"));
    };
    if let Some(parameter) = spec.parameter(name) {
        return Ok(parameter);
    }
    let names = spec.parameters.iter().map(|parameter| parameter.name);
    let error = usage(spec, &format!("there is no parameter -{name}"));
    Err(match nearest(name, names.clone()) {
        Some(meant) => error.hint(format!("did you mean -{meant}?")),
        None => error.hint(format!(
            "its parameters are -{}",
            names.collect::<Vec<_>>().join(", -")
        )),
    })
}

fn missing<'a>(spec: &'a CommandSpec, fitted: &[(Value, Value)]) -> Option<&'a ParameterSpec> {
    spec.parameters.iter().find(|parameter| {
        let given = |(name, _): &(Value, Value)| name.as_text() == Some(parameter.name);
        parameter.required && !fitted.iter().any(given)
    })
}

fn fit(spec: &CommandSpec, parameter: &ParameterSpec, value: &Value) -> Result<Value> {
    let fitted = match parameter.kind {
        ValueKind::Switch | ValueKind::Bool => flag(value),
        ValueKind::Int => int(value),
        ValueKind::Float => float(value),
        ValueKind::Text => scalar_text(value),
        ValueKind::TextList => text_list(value),
        ValueKind::Duration => duration(value),
        ValueKind::Bytes => bytes(value),
        ValueKind::Any => Some(value.clone()),
        ValueKind::List => Some(match value.clone() {
            Value::Array(items) => Value::Array(items),
            one => Value::Array(vec![one]),
        }),
    };
    fitted.ok_or_else(|| {
        let text = format!(
            "-{} takes {}, not {}",
            parameter.name,
            wanted(parameter.kind),
            shown(value)
        );
        usage(spec, &text)
    })
}

fn flag(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        _ => None,
    }
}

fn int(value: &Value) -> Option<Value> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok().map(Value::from),
        Value::Text(text) => text.trim().parse::<u64>().ok().map(Value::from),
        Value::Float(number) => whole(*number).map(Value::from),
        _ => None,
    }
}

fn whole(number: f64) -> Option<u64> {
    let fits = number >= 0.0 && number.fract() == 0.0 && number < 9e15;
    // a whole number of less than 2^53 loses nothing
    fits.then_some(number as u64)
}

fn float(value: &Value) -> Option<Value> {
    match value {
        Value::Float(_) => Some(value.clone()),
        Value::Integer(number) => Some(Value::Float(i128::from(*number) as f64)),
        Value::Text(text) => text.trim().parse().ok().map(Value::Float),
        _ => None,
    }
}

fn scalar_text(value: &Value) -> Option<Value> {
    match value {
        Value::Text(_) => Some(value.clone()),
        Value::Integer(number) => Some(Value::Text(i128::from(*number).to_string())),
        Value::Float(number) => Some(Value::Text(number.to_string())),
        Value::Bool(flag) => Some(Value::Text(flag.to_string())),
        Value::Array(items) if items.len() == 1 => scalar_text(items.first()?),
        _ => None,
    }
}

/// `a,b,c` in one text is a list as well: that is how a shell without lists passes one.
fn text_list(value: &Value) -> Option<Value> {
    let items = match value {
        Value::Array(items) => items.iter().map(scalar_text).collect::<Option<Vec<_>>>()?,
        Value::Text(text) => text
            .split(',')
            .map(|part| Value::Text(part.trim().to_owned()))
            .collect(),
        other => vec![scalar_text(other)?],
    };
    Some(Value::Array(items))
}

fn bytes(value: &Value) -> Option<Value> {
    match value {
        Value::Bytes(_) => Some(value.clone()),
        other => scalar_text(other),
    }
}

fn duration(value: &Value) -> Option<Value> {
    match value {
        Value::Text(text) => parse_duration(text).map(Value::from),
        other => int(other),
    }
}

/// Milliseconds of `500ms`, `30s`, `1.5s`, `5m`, `2h`, `1d` or a plain number of milliseconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let millis = number.parse::<f64>().ok()? * factor as f64;
    whole(millis.round())
}

fn wanted(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Switch | ValueKind::Bool => "true or false",
        ValueKind::Int => "a whole number that is not negative",
        ValueKind::Float => "a number",
        ValueKind::Text => "a text",
        ValueKind::TextList => "one or more texts",
        ValueKind::Duration => "a duration like 500ms, 30s or 5m",
        ValueKind::Bytes => "a text or bytes",
        ValueKind::Any | ValueKind::List => "a value",
    }
}

/// A value in an error message: short, and never the whole of something large.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Value::Text(_) => "a long text".to_owned(),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Bytes(_) => "bytes".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Map(_) => "a record".to_owned(),
        _ => "nothing".to_owned(),
    }
}

fn usage(spec: &CommandSpec, what: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("{}: {what}", spec.name))
        .hint(format!("Get-Help {} shows its parameters", spec.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::spec::Command;
    use crate::api::value::from_value;
    use crate::api::{cluster::NewCluster, message::ReceiveMsmqQueue, message::SendMsmqQueue};

    fn map(entries: &[(&str, Value)]) -> Value {
        let pairs = entries.iter().map(|(k, v)| ((*k).into(), v.clone()));
        Value::Map(pairs.collect())
    }

    fn refused(spec: &CommandSpec, entries: &[(&str, Value)]) -> Error {
        let error = check(spec, map(entries)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        error
    }

    #[test]
    fn texts_become_what_the_parameter_takes() {
        let given = map(&[
            ("name", "lab".into()),
            ("NODE", "n1, n2".into()),
            ("local", "true".into()),
            ("LeaseTtl", "1.5s".into()),
            ("SameSubnetThreshold", "15".into()),
        ]);
        let command: NewCluster = from_value(&check(NewCluster::SPEC, given).unwrap()).unwrap();
        assert_eq!(command.nodes, ["n1", "n2"]);
        assert!(command.local);
        assert_eq!(command.lease_ttl.unwrap().0, 1500);
        assert_eq!(command.same_subnet_threshold, Some(15));
    }

    #[test]
    fn what_is_off_is_named() {
        let spec = ReceiveMsmqQueue::SPEC;
        let name = ("Name", Value::from("a"));
        assert!(refused(spec, &[]).message.contains("-Name is missing"));
        let error = refused(spec, &[name.clone(), ("Tiemout", 5.into())]);
        assert_eq!(error.hint.unwrap(), "did you mean -Timeout?");
        let error = refused(spec, &[name.clone(), ("Timeout", "soon".into())]);
        assert!(error.message.contains("30s"), "{}", error.message);
        let error = refused(spec, &[name.clone(), ("Count", (-1).into())]);
        assert!(error.message.contains("-1"), "{}", error.message);
        let error = refused(spec, &[name.clone(), ("name", "b".into())]);
        assert!(error.message.contains("twice"));
    }

    #[test]
    fn a_null_is_a_parameter_that_was_not_given() {
        let given = map(&[("Name", "a".into()), ("Timeout", Value::Null)]);
        let checked = check(ReceiveMsmqQueue::SPEC, given).unwrap();
        assert_eq!(get(&checked, "Timeout"), None);
    }

    #[test]
    fn a_body_may_be_text_bytes_or_a_number() {
        for (body, bytes) in [
            (Value::from("x"), b"x".to_vec()),
            (Value::Bytes(vec![0, 255]), vec![0, 255]),
            (Value::from(42), b"42".to_vec()),
        ] {
            let given = map(&[("Name", "a".into()), ("Body", body)]);
            let checked = check(SendMsmqQueue::SPEC, given).unwrap();
            let command: SendMsmqQueue = from_value(&checked).unwrap();
            assert_eq!(command.body.unwrap().0, bytes);
        }
    }

    #[test]
    fn durations() {
        for (text, ms) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("1.5s", Some(1500)),
            ("5m", Some(300_000)),
            ("2 h", Some(7_200_000)),
            ("250", Some(250)),
            ("", None),
            ("-5s", None),
            ("5 parsecs", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(parse_duration(text), ms, "{text}");
        }
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let known = ["Get-ClusterNode", "Get-ClusterGroup", "Move-ClusterGroup"];
        assert_eq!(nearest("get-clusternoed", known), Some("Get-ClusterNode"));
        assert_eq!(nearest("Remove-Everything", known), None);
    }
}
