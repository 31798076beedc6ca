//! From written arguments to the parameters of a command.

use hamq_core::api::spec::{CommandSpec, ParameterSpec, Pipeline, ValueKind};
use hamq_core::name::nearest;
use hamq_core::{Error, ErrorKind, Result};
use rhai::{Array, Dynamic};

use super::coerce::coerce;
use crate::cmdlet;
use crate::script::value::{Record, rows_of, text};
use crate::syntax::{Operand, Span, Stage};

/// The parameters of one call.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The command.
    pub spec: &'static CommandSpec,
    values: Vec<(&'static str, Dynamic)>,
    places: Vec<(&'static str, Span)>,
}

impl Bound {
    /// A call without parameters.
    #[must_use]
    pub fn new(spec: &'static CommandSpec) -> Self {
        Self {
            spec,
            values: Vec::new(),
            places: Vec::new(),
        }
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Dynamic> {
        self.values
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }

    /// The value of a parameter as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(text)
    }

    /// The value of a parameter as a number of things.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<usize> {
        self.get(name)?
            .as_int()
            .ok()
            .map(|n| usize::try_from(n).unwrap_or(0))
    }

    /// Whether a switch is given; none when nothing is said of it.
    #[must_use]
    pub fn switch(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool().ok()
    }

    /// The texts of a list parameter.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.get(name)
            .map(|v| rows_of(v).iter().map(text).collect())
            .unwrap_or_default()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(&'static str, Dynamic)> {
        self.values.iter()
    }

    /// Where the value that an error quotes was written: the error is about that argument.
    #[must_use]
    pub fn place_of(&self, error: &Error) -> Option<Span> {
        let quoted = |value: &Dynamic| {
            let value = text(value);
            let quote = |q: char| error.message.contains(&format!("{q}{value}{q}"));
            !value.is_empty() && (quote('"') || quote('\''))
        };
        let about = |(name, _): &&(&str, Span)| {
            self.get(name)
                .is_some_and(|value| rows_of(value).iter().any(quoted))
        };
        self.places.iter().find(about).map(|(_, span)| *span)
    }

    /// Gives a parameter its value.
    ///
    /// # Errors
    /// When the value does not fit, or it has one already.
    pub fn set(&mut self, parameter: &'static ParameterSpec, value: Dynamic) -> Result<()> {
        if self.get(parameter.name).is_some() {
            let what = format!("-{} of {} is given twice", parameter.name, self.spec.name);
            return Err(Error::new(ErrorKind::Usage, what));
        }
        let value = coerce(self.spec, parameter, value)?;
        self.values.push((parameter.name, value));
        Ok(())
    }

    /// Gives a parameter the value written at `span`.
    fn place(
        &mut self,
        parameter: &'static ParameterSpec,
        value: Dynamic,
        span: Span,
    ) -> Result<(), (Error, Span)> {
        self.set(parameter, value).map_err(|e| (e, span))?;
        self.places.push((parameter.name, span));
        Ok(())
    }

    /// Puts more values behind those of a list.
    fn append(&mut self, parameter: &ParameterSpec, more: &Dynamic) {
        let list = self.values.iter_mut().find(|(n, _)| *n == parameter.name);
        if let Some((_, list)) = list {
            let mut all = rows_of(list);
            all.extend(rows_of(more));
            *list = all.into();
        }
    }

    /// Fails when a required parameter has no value.
    ///
    /// # Errors
    /// `Usage`, naming it.
    pub fn check(&self) -> Result<()> {
        let missing = |p: &&ParameterSpec| p.required && self.get(p.name).is_none();
        match self.spec.parameters.iter().find(missing) {
            None => Ok(()),
            Some(p) => Err(Error::new(
                ErrorKind::Usage,
                format!("{} needs -{}", self.spec.name, p.name),
            )
            .hint(format!(
                "'Get-Help {} -Examples' shows how it is used",
                self.spec.name
            ))),
        }
    }

    /// Puts a value where it belongs, whatever was there.
    pub(super) fn put(&mut self, name: &'static str, value: Dynamic) {
        self.values.retain(|(n, _)| *n != name);
        self.values.push((name, value));
    }

    /// This call with what a row of the pipeline gives: by its value, then by its properties (see [`super::row`]).
    ///
    /// # Errors
    /// When the row gives nothing that the command takes.
    pub fn with_row(&self, row: &Dynamic) -> Result<Self> {
        let mut bound = self.clone();
        let took = super::row::give(&mut bound, row)?;
        if took || !self.takes_input() {
            return Ok(bound);
        }
        Err(Error::new(
            ErrorKind::Usage,
            format!(
                "{} can take nothing from the row '{}'",
                self.spec.name,
                text(row)
            ),
        )
        .hint("name the parameter, for example with ForEach-Object and $_"))
    }

    /// Whether a parameter is still open for the pipeline.
    #[must_use]
    pub fn takes_input(&self) -> bool {
        let mut parameters = self.spec.parameters.iter();
        parameters.any(|p| p.pipeline != Pipeline::No && self.get(p.name).is_none())
    }
}

/// The field of a record that a parameter takes: of its name, of an alias, or what names the record.
pub(super) fn field(record: &Record, parameter: &ParameterSpec, by_value: bool) -> Option<Dynamic> {
    let mut names = std::iter::once(parameter.name).chain(parameter.aliases.iter().copied());
    if let Some(value) = names.find_map(|name| record.find(name)) {
        return Some(value.clone());
    }
    if parameter.kind == ValueKind::Any || parameter.kind == ValueKind::List {
        return by_value.then(|| Dynamic::from(record.clone()));
    }
    by_value.then(|| record.find("Name").cloned()).flatten()
}

/// Binds the arguments of a stage; expressions were evaluated into `expressions`. Names come first, then positions,
/// then what splats have: what is written out wins over a splat.
///
/// # Errors
/// With the argument that does not fit, and its place.
pub fn bind(stage: &Stage, expressions: &[Dynamic]) -> Result<Bound, (Error, Span)> {
    let mut bound = Bound::new(stage.spec);
    for argument in &stage.arguments {
        let Some(parameter) = argument.parameter else {
            continue;
        };
        let value = match &argument.operand {
            None => Dynamic::TRUE,
            Some(operand) => value_of(operand, parameter, expressions),
        };
        bound.place(parameter, value, argument.span)?;
    }
    let splats: Vec<(Dynamic, Span)> = stage
        .arguments
        .iter()
        .filter_map(|argument| match argument.operand {
            Some(Operand::Splat(n)) => Some((expressions.get(n)?.clone(), argument.span)),
            _ => None,
        })
        .collect();
    for (splat, span) in &splats {
        named_of(&mut bound, splat, *span)?;
    }
    for argument in stage.arguments.iter().filter(|a| a.parameter.is_none()) {
        match &argument.operand {
            None => {}
            Some(Operand::Splat(n)) => {
                let splat = expressions.get(*n).cloned().unwrap_or_default();
                if is_list(&splat) {
                    for value in rows_of(&splat) {
                        positional(&mut bound, argument.span, |_| value.clone())?;
                    }
                }
            }
            Some(operand) => {
                let value = |p: &ParameterSpec| value_of(operand, p, expressions);
                positional(&mut bound, argument.span, value)?;
            }
        }
    }
    Ok(bound)
}

fn is_list(value: &Dynamic) -> bool {
    value.is_array() || value.is::<crate::script::value::Rows>()
}

/// Takes the parameters out of a splatted map; the arguments of a script (`@ARGS`) also have values, under `_`.
fn named_of(bound: &mut Bound, splat: &Dynamic, span: Span) -> Result<(), (Error, Span)> {
    let record = match splat.clone().try_cast::<rhai::Map>() {
        Some(map) => crate::script::value::from_map(&map),
        None if is_list(splat) => return Ok(()),
        None => splat.clone().try_cast::<Record>().ok_or_else(|| {
            let what = format!("'{}' cannot be splatted", text(splat));
            let hint = "@x takes a map of parameters (@{ Name = 'x' }) or a list of values";
            (Error::new(ErrorKind::Usage, what).hint(hint), span)
        })?,
    };
    for (name, value) in record.fields.iter().filter(|(name, _)| name != "_") {
        let Some(parameter) = cmdlet::parameter(bound.spec, name) else {
            let what = format!("{} has no parameter '-{name}'", bound.spec.name);
            let names = cmdlet::parameters(bound.spec).map(|p| p.name);
            let error = Error::new(ErrorKind::Usage, what);
            let error = match nearest(name, names) {
                Some(near) => error.hint(format!("it is in a splat; did you mean {near}?")),
                None => error.hint("it is in a splat"),
            };
            return Err((error, span));
        };
        if bound.get(parameter.name).is_none() {
            bound.place(parameter, value.clone(), span)?;
        }
    }
    Ok(())
}

/// Gives the next open position its value.
fn positional(
    bound: &mut Bound,
    span: Span,
    value: impl Fn(&ParameterSpec) -> Dynamic,
) -> Result<(), (Error, Span)> {
    if let Some(parameter) = next_position(bound) {
        return bound.place(parameter, value(parameter), span);
    }
    if let Some(parameter) = takes_all(bound.spec) {
        bound.append(parameter, &value(parameter));
        return Ok(());
    }
    let what = format!("{} takes no further value", bound.spec.name);
    let error = Error::new(ErrorKind::Usage, what).hint(format!(
        "'Get-Help {}' shows what it takes; texts with blanks need quotes",
        bound.spec.name
    ));
    Err((error, span))
}

/// The parameter of the shell's own verbs that takes all values: `echo on we go`.
fn takes_all(spec: &CommandSpec) -> Option<&'static ParameterSpec> {
    let verb = crate::cmdlet::VERBS.iter().find(|v| v.name == spec.name)?;
    let mut parameters = verb.parameters.iter();
    let last = parameters.rfind(|p| p.position.is_some());
    last.filter(|p| p.kind == ValueKind::List)
}

fn next_position(bound: &Bound) -> Option<&'static ParameterSpec> {
    let open = bound.spec.parameters.iter();
    open.filter(|p| p.position.is_some() && bound.get(p.name).is_none())
        .min_by_key(|p| p.position)
}

fn value_of(operand: &Operand, parameter: &ParameterSpec, expressions: &[Dynamic]) -> Dynamic {
    match operand {
        Operand::Bare(word) => match parameter.kind {
            ValueKind::Any | ValueKind::List => guess(word),
            _ => word.clone().into(),
        },
        Operand::Quoted(text) => text.clone().into(),
        Operand::Expression(n) | Operand::Block(n) | Operand::Splat(n) => {
            expressions.get(*n).cloned().unwrap_or_default()
        }
        Operand::List(items) => {
            let items: Array = items
                .iter()
                .map(|i| value_of(i, parameter, expressions))
                .collect();
            items.into()
        }
    }
}

/// A bare word where any value may stand.
fn guess(word: &str) -> Dynamic {
    if let Ok(n) = word.parse::<i64>() {
        return n.into();
    }
    match word.parse::<f64>() {
        Ok(f) if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => f.into(),
        _ => word.to_owned().into(),
    }
}
