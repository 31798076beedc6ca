//! Compare-Object: which rows two lists do not share.

use rhai::Dynamic;

use super::filter::{chain, values};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::{Record, property, rows_of, text};

/// A row with what makes it equal to another one.
type Keyed = (Vec<String>, Dynamic);

pub(super) fn compare<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let names = bound.texts("Property");
    let keyed = |row: &Dynamic| -> Result<Keyed, Failure> {
        let key = key(row, &names).map_err(|e| call.fail_about(bound, e))?;
        Ok((key, row.clone()))
    };
    let first = chain(input, bound.get("ReferenceObject"));
    let first = first
        .map(|row| keyed(&row?))
        .collect::<Result<Vec<_>, _>>()?;
    let second = bound
        .get("DifferenceObject")
        .map(rows_of)
        .unwrap_or_default();
    let mut second = second.iter().map(keyed).collect::<Result<Vec<_>, _>>()?;
    let (mut equal, mut only_first) = (Vec::new(), Vec::new());
    for row in first {
        match second.iter().position(|(key, _)| *key == row.0) {
            Some(at) => {
                drop(second.remove(at));
                equal.push(row);
            }
            None => only_first.push(row),
        }
    }
    let told = |side: &'static str| {
        let names = names.clone();
        move |(_, row): Keyed| told(&row, &names, side)
    };
    let mut out: Vec<Dynamic> = Vec::new();
    if bound.switch("IncludeEqual") == Some(true) || bound.switch("ExcludeDifferent") == Some(true)
    {
        out.extend(equal.into_iter().map(told("==")));
    }
    if bound.switch("ExcludeDifferent") != Some(true) {
        out.extend(second.into_iter().map(told("=>")));
        out.extend(only_first.into_iter().map(told("<=")));
    }
    Ok(values(out))
}

/// Texts without case: of the named properties, else of all, by their names.
fn key(row: &Dynamic, names: &[String]) -> hamq_core::Result<Vec<String>> {
    if !names.is_empty() {
        let cell = |name: &String| property(row, name).map(|v| text(&v).to_lowercase());
        return names.iter().map(cell).collect();
    }
    let Some(record) = row.clone().try_cast::<Record>() else {
        return Ok(vec![text(row).to_lowercase()]);
    };
    let cell = |(name, value): &(String, Dynamic)| format!("{name}={}", text(value)).to_lowercase();
    let mut cells: Vec<String> = record.fields.iter().map(cell).collect();
    cells.sort();
    Ok(cells)
}

/// The row (or what was compared of it) with the side it is on.
fn told(row: &Dynamic, names: &[String], side: &str) -> Dynamic {
    let mut told = Record::default();
    match row.clone().try_cast::<Record>() {
        None => told.set("InputObject", row.clone()),
        Some(record) => {
            let shown =
                |name: &str| names.is_empty() || names.iter().any(|n| n.eq_ignore_ascii_case(name));
            for (name, value) in record.fields.iter().filter(|(name, _)| shown(name)) {
                told.set(name, value.clone());
            }
        }
    }
    told.set("SideIndicator", side.to_owned().into());
    Dynamic::from(told)
}
