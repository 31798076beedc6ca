//! Showing the rows of a pipeline while they come.

use std::time::{Duration, Instant};

use rhai::Dynamic;

use super::{Failure, Stream};
use crate::render::{Grid, rows};
use crate::script::Record;
use crate::script::value::{rows_of, text, to_json};
use crate::session::State;

/// So many rows are laid out together at most; later ones keep the columns of the first.
const BATCH_MAX: usize = 1_000;
/// A row that took longer comes from something that waits: what is there is shown at once.
const SLOW: Duration = Duration::from_millis(200);

/// Shows all rows.
///
/// # Errors
/// The first that is not a row; those before it were shown.
pub fn all(state: &State, mut stream: Stream<'_>) -> Result<(), Failure> {
    let mut printer = Printer::new(state);
    let result = loop {
        let asked = Instant::now();
        let Some(row) = stream.next() else {
            break Ok(());
        };
        match row.and_then(|row| state.check_interrupt().map(|()| row)) {
            Ok(row) => printer.take(&row, asked.elapsed() > SLOW),
            Err(failure) => break Err(failure),
        }
    };
    printer.finish();
    result
}

/// Rows on their way to the output.
struct Printer<'s> {
    state: &'s State,
    waiting: Vec<Dynamic>,
    grid: Option<Grid>,
}

impl<'s> Printer<'s> {
    fn new(state: &'s State) -> Self {
        Self {
            state,
            waiting: Vec::new(),
            grid: None,
        }
    }

    /// A text is shown at once; a record waits for those of its table, unless they come slowly.
    fn take(&mut self, value: &Dynamic, slow: bool) {
        for row in rows_of(value) {
            if self.state.json {
                self.state.line(&to_json(&row).to_string());
            } else if row.is::<Record>() {
                self.waiting.push(row);
            } else {
                self.finish();
                self.state.line(&text(&row));
            }
        }
        let table_begun = self.grid.is_some() || self.waiting.len() > 1;
        if self.waiting.len() >= BATCH_MAX || (slow && table_begun) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.waiting);
        if batch.is_empty() {
            return;
        }
        let width = self.state.width();
        match &self.grid {
            Some(grid) => self.state.write(&grid.body(&batch)),
            None => match Grid::fits(&batch) {
                true => {
                    let grid = Grid::of(&batch, &[], width);
                    self.state.write(&grid.head());
                    self.state.write(&grid.body(&batch));
                    self.grid = Some(grid);
                }
                false => self.state.write(&rows(&batch, width)),
            },
        }
    }

    fn finish(&mut self) {
        self.flush();
        if self.grid.take().is_some() {
            self.state.write("\n");
        }
    }
}
