//! `-As`: rows as text in a form that a person or a program asked for; never cut.

use hamq_core::name::nearest;
use hamq_core::{Error, ErrorKind, Result};
use rhai::Dynamic;

use super::{Failure, Stream};
use crate::render;
use crate::script::Record;
use crate::script::value::{text, to_json};
use crate::session::State;

/// A form of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The columns of the default table.
    Table,
    /// `Name : value`, line by line.
    List,
    /// A table of all properties.
    Wide,
    /// The name of each row.
    Name,
    /// One JSON list, also of one row or none.
    Json,
    /// A JSON value a line, as they come.
    JsonLines,
    /// RFC 4180, the names first.
    Csv,
}

const WORDS: [(&str, View); 7] = [
    ("table", View::Table),
    ("list", View::List),
    ("wide", View::Wide),
    ("name", View::Name),
    ("json", View::Json),
    ("jsonl", View::JsonLines),
    ("csv", View::Csv),
];

impl View {
    /// The form of this name.
    ///
    /// # Errors
    /// With the one that was probably meant.
    pub fn of(word: &str) -> Result<Self> {
        let found = WORDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        found.map(|(_, view)| *view).ok_or_else(|| {
            let names = WORDS.map(|(name, _)| name);
            let error = Error::new(ErrorKind::Usage, format!("-As cannot be '{word}'"));
            match nearest(word, names.iter().copied()) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint(format!("it takes {}", names.join(", "))),
            }
        })
    }

    /// The rows as lines of text. Names and JSON lines come as the rows do; the rest needs them all.
    ///
    /// # Errors
    /// The first row that failed.
    pub fn of_stream<'a>(
        self,
        state: &'a State,
        rows: Stream<'a>,
    ) -> std::result::Result<Stream<'a>, Failure> {
        match self {
            Self::Name => return Ok(Box::new(rows.map(|row| Ok(name_of(&row?).into())))),
            Self::JsonLines => {
                return Ok(Box::new(
                    rows.map(|row| Ok(to_json(&row?).to_string().into())),
                ));
            }
            _ => {}
        }
        let rows = rows.collect::<std::result::Result<Vec<_>, _>>()?;
        let text = self.of_rows(&rows, state.width());
        let lines = text.trim_end_matches('\n').lines();
        let lines: Vec<Dynamic> = lines.map(|line| line.to_owned().into()).collect();
        Ok(Box::new(lines.into_iter().map(Ok)))
    }

    /// The rows as text, tables no wider than `width` where that is possible.
    #[must_use]
    pub fn of_rows(self, rows: &[Dynamic], width: usize) -> String {
        let line = |text: String| text + "\n";
        match self {
            Self::Table if rows.is_empty() => String::new(),
            Self::List if rows.is_empty() => String::new(),
            Self::Table => render::table(rows, &[], width),
            Self::List => render::list(rows, &[]),
            Self::Wide => render::table(rows, &all_properties(rows), width),
            Self::Name => rows.iter().map(|row| line(name_of(row))).collect(),
            Self::Json => {
                let all: serde_json::Value = rows.iter().map(to_json).collect();
                format!("{all:#}\n")
            }
            Self::JsonLines => rows
                .iter()
                .map(|row| line(to_json(row).to_string()))
                .collect(),
            Self::Csv => render::csv(rows),
        }
    }
}

fn all_properties(rows: &[Dynamic]) -> Vec<String> {
    let first = rows
        .first()
        .and_then(|row| row.clone().try_cast::<Record>());
    let fields = first.map(|record| record.fields).unwrap_or_default();
    fields.iter().map(|(name, _)| name.clone()).collect()
}

/// What names a row: its Name, else its first property, else itself.
#[must_use]
pub fn name_of(row: &Dynamic) -> String {
    match row.clone().try_cast::<Record>() {
        None => text(row),
        Some(record) => {
            let first = || record.fields.first().map(|(_, value)| value);
            record
                .find("Name")
                .or_else(first)
                .map(text)
                .unwrap_or_default()
        }
    }
}
