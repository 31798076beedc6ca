//! Whether Enter runs the text or asks for another line.

use reedline::{ValidationResult, Validator};

use crate::syntax::translate;

/// Asks the front end.
pub struct Complete;

impl Validator for Complete {
    fn validate(&self, line: &str) -> ValidationResult {
        match translate(line, 0, true) {
            Err(error) if error.incomplete => ValidationResult::Incomplete,
            _ => ValidationResult::Complete,
        }
    }
}
