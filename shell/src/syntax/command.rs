//! Whether a word is a command that may stand here.

use super::arguments::unknown_command;
use super::front::{Context, Front};
use super::site::{TokenKind, Wanted};
use super::statement::Statement;
use super::{Span, SyntaxError};
use crate::cmdlet;

impl Front<'_> {
    /// Reads a pipeline, if a command word stands here and may stand here.
    pub(super) fn command_here(
        &mut self,
        statement: &mut Statement,
        context: Context,
    ) -> Result<Option<()>, SyntaxError> {
        let start = self.at;
        let member = matches!(self.source[..start].chars().next_back(), Some('.' | ':'));
        let word = self.command_word();
        let span = Span::new(start, self.at);
        let dashed = word.contains('-');
        let found = cmdlet::find(&word);
        // `Mvoe-ClusterGroup` is a slip in a command, not a difference of two variables.
        let shape = dashed
            && found.is_none()
            && word
                .split('-')
                .all(|part| part.starts_with(|c: char| c.is_uppercase()))
            && (cmdlet::is_verb(word.split('-').next().unwrap_or_default())
                || hamq_core::name::nearest(&word, cmdlet::all().map(|s| s.name)).is_some());
        if statement.command && !member {
            self.wants(start, || Wanted::Command);
        }
        let is_command = !member
            && (dashed && (found.is_some() || shape)
                || !dashed && {
                    let alias = found.is_some() && !self.declared.contains(&word);
                    alias && statement.command && self.looks_like_arguments()
                });
        if !is_command {
            self.at = start;
            return Ok(None);
        }
        if !statement.command {
            return Err(SyntaxError::new(
                format!("the command {word} cannot stand here by itself"),
                span,
            )
            .hint(format!("put the command in parentheses: ({word} …)")));
        }
        let Some(spec) = found else {
            return Err(unknown_command(&word, span));
        };
        self.token_at(TokenKind::Command, start);
        let index = self.pipeline(spec, span, context)?;
        statement.pipeline = Some(index);
        statement.begun = true;
        statement.command = false;
        statement.complete = true;
        Ok(Some(()))
    }

    /// Whether an alias (`where`, `send`) is followed by arguments and not by an operator.
    pub(super) fn looks_like_arguments(&self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t']);
        let spaced = trimmed.len() < rest.len();
        let mut chars = trimmed.chars();
        match chars.next() {
            None | Some('\n' | '\r' | ';' | '}' | ')' | '|') => !trimmed.starts_with("||"),
            Some('-') => {
                let next = chars.next();
                let parameter = next.is_some_and(|c| c.is_alphanumeric());
                spaced && (parameter || next == Some('-') && chars.next() == Some(' '))
            }
            Some('.') => spaced && matches!(chars.next(), Some('/' | '\\')),
            Some(c) => {
                spaced
                    && (c.is_alphanumeric() || "'\"$@{*(".contains(c))
                    && !trimmed.starts_with("in ")
            }
        }
    }
}
