//! What a row of the pipeline gives to the open parameters of a command.
//!
//! ```text
//!  1 by value, exact      a node for the parameter that takes nodes, a text for one that takes texts
//!  2 by property, exact   the property of the parameter's name or alias
//!  3 by value, converted  what names the record; a number as text
//!  4 by property, converted: `coerce` does it for 2
//! ```
//!
//! What a record *is* counts before what its properties are called: a node has a Name and so has a group, but
//! `Get-ClusterNode n3 | Get-ClusterGroup` asks for the groups of n3, not for a group of that name.

use hamq_core::api::spec::{Completes, ParameterSpec, Pipeline, ValueKind};
use hamq_core::{Result, name::fits};
use rhai::Dynamic;

use super::bind::{Bound, field};
use crate::cmdlet;
use crate::script::value::Record;

/// Gives `bound` what `row` has for it; whether that was anything.
pub(super) fn give(bound: &mut Bound, row: &Dynamic) -> Result<bool> {
    let record = row.clone().try_cast::<Record>();
    let Some(record) = record else {
        return of_value(bound, row);
    };
    let identified = of_what_it_is(bound, &record)?;
    let mut took = identified;
    let open = |bound: &Bound, p: &ParameterSpec| {
        p.pipeline != Pipeline::No && bound.get(p.name).is_none()
    };
    for parameter in cmdlet::parameters(bound.spec) {
        let foreign = object_of(record.shape).is_some_and(|kind| names_other(parameter, kind));
        if !open(bound, parameter) || (identified && foreign) {
            continue;
        }
        let related = foreign
            .then(|| relation(bound, parameter, &record))
            .flatten();
        let by_value = parameter.pipeline == Pipeline::ByValue;
        let value = related.or_else(|| field(&record, parameter, by_value));
        if let Some(value) = value.filter(|value| !value.is_unit()) {
            bound.set(parameter, value)?;
            took = true;
        }
    }
    Ok(took)
}

/// A text, a number: for the first parameter that takes values of its type, else the first that takes any.
fn of_value(bound: &mut Bound, row: &Dynamic) -> Result<bool> {
    let takes = |p: &&ParameterSpec| p.pipeline == Pipeline::ByValue && bound.get(p.name).is_none();
    let exact = |p: &&ParameterSpec| match p.kind {
        ValueKind::Text | ValueKind::TextList | ValueKind::Bytes => row.is_string(),
        ValueKind::Int | ValueKind::Duration => row.is_int(),
        ValueKind::Float => row.is_float(),
        ValueKind::Switch | ValueKind::Bool => row.is_bool(),
        ValueKind::Any | ValueKind::List => true,
    };
    let all = || cmdlet::parameters(bound.spec).filter(takes);
    let Some(parameter) = all().find(exact).or_else(|| all().next()) else {
        return Ok(false);
    };
    bound.set(parameter, row.clone())?;
    Ok(true)
}

/// The parameter that takes objects of the record's kind takes its name.
fn of_what_it_is(bound: &mut Bound, record: &Record) -> Result<bool> {
    let Some(kind) = object_of(record.shape) else {
        return Ok(false);
    };
    let Some(name) = record.find("Name").cloned() else {
        return Ok(false);
    };
    let takes = |p: &&ParameterSpec| {
        p.completes == kind && p.pipeline != Pipeline::No && bound.get(p.name).is_none()
    };
    let by_value = |p: &&ParameterSpec| p.pipeline == Pipeline::ByValue;
    // A queue is what is sent to before it is what is answered to.
    let said = bound.spec.parameters.iter().any(|p| {
        p.completes == kind && p.pipeline == Pipeline::ByValue && bound.get(p.name).is_some()
    });
    let all = || cmdlet::parameters(bound.spec).filter(takes);
    let first = all().find(by_value);
    let first = first.or_else(|| if said { None } else { all().next() });
    let Some(parameter) = first else {
        return Ok(false);
    };
    bound.set(parameter, name)?;
    Ok(true)
}

/// The kind of object that records of this shape are.
fn object_of(shape: &str) -> Option<Completes> {
    Some(match shape {
        "ClusterNode" => Completes::Node,
        "ClusterGroup" => Completes::Group,
        "ClusterResource" => Completes::Resource,
        "MsmqQueue" => Completes::Queue,
        "Cluster" => Completes::Cluster,
        _ => return None,
    })
}

fn noun_of(kind: Completes) -> Option<&'static str> {
    Some(match kind {
        Completes::Node => "Node",
        Completes::Group => "Group",
        Completes::Resource => "Resource",
        Completes::Queue => "Queue",
        _ => return None,
    })
}

/// Whether a parameter takes the name of an object that is not of `kind`.
fn names_other(parameter: &ParameterSpec, kind: Completes) -> bool {
    let object = noun_of(parameter.completes).is_some();
    object && parameter.completes != kind
}

/// What a record of another kind says of such an object: of a group its OwnerNode, of a resource its Group. Only
/// for commands that look: nothing is removed because of what something else belongs to.
fn relation(bound: &Bound, parameter: &ParameterSpec, record: &Record) -> Option<Dynamic> {
    let noun = noun_of(parameter.completes)?;
    let own = fits(&format!("*{noun}"), bound.spec.noun());
    if bound.spec.verb() != "Get" || !own {
        return None;
    }
    let owner = format!("Owner{noun}");
    let found = record.find(noun).or_else(|| record.find(&owner));
    found.cloned()
}
