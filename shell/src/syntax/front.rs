//! The translator: its place in the source, what it has written, and what all its parts need.

use std::collections::BTreeSet;

use super::SyntaxError;
use super::arguments::Stage;
use super::parameters::Declared;
use super::site::{Recording, TokenKind};
use super::source::{SourceMap, Span};

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
    /// The parameters that a script declares.
    pub parameters: Vec<Declared>,
    /// The comment above them: what the script is for.
    pub summary: String,
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
    let mut front = Front::new(source, first, interactive);
    front.whole()?;
    Ok(front.unit)
}

/// The same for a text whose last pipeline is its value: it is not shown.
///
/// # Errors
/// With the place of what cannot be read.
pub fn translate_value(source: &str, first: usize) -> Result<Unit, SyntaxError> {
    let mut front = Front::new(source, first, false);
    fits(source)?;
    front.parameters()?;
    front.code(Context::Value, None, 0)?;
    Ok(front.unit)
}

/// What is kept to go back to, when a text turns out to be something else.
pub(super) struct Mark {
    text: usize,
    map: (usize, usize),
    pipelines: usize,
    tokens: usize,
}

/// The translator at one place of its source.
pub(super) struct Front<'s> {
    pub(super) source: &'s str,
    pub(super) at: usize,
    pub(super) unit: Unit,
    pub(super) first: usize,
    pub(super) depth: usize,
    pub(super) interactive: bool,
    /// Names that `let`, `const` and `for` made: they are no aliases any more.
    pub(super) declared: BTreeSet<String>,
    /// What highlighting and completion want to know; nothing for a text that is run.
    pub(super) recording: Option<Recording>,
}

impl<'s> Front<'s> {
    pub(super) fn new(source: &'s str, first: usize, interactive: bool) -> Self {
        Self {
            source,
            at: 0,
            unit: Unit::default(),
            first,
            depth: 0,
            interactive,
            declared: BTreeSet::new(),
            recording: None,
        }
    }

    /// The whole text.
    pub(super) fn whole(&mut self) -> Result<(), SyntaxError> {
        fits(self.source)?;
        self.parameters()?;
        self.code(Context::Shown, None, 0)
    }
}

/// Refuses what the positions of rhai, 16 bits each, cannot tell.
fn fits(source: &str) -> Result<(), SyntaxError> {
    let long = source.lines().any(|line| line.len() > LINE_BYTES_MAX);
    if long || source.lines().count() > LINES_MAX {
        return Err(SyntaxError::new(
            format!("more than {LINES_MAX} lines, or a line of more than {LINE_BYTES_MAX} bytes"),
            Span::default(),
        )
        .hint("split the file"));
    }
    Ok(())
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

    pub(super) fn mark(&self) -> Mark {
        let unit = &self.unit;
        Mark {
            text: unit.text.len(),
            map: unit.map.mark(),
            pipelines: unit.pipelines.len(),
            tokens: self.recording.as_ref().map_or(0, |r| r.tokens.len()),
        }
    }

    pub(super) fn reset(&mut self, mark: &Mark, at: usize) {
        self.unit.text.truncate(mark.text);
        self.unit.map.rewind(mark.map);
        self.unit.pipelines.truncate(mark.pipelines);
        if let Some(recording) = &mut self.recording {
            recording.tokens.truncate(mark.tokens);
        }
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
                Some('`') if self.rest().starts_with("`\r\n") => self.at += 3,
                Some('#' | '/' | '<') if self.comment() => {}
                _ => return,
            }
        }
    }

    /// Skips a comment, if one is here: `# …`, `// …`, `/* … */` (which nest), `<# … #>`.
    pub(super) fn comment(&mut self) -> bool {
        let (start, rest) = (self.at, self.rest());
        let hash = rest.starts_with('#') && !matches!(rest.chars().nth(1), Some('{' | '"' | '#'));
        let hash = hash || rest.starts_with("##") && !self.raw_string_here();
        let length = if hash || rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            nested(rest)
        } else if rest.starts_with("<#") && !rest.starts_with("<#{") && !rest.starts_with("<#\"") {
            rest.find("#>").map_or(rest.len(), |end| end + 2)
        } else {
            return false;
        };
        self.at += length;
        self.token_at(TokenKind::Comment, start);
        true
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
}

/// The length of the comment that `text` begins with; comments in it count.
fn nested(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = text.as_bytes().get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}
