//! Running the verbs of the shell: each turns a stream of rows into another.

use std::time::{Duration, Instant};

use hamq_core::name::fits;
use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, FnPtr};

use super::{condition, file, help, order};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::render;
use crate::script::value::{Record, property, rows_of, text};

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
        "Where-Object" => condition::filter(call, bound, input)?,
        "Select-Object" => select(call, &bound, input)?,
        "ForEach-Object" => for_each(call, bound, input),
        "Sort-Object" => order::sort(call, &bound, input)?,
        "Measure-Object" => order::measure(call, &bound, input)?,
        "Group-Object" => order::group(call, &bound, input)?,
        "Format-Table" | "Format-List" => format(call, &bound, input)?,
        "ConvertTo-Json" => file::json(&bound, input)?,
        "ConvertFrom-Json" => file::parse_json(call, &bound, input)?,
        "Out-File" => file::out_file(call, &bound, input)?,
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
            let page = page.map_err(|e| call.fail_about(bound, e))?;
            Ok(values(page.lines().map(|l| l.to_owned().into()).collect()))
        }
        "Get-Command" => Ok(values(help::commands(
            name.as_deref(),
            bound.text("Verb").as_deref(),
            bound.text("Noun").as_deref(),
        ))),
        "Import-Csv" => file::import_csv(call, bound),
        "Get-Content" => file::content(call, bound),
        "Show-ClusterMonitor" => {
            let allow_changes = bound.switch("AllowChanges") == Some(true);
            crate::monitor::show(call.state, allow_changes).map_err(|e| call.fail(e))?;
            call.state.check_interrupt()?;
            Ok(none())
        }
        "Clear-Host" => {
            // Nothing is cleared where nobody looks at a screen.
            if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
                call.state.write("\x1b[2J\x1b[H");
            }
            Ok(none())
        }
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
                .map_err(|e| call.fail_about(bound, e))?;
            Ok(none())
        }
        other => Err(call.fail(Error::new(
            ErrorKind::Internal,
            format!("{other} has no implementation"),
        ))),
    }
}

pub(super) fn none<'a>() -> Stream<'a> {
    Box::new(std::iter::empty())
}

pub(super) fn values<'a>(values: Vec<Dynamic>) -> Stream<'a> {
    Box::new(values.into_iter().map(Ok))
}

pub(super) fn chain<'a>(input: Stream<'a>, more: Option<&Dynamic>) -> Stream<'a> {
    let more = more.map(rows_of).unwrap_or_default();
    Box::new(input.chain(values(more)))
}

fn words(bound: &Bound, name: &str) -> String {
    bound.texts(name).join(" ")
}

pub(super) fn block(call: Call<'_>, block: &FnPtr, row: &Dynamic) -> Result<Dynamic, Failure> {
    call.state.check_interrupt()?;
    block.call_within_context(call.context, (row.clone(),))
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
            match row.and_then(|row| property(&row, &name).map_err(|e| call.fail_about(&bound, e)))
            {
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
                for (field, value) in record.fields.iter().filter(|(field, _)| fits(name, field)) {
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
