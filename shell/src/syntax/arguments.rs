//! Argument mode: a pipeline of commands with their arguments.

use hamq_core::api::spec::{CommandSpec, ParameterSpec, ValueKind};

use hamq_core::name::nearest;

use super::front::{Context, Front};
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
            if let Some(last) = stages.last().filter(|stage| cmdlet::is_format(stage.spec)) {
                return Err(SyntaxError::new(
                    format!("{} must be the last command of a pipeline", last.spec.name),
                    last.span,
                )
                .hint("it makes text; choose and order the records before it"));
            }
            let arguments = self.arguments(spec, context, &mut expressions)?;
            stages.push(Stage {
                spec,
                arguments,
                span,
            });
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
        if word.is_empty() {
            let error = SyntaxError::new("a command must follow '|'", span);
            return Err(if self.peek().is_none() {
                error.unfinished()
            } else {
                error
            });
        }
        match cmdlet::find(&word) {
            Some(spec) => Ok((spec, span)),
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
                let (parameter, operand) = self.named(spec, context, expressions)?;
                (Some(parameter), operand)
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
            None | Some('\n' | ';' | '|' | ')' | '}' | ']') => true,
            Some('&') => self.rest().starts_with("&&"),
            _ => false,
        }
    }

    fn named(
        &mut self,
        spec: &'static CommandSpec,
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
        let colon = self.peek() == Some(':');
        if colon {
            self.at += 1;
        }
        if parameter.kind == ValueKind::Switch && !colon {
            return Ok((parameter, None));
        }
        self.skip_blank(context == Context::Group);
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
        if let Some(parameter) = spec.parameter(name).or_else(|| cmdlet::common(name)) {
            return Ok(parameter);
        }
        let all = || spec.parameters.iter().chain(cmdlet::COMMON);
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
