//! Rows from and to files and JSON text.

use std::io::Write as _;

use hamq_core::{Error, ErrorKind};
use rhai::Dynamic;

use super::filter::{chain, none, values};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::render;
use crate::script::value::{Record, from_map, rows_of, text, to_json};

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

pub(super) fn out_file<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
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

/// A record for each line behind the first, which names the properties.
pub(super) fn import_csv<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let path = bound.text("Path").unwrap_or_default();
    let all = std::fs::read_to_string(&path)
        .map_err(|e| call.fail_about(bound, Error::system(format!("read {path}"), &e)))?;
    let mut lines = fields(&all).into_iter();
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

/// The fields of the lines of a CSV text (RFC 4180); blank lines are passed over.
fn fields(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut blank) = (false, true);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut characters = text.chars().chain(['\n']).peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => (quoted, blank) = (!quoted, false),
            ',' if !quoted => {
                line.push(std::mem::take(&mut field));
                blank = false;
            }
            '\n' if !quoted => {
                let last = std::mem::take(&mut field);
                if !blank {
                    line.push(last.strip_suffix('\r').unwrap_or(&last).to_owned());
                    lines.push(std::mem::take(&mut line));
                }
                blank = true;
            }
            c => {
                field.push(c);
                blank &= c == '\r';
            }
        }
    }
    lines
}
