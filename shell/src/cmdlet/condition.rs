//! Where-Object: which rows stay.

use hamq_core::name::fits;
use hamq_core::{Error, ErrorKind};
use regex_lite::{Regex, RegexBuilder};
use rhai::{Dynamic, FnPtr};

use super::filter::block;
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::{compare, number, property, rows_of, text};
use crate::syntax::sized;

pub(super) fn truth(value: &Dynamic) -> bool {
    match value.as_bool() {
        Ok(b) => b,
        Err(_) => !value.is_unit() && number(value) != Some(0.0) && !text(value).is_empty(),
    }
}

/// Starts it.
///
/// # Errors
/// When the condition itself cannot be read.
pub(super) fn filter<'a>(
    call: Call<'a>,
    bound: Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let pattern = pattern(call, &bound)?;
    Ok(Box::new(input.filter_map(move |row| {
        let kept = row.and_then(|row| Ok((keeps(call, &bound, pattern.as_ref(), &row)?, row)));
        match kept {
            Ok((true, row)) => Some(Ok(row)),
            Ok((false, _)) => None,
            Err(failure) => Some(Err(failure)),
        }
    })))
}

/// The regular expression of -match and -notmatch; it ignores case.
fn pattern(call: Call<'_>, bound: &Bound) -> Result<Option<Regex>, Failure> {
    let Some(text) = bound.text("match").or_else(|| bound.text("notmatch")) else {
        return Ok(None);
    };
    let built = regex(&text).map(Some);
    built.map_err(|error| call.fail_about(bound, error))
}

/// `5MB` compared with a number is a number of bytes.
fn quantity(actual: &Dynamic, wanted: &Dynamic) -> Dynamic {
    let bytes = || sized(&wanted.clone().into_string().ok()?);
    match number(actual).and_then(|_| bytes()) {
        Some(bytes) => i64::try_from(bytes).unwrap_or(i64::MAX).into(),
        None => wanted.clone(),
    }
}

fn keeps(
    call: Call<'_>,
    bound: &Bound,
    pattern: Option<&Regex>,
    row: &Dynamic,
) -> Result<bool, Failure> {
    let Some(test) = bound.get("FilterScript") else {
        let what = "Where-Object needs a script block or a property";
        return Err(
            call.fail(Error::new(ErrorKind::Usage, what).hint("Where-Object State -eq Online"))
        );
    };
    if let Some(script) = test.clone().try_cast::<FnPtr>() {
        return Ok(truth(&block(call, &script, row)?));
    }
    let actual = property(row, &text(test)).map_err(|e| call.fail_about(bound, e))?;
    let mut tests = bound.iter().filter(|(name, _)| *name != "FilterScript");
    let Some((operator, wanted)) = tests.find(|(name, _)| super::common(name).is_none()) else {
        return Ok(truth(&actual));
    };
    Ok(match *operator {
        "match" => pattern.is_some_and(|p| p.is_match(&text(&actual))),
        "notmatch" => pattern.is_some_and(|p| !p.is_match(&text(&actual))),
        operator => holds(operator, &actual, wanted),
    })
}

/// The comparisons of PowerShell but for -match, which may fail; texts compare without case.
pub(crate) const OPERATORS: [&str; 10] = [
    "eq", "ne", "gt", "ge", "lt", "le", "like", "notlike", "contains", "in",
];

/// One of [`OPERATORS`].
pub(crate) fn holds(operator: &str, actual: &Dynamic, wanted: &Dynamic) -> bool {
    let wanted = &quantity(actual, wanted);
    let order = compare(actual, wanted);
    let same = |v: &Dynamic| compare(v, wanted).is_eq();
    match operator {
        "eq" => order.is_eq(),
        "ne" => order.is_ne(),
        "gt" => order.is_gt(),
        "ge" => order.is_ge(),
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "like" => fits(&text(wanted), &text(actual)),
        "notlike" => !fits(&text(wanted), &text(actual)),
        "contains" => rows_of(actual).iter().any(same),
        _ => rows_of(wanted).iter().any(|v| compare(actual, v).is_eq()),
    }
}

/// `-match` and `-notmatch`.
///
/// # Errors
/// `Usage` for a text that is no regular expression.
pub(crate) fn matches(actual: &Dynamic, pattern: &str) -> hamq_core::Result<bool> {
    regex(pattern).map(|regex| regex.is_match(&text(actual)))
}

fn regex(pattern: &str) -> hamq_core::Result<Regex> {
    let built = RegexBuilder::new(pattern).case_insensitive(true).build();
    built.map_err(|e| {
        let what = format!("'{pattern}' is no regular expression: {e}");
        Error::new(ErrorKind::Usage, what).hint("-like takes a pattern with * and ?")
    })
}
