//! A value made to fit its parameter.

use hamq_core::api::spec::{CommandSpec, Completes, ParameterSpec, ValueKind};
use hamq_core::name::nearest;
use hamq_core::{Error, ErrorKind, Result};
use rhai::{Array, Dynamic};

use super::bind::field;
use crate::script::value::{Record, Rows, rows_of, text};
use crate::syntax::sized;

/// The value as the parameter takes it.
///
/// # Errors
/// `Usage`, with what it takes.
pub(super) fn coerce(
    spec: &CommandSpec,
    parameter: &ParameterSpec,
    value: Dynamic,
) -> Result<Dynamic> {
    let kind = parameter.kind;
    if kind == ValueKind::Any {
        return Ok(value);
    }
    if matches!(kind, ValueKind::List | ValueKind::TextList) {
        let items = rows_of(&value).into_iter();
        let named = |v| {
            if kind == ValueKind::TextList {
                scalar(&v, parameter).map(|v| text(&v).into())
            } else {
                Some(v)
            }
        };
        let items: Array = items.filter_map(named).collect();
        return Ok(items.into());
    }
    let single = scalar(&value, parameter);
    let wrong = || {
        let what = format!(
            "-{} of {} cannot be '{}'",
            parameter.name,
            spec.name,
            text(&value)
        );
        let error = Error::new(ErrorKind::Usage, what);
        match kind {
            ValueKind::Int => error
                .hint("it takes a whole number, 0 or more; 64KB, 5MB, 2GB are numbers of bytes"),
            ValueKind::Duration => error.hint("it takes a length of time: 500ms, 30s, 5m, 2h"),
            ValueKind::Switch | ValueKind::Bool => error.hint("it takes $true or $false"),
            ValueKind::Text => error.hint("it takes one text"),
            _ => error,
        }
    };
    let single = single.ok_or_else(wrong)?;
    if let Completes::Choice(words) = parameter.completes {
        choose(spec, parameter, words, &single)?;
    }
    let fitted = match kind {
        ValueKind::Switch | ValueKind::Bool => truth(&single).map(Dynamic::from),
        ValueKind::Int => whole(&single).map(Dynamic::from),
        ValueKind::Float => crate::script::value::number(&single).map(Dynamic::from),
        ValueKind::Duration => millis(&single, spec).map(Dynamic::from),
        ValueKind::Bytes if single.is_blob() => Some(single),
        _ => Some(text(&single).into()),
    };
    fitted.ok_or_else(wrong)
}

/// One value: of one row that row, of a record what names it.
fn scalar(value: &Dynamic, parameter: &ParameterSpec) -> Option<Dynamic> {
    let mut value = value.clone();
    if value.is::<Rows>() {
        let mut rows = rows_of(&value);
        if rows.len() != 1 {
            return None;
        }
        value = rows.pop()?;
    }
    match value.clone().try_cast::<Record>() {
        Some(record) if parameter.kind == ValueKind::Bytes => field(&record, parameter, false)
            .or_else(|| Some(crate::script::value::to_json(&value).to_string().into())),
        Some(record) => field(&record, parameter, true),
        None if value.is_array() || value.is_unit() => None,
        None => Some(value),
    }
}

pub(crate) fn truth(value: &Dynamic) -> Option<bool> {
    value
        .as_bool()
        .ok()
        .or_else(|| match text(value).to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
}

fn whole(value: &Dynamic) -> Option<i64> {
    value
        .as_int()
        .ok()
        .or_else(|| text(value).parse().ok())
        .or_else(|| sized(&text(value)).and_then(|n| i64::try_from(n).ok()))
        .filter(|n| *n >= 0)
}

/// Fails for a word that is close to one of the choices and none of them: a slip. What is far from all of them may be
/// known to the command itself (a number, a resource type of one's own).
fn choose(
    spec: &CommandSpec,
    parameter: &ParameterSpec,
    words: &[&str],
    value: &Dynamic,
) -> Result<()> {
    let word = text(value);
    let known = words.iter().any(|w| w.eq_ignore_ascii_case(&word));
    let Some(near) = nearest(&word, words.iter().copied()).filter(|_| !known) else {
        return Ok(());
    };
    let what = format!("-{} of {} cannot be '{word}'", parameter.name, spec.name);
    Err(Error::new(ErrorKind::Usage, what).hint(format!("did you mean {near}?")))
}

/// A length of time in milliseconds; a bare number is milliseconds, or seconds for the shell's verbs.
fn millis(value: &Dynamic, spec: &CommandSpec) -> Option<i64> {
    let bare = match crate::cmdlet::is_verb_of_shell(spec) {
        true => 1000.0,
        false => 1.0,
    };
    duration(&text(value), bare)
}

/// A length of time in milliseconds; a bare number is that many times `bare` of them.
pub(crate) fn duration(text: &str, bare: f64) -> Option<i64> {
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let number: f64 = text[..split].parse().ok()?;
    let unit = match &text[split..] {
        "" => bare,
        "ms" => 1.0,
        "s" => 1000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let millis = (number * unit).round();
    #[expect(clippy::cast_possible_truncation, reason = "checked against the range")]
    (millis.is_finite() && millis < 1e15).then_some(millis as i64)
}
