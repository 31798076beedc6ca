//! Rows as CSV (RFC 4180), and CSV as fields.

use rhai::Dynamic;

use crate::script::Record;
use crate::script::value::{property, text};

/// The names of the properties of the first row, then a line for each row.
#[must_use]
pub fn csv(rows: &[Dynamic]) -> String {
    let names = names(rows);
    format!(
        "{}{}",
        line(names.iter().map(String::as_str)),
        csv_body(rows, &names)
    )
}

/// The names that [`csv`] would write.
#[must_use]
pub fn names(rows: &[Dynamic]) -> Vec<String> {
    let first = rows
        .first()
        .and_then(|row| row.clone().try_cast::<Record>());
    match first {
        Some(record) => record.fields.iter().map(|(name, _)| name.clone()).collect(),
        None if rows.is_empty() => Vec::new(),
        None => vec!["Value".to_owned()],
    }
}

/// The lines of the rows alone.
#[must_use]
pub fn csv_body(rows: &[Dynamic], names: &[String]) -> String {
    let cells = |row: &Dynamic| -> Vec<String> {
        if !row.is::<Record>() {
            return vec![text(row)];
        }
        let cell = |name: &String| property(row, name).map(|v| text(&v)).unwrap_or_default();
        names.iter().map(cell).collect()
    };
    rows.iter()
        .map(|row| line(cells(row).iter().map(String::as_str)))
        .collect()
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(quoted).collect();
    match cells.as_slice() {
        [] => String::new(),
        // A line of one empty field would be no line.
        [only] if only.is_empty() => "\"\"\n".to_owned(),
        _ => cells.join(",") + "\n",
    }
}

fn quoted(cell: &str) -> String {
    let plain = !cell.contains(['"', ',', '\n', '\r']) && cell.trim() == cell;
    match plain {
        true => cell.to_owned(),
        false => format!("\"{}\"", cell.replace('"', "\"\"")),
    }
}

/// The fields of the lines of a CSV text; blank lines are passed over.
#[must_use]
pub fn fields(text: &str) -> Vec<Vec<String>> {
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
