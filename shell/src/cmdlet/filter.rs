//! Running the verbs of the shell: each turns a stream of rows into another.

use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, FnPtr};

use super::{
    act, assert, compare, condition, evaluate, file, help, member, native, order, pick, test, wait,
};
use crate::pipeline::run::Call;
use crate::pipeline::view::View;
use crate::pipeline::{Bound, Failure, Stream};
use crate::render;
use crate::script::value::{as_row, property, rows_of, text};

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
    if matches!(
        bound.spec.name,
        "Assert-Equal" | "Assert-Like" | "Assert-True" | "Assert-Throws"
    ) {
        return assert::assert(call, &bound, input);
    }
    let input = input.unwrap_or_else(|| Box::new(std::iter::empty()));
    Ok(match bound.spec.name {
        "Where-Object" => condition::filter(call, bound, input)?,
        "Select-Object" => pick::select(call, &bound, input)?,
        "Compare-Object" => compare::compare(call, &bound, input)?,
        "Tee-Object" => file::tee(call, &bound, input)?,
        "Get-Member" => member::members(&bound, input)?,
        "Invoke-Native" => native::run(call, &bound, input)?,
        "ForEach-Object" => for_each(call, bound, input),
        "Sort-Object" => order::sort(call, &bound, input)?,
        "Measure-Object" => order::measure(call, &bound, input)?,
        "Group-Object" => order::group(call, &bound, input)?,
        "Format-Table" | "Format-List" | "Format-Wide" => format(call, &bound, input)?,
        "Out-String" => out_string(call, &bound, input)?,
        "ConvertTo-Csv" => {
            let rows = input.collect::<Result<Vec<_>, _>>()?;
            lines_of(&render::csv(&rows))
        }
        "ConvertFrom-Csv" => file::parse_csv(call, &bound, input)?,
        "ConvertTo-Json" => file::json(&bound, input)?,
        "ConvertFrom-Json" => file::parse_json(call, &bound, input)?,
        "Out-File" => file::out_file(call, &bound, file::Form::Shown, input)?,
        "Export-Csv" => file::out_file(call, &bound, file::Form::Csv, input)?,
        "Export-Json" => file::out_file(call, &bound, file::Form::Json, input)?,
        "Out-Null" => {
            input.collect::<Result<Vec<_>, _>>()?;
            none()
        }
        "Invoke-Expression" => {
            let lines = chain(input, bound.get("Command"));
            evaluate::expression(call, &lines.collect::<Result<Vec<_>, _>>()?)?
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
        "Import-Json" => file::import_json(call, bound),
        "Wait-Condition" | "Wait-ClusterResource" | "Wait-ClusterNode" | "Wait-MsmqQueue" => {
            wait::wait(call, bound)
        }
        "Invoke-Runbook" => evaluate::runbook(call, bound),
        "Describe" => test::describe(call, bound),
        "It" => test::it(call, bound),
        "Invoke-Try" => attempt(call, bound),
        "Get-Content" => file::content(call, bound),
        "Get-History" | "Get-ClusterAudit" | "Start-Transcript" | "Stop-Transcript"
        | "ConvertTo-Runbook" => super::past::run(call, bound),
        "Get-HamqContext" | "New-HamqContext" | "Set-HamqContext" | "Remove-HamqContext" => {
            super::context::run(call, bound)
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
        _ => act::act(call, bound),
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
    let more = more.into_iter().map(as_row).collect();
    Box::new(input.chain(values(more)))
}

pub(super) fn words(bound: &Bound, name: &str) -> String {
    bound.texts(name).join(" ")
}

pub(super) fn block(call: Call<'_>, block: &FnPtr, row: &Dynamic) -> Result<Dynamic, Failure> {
    call.state.check_interrupt()?;
    block.call_within_context(call.context, (row.clone(),))
}

/// What a property or a script block makes of a row.
pub(super) fn key(
    call: Call<'_>,
    bound: &Bound,
    by: &Dynamic,
    row: &Dynamic,
) -> Result<Dynamic, Failure> {
    match by.clone().try_cast::<FnPtr>() {
        Some(script) => block(call, &script, row),
        None => property(row, &text(by)).map_err(|e| call.fail_about(bound, e)),
    }
}

fn for_each<'a>(call: Call<'a>, bound: Bound, input: Stream<'a>) -> Stream<'a> {
    Box::new(input.flat_map(move |row| {
        let result = row.and_then(|row| match bound.get("Process") {
            None => Ok(row),
            Some(process) => key(call, &bound, process, &row),
        });
        match result {
            Ok(value) => values(rows_of(&value).into_iter().map(as_row).collect()),
            Err(failure) => Box::new(std::iter::once(Err(failure))),
        }
    }))
}

fn format<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let names = bound.texts("Property");
    let width = call.state.width();
    Ok(lines_of(&match bound.spec.name {
        "Format-List" => render::list(&rows, &names),
        "Format-Wide" => match names.first() {
            None => View::Name.of_rows(&rows, width),
            Some(name) => {
                let cells = rows.iter().map(|row| property(row, name));
                let cells = cells.collect::<hamq_core::Result<Vec<_>>>();
                let cells = cells.map_err(|e| call.fail_about(bound, e))?;
                cells.iter().map(|cell| text(cell) + "\n").collect()
            }
        },
        _ => render::table(&rows, &names, width),
    }))
}

fn lines_of<'a>(text: &str) -> Stream<'a> {
    values(text.lines().map(|line| line.to_owned().into()).collect())
}

fn out_string<'a>(call: Call<'a>, bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let text = render::rows(&rows, call.state.width());
    if bound.switch("Stream") == Some(true) {
        return Ok(lines_of(&text));
    }
    Ok(values(vec![text.into()]))
}

/// The value of a script block, or the error it ended with; an interrupt ends the script all the same.
fn attempt<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let script = script_of(call, bound, "Block")?;
    match block(call, &script, &Dynamic::UNIT) {
        Ok(value) => Ok(values(rows_of(&value))),
        Err(failure) if matches!(*failure, rhai::EvalAltResult::ErrorTerminated(..)) => {
            Err(failure)
        }
        Err(failure) => {
            let fault = call.state.fault(*failure);
            call.state.remember(fault.clone());
            Ok(values(vec![Dynamic::from(fault)]))
        }
    }
}

/// The script block that a parameter must have.
pub(super) fn script_of(call: Call<'_>, bound: &Bound, name: &str) -> Result<FnPtr, Failure> {
    let script = bound.get(name).cloned().and_then(Dynamic::try_cast);
    script.ok_or_else(|| {
        let what = format!("{} needs a script block", bound.spec.name);
        call.fail(Error::new(ErrorKind::Usage, what).hint("{ … }"))
    })
}
