//! Running the verbs of the shell: each turns a stream of rows into another.

use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, FnPtr};

use super::{help, like};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::render;
use crate::script::value::{
    Record, Rows, compare, from_map, number, property, rows_of, text, to_json,
};

/// Starts a verb on its input.
///
/// # Errors
/// Those of the verb.
pub fn start<'a>(
    call: Call<'a>,
    bound: Bound,
    input: Option<Stream<'a>>,
) -> Result<Stream<'a>, Failure> {
    let given = input.is_some();
    let input = input.unwrap_or_else(|| Box::new(std::iter::empty()));
    Ok(match bound.spec.name {
        "Where-Object" => filter(call, bound, input),
        "Select-Object" => select(call, &bound, input)?,
        "ForEach-Object" => for_each(call, bound, input),
        "Sort-Object" => sort(call, &bound, input)?,
        "Measure-Object" => measure(call, &bound, input)?,
        "Group-Object" => group(call, &bound, input)?,
        "Format-Table" | "Format-List" => format(call, &bound, input)?,
        "ConvertTo-Json" => json(&bound, input)?,
        "ConvertFrom-Json" => parse_json(call, &bound, input)?,
        "Out-File" => out_file(call, &bound, input)?,
        "Out-Null" => {
            input.collect::<Result<Vec<_>, _>>()?;
            none()
        }
        "Write-Output" => chain(input, bound.get("InputObject")),
        "Write-Host" => {
            call.state.line(&words(&bound, "Object"));
            if given { input } else { none() }
        }
        _ => lone(call, &bound)?,
    })
}

/// The verbs that take no rows.
fn lone<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let name = bound.text("Name");
    match bound.spec.name {
        "Get-Help" => {
            let page = help::page(
                name.as_deref(),
                bound.switch("Examples") == Some(true),
                bound.switch("Full") == Some(true),
            );
            let page = page.map_err(|e| call.fail_about(&bound, e))?;
            Ok(values(page.lines().map(|l| l.to_owned().into()).collect()))
        }
        "Get-Command" => Ok(values(help::commands(
            name.as_deref(),
            bound.text("Verb").as_deref(),
            bound.text("Noun").as_deref(),
        ))),
        "Get-Content" => content(call, bound),
        "Get-Date" => {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default();
            let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            Ok(values(vec![
                hamq_core::api::value::Time(millis).to_string().into(),
            ]))
        }
        "Start-Sleep" => {
            let millis = bound
                .get("Duration")
                .and_then(|v| v.as_int().ok())
                .unwrap_or(0);
            let end = Instant::now() + Duration::from_millis(u64::try_from(millis).unwrap_or(0));
            while let Some(left) = end.checked_duration_since(Instant::now()) {
                call.state.check_interrupt()?;
                std::thread::sleep(left.min(Duration::from_millis(50)));
            }
            Ok(none())
        }
        "Write-Progress" => {
            progress(call, bound);
            Ok(none())
        }
        "Connect-Cluster" => {
            call.state
                .invoke
                .connect(&name.unwrap_or_default())
                .map_err(|e| call.fail_about(&bound, e))?;
            Ok(none())
        }
        other => Err(call.fail(Error::new(
            ErrorKind::Internal,
            format!("{other} has no implementation"),
        ))),
    }
}

fn none<'a>() -> Stream<'a> {
    Box::new(std::iter::empty())
}

fn values<'a>(values: Vec<Dynamic>) -> Stream<'a> {
    Box::new(values.into_iter().map(Ok))
}

fn chain<'a>(input: Stream<'a>, more: Option<&Dynamic>) -> Stream<'a> {
    let more = more.map(rows_of).unwrap_or_default();
    Box::new(input.chain(values(more)))
}

fn words(bound: &Bound, name: &str) -> String {
    bound.texts(name).join(" ")
}

fn block(call: Call<'_>, block: &FnPtr, row: &Dynamic) -> Result<Dynamic, Failure> {
    call.state.check_interrupt()?;
    block.call_within_context(call.context, (row.clone(),))
}

fn truth(value: &Dynamic) -> bool {
    match value.as_bool() {
        Ok(b) => b,
        Err(_) => !value.is_unit() && number(value) != Some(0.0) && !text(value).is_empty(),
    }
}

fn filter<'a>(call: Call<'a>, bound: Bound, input: Stream<'a>) -> Stream<'a> {
    Box::new(input.filter_map(move |row| {
        let kept = row.and_then(|row| Ok((keeps(call, &bound, &row)?, row)));
        match kept {
            Ok((true, row)) => Some(Ok(row)),
            Ok((false, _)) => None,
            Err(failure) => Some(Err(failure)),
        }
    }))
}

fn keeps(call: Call<'_>, bound: &Bound, row: &Dynamic) -> Result<bool, Failure> {
    let Some(test) = bound.get("FilterScript") else {
        let what = "Where-Object needs a script block or a property";
        return Err(
            call.fail(Error::new(ErrorKind::Usage, what).hint("Where-Object State -eq Online"))
        );
    };
    if let Some(script) = test.clone().try_cast::<FnPtr>() {
        return Ok(truth(&block(call, &script, row)?));
    }
    let actual = property(row, &text(test)).map_err(|e| call.fail_about(&bound, e))?;
    let mut tests = bound.iter().filter(|(name, _)| *name != "FilterScript");
    let Some((operator, wanted)) = tests.find(|(name, _)| super::common(name).is_none()) else {
        return Ok(truth(&actual));
    };
    let order = compare(&actual, wanted);
    let same = |v: &Dynamic| compare(v, wanted).is_eq();
    Ok(match *operator {
        "eq" => order.is_eq(),
        "ne" => order.is_ne(),
        "gt" => order.is_gt(),
        "ge" => order.is_ge(),
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "like" => like(&text(&actual), &text(wanted)),
        "notlike" => !like(&text(&actual), &text(wanted)),
        "contains" => rows_of(&actual).iter().any(same),
        _ => rows_of(wanted).iter().any(|v| compare(&actual, v).is_eq()),
    })
}

fn for_each<'a>(call: Call<'a>, bound: Bound, input: Stream<'a>) -> Stream<'a> {
    Box::new(input.flat_map(move |row| {
        let result = row.and_then(|row| match bound.get("Process") {
            None => Ok(row),
            Some(process) => match process.clone().try_cast::<FnPtr>() {
                Some(script) => block(call, &script, &row),
                None => property(&row, &text(process)).map_err(|e| call.fail_about(&bound, e)),
            },
        });
        match result {
            Ok(value) => values(rows_of(&value)),
            Err(failure) => Box::new(std::iter::once(Err(failure))),
        }
    }))
}

fn select<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let (mut rows, bound) = (input, bound.clone());
    if let Some(first) = bound.count("First") {
        rows = Box::new(rows.take(first));
    }
    if let Some(last) = bound.count("Last") {
        let mut all = rows.collect::<Result<Vec<_>, _>>()?;
        rows = values(all.split_off(all.len().saturating_sub(last)));
    }
    if let Some(name) = bound.text("ExpandProperty") {
        return Ok(Box::new(rows.flat_map(move |row| {
            match row.and_then(|row| property(&row, &name).map_err(|e| call.fail_about(&bound, e))) {
                Ok(value) => values(rows_of(&value)),
                Err(failure) => Box::new(std::iter::once(Err(failure))),
            }
        })));
    }
    let names = bound.texts("Property");
    if names.is_empty() {
        return Ok(rows);
    }
    Ok(Box::new(rows.map(move |row| {
        pick(&row?, &names).map_err(|e| call.fail_about(&bound, e))
    })))
}

/// A record of some properties; `*` and patterns take all that fit.
fn pick(row: &Dynamic, names: &[String]) -> hamq_core::Result<Dynamic> {
    let record = row.clone().try_cast::<Record>();
    let mut picked = Record::default();
    for name in names {
        match &record {
            Some(record) if name.contains(['*', '?']) => {
                for (field, value) in record.fields.iter().filter(|(field, _)| like(field, name)) {
                    picked.set(field, value.clone());
                }
            }
            Some(record) => {
                let spelled = record
                    .fields
                    .iter()
                    .find(|(n, _)| n.eq_ignore_ascii_case(name));
                picked.set(spelled.map_or(name, |(n, _)| n), record.get(name)?);
            }
            None => picked.set(name, property(row, name)?),
        }
    }
    Ok(Dynamic::from(picked))
}

fn sort<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
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
            keys.map_err(|e| call.fail_about(&bound, e))?
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

fn measure<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let mut record = Record::default();
    record.set("Count", int(rows.len()));
    if let Some(name) = bound.text("Property") {
        let read = |row: &Dynamic| property(row, &name).map(|v| number(&v));
        let numbers = rows
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| call.fail_about(&bound, e))?;
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

fn group<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let name = bound.text("Property").unwrap_or_default();
    let mut groups: Vec<(Dynamic, Vec<Dynamic>)> = Vec::new();
    for row in input {
        let row = row?;
        let key = property(&row, &name).map_err(|e| call.fail_about(&bound, e))?;
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

fn format<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let names = bound.texts("Property");
    let width = call.state.width();
    let text = if bound.spec.name == "Format-List" {
        render::list(&rows, &names)
    } else {
        render::table(&rows, &names, width)
    };
    Ok(values(
        text.lines().map(|line| line.to_owned().into()).collect(),
    ))
}

fn json<'a>(bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let value = match rows.as_slice() {
        [one] => to_json(one),
        many => many.iter().map(to_json).collect(),
    };
    let compress = bound.switch("Compress") == Some(true);
    let text = if compress {
        value.to_string()
    } else {
        format!("{value:#}")
    };
    Ok(values(vec![text.into()]))
}

fn parse_json<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let lines = chain(input, bound.get("InputObject")).collect::<Result<Vec<_>, _>>()?;
    let text = lines.iter().map(text).collect::<Vec<_>>().join("\n");
    let parsed = serde_json::Deserializer::from_str(&text)
        .into_iter::<Dynamic>()
        .collect::<Result<Vec<_>, _>>();
    let parsed =
        parsed.map_err(|e| call.fail(Error::new(ErrorKind::Usage, format!("not JSON: {e}"))))?;
    let rows = parsed.iter().flat_map(rows_of);
    Ok(values(
        rows.map(|row| match row.clone().try_cast::<rhai::Map>() {
            Some(map) => Dynamic::from(from_map(&map)),
            None => row,
        })
        .collect(),
    ))
}

fn content<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    use std::io::BufRead as _;
    let path = bound.text("Path").unwrap_or_default();
    let file = std::fs::File::open(&path)
        .map_err(|e| call.fail(Error::system(format!("open {path}"), &e)))?;
    let lines = std::io::BufReader::new(file).lines();
    Ok(Box::new(lines.map(move |line| match line {
        Ok(line) => Ok(line.into()),
        Err(e) => Err(call.fail(Error::system(format!("read {path}"), &e))),
    })))
}

fn out_file<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let path = bound.text("Path").unwrap_or_default();
    let append = bound.switch("Append") == Some(true);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .append(append)
        .truncate(!append)
        .open(&path);
    let written =
        file.and_then(|mut file| file.write_all(render::rows(&rows, usize::MAX).as_bytes()));
    written.map_err(|e| call.fail(Error::system(format!("write {path}"), &e)))?;
    Ok(none())
}

fn progress(call: Call<'_>, bound: &Bound) {
    let mut line = bound.text("Activity").unwrap_or_default();
    if let Some(percent) = bound.get("PercentComplete") {
        line = format!("{line} {}%", text(percent));
    }
    if let Some(status) = bound.text("Status") {
        line = format!("{line}: {status}");
    }
    call.state
        .progress(&line, bound.switch("Completed") == Some(true));
}
