//! Colours of a line as it is typed: commands, parameters, strings, variables.

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

use crate::cmdlet;

/// Colours words by their shape; a command is green once it exists.
pub(super) struct Colours;

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let end = token_end(rest, first);
            let (token, after) = rest.split_at(end);
            styled.push((style(token, first), token.to_owned()));
            rest = after;
        }
        styled
    }
}

/// Where the token that begins with `first` ends; at least one character on.
fn token_end(rest: &str, first: char) -> usize {
    let start = first.len_utf8();
    let tail = rest.get(start..).unwrap_or_default();
    if matches!(first, '"' | '\'') {
        return tail.find(first).map_or(rest.len(), |end| start + end + 1);
    }
    if !(first.is_alphanumeric() || "_-$".contains(first)) {
        return start;
    }
    let ends = |c: char| !(c.is_alphanumeric() || "_-".contains(c));
    start + tail.find(ends).unwrap_or(tail.len())
}

fn style(token: &str, first: char) -> Style {
    match first {
        '"' | '\'' => Color::Yellow.normal(),
        '$' => Color::Purple.normal(),
        '-' if token.len() > 1 => Color::Cyan.normal(),
        _ if token.contains('-') && cmdlet::find(token).is_some() => Color::Green.bold(),
        _ => Style::new(),
    }
}
