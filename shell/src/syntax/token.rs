//! Tokens of statements: copied as they are, but for strings, maps, `$`, blocks and words of the language.

use super::SyntaxError;
use super::front::{Context, Front};
use super::site::{TokenKind, Wanted};
use super::statement::{Body, Statement};
use super::text::literal;
use crate::cmdlet;

/// A word of rhai.
fn is_keyword(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "let", "const", "fn", "if", "else", "while", "loop", "for", "in", "do", "until", "try",
        "catch", "throw", "return", "switch", "break", "continue", "import", "export", "as",
        "private", "true", "false", "this", "exit",
    ];
    WORDS.contains(&word)
}

/// The bytes of `5MB` and its like.
pub(crate) fn sized(word: &str) -> Option<u64> {
    let split = word.len().checked_sub(2)?;
    let (number, unit) = (word.get(..split)?, word.get(split..)?);
    let shift = match unit.to_ascii_uppercase().as_str() {
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(1 << shift).filter(|n| *n < 1 << 63)
}

impl Front<'_> {
    pub(super) fn token(
        &mut self,
        statement: &mut Statement,
        context: Context,
    ) -> Result<(), SyntaxError> {
        let start = self.at;
        let Some(c) = self.peek() else {
            return Ok(());
        };
        if c.is_whitespace() {
            self.at += c.len_utf8();
            self.copy(start, self.at);
            return Ok(());
        }
        if matches!(c, '#' | '/' | '<') && self.comment() {
            self.synth(" ", start);
            return Ok(());
        }
        statement.value_at.get_or_insert(self.unit.text.len());
        self.wants_nothing();
        if c.is_alphabetic() || c == '_' {
            return self.name(statement, context);
        }
        if c == '|' && statement.complete && self.command_follows_pipe() {
            return self.feed(statement, context);
        }
        if statement.command && matches!(c, '?' | '%') {
            return Err(self.unexpected());
        }
        let first = !statement.begun;
        statement.begun = true;
        statement.pipeline = None;
        statement.command = false;
        statement.complete = true;
        match c {
            '\'' => {
                let text = self.verbatim()?;
                self.synth(&literal(&text), start);
            }
            '"' => {
                if let Some(text) = self.expandable()? {
                    self.synth(&literal(&text), start);
                }
            }
            '`' => self.template(start)?,
            '#' if self.raw_string_here() => self.raw_string(start)?,
            '#' | '@' if self.peek_at(1) == Some('{') => {
                self.at += 1;
                self.hashtable(self.source[..self.at].ends_with('@'))?;
            }
            '@' if self.here_string_begins() => {
                if let Some(text) = self.here_string()? {
                    self.synth(&literal(&text), start);
                }
            }
            '@' if self.peek_at(1) == Some('(') => {
                self.at += 1;
                self.group_as('(', ')', "[", "]", Context::Group)?;
            }
            '$' if first && self.assigns_global() => self.assign_global(statement),
            '$' if first && self.assigns() => self.assign(),
            '$' if self.expands_here() => self.dollar(false)?,
            '$' if self.peek_at(1) == Some('?') => {
                self.at += 2;
                self.synth("__ok()", start);
            }
            '-' if self.word_operator().is_some() => self.operator_word(statement),
            '(' => self.group('(', ')')?,
            '[' => self.group('[', ']')?,
            '{' => self.block(statement, context, first)?,
            '0'..='9' => self.number(start),
            _ => self.operator(statement, c),
        }
        Ok(())
    }

    /// Whether a single `|` stands here with a command behind it: then it is a pipeline, not an "or".
    pub(super) fn command_follows_pipe(&self) -> bool {
        let Some(rest) = self.rest().strip_prefix('|') else {
            return false;
        };
        let word: String = rest
            .trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '%' | '?'))
            .collect();
        cmdlet::find(&word).is_some()
    }

    /// `VALUE | Command`: the value that was just copied becomes what the pipeline begins with.
    pub(super) fn feed(
        &mut self,
        statement: &mut Statement,
        context: Context,
    ) -> Result<(), SyntaxError> {
        let from = statement.value_at.unwrap_or(self.unit.text.len());
        let opening = format!("__pipe({},[", self.first + self.unit.pipelines.len());
        self.unit.text.insert_str(from, &opening);
        self.unit.map.insert(from, opening.len());
        let index = self.pipeline_of_value(context)?;
        statement.pipeline = Some(index);
        statement.command = false;
        statement.complete = true;
        Ok(())
    }

    pub(super) fn number(&mut self, start: usize) {
        self.word();
        if self.peek() == Some('.') && self.peek_at(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.word();
        }
        if self.source[..self.at].ends_with(['e', 'E'])
            && matches!(self.peek(), Some('+' | '-'))
            && !self.source[start..self.at].starts_with("0x")
        {
            self.at += 1;
            self.word();
        }
        self.token_at(TokenKind::Number, start);
        match sized(&self.source[start..self.at]) {
            Some(bytes) => self.synth(&bytes.to_string(), start),
            None => self.copy(start, self.at),
        }
    }

    /// Whether `$name =` stands here.
    fn assigns(&self) -> bool {
        let rest = self.rest().get(1..).unwrap_or_default();
        let behind = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        let named = rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let behind = behind.trim_start_matches([' ', '\t']);
        named && behind.starts_with('=') && !behind.starts_with("==") && !behind.starts_with("=>")
    }

    /// `$name =` as in PowerShell. In no block it declares what is not declared; in a block the name must be known, so that
    /// it never means another variable than the one outside.
    fn assign(&mut self) {
        let start = self.at;
        self.at += 1;
        let name_at = self.at;
        let name = self.word();
        self.token_at(TokenKind::Variable, start);
        if self.depth == 1 && self.declared.insert(name) {
            self.synth("let ", start);
        }
        self.copy(name_at, self.at);
    }

    /// Whether `$global:name =` stands here.
    fn assigns_global(&self) -> bool {
        let rest = self.rest().strip_prefix("$global:");
        let rest = rest.map(|r| r.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'));
        rest.is_some_and(|r| {
            let r = r.trim_start_matches([' ', '\t']);
            r.starts_with('=') && !r.starts_with("==")
        })
    }

    /// `$global:name =`: what follows is its value.
    fn assign_global(&mut self, statement: &mut Statement) {
        let start = self.at;
        self.at += "$global:".len();
        let name = literal(&self.word());
        self.token_at(TokenKind::Variable, start);
        self.skip_blank(false);
        self.at += 1;
        self.synth(&format!("__set_global({name},"), start);
        statement.owes = true;
        statement.taken = true;
        statement.command = true;
        statement.complete = false;
        statement.value_at = None;
    }

    pub(super) fn block(
        &mut self,
        statement: &mut Statement,
        context: Context,
        _first: bool,
    ) -> Result<(), SyntaxError> {
        let body = std::mem::take(&mut statement.body);
        let inner = match body {
            Body::Switch => Context::Group,
            Body::Loop => Context::Shown,
            Body::Function => Context::Value,
            Body::Same if statement.taken || context == Context::Group => Context::Value,
            Body::Same => context,
        };
        self.group_as('{', '}', "{", "}", inner)?;
        // After `}` of a block a new statement may begin, but `let x = if … {} else {}` goes on.
        if !statement.taken && context != Context::Group {
            statement.command = true;
        }
        Ok(())
    }

    pub(super) fn name(
        &mut self,
        statement: &mut Statement,
        context: Context,
    ) -> Result<(), SyntaxError> {
        let start = self.at;
        if let Some(()) = self.command_here(statement, context)? {
            return Ok(());
        }
        let word = self.word();
        if is_keyword(&word) {
            self.token_at(TokenKind::Keyword, start);
        } else {
            self.wants(start, || Wanted::Command);
        }
        let first = !statement.begun;
        statement.begun = true;
        statement.pipeline = None;
        statement.command = matches!(word.as_str(), "return" | "throw" | "else" | "do" | "try");
        if statement.command || matches!(word.as_str(), "let" | "const" | "in") {
            statement.value_at = None;
        }
        statement.complete = !matches!(
            word.as_str(),
            "let"
                | "const"
                | "fn"
                | "if"
                | "else"
                | "while"
                | "loop"
                | "for"
                | "in"
                | "do"
                | "try"
                | "catch"
                | "switch"
                | "private"
                | "until"
                | "import"
                | "as"
        );
        if matches!(word.as_str(), "let" | "const" | "for" | "fn") {
            self.declare();
        }
        match word.as_str() {
            "let" | "const" | "return" | "throw" => statement.taken = true,
            "fn" => {
                self.declare_parameters();
                statement.body = Body::Function;
            }
            "for" | "while" | "loop" | "do" => statement.body = Body::Loop,
            "switch" => statement.body = Body::Switch,
            "catch" => {
                self.copy(start, self.at);
                return self.catch(context);
            }
            "exit" if first && self.exit_with_value() => {
                self.copy(start, self.at);
                self.synth("(", self.at);
                statement.owes = true;
                return Ok(());
            }
            "exit" if first && self.peek() != Some('(') => {
                self.copy(start, self.at);
                self.synth("()", self.at);
                return Ok(());
            }
            _ => {}
        }
        self.copy(start, self.at);
        Ok(())
    }

    /// Remembers the name that is about to be declared.
    pub(super) fn declare(&mut self) {
        let rest = self.rest().trim_start();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.declared.insert(name.to_owned());
    }

    /// Remembers the parameters of the function that is about to be declared: `fn f(where)` has a variable there.
    fn declare_parameters(&mut self) {
        let Some((_, list)) = self.rest().split_once('(') else {
            return;
        };
        let list = list.split_once(')').map_or("", |(list, _)| list);
        let names: Vec<String> = list.split(',').map(|n| n.trim().to_owned()).collect();
        self.declared.extend(names);
    }

    pub(super) fn exit_with_value(&self) -> bool {
        let rest = self.rest().trim_start_matches([' ', '\t']);
        rest.len() < self.rest().len()
            && rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '$' | '_' | '-' | '('))
    }

    /// `(e) {`: makes `e` an error record with places of the source.
    pub(super) fn catch(&mut self, context: Context) -> Result<(), SyntaxError> {
        let from = self.at;
        self.skip_blank(true);
        if self.peek() != Some('(') {
            self.synth(" ", from);
            return Ok(());
        }
        self.at += 1;
        self.skip_blank(true);
        let name = self.word();
        self.skip_blank(true);
        if name.is_empty() || self.peek() != Some(')') {
            return Err(self.unexpected_or_unfinished());
        }
        self.at += 1;
        self.skip_blank(true);
        if self.peek() != Some('{') {
            return Err(self.unexpected_or_unfinished());
        }
        self.synth(&format!(" ({name}) "), from);
        let open = format!("{{ {name} = __err({name}); ");
        let inner = if context == Context::Group {
            Context::Value
        } else {
            context
        };
        self.group_as('{', '}', &open, "}", inner)
    }

    pub(super) fn unexpected_or_unfinished(&self) -> SyntaxError {
        let error = self.unexpected();
        if self.peek().is_none() {
            error.unfinished()
        } else {
            error
        }
    }
}
