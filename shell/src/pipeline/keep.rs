//! `-OutVariable` and `-ErrorVariable`: what passes is kept in `$global:NAME` as well.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult};

use super::Stream;
use crate::script::value::{Rows, rows_of};
use crate::session::State;

/// A variable that is filled while rows pass, and has its value when the last has, or when nobody asks for more.
struct Variable<'a> {
    state: &'a State,
    name: String,
    kept: Vec<Dynamic>,
}

impl<'a> Variable<'a> {
    /// `+name` goes on with what is there.
    fn new(state: &'a State, name: &str) -> Self {
        let (name, kept) = match name.strip_prefix('+') {
            Some(name) => {
                let globals = state.globals.borrow();
                (name, globals.get(name).map(rows_of).unwrap_or_default())
            }
            None => (name, Vec::new()),
        };
        Self {
            state,
            name: name.to_owned(),
            kept,
        }
    }
}

impl Drop for Variable<'_> {
    fn drop(&mut self) {
        let rows = Dynamic::from(Rows(Rc::new(std::mem::take(&mut self.kept))));
        let name = self.name.as_str().into();
        self.state.globals.borrow_mut().insert(name, rows);
    }
}

/// Keeps the rows.
pub(super) fn rows<'a>(state: &'a State, name: &str, stream: Stream<'a>) -> Stream<'a> {
    let mut variable = Variable::new(state, name);
    Box::new(stream.inspect(move |row| {
        if let Ok(row) = row {
            variable.kept.push(row.clone());
        }
    }))
}

/// Keeps the errors, those that end the pipeline too; an interrupt is none.
pub(super) fn errors<'a>(state: &'a State, name: &str, stream: Stream<'a>) -> Stream<'a> {
    let mut variable = Variable::new(state, name);
    Box::new(stream.map(move |row| match row {
        Err(failure) if !matches!(*failure, EvalAltResult::ErrorTerminated(..)) => {
            let fault = state.fault(*failure);
            variable.kept.push(Dynamic::from(fault.clone()));
            Err(fault.raise())
        }
        other => other,
    }))
}
