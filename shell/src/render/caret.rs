//! An error with its source line and a caret under the fault.

use hamq_core::{Error, ErrorKind};
use nu_ansi_term::{Color, Style};
use unicode_width::UnicodeWidthStr as _;

use super::wrap;
use crate::syntax::{Span, source};

/// How errors are written.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// With colours.
    pub colour: bool,
    /// Lines are wrapped at this width.
    pub width: usize,
}

impl Paper {
    fn paint(self, style: Style, text: &str) -> String {
        if self.colour {
            style.paint(text).to_string()
        } else {
            text.to_owned()
        }
    }

    /// `error: text`, wrapped.
    fn said(self, style: Style, label: &str, text: &str) -> String {
        let lines = wrap(&format!("{label} {text}"), self.width).join("\n");
        let rest = lines.strip_prefix(label).unwrap_or(&lines);
        format!("{}{rest}\n", self.paint(style, label))
    }
}

/// `error`, where it is, the line, a caret, and the hint.
#[must_use]
pub fn error(error: &Error, place: Option<(&str, &str, Span)>, paper: Paper) -> String {
    let red = Color::Red.bold();
    // A slip in what was typed needs no name; scripts still read it as `e.kind`.
    let kind = match error.kind {
        ErrorKind::Usage => String::new(),
        kind => format!(" ({kind})"),
    };
    let mut out = paper.said(red, "error:", &format!("{}{kind}", error.message));
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
        let caret = paper.paint(red, &"^".repeat(length));
        out.push_str(&format!(
            "{blank} | {}{caret}\n",
            " ".repeat(before.width())
        ));
    }
    if let Some(hint) = &error.hint {
        out.push_str(&paper.said(Color::Cyan.normal(), "hint:", hint));
    }
    out
}
