//! Verbs that need all rows: in order, counted, grouped.

use std::rc::Rc;

use hamq_core::{Error, ErrorKind};
use rhai::Dynamic;

use super::filter::{key, values};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::{Record, Rows, compare, number, property, rows_of, text};

pub(super) fn sort<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let by = bound.get("Property").map(rows_of).unwrap_or_default();
    let mut keyed = Vec::new();
    for row in input {
        let row = row?;
        let keys = by.iter().map(|by| key(call, bound, by, &row));
        let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
        if by.is_empty() {
            keys.push(row.clone());
        }
        keyed.push((keys, row));
    }
    let order = |a: &Vec<Dynamic>, b: &Vec<Dynamic>| {
        let mut keys = a.iter().zip(b).map(|(a, b)| compare(a, b));
        keys.find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    // Equal rows keep their order, whichever way round.
    match bound.switch("Descending") {
        Some(true) => keyed.sort_by(|(a, _), (b, _)| order(b, a)),
        _ => keyed.sort_by(|(a, _), (b, _)| order(a, b)),
    }
    if bound.switch("Unique") == Some(true) {
        keyed.dedup_by(|(a, _), (b, _)| order(a, b).is_eq());
    }
    if let Some(top) = bound.count("Top") {
        keyed.truncate(top);
    }
    Ok(values(keyed.into_iter().map(|(_, row)| row).collect()))
}

fn int(n: usize) -> Dynamic {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

pub(super) fn measure<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let mut record = Record::default();
    record.set("Count", int(rows.len()));
    let asked = |name: &str| bound.switch(name) == Some(true);
    let some = ["Sum", "Average", "Minimum", "Maximum"]
        .into_iter()
        .any(asked);
    let by = bound.text("Property");
    if by.is_some() || some {
        // Without a property the rows themselves are the numbers.
        let read = |row: &Dynamic| match &by {
            Some(name) => property(row, name).map(|v| number(&v)),
            None => Ok(number(row)),
        };
        let numbers = rows
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| call.fail_about(bound, e))?;
        let numbers: Vec<f64> = numbers.into_iter().flatten().collect();
        let sum: f64 = numbers.iter().sum();
        let least = numbers.iter().copied().reduce(f64::min);
        let greatest = numbers.iter().copied().reduce(f64::max);
        #[expect(clippy::cast_precision_loss, reason = "an average is approximate")]
        let average = least.map(|_| sum / numbers.len() as f64);
        let all = [
            ("Sum", Some(sum)),
            ("Average", average),
            ("Minimum", least),
            ("Maximum", greatest),
        ];
        for (name, value) in all {
            if let Some(value) = value.filter(|_| !some || asked(name)) {
                record.set(name, short(value));
            }
        }
    }
    Ok(values(vec![Dynamic::from(record)]))
}

/// A whole number where it is one.
#[expect(clippy::cast_possible_truncation, reason = "guarded by the comparison")]
fn short(f: f64) -> Dynamic {
    if f.fract() == 0.0 && f.abs() < 9e15 {
        (f as i64).into()
    } else {
        f.into()
    }
}

pub(super) fn group<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let Some(by) = bound.get("Property").cloned() else {
        let what = "Group-Object needs a property or a script block";
        return Err(call.fail(Error::new(ErrorKind::Usage, what)));
    };
    let mut groups: Vec<(Dynamic, Vec<Dynamic>)> = Vec::new();
    for row in input {
        let row = row?;
        let key = key(call, bound, &by, &row)?;
        match groups.iter_mut().find(|(k, _)| compare(k, &key).is_eq()) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let bare = bound.switch("NoElement") == Some(true);
    let record = |(key, rows): (Dynamic, Vec<Dynamic>)| {
        let mut fields = vec![
            ("Count".into(), int(rows.len())),
            ("Name".into(), text(&key).into()),
        ];
        if !bare {
            fields.push(("Group".into(), Dynamic::from(Rows(Rc::new(rows)))));
        }
        Dynamic::from(Record::of(fields))
    };
    Ok(values(groups.into_iter().map(record).collect()))
}
