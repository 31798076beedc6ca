//! The parameters of a script: what was given is made to fit what it declares.

use hamq_core::api::spec::ValueKind;
use hamq_core::name::nearest;
use hamq_core::{Error, ErrorKind};
use rhai::{Array, Dynamic, Map};

use super::value::{Record, number, rows_of, text};
use crate::pipeline::{duration, truth};
use crate::syntax::{Declared, sized};

/// What cannot be bound, and the parameter it is about.
pub(crate) type Refusal<'d> = (Error, Option<&'d Declared>);

/// A script's parameters on their way to their values.
pub(crate) struct Binder<'d> {
    script: &'d str,
    declared: &'d [Declared],
    bound: Map,
}

impl<'d> Binder<'d> {
    pub(crate) fn new(script: &'d str, declared: &'d [Declared]) -> Self {
        Self {
            script,
            declared,
            bound: Map::new(),
        }
    }

    /// `-Name value`, `-Name:value`, `--name=value`, `-Switch`, and values for the parameters in order; what stands
    /// behind `--` is values only.
    ///
    /// # Errors
    /// The first word that does not fit.
    pub(crate) fn words(mut self, words: &[String]) -> Result<Map, Refusal<'d>> {
        let mut words = words.iter().peekable();
        let mut only_values = false;
        let mut values = Vec::new();
        while let Some(word) = words.next() {
            if word == "--" && !only_values {
                only_values = true;
                continue;
            }
            let Some((name, mut value)) = named(word).filter(|_| !only_values) else {
                values.push(word);
                continue;
            };
            let declared = self.find(name)?;
            if value.is_none() && declared.kind != ValueKind::Switch {
                value = words
                    .next_if(|next| named(next).is_none())
                    .map(String::as_str);
                if value.is_none() {
                    let what = format!("-{} of {} needs a value", declared.name, self.script);
                    return Err((Error::new(ErrorKind::Usage, what), Some(declared)));
                }
            }
            let value = value.map_or(Dynamic::TRUE, |v| written(declared, v));
            self.set(declared, &value)?;
        }
        // Names first, then places: as commands are bound.
        for word in values {
            self.positional(word)?;
        }
        self.finish()
    }

    /// The entries of a map.
    ///
    /// # Errors
    /// The first that does not fit.
    pub(crate) fn record(mut self, record: &Record) -> Result<Map, Refusal<'d>> {
        for (name, value) in record.fields.iter() {
            let declared = self.find(name)?;
            self.set(declared, value)?;
        }
        self.finish()
    }

    fn find(&self, name: &str) -> Result<&'d Declared, Refusal<'d>> {
        if let Some(found) = self.declared.iter().find(|d| d.is_called(name)) {
            return Ok(found);
        }
        let what = format!("{} has no parameter '-{name}'", self.script);
        let error = Error::new(ErrorKind::Usage, what);
        let names = || self.declared.iter().map(|d| d.name.as_str());
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean -{near}?"),
            None if self.declared.is_empty() => "it takes none".to_owned(),
            None => format!("it has -{}", names().collect::<Vec<_>>().join(", -")),
        };
        Err((error.hint(hint), None))
    }

    /// The next parameter that has no value yet takes it; switches are only named.
    fn positional(&mut self, word: &str) -> Result<(), Refusal<'d>> {
        let open = |d: &&Declared| {
            d.kind != ValueKind::Switch && !self.bound.contains_key(d.name.as_str())
        };
        let Some(declared) = self.declared.iter().find(open) else {
            let what = format!("{} takes no further value: '{word}'", self.script);
            let hint = format!("'Get-Help {}' shows what it takes", self.script);
            return Err((Error::new(ErrorKind::Usage, what).hint(hint), None));
        };
        self.set(declared, &written(declared, word))
    }

    fn set(&mut self, declared: &'d Declared, value: &Dynamic) -> Result<(), Refusal<'d>> {
        if self.bound.contains_key(declared.name.as_str()) {
            let what = format!("-{} of {} is given twice", declared.name, self.script);
            return Err((Error::new(ErrorKind::Usage, what), Some(declared)));
        }
        let value = fit(self.script, declared, value).map_err(|e| (e, Some(declared)))?;
        self.bound.insert(declared.name.as_str().into(), value);
        Ok(())
    }

    fn finish(self) -> Result<Map, Refusal<'d>> {
        let missing = |d: &&Declared| d.mandatory && !self.bound.contains_key(d.name.as_str());
        match self.declared.iter().find(missing) {
            None => Ok(self.bound),
            Some(declared) => {
                let what = format!("{} needs -{}", self.script, declared.name);
                let hint = format!("'Get-Help {}' shows what it takes", self.script);
                Err((
                    Error::new(ErrorKind::Usage, what).hint(hint),
                    Some(declared),
                ))
            }
        }
    }
}

/// The name, and the value behind `:` or `=`, of a word that names a parameter; `-1` is a value.
fn named(word: &str) -> Option<(&str, Option<&str>)> {
    let long = word.strip_prefix("--");
    let name = long.or_else(|| word.strip_prefix('-'))?;
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return None;
    }
    let split = match long {
        Some(_) => name.split_once('='),
        None => name.split_once(':'),
    };
    Some(split.map_or((name, None), |(name, value)| (name, Some(value))))
}

/// A word of a command line as a value: a list is written `a,b`.
fn written(declared: &Declared, word: &str) -> Dynamic {
    match declared.kind {
        ValueKind::List | ValueKind::TextList => {
            let items: Array = word.split(',').map(|w| w.to_owned().into()).collect();
            items.into()
        }
        _ => word.to_owned().into(),
    }
}

/// The value as the parameter has it.
///
/// # Errors
/// `Usage`, with what it takes.
pub(crate) fn fit(script: &str, declared: &Declared, value: &Dynamic) -> Result<Dynamic, Error> {
    let wrong = |hint: String| {
        let shown = text(value);
        let what = format!("-{} of {script} cannot be '{shown}'", declared.name);
        Error::new(ErrorKind::Usage, what).hint(hint)
    };
    let single = || match rows_of(value).as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    let fitted = match declared.kind {
        ValueKind::Any => Some(value.clone()),
        ValueKind::List => Some(rows_of(value).into()),
        ValueKind::TextList => {
            let items: Array = rows_of(value).iter().map(|v| text(v).into()).collect();
            Some(items.into())
        }
        ValueKind::Int => single().and_then(|v| whole(&v)).map(Dynamic::from),
        ValueKind::Float => single().and_then(|v| number(&v)).map(Dynamic::from),
        ValueKind::Switch | ValueKind::Bool => single().and_then(|v| yes(&v)).map(Dynamic::from),
        ValueKind::Duration => {
            let millis = single().and_then(|v| duration(&text(&v), 1000.0));
            millis.map(|millis| format!("{millis}ms").into())
        }
        _ => single().map(|v| text(&v).into()),
    };
    let fitted = fitted.ok_or_else(|| wrong(takes(declared.kind).to_owned()))?;
    if let Some((least, most)) = declared.range
        && !number(&fitted).is_some_and(|n| (least..=most).contains(&n))
    {
        return Err(wrong(format!("it takes {least} to {most}")));
    }
    if declared.choices.is_empty() {
        return Ok(fitted);
    }
    chosen(declared, &fitted).ok_or_else(|| {
        let words = || declared.choices.iter().map(String::as_str);
        match nearest(&text(value), words()) {
            Some(near) => wrong(format!("did you mean {near}?")),
            None => wrong(format!("it takes {}", declared.choices.join(", "))),
        }
    })
}

/// Each value as its choice is spelled.
fn chosen(declared: &Declared, value: &Dynamic) -> Option<Dynamic> {
    let choice = |value: &Dynamic| {
        let word = text(value);
        let mut words = declared.choices.iter();
        words
            .find(|w| w.eq_ignore_ascii_case(&word))
            .map(|w| Dynamic::from(w.clone()))
    };
    match value.is_array() {
        true => {
            let all = rows_of(value).iter().map(choice).collect::<Option<Array>>();
            all.map(Into::into)
        }
        false => choice(value),
    }
}

fn takes(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Int => "it takes a whole number; 64KB, 5MB, 2GB are numbers of bytes",
        ValueKind::Float => "it takes a number",
        ValueKind::Switch | ValueKind::Bool => "it takes $true or $false",
        ValueKind::Duration => "it takes a length of time: 500ms, 30s, 5m, 2h",
        _ => "it takes one value",
    }
}

fn whole(value: &Dynamic) -> Option<i64> {
    let written = text(value);
    let sized = || sized(&written).and_then(|n| i64::try_from(n).ok());
    let number = value.as_int().ok();
    number.or_else(|| written.parse().ok()).or_else(sized)
}

fn yes(value: &Dynamic) -> Option<bool> {
    let written = text(value);
    truth(&written.trim_start_matches('$').to_owned().into())
}
