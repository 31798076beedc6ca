//! Rows and errors as text: tables that wrap and never cut, lists, and carets under the fault.

mod caret;
mod csv;

use hamq_core::api::spec::Record as _;
use hamq_core::api::what_if::StepInfo;
use rhai::Dynamic;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub use caret::{Paper, error};
pub use csv::{csv, csv_body, fields, names};

use crate::script::value::{Record, property, text};

/// The text without its colours.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, code)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = code
            .split_once(|c: char| c.is_ascii_alphabetic())
            .map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// Rows the way they are shown when nothing else is asked for.
#[must_use]
pub fn rows(rows: &[Dynamic], width: usize) -> String {
    if rows.iter().any(|row| !row.is::<Record>()) {
        return rows.iter().map(|row| text(row) + "\n").collect();
    }
    match Grid::fits(rows) {
        true => table(rows, &[], width),
        false => list(rows, &[]),
    }
}

fn default_columns(record: &Record) -> &'static [&'static str] {
    let outputs = hamq_core::api::COMMANDS.iter().map(|spec| spec.output);
    let mut specs = outputs.chain([StepInfo::SPEC]);
    specs
        .find(|spec| spec.name == record.shape)
        .map_or(&[], |spec| spec.columns)
}

fn columns(rows: &[Dynamic], wanted: &[String], all: bool) -> Vec<String> {
    if !wanted.is_empty() {
        return wanted.to_vec();
    }
    let record = rows
        .first()
        .and_then(|row| row.clone().try_cast::<Record>())
        .unwrap_or_default();
    let columns = default_columns(&record);
    if !all && !columns.is_empty() {
        return columns.iter().map(|c| (*c).to_owned()).collect();
    }
    record.fields.iter().map(|(name, _)| name.clone()).collect()
}

fn cell(row: &Dynamic, name: &str) -> String {
    property(row, name)
        .map(|value| text(&value))
        .unwrap_or_default()
}

/// A table no wider than `width`, where that is possible; wide cells wrap.
#[must_use]
pub fn table(rows: &[Dynamic], wanted: &[String], width: usize) -> String {
    let grid = Grid::of(rows, wanted, width);
    if grid.names.is_empty() {
        return rows.iter().map(|row| text(row) + "\n").collect();
    }
    // A blank line keeps it apart from what is shown next.
    format!("{}{}\n", grid.head(), grid.body(rows))
}

/// The columns of a table.
#[derive(Debug)]
pub struct Grid {
    names: Vec<String>,
    widths: Vec<usize>,
    right: Vec<bool>,
}

impl Grid {
    /// Whether rows are shown as a table when nothing else is asked for.
    #[must_use]
    pub fn fits(rows: &[Dynamic]) -> bool {
        let first = rows
            .first()
            .and_then(|row| row.clone().try_cast::<Record>());
        first.is_some_and(|first| {
            !first.fields.is_empty()
                && (!default_columns(&first).is_empty() || first.fields.len() <= 4)
        })
    }

    /// Columns as wide as `rows` need and `width` allows.
    #[must_use]
    pub fn of(rows: &[Dynamic], wanted: &[String], width: usize) -> Self {
        let names = columns(rows, wanted, false);
        let number = |row, name| property(row, name).is_ok_and(|v| v.is_int() || v.is_float());
        let right = names
            .iter()
            .map(|name| rows.iter().all(|row| number(row, name)))
            .collect();
        let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, &names)).collect();
        let widths = fit(&names, &cells, width);
        Self {
            names,
            widths,
            right,
        }
    }

    /// The names of the columns, underlined.
    #[must_use]
    pub fn head(&self) -> String {
        let rule = |(width, name): (&usize, &String)| "-".repeat(name.width().min(*width));
        let rule: Vec<String> = self.widths.iter().zip(&self.names).map(rule).collect();
        let mut out = String::new();
        line(&mut out, &self.names, &self.widths, &self.right);
        line(&mut out, &rule, &self.widths, &self.right);
        out
    }

    /// The rows in these columns.
    #[must_use]
    pub fn body(&self, rows: &[Dynamic]) -> String {
        let mut out = String::new();
        for row in rows {
            line(
                &mut out,
                &cells(row, &self.names),
                &self.widths,
                &self.right,
            );
        }
        out
    }
}

fn cells(row: &Dynamic, names: &[String]) -> Vec<String> {
    names.iter().map(|name| cell(row, name)).collect()
}

/// Shrinks the widest column until all fit.
fn fit(names: &[String], cells: &[Vec<String>], width: usize) -> Vec<usize> {
    let wide = |i: usize, name: &String| {
        let rows = cells.iter().filter_map(|row| row.get(i));
        rows.flat_map(|cell| cell.lines().map(|line| line.width()))
            .chain([name.width()])
            .max()
            .unwrap_or(1)
    };
    let mut widths: Vec<usize> = names.iter().enumerate().map(|(i, n)| wide(i, n)).collect();
    let gaps = 2 * names.len().saturating_sub(1);
    loop {
        let total = widths.iter().fold(gaps, |sum, w| sum.saturating_add(*w));
        let Some(widest) = widths.iter_mut().max().filter(|w| total > width && **w > 8) else {
            return widths;
        };
        *widest = widest.saturating_sub(total - width).max(8).max(*widest / 2);
    }
}

fn line(out: &mut String, cells: &[String], widths: &[usize], right: &[bool]) {
    let wrapped: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| wrap(cell, *width))
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(1);
    for n in 0..height {
        let mut text = String::new();
        for ((lines, width), right) in wrapped.iter().zip(widths).zip(right) {
            let part = lines.get(n).map_or("", String::as_str);
            let pad = " ".repeat(width.saturating_sub(part.width()));
            let (before, after) = if *right {
                (pad.as_str(), "")
            } else {
                ("", pad.as_str())
            };
            text.push_str(&format!("{before}{part}{after}  "));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}

/// Each row as a block of `Name : value` lines.
#[must_use]
pub fn list(rows: &[Dynamic], wanted: &[String]) -> String {
    let mut blocks = Vec::new();
    for row in rows {
        let names = columns(std::slice::from_ref(row), wanted, true);
        let widest = names.iter().map(|n| n.width()).max().unwrap_or(0);
        let line = |name: &String| format!("{name:widest$} : {}\n", cell(row, name));
        blocks.push(if names.is_empty() {
            text(row) + "\n"
        } else {
            names.iter().map(line).collect()
        });
    }
    blocks.join("\n") + "\n"
}

/// Text in lines of at most `width` columns, broken at blanks where there are some.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if !line.is_empty() && line.width() + word.trim_end().width() > width {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            for c in word.chars() {
                if line.width() + c.width().unwrap_or(0) > width && c != ' ' {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(if c.is_control() { ' ' } else { c });
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}
