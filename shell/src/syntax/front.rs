//! Statements and expressions: copied as they are, but for commands, strings, `$` and line ends.

use super::SyntaxError;
use super::arguments::{Stage, unknown_command};
use super::source::{SourceMap, Span};
use super::text::literal;
use crate::cmdlet;

const DEPTH_MAX: usize = 100;
const LINES_MAX: usize = 60_000;
const LINE_BYTES_MAX: usize = 30_000;

/// A pipeline of the table that generated text refers to by number.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// Its commands.
    pub stages: Vec<Stage>,
    /// Its result is shown, as nothing takes it.
    pub print: bool,
}

/// A translated text.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// The rhai text.
    pub text: String,
    /// The way back.
    pub map: SourceMap,
    /// The pipelines, numbered from the `first` given to [`translate`].
    pub pipelines: Vec<Pipeline>,
}

/// Where code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// Statements whose last pipeline is shown.
    Shown,
    /// Statements whose last pipeline is the value.
    Value,
    /// Inside brackets: line ends mean nothing.
    Group,
}

/// Translates `source`; its pipelines are numbered from `first`.
///
/// # Errors
/// With the place of what cannot be read.
pub fn translate(source: &str, first: usize, interactive: bool) -> Result<Unit, SyntaxError> {
    let long = source.lines().any(|line| line.len() > LINE_BYTES_MAX);
    if long || source.lines().count() > LINES_MAX {
        return Err(SyntaxError::new(
            format!("more than {LINES_MAX} lines, or a line of more than {LINE_BYTES_MAX} bytes"),
            Span::default(),
        )
        .hint("split the file"));
    }
    let mut front = Front {
        source,
        at: 0,
        unit: Unit::default(),
        first,
        depth: 0,
        interactive,
    };
    front.code(Context::Shown, None, 0)?;
    Ok(front.unit)
}

/// The translator at one place of its source.
pub(super) struct Front<'s> {
    source: &'s str,
    pub(super) at: usize,
    pub(super) unit: Unit,
    pub(super) first: usize,
    depth: usize,
    pub(super) interactive: bool,
}

/// What is known about the statement that is being read.
#[derive(Default)]
struct Statement {
    /// Something was read.
    begun: bool,
    /// A command may stand here.
    command: bool,
    /// The last token can end a statement.
    complete: bool,
    /// Its value is taken: `let`, `=`, `return`.
    taken: bool,
    /// A `(` must be closed at its end (`exit 3`).
    owes: bool,
    /// The next `{` is the body of this.
    body: Body,
    /// The pipeline that is the whole statement so far.
    pipeline: Option<usize>,
    /// Where in the generated text the value begins that a `|` would take.
    value_at: Option<usize>,
    /// It is part of a chain (`A && B || C`) that begins here in the generated text.
    chain_at: Option<usize>,
    /// What runs when the chain before it failed, to be closed with `}`.
    rescues: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Body {
    #[default]
    Same,
    Function,
    Loop,
    Switch,
}

impl Statement {
    fn fresh() -> Self {
        Self {
            command: true,
            ..Self::default()
        }
    }
}

impl Front<'_> {
    pub(super) fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn peek_at(&self, n: usize) -> Option<char> {
        self.rest().chars().nth(n)
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn copy(&mut self, from: usize, to: usize) {
        let text = self.source.get(from..to).unwrap_or_default();
        self.unit.map.add(self.unit.text.len(), from, text.len());
        self.unit.text.push_str(text);
    }

    pub(super) fn synth(&mut self, text: &str, place: usize) {
        self.unit.map.add(self.unit.text.len(), place, 0);
        self.unit.text.push_str(text);
    }

    pub(super) fn mark(&self) -> (usize, SourceMap, usize) {
        let unit = &self.unit;
        (unit.text.len(), unit.map.clone(), unit.pipelines.len())
    }

    pub(super) fn reset(&mut self, mark: (usize, SourceMap, usize), at: usize) {
        self.unit.text.truncate(mark.0);
        self.unit.map = mark.1;
        self.unit.pipelines.truncate(mark.2);
        self.at = at;
    }

    pub(super) fn unclosed(&self, what: &str, closer: &str, start: usize) -> SyntaxError {
        SyntaxError::new(
            format!("{what} is not closed: {closer} is missing"),
            Span::new(start, start + 1),
        )
        .unfinished()
    }

    pub(super) fn unexpected(&self) -> SyntaxError {
        let c = self
            .peek()
            .map_or("end of text".to_owned(), |c| format!("'{c}'"));
        SyntaxError::new(format!("unexpected {c}"), Span::new(self.at, self.at + 1))
    }

    pub(super) fn word(&mut self) -> String {
        let end = self
            .rest()
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(self.rest().len());
        let word = self.rest()[..end].to_owned();
        self.at += end;
        word
    }

    /// A word that may name a command: `Verb-Noun`, an alias, `?`, `%`.
    pub(super) fn command_word(&mut self) -> String {
        if matches!(self.peek(), Some('?' | '%')) {
            return self.bump().map(String::from).unwrap_or_default();
        }
        let mut word = self.word();
        while self.peek() == Some('-') && self.peek_at(1).is_some_and(char::is_alphabetic) {
            self.at += 1;
            word.push('-');
            word.push_str(&self.word());
        }
        word
    }

    /// Skips blanks and comments; line ends too when `lines`.
    pub(super) fn skip_blank(&mut self, lines: bool) {
        loop {
            match self.peek() {
                Some('\n') if !lines => return,
                Some(c) if c.is_whitespace() => self.at += c.len_utf8(),
                Some('`') if self.rest().starts_with("`\n") => self.at += 2,
                Some('#' | '/') if self.comment() => {}
                _ => return,
            }
        }
    }

    /// Skips a comment, if one is here.
    fn comment(&mut self) -> bool {
        let rest = self.rest();
        let hash = rest.starts_with('#') && !matches!(rest.chars().nth(1), Some('{' | '"' | '#'));
        let hash = hash || rest.starts_with("##") && !self.raw_string_here();
        if hash || rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
            return true;
        }
        if rest.starts_with("/*") {
            self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            return true;
        }
        false
    }

    fn raw_string_here(&self) -> bool {
        self.rest().trim_start_matches('#').starts_with('"')
    }

    /// A bracketed group copied with its brackets.
    pub(super) fn group(&mut self, open: char, close: char) -> Result<(), SyntaxError> {
        let context = if open == '{' {
            Context::Value
        } else {
            Context::Group
        };
        self.group_as(open, close, &open.to_string(), &close.to_string(), context)
    }

    pub(super) fn group_as(
        &mut self,
        open: char,
        close: char,
        open_text: &str,
        close_text: &str,
        context: Context,
    ) -> Result<(), SyntaxError> {
        let start = self.at;
        debug_assert_eq!(self.peek(), Some(open));
        self.at += 1;
        self.synth(open_text, start);
        self.code(context, Some(close), start)?;
        self.synth(close_text, self.at - 1);
        Ok(())
    }

    /// `{ k = v; k: v, … }` after `@` or `#`, as a rhai map.
    pub(super) fn hashtable(&mut self) -> Result<(), SyntaxError> {
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
            self.value_until_separator(start)?;
            self.synth(", ", self.at);
        }
    }

    /// One value of a map: to `;`, `,`, a line end or the closing brace.
    fn value_until_separator(&mut self, start: usize) -> Result<(), SyntaxError> {
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

    /// Code up to `close` (which is consumed), or to the end of the text.
    pub(super) fn code(
        &mut self,
        context: Context,
        close: Option<char>,
        open_at: usize,
    ) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SyntaxError::new(
                format!("brackets are nested deeper than {DEPTH_MAX}"),
                Span::new(open_at, open_at + 1),
            ));
        }
        let mut statement = Statement::fresh();
        loop {
            let Some(c) = self.peek() else {
                if let Some(close) = close {
                    let closer = close.to_string();
                    return Err(self.unclosed("this bracket", &closer, open_at));
                }
                break;
            };
            if Some(c) == close {
                self.end(&mut statement);
                self.settle(&statement, context == Context::Shown);
                self.at += 1;
                self.depth -= 1;
                return Ok(());
            }
            match c {
                ';' => {
                    self.end(&mut statement);
                    self.settle(&statement, context != Context::Group);
                    self.copy(self.at, self.at + 1);
                    self.at += 1;
                    statement = Statement::fresh();
                }
                '\n' if context != Context::Group => self.line_end(&mut statement, close, context),
                ')' | ']' | '}' => return Err(self.unexpected()),
                '&' | '|' if self.chains(&statement, context) => self.chain(&mut statement),
                _ => self.token(&mut statement, context)?,
            }
        }
        if statement.chain_at.is_some() && !statement.begun {
            let place = Span::new(self.at.saturating_sub(1), self.at);
            let what = "a command must follow '&&' and '||'";
            return Err(SyntaxError::new(what, place).unfinished());
        }
        self.end(&mut statement);
        self.settle(&statement, context == Context::Shown);
        self.depth -= 1;
        Ok(())
    }

    fn end(&mut self, statement: &mut Statement) {
        if std::mem::take(&mut statement.owes) {
            self.synth(")", self.at);
        }
        if std::mem::take(&mut statement.rescues) {
            self.synth("}", self.at);
        }
    }

    /// Whether `&&` or `||` stands here between pipelines, not in an expression.
    fn chains(&self, statement: &Statement, context: Context) -> bool {
        let whole = statement.pipeline.is_some() && !statement.taken;
        let operator = self.rest().starts_with("&&") || self.rest().starts_with("||");
        whole && operator && context != Context::Group
    }

    /// `A && B`: B runs after A, unless A failed. `A || B`: B runs when A failed, after its error is told.
    fn chain(&mut self, statement: &mut Statement) {
        self.end(statement);
        self.settle(statement, true);
        let place = self.at;
        let from = statement.chain_at.or(statement.value_at);
        let from = from.unwrap_or(self.unit.text.len());
        let rescues = self.peek() == Some('|');
        self.at += 2;
        if rescues {
            let opening = "try{";
            self.unit.text.insert_str(from, opening);
            self.unit.map.insert(from, opening.len());
            self.synth("}catch(__e){__tell(__e);", place);
        } else {
            self.synth(";", place);
        }
        *statement = Statement {
            chain_at: Some(from),
            rescues,
            ..Statement::fresh()
        };
    }

    /// A pipeline that is a whole statement is shown, unless it is the value of its block.
    fn settle(&mut self, statement: &Statement, shown: bool) {
        if let Some(index) = statement.pipeline
            && !statement.taken
            && let Some(pipeline) = self.unit.pipelines.get_mut(index)
        {
            // A chain has no value: each of its pipelines is shown.
            pipeline.print = shown || statement.chain_at.is_some();
        }
    }

    fn line_end(&mut self, statement: &mut Statement, close: Option<char>, context: Context) {
        let newline = self.at;
        self.skip_blank(true);
        let next = self.peek();
        let closes = next.is_none() || next == close;
        if statement.complete && !closes && !self.continues() {
            self.end(statement);
            self.settle(statement, context != Context::Group);
            self.synth(";", newline);
            *statement = Statement::fresh();
        }
        self.synth("\n", newline);
    }

    /// Whether what stands here goes on with the statement of the line before.
    fn continues(&self) -> bool {
        let rest = self.rest();
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        if matches!(word.as_str(), "else" | "catch" | "until" | "in") {
            return true;
        }
        match self.peek() {
            Some('-') => self
                .peek_at(1)
                .is_some_and(|c| c.is_whitespace() || c == '='),
            Some('!') => self.peek_at(1) == Some('='),
            Some('.') => self.peek_at(1) != Some('/') && self.peek_at(1) != Some('\\'),
            Some(c) => "+*/%=<>&|?,)]:^{".contains(c),
            None => false,
        }
    }

    fn token(&mut self, statement: &mut Statement, context: Context) -> Result<(), SyntaxError> {
        let start = self.at;
        let Some(c) = self.peek() else {
            return Ok(());
        };
        if c.is_whitespace() {
            self.at += c.len_utf8();
            self.copy(start, self.at);
            return Ok(());
        }
        if matches!(c, '#' | '/') && self.comment() {
            self.synth(" ", start);
            return Ok(());
        }
        statement.value_at.get_or_insert(self.unit.text.len());
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
                self.hashtable()?;
            }
            '@' if self.peek_at(1) == Some('(') => {
                self.at += 1;
                self.group_as('(', ')', "[", "]", Context::Group)?;
            }
            '$' if self.expands_here() => self.dollar(false)?,
            '(' => self.group('(', ')')?,
            '[' => self.group('[', ']')?,
            '{' => self.block(statement, context, first)?,
            '0'..='9' => self.number(start),
            _ => self.operator(statement, c),
        }
        Ok(())
    }

    /// Whether a single `|` stands here with a command behind it: then it is a pipeline, not an "or".
    fn command_follows_pipe(&self) -> bool {
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
    fn feed(&mut self, statement: &mut Statement, context: Context) -> Result<(), SyntaxError> {
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

    fn number(&mut self, start: usize) {
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
        self.copy(start, self.at);
    }

    fn operator(&mut self, statement: &mut Statement, c: char) {
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

    fn block(
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

    /// `` `text ${expr}` ``.
    fn template(&mut self, start: usize) -> Result<(), SyntaxError> {
        self.at += 1;
        self.synth("`", start);
        loop {
            let from = self.at;
            match self.bump() {
                None => return Err(self.unclosed("a string", "`", start)),
                Some('`') => {
                    self.copy(from, self.at);
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

    fn raw_string(&mut self, start: usize) -> Result<(), SyntaxError> {
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

    fn name(&mut self, statement: &mut Statement, context: Context) -> Result<(), SyntaxError> {
        let start = self.at;
        if let Some(()) = self.command_here(statement, context)? {
            return Ok(());
        }
        let word = self.word();
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
        match word.as_str() {
            "let" | "const" | "return" | "throw" => statement.taken = true,
            "fn" => statement.body = Body::Function,
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

    fn exit_with_value(&self) -> bool {
        let rest = self.rest().trim_start_matches([' ', '\t']);
        rest.len() < self.rest().len()
            && rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '$' | '_' | '-' | '('))
    }

    /// `(e) {`: makes `e` an error record with places of the source.
    fn catch(&mut self, context: Context) -> Result<(), SyntaxError> {
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

    fn unexpected_or_unfinished(&self) -> SyntaxError {
        let error = self.unexpected();
        if self.peek().is_none() {
            error.unfinished()
        } else {
            error
        }
    }

    /// Reads a pipeline, if a command word stands here and may stand here.
    fn command_here(
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
        let shape = dashed
            && word
                .split('-')
                .all(|part| part.starts_with(|c: char| c.is_uppercase()))
            && cmdlet::is_verb(word.split('-').next().unwrap_or_default());
        let is_command = !member
            && (dashed && (found.is_some() || shape)
                || !dashed && {
                    found.is_some() && statement.command && self.looks_like_arguments()
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
        let index = self.pipeline(spec, span, context)?;
        statement.pipeline = Some(index);
        statement.begun = true;
        statement.command = false;
        statement.complete = true;
        Ok(Some(()))
    }

    /// Whether an alias (`where`, `send`) is followed by arguments and not by an operator.
    fn looks_like_arguments(&self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t']);
        let spaced = trimmed.len() < rest.len();
        let mut chars = trimmed.chars();
        match chars.next() {
            None | Some('\n' | '\r' | ';' | '}' | ')' | '|') => !trimmed.starts_with("||"),
            Some('-') => spaced && chars.next().is_some_and(char::is_alphabetic),
            Some('.') => spaced && matches!(chars.next(), Some('/' | '\\')),
            Some(c) => {
                spaced
                    && (c.is_alphanumeric() || "'\"$@{*".contains(c))
                    && !trimmed.starts_with("in ")
            }
        }
    }
}
