//! The contexts: which clusters a person works with.

use std::path::Path;

use hamq_core::name::fits;
use hamq_core::{Error, ErrorKind, Result};
use rhai::Dynamic;

use super::filter::values;
use crate::context::{Context, Contexts};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::Record;
use crate::session::State;

/// Runs one of these verbs.
pub(super) fn run<'a>(call: Call<'a>, bound: &Bound) -> std::result::Result<Stream<'a>, Failure> {
    let rows = act(call.state, bound);
    rows.map(values).map_err(|e| call.fail_about(bound, e))
}

fn act(state: &State, bound: &Bound) -> Result<Vec<Dynamic>> {
    let none = || Error::new(ErrorKind::InvalidState, "this session has no contexts");
    let config = state.config.as_deref().ok_or_else(none)?;
    let name = bound.text("Name");
    let named = || {
        let error = Error::new(ErrorKind::Usage, format!("{} needs -Name", bound.spec.name));
        name.clone()
            .ok_or_else(|| error.hint("Get-HamqContext lists the names"))
    };
    let mut all = Contexts::read(config)?;
    match bound.spec.name {
        "New-HamqContext" => {
            let row = make(&mut all, &named()?, bound)?;
            all.write(config)?;
            Ok(vec![row])
        }
        "Set-HamqContext" => choose(state, config, &named()?).map(|row| vec![row]),
        "Remove-HamqContext" => {
            let name = named()?;
            all.get(&name)?;
            all.contexts.remove(&name);
            all.current = all.current.filter(|current| *current != name);
            all.write(config)?;
            Ok(Vec::new())
        }
        _ => {
            let chosen = state
                .context
                .borrow()
                .as_ref()
                .map(|(name, _)| name.clone());
            let fits = |other: &str| name.as_deref().is_none_or(|p| fits(p, other));
            let shown = all.contexts.iter().filter(|(name, _)| fits(name));
            Ok(shown
                .map(|(name, c)| row(name, c, chosen.as_ref() == Some(name)))
                .collect())
        }
    }
}

fn make(all: &mut Contexts, name: &str, bound: &Bound) -> Result<Dynamic> {
    if all.contexts.contains_key(name) && bound.switch("Force") != Some(true) {
        let what = format!("there is a context '{name}' already");
        return Err(Error::new(ErrorKind::InvalidState, what).hint("-Force replaces it"));
    }
    let Some(cluster) = bound.text("Cluster") else {
        let what = format!("the context '{name}' needs a cluster");
        let hint = "-Cluster NAME, or HOST[:PORT],… of its nodes";
        return Err(Error::new(ErrorKind::Usage, what).hint(hint));
    };
    let context = Context {
        cluster,
        read_only: bound.switch("ReadOnly") == Some(true),
        description: bound.text("Description").unwrap_or_default(),
    };
    let made = row(name, &context, false);
    all.contexts.insert(name.to_owned(), context);
    Ok(made)
}

fn choose(state: &State, config: &Path, name: &str) -> Result<Dynamic> {
    let context = enter(state, config, name)?;
    let mut all = Contexts::read(config)?;
    all.current = Some(name.to_owned());
    all.write(config)?;
    Ok(row(name, &context, true))
}

/// Uses the context `name` in this session.
///
/// # Errors
/// `NotFound`; those of the way to its cluster.
pub fn enter(state: &State, config: &Path, name: &str) -> Result<Context> {
    let all = Contexts::read(config)?;
    let context = all.get(name)?.clone();
    state.invoke.connect(&context.cluster)?;
    state
        .context
        .replace(Some((name.to_owned(), context.clone())));
    Ok(context)
}

fn row(name: &str, context: &Context, chosen: bool) -> Dynamic {
    let star = if chosen { "*" } else { "" };
    Dynamic::from(Record::of(vec![
        ("Current".into(), star.into()),
        ("Name".into(), name.into()),
        ("Cluster".into(), context.cluster.clone().into()),
        ("ReadOnly".into(), context.read_only.into()),
        ("Description".into(), context.description.clone().into()),
    ]))
}
