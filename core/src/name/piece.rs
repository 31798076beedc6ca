//! A piece of a name being read, which knows where in the whole text it stands.
//!
//! Every parser of this folder takes a [`Piece`] and cuts smaller ones from it, so that an error can
//! show the whole name, say which part of it is off and at which character, whoever finds it.

use crate::error::{Error, ErrorKind, Result};

/// No name is longer than this, lists of format names included.
const NAME_BYTES_MAX: usize = 64 << 10;
/// As much of a name is shown in an error.
const SHOWN_CHARS_MAX: usize = 200;
/// A backslash is an escape in most languages that names are typed in.
pub(super) const SLASHES: [char; 2] = ['\\', '/'];

/// What the whole text is read as; decides the kind of an error and its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    QueueName,
    LocalName,
    Path,
    FormatName,
}

impl Grammar {
    const fn kind(self) -> ErrorKind {
        match self {
            Self::QueueName | Self::LocalName | Self::Path => ErrorKind::IllegalQueuePathName,
            Self::FormatName => ErrorKind::IllegalFormatName,
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::QueueName => "queue name",
            Self::LocalName => "name of a queue on its computer",
            Self::Path => "queue path name",
            Self::FormatName => "format name",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::QueueName => "use letters, digits and signs other than \\ / ; + , \"",
            Self::LocalName => "write QUEUE, QUEUE;SUBQUEUE, QUEUE;JOURNAL or system$;DEADLETTER",
            Self::Path => "write VIRTUALSERVER\\private$\\queue or VIRTUALSERVER/private$/queue",
            Self::FormatName => "write for example DIRECT=OS:VIRTUALSERVER\\private$\\queue",
        }
    }
}

/// `whole[begin..end]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    whole: &'a str,
    begin: usize,
    end: usize,
    grammar: Grammar,
}

impl<'a> Piece<'a> {
    /// All of `text`, unless it is longer than any name.
    pub(super) fn new(text: &'a str, grammar: Grammar) -> Result<Self> {
        let piece = Self {
            whole: text,
            begin: 0,
            end: text.len(),
            grammar,
        };
        if text.len() > NAME_BYTES_MAX {
            let why = format!("it has {} bytes, more than {NAME_BYTES_MAX}", text.len());
            return Err(piece.error(why));
        }
        Ok(piece)
    }

    /// The same piece, read as something else.
    pub(super) const fn read_as(self, grammar: Grammar) -> Self {
        Self { grammar, ..self }
    }

    pub(super) fn text(self) -> &'a str {
        &self.whole[self.begin..self.end]
    }

    pub(super) const fn is_empty(self) -> bool {
        self.begin == self.end
    }

    /// Whether this is `word`, ignoring case.
    pub(super) fn is(self, word: &str) -> bool {
        self.text().eq_ignore_ascii_case(word)
    }

    /// What follows `word`, if it begins with that, ignoring case.
    pub(super) fn after(self, word: &str) -> Option<Self> {
        let head = self.text().get(..word.len())?;
        head.eq_ignore_ascii_case(word)
            .then(|| self.from(word.len()))
    }

    /// What follows a slash of either kind.
    pub(super) fn after_slash(self) -> Option<Self> {
        let tail = self.text().strip_prefix(SLASHES)?;
        Some(self.from(self.text().len() - tail.len()))
    }

    /// What stands before and after the first of `signs`, which are of one byte.
    pub(super) fn split(self, signs: &[char]) -> Option<(Self, Self)> {
        let at = self.text().find(signs)?;
        Some((self.until(at), self.from(at + 1)))
    }

    /// Where none of `signs` is, there is no second part.
    pub(super) fn split_optional(self, signs: &[char]) -> (Self, Option<Self>) {
        match self.split(signs) {
            Some((head, tail)) => (head, Some(tail)),
            None => (self, None),
        }
    }

    /// The pieces between the `sign`s.
    pub(super) fn split_all(self, sign: char) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let (head, tail) = rest?.split_optional(&[sign]);
            rest = tail;
            Some(head)
        })
    }

    /// Checks for 1 to `chars_max` visible ASCII characters, none of them `forbidden`.
    pub(super) fn check_letters(self, part: &str, chars_max: usize, forbidden: &str) -> Result<()> {
        let text = self.text();
        // Requests carry names: the usual one costs a look at each byte.
        let is_good = |b: u8| b.is_ascii_graphic() && !forbidden.as_bytes().contains(&b);
        if (1..=chars_max).contains(&text.len()) && text.bytes().all(is_good) {
            return Ok(());
        }
        let count = text.chars().count();
        if count == 0 || count > chars_max {
            return Err(self.error(format!("{part} has 1 to {chars_max} characters")));
        }
        let is_bad = |c: char| !c.is_ascii_graphic() || forbidden.contains(c);
        match text.char_indices().find(|(_, c)| is_bad(*c)) {
            None => Ok(()),
            Some((at, bad)) => {
                let why = format!("{part} may not contain {bad:?}");
                Err(self.from(at).error(why))
            }
        }
    }

    /// This piece is off, and why; the grammar says what would be right.
    pub(super) fn error(self, why: impl AsRef<str>) -> Error {
        self.error_with(why, self.grammar.hint())
    }

    /// This piece is off, why, and what to write instead.
    pub(super) fn error_with(self, why: impl AsRef<str>, hint: impl Into<String>) -> Error {
        let place = 1 + self.whole[..self.begin].chars().count();
        let text = format!(
            "{} is no {}: {}{}",
            shown(self.whole),
            self.grammar.noun(),
            why.as_ref(),
            if place == 1 {
                String::new()
            } else {
                format!(" (at character {place})")
            },
        );
        Error::new(self.grammar.kind(), text).hint(hint)
    }

    fn from(self, at: usize) -> Self {
        Self {
            begin: self.begin + at,
            ..self
        }
    }

    fn until(self, at: usize) -> Self {
        Self {
            end: self.begin + at,
            ..self
        }
    }
}

/// A text in quotes, cut where it would flood whoever reads the error.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?}...", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_part_and_where_and_never_floods() {
        let piece = Piece::new("VS1/private$/a b", Grammar::Path).unwrap();
        let (_, rest) = piece.split(&SLASHES).unwrap();
        let (_, queue) = rest.split(&SLASHES).unwrap();
        let error = queue.check_letters("a queue name", 124, "").unwrap_err();
        assert_eq!(
            error.message,
            "\"VS1/private$/a b\" is no queue path name: \
             a queue name may not contain ' ' (at character 15)"
        );
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let error = Piece::new(&long, Grammar::FormatName).unwrap_err();
        assert_eq!(error.kind, ErrorKind::IllegalFormatName);
        assert!(error.message.len() < 300);
    }

    #[test]
    fn pieces_are_cut_without_regard_to_case_or_to_the_bounds_of_a_character() {
        let piece = Piece::new("Tcp:é", Grammar::FormatName).unwrap();
        assert_eq!(piece.after("TCP:").unwrap().text(), "é");
        assert!(piece.after("tcp:e").is_none());
        let list = Piece::new("a,,b", Grammar::FormatName).unwrap();
        let parts: Vec<_> = list.split_all(',').map(Piece::text).collect();
        assert_eq!(parts, ["a", "", "b"]);
    }
}
