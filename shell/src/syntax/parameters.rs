//! `param(…)` at the head of a script: names, types, defaults and help.
//!
//! ```text
//!  param(
//!      # What it is.                      ──> help
//!      [Parameter(Mandatory)] [int] $Rate,      attributes, type, name
//!      [string] $Group = 'VS1'                  default: any expression
//!  )                                  ──> let Group=__param("Group") ?? __fit("Group",("VS1"));
//! ```
//!
//! Each becomes a variable of the script; [`Declared`] says what a caller may give.

use hamq_core::api::spec::ValueKind;

use super::front::{Context, Front};
use super::site::TokenKind;
use super::statement::Statement;
use super::text::literal;
use super::{Span, SyntaxError};

/// More parameters than this are no interface.
const PARAMETERS_MAX: usize = 100;

/// A parameter of a script.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// The type of its value.
    pub kind: ValueKind,
    /// The script does not run without it.
    pub mandatory: bool,
    /// Its value is one of these, if there are any.
    pub choices: Vec<String>,
    /// Its value lies between these.
    pub range: Option<(f64, f64)>,
    /// Other names.
    pub aliases: Vec<String>,
    /// The comment above it or behind it.
    pub help: String,
    /// Its default as it is written.
    pub default: Option<String>,
    /// Where its name stands.
    pub span: Span,
}

impl Declared {
    /// Whether it is spelled `name`, ignoring case; aliases count.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let mut names = self.aliases.iter().chain([&self.name]);
        names.any(|n| n.eq_ignore_ascii_case(name))
    }

    fn new(help: String) -> Self {
        Self {
            name: String::new(),
            kind: ValueKind::Any,
            mandatory: false,
            choices: Vec::new(),
            range: None,
            aliases: Vec::new(),
            help,
            default: None,
            span: Span::default(),
        }
    }
}

/// The type that is written `[word]`.
fn kind_of(word: &str, list: bool) -> Option<ValueKind> {
    Some(match (word.to_ascii_lowercase().as_str(), list) {
        ("string", true) => ValueKind::TextList,
        ("object", true) => ValueKind::List,
        ("string", false) => ValueKind::Text,
        ("int" | "int32" | "int64" | "long", false) => ValueKind::Int,
        ("double" | "float" | "decimal", false) => ValueKind::Float,
        ("switch", false) => ValueKind::Switch,
        ("bool" | "boolean", false) => ValueKind::Bool,
        ("timespan" | "duration", false) => ValueKind::Duration,
        ("object", false) => ValueKind::Any,
        _ => return None,
    })
}

/// The text of the comments in a piece of source, without their marks.
fn comment_text(piece: &str) -> String {
    let line = |line: &str| {
        let marks: &[char] = &['#', '/', '*', '<'];
        let line = line.trim();
        match line.starts_with("#!") {
            true => String::new(),
            false => {
                let line = line.trim_start_matches(marks);
                let line = line.trim_end_matches("*/").trim_end_matches("#>");
                line.trim_end().to_owned()
            }
        }
    };
    let lines: Vec<String> = piece.lines().map(line).collect();
    let indents = lines.iter().filter(|l| !l.trim().is_empty());
    let indent = indents.map(|l| l.len() - l.trim_start().len()).min();
    let cut = |l: &String| l.get(indent.unwrap_or(0)..).unwrap_or_default().to_owned();
    let lines: Vec<String> = lines.iter().map(cut).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

impl Front<'_> {
    /// The declaration, if the text begins with one.
    pub(super) fn parameters(&mut self) -> Result<(), SyntaxError> {
        let (mark, start) = (self.mark(), self.at);
        self.skip_blank(true);
        let word = self.at;
        if !self.declares_parameters() {
            self.reset(&mark, start);
            return Ok(());
        }
        self.unit.summary = comment_text(self.source.get(start..word).unwrap_or_default());
        self.at = word + "param".len();
        self.token_at(TokenKind::Keyword, word);
        self.skip_blank(false);
        let open = self.at;
        self.at += 1;
        let mut help = self.note(true);
        while self.peek() != Some(')') {
            if self.peek().is_none() {
                return Err(self.unclosed("param", ")", open));
            }
            let mut declared = self.declaration(std::mem::take(&mut help), open)?;
            let separated = self.peek() == Some(',');
            if separated {
                self.at += 1;
                add_note(&mut declared, &self.note(false));
                help = self.note(true);
            }
            self.keep(declared)?;
            if !separated && self.peek().is_some_and(|c| c != ')') {
                return Err(self.unexpected_or_unfinished());
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Whether `param (` with a name or a type behind it stands here.
    fn declares_parameters(&mut self) -> bool {
        let start = self.at;
        let mark = self.mark();
        let named = self.word() == "param";
        self.skip_blank(false);
        let mut declares = named && self.peek() == Some('(');
        if declares {
            self.at += 1;
            self.skip_blank(true);
            declares = match self.peek() {
                Some('[') => self.peek_at(1).is_some_and(char::is_alphabetic),
                Some('$' | ')') => true,
                _ => false,
            };
        }
        self.reset(&mark, start);
        declares
    }

    /// Skips blanks and comments; what the comments say.
    fn note(&mut self, lines: bool) -> String {
        let start = self.at;
        self.skip_blank(lines);
        comment_text(self.source.get(start..self.at).unwrap_or_default())
    }

    fn keep(&mut self, declared: Declared) -> Result<(), SyntaxError> {
        let known = &self.unit.parameters;
        let mut names = declared.aliases.iter().chain([&declared.name]).cloned();
        let twice = names.find(|name| known.iter().any(|d| d.is_called(name)));
        drop(names);
        if let Some(twice) = twice {
            let what = format!("the parameter '{twice}' is declared twice");
            return Err(SyntaxError::new(what, declared.span));
        }
        if known.len() == PARAMETERS_MAX {
            let what = format!("more than {PARAMETERS_MAX} parameters");
            return Err(SyntaxError::new(what, declared.span));
        }
        self.declared.insert(declared.name.clone());
        self.unit.parameters.push(declared);
        Ok(())
    }

    /// `[attribute]… $Name = default`, and the `let` it becomes.
    fn declaration(&mut self, help: String, open: usize) -> Result<Declared, SyntaxError> {
        let mut declared = Declared::new(help);
        while self.peek() == Some('[') {
            self.attribute(&mut declared)?;
            add_note(&mut declared, &self.note(true));
        }
        let start = self.at;
        if self.peek() == Some('$') {
            self.at += 1;
        }
        let from = self.at;
        if self.peek().is_some_and(|c| c.is_alphabetic() || c == '_') {
            declared.name = self.word();
        }
        declared.span = Span::new(start, self.at);
        if declared.name.is_empty() {
            let error = self.unexpected_or_unfinished();
            return Err(error.hint("a parameter is written [type] $Name = default"));
        }
        self.token_at(TokenKind::Variable, start);
        let (kind, name) = (declared.kind, literal(&declared.name));
        self.synth("let ", start);
        self.copy(from, self.at);
        self.synth(&format!("=__param({name})"), start);
        add_note(&mut declared, &self.note(true));
        if self.peek() == Some('=') {
            self.at += 1;
            self.default(&mut declared, open)?;
        } else {
            match kind {
                ValueKind::Switch => self.synth(" ?? false", start),
                ValueKind::List | ValueKind::TextList => self.synth(" ?? []", start),
                _ => {}
            }
        }
        self.synth(";\n", start);
        Ok(declared)
    }

    /// The default, up to the comma or bracket behind it.
    fn default(&mut self, declared: &mut Declared, open: usize) -> Result<(), SyntaxError> {
        let start = self.at;
        let mut end = start;
        self.synth(&format!(" ?? __fit({},(", literal(&declared.name)), start);
        let mut statement = Statement {
            taken: true,
            ..Statement::default()
        };
        loop {
            let from = self.at;
            match self.peek() {
                None => return Err(self.unclosed("param", ")", open)),
                Some(',' | ')') => break,
                Some(']' | '}' | ';') => return Err(self.unexpected()),
                Some('#' | '/' | '<') if self.comment() => {
                    let piece = self.source.get(from..self.at).unwrap_or_default();
                    add_note(declared, &comment_text(piece));
                }
                Some(c) => {
                    self.token(&mut statement, Context::Group)?;
                    if !c.is_whitespace() {
                        end = self.at;
                    }
                }
            }
        }
        let written = self.source.get(start..end).unwrap_or_default().trim();
        if written.is_empty() {
            let place = Span::new(start - 1, start);
            return Err(SyntaxError::new("a value must follow '='", place));
        }
        if declared.mandatory {
            let what = format!("-{} is mandatory and has a default", declared.name);
            let error = SyntaxError::new(what, declared.span);
            return Err(error.hint("take away one of the two"));
        }
        declared.default = Some(written.to_owned());
        self.synth("))", self.at);
        Ok(())
    }

    /// `[string]`, `[string[]]`, `[Parameter(Mandatory)]`, `[ValidateSet('a', 'b')]`, `[Alias('x')]`.
    fn attribute(&mut self, declared: &mut Declared) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at += 1;
        self.skip_blank(true);
        let word = self.word();
        let place = Span::new(start, self.at);
        let list = self.rest().starts_with("[]");
        if list {
            self.at += 2;
        }
        let words = match self.peek() {
            Some('(') => Some(self.attribute_words()?),
            _ => None,
        };
        self.skip_blank(true);
        if self.peek() != Some(']') {
            return Err(self.unexpected_or_unfinished());
        }
        self.at += 1;
        let Some(words) = words else {
            declared.kind = kind_of(&word, list).ok_or_else(|| {
                let written = if list { "[]" } else { "" };
                let what = format!("there is no type [{word}{written}]");
                SyntaxError::new(what, place).hint(
                    "it may be string, string[], int, double, switch, bool, timespan, object, object[]",
                )
            })?;
            return Ok(());
        };
        apply(declared, &word, &words, place)
    }

    /// `(a, b = c, 'd, e')`: each as it is written, without quotes.
    fn attribute_words(&mut self) -> Result<Vec<String>, SyntaxError> {
        let open = self.at;
        self.at += 1;
        let mut words = vec![String::new()];
        loop {
            match self.peek() {
                None => return Err(self.unclosed("this bracket", ")", open)),
                Some(')') => {
                    self.at += 1;
                    words.iter_mut().for_each(|w| *w = w.trim().to_owned());
                    words.retain(|w| !w.is_empty());
                    return Ok(words);
                }
                Some('\'') => {
                    let text = self.verbatim()?;
                    words.last_mut().into_iter().for_each(|w| w.push_str(&text));
                }
                Some('"') => {
                    let place = Span::new(self.at, self.at + 1);
                    let error = SyntaxError::new("a text here needs single quotes", place);
                    return Err(error);
                }
                Some(',') => {
                    self.at += 1;
                    words.push(String::new());
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    words.last_mut().into_iter().for_each(|w| w.push(c));
                }
            }
        }
    }
}

fn add_note(declared: &mut Declared, note: &str) {
    if !note.is_empty() && !declared.help.is_empty() {
        declared.help.push('\n');
    }
    declared.help.push_str(note);
}

fn apply(
    declared: &mut Declared,
    attribute: &str,
    words: &[String],
    place: Span,
) -> Result<(), SyntaxError> {
    let wrong = |what: String, hint: &str| Err(SyntaxError::new(what, place).hint(hint));
    match attribute.to_ascii_lowercase().as_str() {
        "validateset" => declared.choices = words.to_vec(),
        "alias" => declared.aliases = words.to_vec(),
        "validaterange" => {
            let numbers: Vec<f64> = words.iter().filter_map(|w| w.parse().ok()).collect();
            match numbers.as_slice() {
                [least, most] if least <= most => declared.range = Some((*least, *most)),
                _ => {
                    let what = "[ValidateRange] takes two numbers".to_owned();
                    return wrong(
                        what,
                        "the least, then the greatest: [ValidateRange(1, 100)]",
                    );
                }
            }
        }
        "parameter" => {
            for word in words {
                let (name, value) = word.split_once('=').unwrap_or((word, "$true"));
                let value = value.trim();
                match name.trim().to_ascii_lowercase().as_str() {
                    "mandatory" => declared.mandatory = !value.eq_ignore_ascii_case("$false"),
                    "helpmessage" => add_note(declared, value),
                    other => {
                        let what = format!("[Parameter] has no '{other}'");
                        return wrong(what, "it takes Mandatory and HelpMessage = '…'");
                    }
                }
            }
        }
        other => {
            let what = format!("there is no attribute [{other}(…)]");
            return wrong(
                what,
                "there are Parameter, ValidateSet, ValidateRange and Alias",
            );
        }
    }
    Ok(())
}
