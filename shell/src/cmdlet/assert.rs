//! The Assert- verbs: nothing when it is so, an error that says what was found when it is not.

use hamq_core::name::fits;
use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, EvalAltResult, FnPtr};

use super::condition::truth;
use super::filter::{block, none, script_of};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::Record;
use crate::script::value::{number, rows_of, text};

/// Starts one of them; what comes in is what is looked at.
pub(super) fn assert<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Option<Stream<'a>>,
) -> Result<Stream<'a>, Failure> {
    let rows = input
        .map(Iterator::collect::<Result<Vec<_>, _>>)
        .transpose()?;
    let actual = |name: &str| match (bound.get(name), &rows) {
        (Some(given), _) => Some(given.clone()),
        (None, Some(rows)) if rows.len() == 1 => rows.first().cloned(),
        (None, Some(rows)) => Some(rows.clone().into()),
        (None, None) => None,
    };
    let needed = |name: &str| {
        actual(name).ok_or_else(|| {
            let what = format!("{} needs -{name}, or rows that come in", bound.spec.name);
            call.fail(Error::new(ErrorKind::Usage, what))
        })
    };
    let wrong = match bound.spec.name {
        "Assert-True" => holds(call, &needed("Condition")?)?,
        "Assert-Throws" => throws(call, bound)?,
        "Assert-Like" => {
            let pattern = bound.text("Pattern").unwrap_or_default();
            let found = text(&needed("Actual")?);
            (!fits(&pattern, &found)).then(|| format!("'{found}' does not fit '{pattern}'"))
        }
        _ => {
            let expected = bound.get("Expected").cloned().unwrap_or_default();
            let actual = needed("Actual")?;
            let shown = |v: &Dynamic| match rows_of(v).len() {
                0 => "nothing".to_owned(),
                1 => format!("'{}'", text(v)),
                _ => format!("the list {}", text(v)),
            };
            (!equal(&expected, &actual))
                .then(|| format!("expected {}, found {}", shown(&expected), shown(&actual)))
        }
    };
    let Some(mut what) = wrong else {
        return Ok(none());
    };
    if let Some(because) = bound.text("Because") {
        what = format!("{what}: {because}");
    }
    Err(call.fail(Error::new(ErrorKind::InvalidState, what)))
}

/// Numbers by size, texts letter by letter, lists and records by what is in them.
fn equal(a: &Dynamic, b: &Dynamic) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a.total_cmp(&b).is_eq();
    }
    let (left, right) = (rows_of(a), rows_of(b));
    match (left.as_slice(), right.as_slice()) {
        ([a], [b]) => match (a.read_lock::<Record>(), b.read_lock::<Record>()) {
            (Some(a), Some(b)) => {
                let same = |(name, value): &(String, Dynamic)| {
                    b.find(name).is_some_and(|other| equal(value, other))
                };
                a.fields.len() == b.fields.len() && a.fields.iter().all(same)
            }
            _ => number(a)
                .zip(number(b))
                .map_or_else(|| text(a) == text(b), |(a, b)| a.total_cmp(&b).is_eq()),
        },
        (left, right) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| equal(a, b))
        }
    }
}

fn holds(call: Call<'_>, condition: &Dynamic) -> Result<Option<String>, Failure> {
    let value = match condition.clone().try_cast::<FnPtr>() {
        Some(script) => block(call, &script, &Dynamic::UNIT)?,
        None => condition.clone(),
    };
    let rows = rows_of(&value);
    let so = !rows.is_empty() && rows.iter().all(truth);
    Ok((!so).then(|| match rows.is_empty() {
        true => "it is not so: there is nothing".to_owned(),
        false => format!("it is not so: '{}'", text(&value)),
    }))
}

fn throws(call: Call<'_>, bound: &Bound) -> Result<Option<String>, Failure> {
    let script = script_of(call, bound, "Block")?;
    let fault = match block(call, &script, &Dynamic::UNIT) {
        Ok(_) => return Ok(Some("no error, where one was expected".to_owned())),
        Err(failure) if matches!(*failure, EvalAltResult::ErrorTerminated(..)) => {
            return Err(failure);
        }
        Err(failure) => call.state.fault(*failure),
    };
    let (kind, message) = (fault.error.kind.name(), &fault.error.message);
    if let Some(wanted) = bound.text("Kind")
        && !wanted.eq_ignore_ascii_case(kind)
    {
        return Ok(Some(format!("expected {wanted}, found {kind}: {message}")));
    }
    let pattern = bound.text("Message");
    Ok(pattern
        .filter(|pattern| !fits(pattern, message))
        .map(|pattern| format!("the error '{message}' does not fit '{pattern}'")))
}
