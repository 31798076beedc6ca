//! Rows from and to files and JSON text.

use std::io::Write as _;
use std::rc::Rc;

use hamq_core::{Error, ErrorKind};
use rhai::Dynamic;

use super::filter::{chain, none, values};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::render;
use crate::script::value::{Record, Rows, of_json, rows_of, text, to_json};

pub(super) fn json<'a>(bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
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

pub(super) fn parse_json<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let lines = chain(input, bound.get("InputObject")).collect::<Result<Vec<_>, _>>()?;
    let text = lines.iter().map(text).collect::<Vec<_>>().join("\n");
    json_values(call, &text)
}

/// The values of a text with any number of them; of lists, what they hold.
fn json_values<'a>(call: Call<'a>, text: &str) -> Result<Stream<'a>, Failure> {
    let parsed = serde_json::Deserializer::from_str(text)
        .into_iter::<serde_json::Value>()
        .collect::<Result<Vec<_>, _>>();
    let parsed =
        parsed.map_err(|e| call.fail(Error::new(ErrorKind::Usage, format!("not JSON: {e}"))))?;
    let rows: Vec<Dynamic> = parsed.into_iter().map(of_json).collect();
    Ok(values(rows.iter().flat_map(rows_of).collect()))
}

pub(super) fn content<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
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

/// How rows are written into a file.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// As they are shown.
    Shown,
    /// A JSON value a line.
    Json,
    /// RFC 4180.
    Csv,
}

/// Opens the file of `-Path`, to be replaced or added to.
pub(super) fn open(
    call: Call<'_>,
    bound: &Bound,
    name: &str,
) -> Result<(std::fs::File, String), Failure> {
    let Some(path) = bound.text(name) else {
        let what = format!("{} needs -{name}", bound.spec.name);
        return Err(call.fail(Error::new(ErrorKind::Usage, what)));
    };
    let append = bound.switch("Append") == Some(true);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .append(append)
        .truncate(!append)
        .open(&path);
    let file = file.map_err(|e| call.fail_about(bound, Error::system(format!("write {path}"), &e)));
    Ok((file?, path))
}

/// Writes all rows; JSON lines and texts as they come, so that an endless stream can be read meanwhile.
pub(super) fn out_file<'a>(
    call: Call<'a>,
    bound: &Bound,
    form: Form,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let (mut file, path) = open(call, bound, "Path")?;
    let broken = |e: &std::io::Error| call.fail(Error::system(format!("write {path}"), e));
    let mut kept = Vec::new();
    for row in input {
        let row = row?;
        let line = match form {
            Form::Json => to_json(&row).to_string() + "\n",
            Form::Shown if kept.is_empty() && !row.is::<Record>() => text(&row) + "\n",
            _ => {
                kept.push(row);
                continue;
            }
        };
        file.write_all(line.as_bytes()).map_err(|e| broken(&e))?;
    }
    let begun = bound.switch("Append") == Some(true) && file.metadata().is_ok_and(|m| m.len() > 0);
    let rest = match form {
        Form::Csv if begun => render::csv_body(&kept, &render::names(&kept)),
        Form::Csv => render::csv(&kept),
        _ if kept.is_empty() => String::new(),
        _ => render::rows(&kept, usize::MAX),
    };
    file.write_all(rest.as_bytes()).map_err(|e| broken(&e))?;
    Ok(none())
}

/// Passes rows on and writes them as they are shown, or keeps them in a variable of the session.
pub(super) fn tee<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let variable = bound.text("Variable");
    let file = match &variable {
        Some(_) => None,
        None => Some(open(call, bound, "FilePath")?),
    };
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    if let Some((mut file, path)) = file {
        let text = render::rows(&rows, usize::MAX);
        let written = file.write_all(text.as_bytes());
        written.map_err(|e| call.fail(Error::system(format!("write {path}"), &e)))?;
    }
    if let Some(name) = variable {
        let kept = Dynamic::from(Rows(Rc::new(rows.clone())));
        call.state.globals.borrow_mut().insert(name.into(), kept);
    }
    Ok(values(rows))
}

pub(super) fn import_csv<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let path = bound.text("Path").unwrap_or_default();
    let all = std::fs::read_to_string(&path)
        .map_err(|e| call.fail_about(bound, Error::system(format!("read {path}"), &e)))?;
    records(call, &all, &path)
}

pub(super) fn import_json<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let path = bound.text("Path").unwrap_or_default();
    let all = std::fs::read_to_string(&path)
        .map_err(|e| call.fail_about(bound, Error::system(format!("read {path}"), &e)))?;
    json_values(call, &all)
}

pub(super) fn parse_csv<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let lines = chain(input, bound.get("InputObject")).collect::<Result<Vec<_>, _>>()?;
    let text = lines.iter().map(text).collect::<Vec<_>>().join("\n");
    records(call, &text, "the text")
}

/// A record for each line behind the first, which names the properties.
fn records<'a>(call: Call<'a>, all: &str, path: &str) -> Result<Stream<'a>, Failure> {
    let mut lines = render::fields(all).into_iter();
    let names = lines.next().unwrap_or_default();
    let record = |(n, fields): (usize, Vec<String>)| {
        if fields.len() != names.len() {
            let what = format!(
                "row {} of {path} has {} fields, its first line names {}",
                n + 1,
                fields.len(),
                names.len()
            );
            let hint = "put fields that hold commas or line ends in double quotes";
            return Err(call.fail(Error::new(ErrorKind::InvalidParameter, what).hint(hint)));
        }
        let fields = names
            .iter()
            .cloned()
            .zip(fields.into_iter().map(Dynamic::from));
        Ok(Dynamic::from(Record::of(fields.collect())))
    };
    let rows = lines.enumerate().map(record).collect::<Result<_, _>>()?;
    Ok(values(rows))
}
