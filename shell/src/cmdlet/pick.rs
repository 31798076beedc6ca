//! Select-Object: which rows, and which of their properties.

use hamq_core::name::fits;
use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, Map};

use super::filter::{key, values};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::{Record, compare, from_map, property, rows_of, text};

pub(super) fn select<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let (mut rows, bound) = (input, bound.clone());
    if let Some(skip) = bound.count("Skip") {
        rows = skipped(rows, skip);
    }
    if let Some(first) = bound.count("First") {
        // The row behind the last one is never asked for.
        rows = Box::new(rows.take(first));
    }
    if let Some(last) = bound.count("Last") {
        let mut all = rows.collect::<Result<Vec<_>, _>>()?;
        rows = values(all.split_off(all.len().saturating_sub(last)));
    }
    if let Some(name) = bound.text("ExpandProperty") {
        return Ok(Box::new(rows.flat_map(move |row| {
            match row.and_then(|row| property(&row, &name).map_err(|e| call.fail_about(&bound, e)))
            {
                Ok(value) => values(rows_of(&value)),
                Err(failure) => Box::new(std::iter::once(Err(failure))),
            }
        })));
    }
    let unique = bound.switch("Unique") == Some(true);
    let wanted = bound.get("Property").map(rows_of).unwrap_or_default();
    let left_out = bound.texts("ExcludeProperty");
    if !wanted.is_empty() || !left_out.is_empty() {
        rows = Box::new(rows.map(move |row| pick(call, &bound, &row?, &wanted, &left_out)));
    }
    Ok(if unique { distinct(rows) } else { rows })
}

/// Not the first so many; one of them that failed still fails.
fn skipped<'a>(rows: Stream<'a>, skip: usize) -> Stream<'a> {
    let mut left = skip;
    Box::new(rows.filter(move |row| {
        let skips = left > 0 && row.is_ok();
        left -= usize::from(skips);
        !skips
    }))
}

/// Equal rows once, in their order.
fn distinct<'a>(rows: Stream<'a>) -> Stream<'a> {
    let mut seen: Vec<Dynamic> = Vec::new();
    Box::new(rows.filter(move |row| {
        let Ok(row) = row else { return true };
        let new = !seen.iter().any(|old| compare(old, row).is_eq());
        if new {
            seen.push(row.clone());
        }
        new
    }))
}

/// A record of some properties; `*` and patterns take all that fit, `@{ Name = …; Expression = { … } }` makes one.
fn pick(
    call: Call<'_>,
    bound: &Bound,
    row: &Dynamic,
    wanted: &[Dynamic],
    left_out: &[String],
) -> Result<Dynamic, Failure> {
    let record = row.clone().try_cast::<Record>();
    let mut picked = Record::default();
    let all = [Dynamic::from("*")];
    let wanted = if wanted.is_empty() { &all } else { wanted };
    for by in wanted {
        if let Some(made) = calculated(by) {
            let (name, by) = made.map_err(|e| call.fail_about(bound, e))?;
            picked.set(&name, key(call, bound, &by, row)?);
            continue;
        }
        let name = &text(by);
        match &record {
            Some(record) if name.contains(['*', '?']) => {
                for (field, value) in record.fields.iter().filter(|(field, _)| fits(name, field)) {
                    picked.set(field, value.clone());
                }
            }
            Some(record) => {
                let mut fields = record.fields.iter();
                let spelled = fields.find(|(n, _)| n.eq_ignore_ascii_case(name));
                let value = record.get(name).map_err(|e| call.fail_about(bound, e))?;
                picked.set(spelled.map_or(name, |(n, _)| n), value);
            }
            None => {
                let value = property(row, name).map_err(|e| call.fail_about(bound, e))?;
                picked.set(name, value);
            }
        }
    }
    if !left_out.is_empty() {
        let stays = |(name, _): &&(String, Dynamic)| !left_out.iter().any(|p| fits(p, name));
        picked = Record::of(picked.fields.iter().filter(stays).cloned().collect());
    }
    Ok(Dynamic::from(picked))
}

/// The name and the block of a property that is made; short names do: `@{ n = 'x'; e = { … } }`.
fn calculated(by: &Dynamic) -> Option<hamq_core::Result<(String, Dynamic)>> {
    let map = from_map(&by.clone().try_cast::<Map>()?);
    let find = |names: [&str; 3]| names.iter().find_map(|n| map.find(n)).cloned();
    let (name, block) = (
        find(["Name", "n", "Label"]),
        find(["Expression", "e", "Property"]),
    );
    Some(match (name, block) {
        (Some(name), Some(block)) => Ok((text(&name), block)),
        _ => Err(Error::new(
            ErrorKind::Usage,
            "a made property needs a Name and an Expression",
        )
        .hint("@{ Name = 'Share'; Expression = { $_.MessageCount / 100 } }")),
    })
}
