//! Argument mode: a pipeline of commands with their arguments.

use hamq_core::api::spec::{CommandSpec, ParameterSpec, ValueKind};

use hamq_core::name::nearest;

use super::front::{Context, Front};
use super::site::{TokenKind, Wanted};
use super::{Pipeline, Span, SyntaxError};
use crate::cmdlet;

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A bare word: its parameter decides its type.
    Bare(String),
    /// A quoted text.
    Quoted(String),
    /// The expression of this number in the pipeline's list.
    Expression(usize),
    /// The script block of this number in the pipeline's list.
    Block(usize),
    /// `a,b`.
    List(Vec<Self>),
    /// `@x`: the map of this number has parameters, the list has values.
    Splat(usize),
}

/// One argument.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its parameter, unless it is positional.
    pub parameter: Option<&'static ParameterSpec>,
    /// Its value; none for a bare switch.
    pub operand: Option<Operand>,
    /// Where it stands.
    pub span: Span,
}

/// One command of a pipeline.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The command.
    pub spec: &'static CommandSpec,
    /// Its arguments in order.
    pub arguments: Vec<Argument>,
    /// The place of its name.
    pub span: Span,
}

impl Front<'_> {
    /// A whole pipeline; the position is at its first command word.
    pub(super) fn pipeline(
        &mut self,
        spec: &'static CommandSpec,
        word: Span,
        context: Context,
    ) -> Result<usize, SyntaxError> {
        let index = self.unit.pipelines.len();
        self.unit.pipelines.push(Pipeline::default());
        self.synth(&format!("__pipe({},[", self.first + index), word.start);
        self.stages(index, Some((spec, word)), Vec::new(), 0, context)?;
        Ok(index)
    }

    /// A pipeline that begins with a value: it and what precedes it in the call are written already, the
    /// position is at the `|` behind it.
    pub(super) fn pipeline_of_value(&mut self, context: Context) -> Result<usize, SyntaxError> {
        let index = self.unit.pipelines.len();
        self.unit.pipelines.push(Pipeline::default());
        let span = Span::new(self.at, self.at + 1);
        let value = Stage {
            spec: cmdlet::value_spec(),
            arguments: vec![Argument {
                parameter: None,
                operand: Some(Operand::Expression(0)),
                span,
            }],
            span,
        };
        self.synth(",", self.at);
        self.at += 1;
        self.skip_blank(true);
        let first = self.stage_word()?;
        self.stages(index, Some(first), vec![value], 1, context)?;
        Ok(index)
    }

    /// The commands from `next` on, and the end of the call.
    fn stages(
        &mut self,
        index: usize,
        mut next: Option<(&'static CommandSpec, Span)>,
        mut stages: Vec<Stage>,
        mut expressions: usize,
        context: Context,
    ) -> Result<(), SyntaxError> {
        while let Some((spec, span)) = next {
            if let Some(last) = stages.last().filter(|_| !cmdlet::takes_text(spec)) {
                makes_records(last)?;
            }
            let arguments = self.arguments(spec, context, &mut expressions)?;
            stages.push(Stage {
                spec,
                arguments,
                span,
            });
            self.flows(spec);
            if let Some(file) = self.redirection(context, &mut expressions)? {
                stages.push(file);
                break;
            }
            next = match self.next_stage(context) {
                true => Some(self.stage_word()?),
                false => None,
            };
        }
        self.synth("])", self.at);
        if let Some(place) = self.unit.pipelines.get_mut(index) {
            place.stages = stages;
        }
        Ok(())
    }

    fn next_stage(&mut self, context: Context) -> bool {
        let before = self.at;
        self.skip_blank(context == Context::Group);
        if self.peek() != Some('|') {
            // A pipe may lead the next line.
            self.skip_blank(true);
        }
        let pipe = self.peek() == Some('|') && self.peek_at(1) != Some('|');
        if !pipe {
            self.at = before;
            return false;
        }
        self.at += 1;
        self.skip_blank(true);
        true
    }

    fn stage_word(&mut self) -> Result<(&'static CommandSpec, Span), SyntaxError> {
        let start = self.at;
        let word = self.command_word();
        let span = Span::new(start, self.at.max(start + 1));
        self.wants(start, || Wanted::Command);
        if word.is_empty() {
            let error = SyntaxError::new("a command must follow '|'", span);
            return Err(if self.peek().is_none() {
                error.unfinished()
            } else {
                error
            });
        }
        match cmdlet::find(&word) {
            Some(spec) => {
                self.token_at(TokenKind::Command, start);
                Ok((spec, span))
            }
            None => Err(unknown_command(&word, span)),
        }
    }

    fn arguments(
        &mut self,
        spec: &'static CommandSpec,
        context: Context,
        expressions: &mut usize,
    ) -> Result<Vec<Argument>, SyntaxError> {
        let mut arguments = Vec::new();
        let mut only_values = false;
        loop {
            self.skip_blank(context == Context::Group);
            self.wants_argument(spec, &arguments, None);
            if self.peek() == Some('\n') && !self.parameter_leads_next_line() {
                break;
            }
            let start = self.at;
            if self.ends_arguments() {
                break;
            }
            if self.rest().starts_with("--") && self.peek_at(2).is_none_or(char::is_whitespace) {
                self.at += 2;
                only_values = true;
                continue;
            }
            let named = !only_values
                && self.peek() == Some('-')
                && self
                    .peek_at(1)
                    .is_some_and(|c| c.is_alphabetic() || c == '?');
            let (parameter, operand) = if named {
                let (parameter, operand) = self.named(spec, &arguments, context, expressions)?;
                (Some(parameter), operand)
            } else if self.splat_here() {
                (None, Some(self.splat(expressions)))
            } else {
                (None, Some(self.list(context, expressions)?))
            };
            let span = Span::new(start, self.at);
            arguments.push(Argument {
                parameter,
                operand,
                span,
            });
        }
        Ok(arguments)
    }

    fn parameter_leads_next_line(&mut self) -> bool {
        let before = self.at;
        self.skip_blank(true);
        let leads = self.peek() == Some('-') && self.peek_at(1).is_some_and(char::is_alphabetic);
        if !leads {
            self.at = before;
        }
        leads
    }

    pub(super) fn ends_arguments(&self) -> bool {
        match self.peek() {
            None | Some('\n' | ';' | '|' | ')' | '}' | ']' | '>') => true,
            Some('&') => self.rest().starts_with("&&"),
            _ => false,
        }
    }

    fn named(
        &mut self,
        spec: &'static CommandSpec,
        before: &[Argument],
        context: Context,
        expressions: &mut usize,
    ) -> Result<(&'static ParameterSpec, Option<Operand>), SyntaxError> {
        let start = self.at;
        self.at += 1;
        let name = if self.peek() == Some('?') {
            self.at += 1;
            "?".to_owned()
        } else {
            self.word()
        };
        let span = Span::new(start, self.at);
        let parameter = self.parameter(spec, &name, span)?;
        self.token_at(TokenKind::Parameter, start);
        let colon = self.peek() == Some(':');
        if colon {
            self.at += 1;
        }
        if parameter.kind == ValueKind::Switch && !colon {
            return Ok((parameter, None));
        }
        let begun = self.at;
        self.skip_blank(context == Context::Group);
        if colon || self.at > begun {
            self.wants_argument(spec, before, Some(parameter));
        }
        let dash = self.peek() == Some('-') && self.peek_at(1).is_some_and(char::is_alphabetic);
        if self.ends_arguments() || (dash && !colon) {
            let error = SyntaxError::new(
                format!("-{} of {} needs a value", parameter.name, spec.name),
                span,
            );
            return Err(if self.peek().is_none() {
                error.unfinished()
            } else {
                error
            });
        }
        Ok((parameter, Some(self.list(context, expressions)?)))
    }

    fn parameter(
        &self,
        spec: &'static CommandSpec,
        name: &str,
        span: Span,
    ) -> Result<&'static ParameterSpec, SyntaxError> {
        if let Some(parameter) = cmdlet::parameter(spec, name) {
            return Ok(parameter);
        }
        let all = || cmdlet::parameters(spec);
        if self.interactive {
            let lower = name.to_ascii_lowercase();
            let mut fits = all().filter(|p| p.name.to_ascii_lowercase().starts_with(&lower));
            if let (Some(only), None) = (fits.next(), fits.next()) {
                return Ok(only);
            }
        }
        let error = SyntaxError::new(format!("{} has no parameter '-{name}'", spec.name), span);
        Err(match nearest(name, all().map(|p| p.name)) {
            Some(near) => error.hint(format!("did you mean -{near}?")),
            None => error.hint(format!("'Get-Help {}' lists its parameters", spec.name)),
        })
    }

    /// `> FILE` or `>> FILE` behind a command, as the stage it stands for.
    fn redirection(
        &mut self,
        context: Context,
        expressions: &mut usize,
    ) -> Result<Option<Stage>, SyntaxError> {
        let start = self.at;
        if self.peek() != Some('>') {
            return Ok(None);
        }
        let appends = self.rest().starts_with(">>");
        self.at += 1 + usize::from(appends);
        let (spec, span) = (cmdlet::file_spec(), Span::new(start, self.at));
        self.skip_blank(context == Context::Group);
        if self.ends_arguments() {
            let error = SyntaxError::new("a file must follow '>'", span);
            let ends = self.peek().is_none();
            return Err(if ends { error.unfinished() } else { error });
        }
        let place = self.at;
        let path = self.list(context, expressions)?;
        let argument = |name: &str, operand, span| Argument {
            parameter: spec.parameter(name),
            operand,
            span,
        };
        let mut arguments = vec![argument("Path", Some(path), Span::new(place, self.at))];
        if appends {
            arguments.push(argument("Append", None, span));
        }
        self.skip_blank(context == Context::Group);
        if !self.ends_arguments() || self.peek() == Some('>') {
            return Err(self.unexpected());
        }
        Ok(Some(Stage {
            spec,
            arguments,
            span,
        }))
    }

    fn splat_here(&self) -> bool {
        let named = |c: char| c.is_alphabetic() || c == '_';
        self.peek() == Some('@') && self.peek_at(1).is_some_and(named)
    }

    /// `@name`.
    fn splat(&mut self, expressions: &mut usize) -> Operand {
        let start = self.at;
        self.at += 1;
        let name = self.word();
        self.variable(&name, start);
        self.token_at(TokenKind::Variable, start);
        self.synth(",", self.at);
        *expressions += 1;
        Operand::Splat(*expressions - 1)
    }
}

/// Refuses a stage that makes text and has a command behind it which wants records.
fn makes_records(stage: &Stage) -> Result<(), SyntaxError> {
    let views = |a: &&Argument| a.parameter.is_some_and(|p| p.name == "As");
    let (what, span) = if cmdlet::is_format(stage.spec) {
        (stage.spec.name, stage.span)
    } else if let Some(argument) = stage.arguments.iter().find(views) {
        ("-As", argument.span)
    } else {
        return Ok(());
    };
    let what = match what {
        "-As" => "-As must be on the last command of a pipeline".to_owned(),
        name => format!("{name} must be the last command of a pipeline"),
    };
    let error = SyntaxError::new(what, span);
    Err(error.hint("it makes text; choose and order the records before it"))
}

/// No such command, and what may have been meant.
pub(super) fn unknown_command(word: &str, span: Span) -> SyntaxError {
    let error = SyntaxError::new(format!("there is no command '{word}'"), span);
    let aliases = cmdlet::all().flat_map(|spec| spec.aliases).copied();
    let names = cmdlet::all().map(|spec| spec.name).chain(aliases);
    match nearest(word, names) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint("'Get-Command' lists the commands"),
    }
}
