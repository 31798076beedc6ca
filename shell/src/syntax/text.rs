//! Strings: verbatim, expandable, and rhai's own.

use super::front::Front;
use super::site::TokenKind;
use super::{Span, SyntaxError};

fn is_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// `text` as a rhai string literal.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Front<'_> {
    /// `'verbatim'`, where `''` is one quote.
    pub(super) fn verbatim(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        let token = self.token_begins(TokenKind::Text);
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.bump() else {
                return Err(self.unclosed("a string", "'", start));
            };
            if c != '\'' {
                text.push(c);
            } else if self.peek() == Some('\'') {
                self.at += 1;
                text.push('\'');
            } else {
                self.token_ends(token);
                return Ok(text);
            }
        }
    }

    /// `"expandable"`: its text when nothing in it expands; otherwise rhai text for it was emitted.
    pub(super) fn expandable(&mut self) -> Result<Option<String>, SyntaxError> {
        let start = self.at;
        let token = self.token_begins(TokenKind::Text);
        self.at += 1;
        let mut text = String::new();
        let mut expands = false;
        loop {
            match self.peek() {
                None => return Err(self.unclosed("a string", "\"", start)),
                Some('"') => {
                    self.at += 1;
                    if self.peek() != Some('"') {
                        break;
                    }
                    self.at += 1;
                    text.push('"');
                }
                Some('\\') if self.joins_lines(start) => {}
                Some('\\') => text.push(self.escape()?),
                Some('`') => {
                    self.at += 1;
                    match self.bump() {
                        Some('n') => text.push('\n'),
                        Some('t') => text.push('\t'),
                        Some(c) => text.push(c),
                        None => return Err(self.unclosed("a string", "\"", start)),
                    }
                }
                Some('$') if self.expands_here() => {
                    self.piece(&mut expands, &mut text, start);
                    self.dollar(false)?;
                    self.synth(",", self.at);
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
            }
        }
        self.token_ends(token);
        if !expands {
            return Ok(Some(text));
        }
        self.synth(&literal(&text), start);
        self.synth("])", start);
        Ok(None)
    }

    /// Whether `@'` or `@"` ends its line here.
    pub(super) fn here_string_begins(&self) -> bool {
        let rest = self.rest();
        let rest = rest.strip_prefix("@'").or_else(|| rest.strip_prefix("@\""));
        rest.is_some_and(|rest| {
            let rest = rest.trim_start_matches([' ', '\t', '\r']);
            rest.is_empty() || rest.starts_with('\n')
        })
    }

    /// A text of whole lines: `@'` as it is, `@"` with values in it. The line that begins with `'@` or `"@` ends it;
    /// a backslash and quotes are themselves, a backtick takes the meaning from `$`.
    pub(super) fn here_string(&mut self) -> Result<Option<String>, SyntaxError> {
        let start = self.at;
        let quote = self.peek_at(1).unwrap_or('\'');
        let token = self.token_begins(TokenKind::Text);
        let closer = format!("\n{quote}@");
        let inside = self.rest().find('\n').map(|n| self.at + n);
        let end = inside.and_then(|from| Some(from + self.source.get(from..)?.find(&closer)?));
        let (Some(inside), Some(end)) = (inside, end) else {
            let closer = format!("a line that begins with {quote}@");
            return Err(self.unclosed("a here-string", &closer, start));
        };
        // The first line end belongs to the opener, the last one to the closer; they may be the same.
        self.at = (inside + 1).min(end);
        let mut text = String::new();
        let mut expands = false;
        while self.at < end {
            match self.peek() {
                Some('`') if quote == '"' && matches!(self.peek_at(1), Some('$' | '`')) => {
                    self.at += 1;
                    text.extend(self.bump());
                }
                Some('$') if quote == '"' && self.expands_here() => {
                    self.piece(&mut expands, &mut text, start);
                    self.dollar(false)?;
                    self.synth(",", self.at);
                }
                _ => text.extend(self.bump()),
            }
        }
        if self.at > end {
            return Err(self.unclosed("an expression in a here-string", ")", start));
        }
        if text.ends_with('\r') {
            text.pop();
        }
        self.at = end + closer.len();
        self.token_ends(token);
        if !expands {
            return Ok(Some(text));
        }
        self.synth(&literal(&text), start);
        self.synth("])", start);
        Ok(None)
    }

    /// Opens the list of an expanding text, or adds to it what was read so far.
    pub(super) fn piece(&mut self, expands: &mut bool, text: &mut String, start: usize) {
        if !*expands {
            self.synth("__text([", start);
            *expands = true;
        }
        if !text.is_empty() {
            self.synth(&literal(text), start);
            self.synth(",", start);
            text.clear();
        }
    }

    /// A backslash at the end of a line goes on with the next one, without its blanks up to the column of the quote.
    fn joins_lines(&mut self, quote: usize) -> bool {
        let rest = self.rest();
        let end = ["\\\n", "\\\r\n"]
            .iter()
            .find(|end| rest.starts_with(**end));
        let Some(end) = end else {
            return false;
        };
        self.at += end.len();
        let before = self.source.get(..quote).unwrap_or_default();
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count();
        for _ in 0..=column {
            match self.peek() {
                Some(c) if c.is_whitespace() && c != '\n' => self.at += c.len_utf8(),
                _ => break,
            }
        }
        true
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let c = self.bump().unwrap_or('\\');
        let digits = match c {
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            '\\' | '"' | '\'' | '$' | '`' => return Ok(c),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let hex = self.rest().get(..digits).unwrap_or_default();
        let decoded = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
        if let Some(c) = decoded {
            self.at += digits;
            return Ok(c);
        }
        Err(SyntaxError::new(
            format!("'\\{c}' is not an escape in a double-quoted string"),
            Span::new(start, self.at),
        )
        .hint("use '/' as separator, double the backslash, or use single quotes"))
    }

    /// Whether the `$` here begins a variable or an expression.
    pub(super) fn expands_here(&self) -> bool {
        let mut chars = self.rest().chars().skip(1);
        match chars.next() {
            Some('(' | '{') => true,
            Some(c) => is_name(c),
            None => false,
        }
    }

    /// `$name`, `${expr}` or `$(expr)`, with `.property` and `[index]` after it when `members`.
    pub(super) fn dollar(&mut self, members: bool) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some('(') => self.group('(', ')')?,
            Some('{') => {
                self.at += 1;
                self.synth("(", start);
                self.code(super::front::Context::Group, Some('}'), start)?;
                self.synth(")", self.at);
            }
            _ => {
                let name = self.word();
                let scoped = matches!(name.to_ascii_lowercase().as_str(), "env" | "global");
                if scoped && self.peek() == Some(':') && self.peek_at(1).is_some_and(is_name) {
                    self.at += 1;
                    let inner = literal(&self.word());
                    self.synth(&format!("__{}({inner})", name.to_ascii_lowercase()), start);
                } else {
                    self.variable(&name, start);
                }
            }
        }
        self.token_at(TokenKind::Variable, start);
        if members {
            self.members()?;
        }
        Ok(())
    }

    /// `.property`, `.method(…)` and `[index]` behind a value.
    pub(super) fn members(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some('.')
                    if self
                        .peek_at(1)
                        .is_some_and(|c| c.is_alphabetic() || c == '_') =>
                {
                    let from = self.at;
                    self.at += 1;
                    self.word();
                    self.copy(from, self.at);
                    if self.peek() == Some('(') {
                        self.group('(', ')')?;
                    }
                }
                Some('[') => self.group('[', ']')?,
                _ => return Ok(()),
            }
        }
    }

    /// The rhai spelling of a variable.
    pub(super) fn variable(&mut self, name: &str, start: usize) {
        let spelled = match name.to_ascii_lowercase().as_str() {
            "args" if name == "args" => "args",
            "_" => "_it",
            "true" => "true",
            "false" => "false",
            "null" => "()",
            "args" => "ARGS",
            "error" => "__errors()",
            "lastexitcode" => "__exit_code()",
            "psscriptroot" => "ScriptRoot",
            _ => {
                self.copy(start + 1, start + 1 + name.len());
                return;
            }
        };
        self.synth(spelled, start);
    }

    /// `` `text ${expr}` ``.
    pub(super) fn template(&mut self, start: usize) -> Result<(), SyntaxError> {
        let token = self.token_begins(TokenKind::Text);
        self.at += 1;
        self.synth("`", start);
        loop {
            let from = self.at;
            match self.bump() {
                None => return Err(self.unclosed("a string", "`", start)),
                Some('`') => {
                    self.copy(from, self.at);
                    self.token_ends(token);
                    return Ok(());
                }
                Some('$') if self.peek() == Some('{') => {
                    self.synth("$", from);
                    self.group('{', '}')?;
                }
                Some(_) => self.copy(from, self.at),
            }
        }
    }

    pub(super) fn raw_string(&mut self, start: usize) -> Result<(), SyntaxError> {
        let hashes = self.rest().len() - self.rest().trim_start_matches('#').len();
        let closer = format!("\"{}", "#".repeat(hashes));
        let inside = hashes + 1;
        let Some(end) = self.rest()[inside..].find(&closer) else {
            return Err(self.unclosed("a string", &closer, start));
        };
        let text = self.rest()[inside..inside + end].to_owned();
        self.at += inside + end + closer.len();
        self.synth(&literal(&text), start);
        Ok(())
    }

    pub(super) fn raw_string_here(&self) -> bool {
        self.rest().trim_start_matches('#').starts_with('"')
    }
}
