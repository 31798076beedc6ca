//! An error with its source line and a caret under the fault.

use nu_ansi_term::{Color, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::syntax::{Span, source};

/// `error`, where it is, the line, a caret, and the hint.
#[must_use]
pub fn error(
    kind: &str,
    message: &str,
    hint: Option<&str>,
    place: Option<(&str, &str, Span)>,
    colour: bool,
) -> String {
    let paint = |style: Style, text: &str| {
        if colour {
            style.paint(text).to_string()
        } else {
            text.to_owned()
        }
    };
    let red = Color::Red.bold();
    let mut out = format!("{} {message} ({kind})\n", paint(red, "error:"));
    if let Some((name, text, span)) = place {
        let (line, column) = source::line_column(text, span.start);
        let content = text.lines().nth(line - 1).unwrap_or_default();
        let gutter = line.to_string();
        let blank = " ".repeat(gutter.len());
        let before: String = content.chars().take(column - 1).collect();
        let marked = text.get(span.start..span.end).unwrap_or_default();
        let length = marked.lines().next().unwrap_or_default().width().max(1);
        out.push_str(&format!("{blank}--> {name}:{line}:{column}\n"));
        out.push_str(&format!("{gutter} | {}\n", content.replace('\t', " ")));
        let caret = paint(red, &"^".repeat(length));
        out.push_str(&format!(
            "{blank} | {}{caret}\n",
            " ".repeat(before.width())
        ));
    }
    if let Some(hint) = hint {
        out.push_str(&format!(
            "{} {hint}\n",
            paint(Color::Cyan.normal(), "hint:")
        ));
    }
    out
}
