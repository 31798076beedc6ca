//! What an editor asks of a text that is being typed: the kinds of its words, and what may stand at its end.
//!
//! The same translator answers that reads what is run; it takes notes on the way, and the notes are good up to
//! the first error.

use hamq_core::api::spec::{CommandSpec, ParameterSpec, RecordSpec};

use super::arguments::Argument;
use super::front::Front;
use super::{Operand, Span, SyntaxError};
use crate::cmdlet;

/// What a piece of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A command or an alias.
    Command,
    /// `-Name`.
    Parameter,
    /// A text in quotes.
    Text,
    /// `$x`.
    Variable,
    /// A number.
    Number,
    /// A word of the language: `let`, `if`.
    Keyword,
    /// A comment.
    Comment,
    /// What cannot be read.
    Error,
}

/// A piece of the text. Later pieces lie on top of earlier ones: `"a $x"` is a text with a variable in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where.
    pub span: Span,
}

/// What may stand at the end of a text.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A command, a variable, any expression.
    Command,
    /// An argument of a command: a parameter, or the value of one.
    Argument {
        /// The command.
        spec: &'static CommandSpec,
        /// The parameter whose value stands here, when its name was written or its position says so.
        parameter: Option<&'static ParameterSpec>,
        /// The bare and quoted texts written before it without a name.
        values: Vec<String>,
        /// The names of the parameters that are given.
        given: Vec<&'static str>,
    },
    /// A property of the rows that come in: after `$_.`.
    Property,
}

/// The end of a text: where its last word begins, and what it may be.
#[derive(Clone, Debug)]
pub struct Site {
    /// The first byte of the word that is being typed.
    pub start: usize,
    /// What it may be.
    pub wanted: Wanted,
    /// The records that come in from the commands before it, when they are known.
    pub input: Option<&'static RecordSpec>,
}

/// Notes of the translator.
#[derive(Debug, Default)]
pub(super) struct Recording {
    pub(super) tokens: Vec<Token>,
    pub(super) site: Option<Site>,
    pub(super) input: Option<&'static RecordSpec>,
}

/// The kinds of the words of `source`, up to and with the first error.
#[must_use]
pub fn tokens(source: &str) -> (Vec<Token>, Option<SyntaxError>) {
    let mut front = Front::new(source, 0, true);
    front.recording = Some(Recording::default());
    let error = front.whole().err();
    let mut tokens = front.recording.take().map(|r| r.tokens).unwrap_or_default();
    // What is not closed yet reaches to the end.
    for token in tokens.iter_mut().filter(|t| t.span.end <= t.span.start) {
        token.span.end = source.len();
    }
    if let Some(error) = error.as_ref().filter(|error| !error.incomplete) {
        let (kind, span) = (TokenKind::Error, error.span);
        tokens.push(Token { kind, span });
    }
    (tokens, error)
}

/// What may stand at the end of `before`.
#[must_use]
pub fn site(before: &str) -> Site {
    let mut front = Front::new(before, 0, true);
    front.recording = Some(Recording::default());
    let _ = front.whole();
    let recording = front.recording.take().unwrap_or_default();
    let word = before
        .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '.')))
        .map_or(0, |at| {
            at + before[at..].chars().next().map_or(1, char::len_utf8)
        });
    if let Some(dot) = before[word..].rfind("$_.") {
        return Site {
            start: word + dot + 3,
            wanted: Wanted::Property,
            input: recording.input,
        };
    }
    recording.site.unwrap_or(Site {
        start: word,
        wanted: Wanted::Command,
        input: recording.input,
    })
}

impl Front<'_> {
    /// Notes that what was read since `start` is of `kind`.
    pub(super) fn token_at(&mut self, kind: TokenKind, start: usize) {
        let span = Span::new(start, self.at);
        if let Some(recording) = &mut self.recording {
            recording.tokens.push(Token { kind, span });
        }
    }

    /// Notes that something of `kind` begins here; [`Front::token_ends`] tells where it ends.
    pub(super) fn token_begins(&mut self, kind: TokenKind) -> usize {
        self.token_at(kind, self.at);
        self.recording.as_ref().map_or(0, |r| r.tokens.len())
    }

    /// Notes that the token which got this number ends here.
    pub(super) fn token_ends(&mut self, number: usize) {
        let at = self.at;
        let tokens = self.recording.as_mut().map(|r| &mut r.tokens);
        if let Some(token) = tokens.and_then(|t| t.get_mut(number.checked_sub(1)?)) {
            token.span.end = at;
        }
    }

    /// Notes that the word at `start` may be `wanted`.
    pub(super) fn wants(&mut self, start: usize, wanted: impl FnOnce() -> Wanted) {
        if let Some(recording) = &mut self.recording {
            recording.site = Some(Site {
                start,
                wanted: wanted(),
                input: recording.input,
            });
        }
    }

    /// Notes that nothing of a command stands here.
    pub(super) fn wants_nothing(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.site = None;
        }
    }

    /// Notes that a further value of the same parameter begins here.
    pub(super) fn wants_more(&mut self) {
        let at = self.at;
        if let Some(site) = self.recording.as_mut().and_then(|r| r.site.as_mut()) {
            site.start = at;
        }
    }

    /// Notes that an argument of `spec` begins here, behind `arguments`.
    pub(super) fn wants_argument(
        &mut self,
        spec: &'static CommandSpec,
        arguments: &[Argument],
        parameter: Option<&'static ParameterSpec>,
    ) {
        // A word that reaches to the end of the text is still being typed.
        let typed = self.at >= self.source.len()
            && !self
                .source
                .ends_with(|c: char| c.is_whitespace() || c == ',');
        if self.recording.is_none() || typed && parameter.is_none() {
            return;
        }
        let given = arguments.iter().filter_map(|a| a.parameter).map(|p| p.name);
        let given: Vec<_> = given.collect();
        let values = arguments.iter().filter(|a| a.parameter.is_none());
        let values: Vec<String> = values
            .map(|a| match &a.operand {
                Some(Operand::Bare(text) | Operand::Quoted(text)) => text.clone(),
                _ => String::new(),
            })
            .collect();
        let parameter = parameter.or_else(|| {
            let mut open: Vec<_> = spec
                .parameters
                .iter()
                .filter(|p| p.position.is_some() && !given.contains(&p.name))
                .collect();
            open.sort_by_key(|p| p.position);
            open.get(values.len()).copied()
        });
        self.wants(self.at, || Wanted::Argument {
            spec,
            parameter,
            values,
            given,
        });
    }

    /// Notes what the stages so far send on.
    pub(super) fn flows(&mut self, spec: &'static CommandSpec) {
        if let Some(recording) = &mut self.recording
            && !cmdlet::is_verb_of_shell(spec)
        {
            recording.input = Some(spec.output);
        }
    }
}
