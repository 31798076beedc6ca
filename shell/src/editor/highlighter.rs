//! Colours of what is typed: those of the reader that will run it.

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

use crate::syntax::{TokenKind, tokens};

/// Commands, parameters, texts, variables, and what cannot be read.
pub(super) struct Colours;

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut kinds: Vec<Option<TokenKind>> = vec![None; line.len()];
        for token in tokens(line).0 {
            // A later piece lies on top of an earlier one: a variable in a text.
            let end = token.span.end.min(line.len());
            if let Some(bytes) = kinds.get_mut(token.span.start.min(end)..end) {
                bytes.fill(Some(token.kind));
            }
        }
        let mut styled = StyledText::new();
        let mut run = (None, String::new());
        for (at, c) in line.char_indices() {
            let kind = kinds.get(at).copied().flatten();
            if kind != run.0 && !run.1.is_empty() {
                styled.push((style(run.0), std::mem::take(&mut run.1)));
            }
            run.0 = kind;
            run.1.push(c);
        }
        styled.push((style(run.0), run.1));
        styled
    }
}

fn style(kind: Option<TokenKind>) -> Style {
    match kind {
        Some(TokenKind::Command) => Color::Green.bold(),
        Some(TokenKind::Parameter) => Color::Cyan.normal(),
        Some(TokenKind::Text) => Color::Yellow.normal(),
        Some(TokenKind::Variable) => Color::Purple.normal(),
        Some(TokenKind::Number) => Color::LightBlue.normal(),
        Some(TokenKind::Keyword) => Color::Blue.bold(),
        Some(TokenKind::Comment) => Color::DarkGray.italic(),
        Some(TokenKind::Error) => Color::Red.underline(),
        None => Style::new(),
    }
}
