//! Operators: those of rhai as they are, and those of PowerShell that are words.

use super::front::Front;
use super::statement::Statement;

/// Operators of PowerShell that rhai has none for: the engine knows them as `__eq` and so on.
pub(crate) const WORD_OPERATORS: [&str; 12] = [
    "eq", "ne", "gt", "ge", "lt", "le", "like", "notlike", "contains", "in", "match", "notmatch",
];

impl Front<'_> {
    /// What rhai has for the operator that stands here as a word: `-eq`, `-and`, `-not`. Such a word between blanks is
    /// no rhai: what follows a minus there is a name, and no name follows a name.
    pub(super) fn word_operator(&self) -> Option<(String, usize)> {
        let before = self.source[..self.at].chars().next_back();
        let apart = before.is_none_or(|c| c.is_whitespace() || "([{".contains(c));
        let rest = self.rest().get(1..)?;
        let length = rest.find(|c: char| !c.is_ascii_alphabetic())?;
        let word = rest[..length].to_ascii_lowercase();
        if !apart || self.declared.contains(&word) || !rest[length..].starts_with([' ', '\t']) {
            return None;
        }
        let rhai = match word.as_str() {
            "and" => "&&".to_owned(),
            "or" => "||".to_owned(),
            "not" => "!".to_owned(),
            word if WORD_OPERATORS.contains(&word) => format!("__{word}"),
            _ => return None,
        };
        Some((rhai, length + 1))
    }

    pub(super) fn operator_word(&mut self, statement: &mut Statement) {
        let start = self.at;
        let Some((rhai, length)) = self.word_operator() else {
            return;
        };
        self.at += length;
        self.synth(&rhai, start);
        statement.value_at = None;
        statement.complete = false;
    }

    pub(super) fn operator(&mut self, statement: &mut Statement, c: char) {
        let start = self.at;
        self.at += c.len_utf8();
        let previous = self.source[..start].chars().next_back();
        let assigns = c == '='
            && self.peek() != Some('=')
            && self.peek() != Some('>')
            && !matches!(previous, Some('=' | '<' | '>' | '!'));
        if assigns {
            statement.command = true;
            statement.taken = true;
        }
        if assigns || c == ',' || c == '?' {
            statement.value_at = None;
        }
        statement.complete = false;
        self.copy(start, self.at);
    }
}
