//! Maps: `@{ k = v; k: v }`.

use super::SyntaxError;
use super::front::{Context, Front};
use super::statement::Statement;
use super::text::literal;

impl Front<'_> {
    /// `{ k = v; k: v, … }` after `@` or `#`, as a rhai map. With `blocks`, values in braces are script blocks.
    pub(super) fn hashtable(&mut self, blocks: bool) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at += 1;
        self.synth("#{", start);
        loop {
            self.skip_blank(true);
            while matches!(self.peek(), Some(',' | ';')) {
                self.at += 1;
                self.skip_blank(true);
            }
            match self.peek() {
                None => return Err(self.unclosed("a map", "}", start)),
                Some('}') => {
                    self.at += 1;
                    self.synth("}", self.at - 1);
                    return Ok(());
                }
                _ => {}
            }
            let key_start = self.at;
            let key = match self.peek() {
                Some('\'') => self.verbatim()?,
                Some('"') => self.expandable()?.ok_or_else(|| self.unexpected())?,
                _ => self.word(),
            };
            self.skip_blank(true);
            if key.is_empty() || !matches!(self.peek(), Some('=' | ':')) {
                return Err(if self.peek().is_none() {
                    self.unclosed("a map", "}", start)
                } else {
                    self.unexpected()
                });
            }
            self.at += 1;
            self.synth(&literal(&key), key_start);
            self.synth(": ", key_start);
            if blocks {
                self.skip_blank(false);
                if self.peek() == Some('{') {
                    self.synth("|_it| ", self.at);
                }
            }
            self.value_until_separator(start)?;
            self.synth(", ", self.at);
        }
    }

    /// One value of a map: to `;`, `,`, a line end or the closing brace.
    pub(super) fn value_until_separator(&mut self, start: usize) -> Result<(), SyntaxError> {
        let mut statement = Statement::fresh();
        statement.taken = true;
        self.skip_blank(false);
        loop {
            match self.peek() {
                None => return Err(self.unclosed("a map", "}", start)),
                Some('}' | ';' | ',') => return Ok(()),
                Some('\n') if statement.complete => return Ok(()),
                Some(_) => self.token(&mut statement, Context::Group)?,
            }
        }
    }
}
