//! Verbs that need all rows: in order, counted, grouped.

use std::rc::Rc;

use rhai::Dynamic;

use super::filter::values;
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::{Record, Rows, compare, number, property, text};

pub(super) fn sort<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let names = bound.texts("Property");
    let mut keyed = Vec::new();
    for row in input {
        let row = row?;
        let key = if names.is_empty() {
            vec![row.clone()]
        } else {
            let keys = names
                .iter()
                .map(|name| property(&row, name))
                .collect::<Result<Vec<_>, _>>();
            keys.map_err(|e| call.fail_about(bound, e))?
        };
        keyed.push((key, row));
    }
    let order = |a: &Vec<Dynamic>, b: &Vec<Dynamic>| {
        let mut keys = a.iter().zip(b).map(|(a, b)| compare(a, b));
        keys.find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    keyed.sort_by(|(a, _), (b, _)| order(a, b));
    if bound.switch("Descending") == Some(true) {
        keyed.reverse();
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
    if let Some(name) = bound.text("Property") {
        let read = |row: &Dynamic| property(row, &name).map(|v| number(&v));
        let numbers = rows
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| call.fail_about(bound, e))?;
        let numbers: Vec<f64> = numbers.into_iter().flatten().collect();
        let sum: f64 = numbers.iter().sum();
        let least = numbers.iter().copied().reduce(f64::min);
        let greatest = numbers.iter().copied().reduce(f64::max);
        record.set("Sum", short(sum));
        if let (Some(least), Some(greatest)) = (least, greatest) {
            #[expect(clippy::cast_precision_loss, reason = "an average is approximate")]
            record.set("Average", short(sum / numbers.len() as f64));
            record.set("Minimum", short(least));
            record.set("Maximum", short(greatest));
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
    let name = bound.text("Property").unwrap_or_default();
    let mut groups: Vec<(Dynamic, Vec<Dynamic>)> = Vec::new();
    for row in input {
        let row = row?;
        let key = property(&row, &name).map_err(|e| call.fail_about(bound, e))?;
        match groups.iter_mut().find(|(k, _)| compare(k, &key).is_eq()) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let record = |(key, rows): (Dynamic, Vec<Dynamic>)| {
        let count = int(rows.len());
        Dynamic::from(Record::of(vec![
            ("Count".into(), count),
            ("Name".into(), text(&key).into()),
            ("Group".into(), Dynamic::from(Rows(Rc::new(rows)))),
        ]))
    };
    Ok(values(groups.into_iter().map(record).collect()))
}
