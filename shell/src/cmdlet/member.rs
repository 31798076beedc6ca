//! Get-Member: the properties of rows, with their types and what they mean.

use hamq_core::api::spec::FieldSpec;
use hamq_core::name::fits;
use rhai::Dynamic;

use super::filter::values;
use super::kind_name;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::Record;

pub(super) fn members<'a>(bound: &Bound, input: Stream<'a>) -> Result<Stream<'a>, Failure> {
    let pattern = bound.text("Name").unwrap_or_else(|| "*".to_owned());
    // The first row of each shape tells: an endless stream is not waited for.
    let mut shapes: Vec<String> = Vec::new();
    let mut told = Vec::new();
    for row in input.take(ROWS_MAX) {
        let row = row?;
        let record = row.clone().try_cast::<Record>();
        let shape = match &record {
            Some(record) if !record.shape.is_empty() => record.shape.to_owned(),
            Some(_) => "Record".to_owned(),
            None => row.type_name().to_owned(),
        };
        if shapes.contains(&shape) {
            continue;
        }
        let record = record.unwrap_or_default();
        let fields = record
            .fields
            .iter()
            .filter(|(name, _)| fits(&pattern, name));
        told.extend(fields.map(|(name, value)| member(&shape, name, value)));
        shapes.push(shape);
    }
    Ok(values(told))
}

/// So many rows are looked at for further shapes.
const ROWS_MAX: usize = 1_000;

fn member(shape: &str, name: &str, value: &Dynamic) -> Dynamic {
    let spec = field_of(shape, name);
    let kind = match spec.map(|field| kind_name(field.kind)) {
        Some("") => "true|false",
        Some(kind) => kind,
        None => value.type_name(),
    };
    let help = spec.and_then(|field| field.help.first());
    Dynamic::from(Record::of(vec![
        ("Name".into(), name.to_owned().into()),
        ("Type".into(), kind.to_owned().into()),
        ("Of".into(), shape.to_owned().into()),
        ("Help".into(), help.map_or("", |line| line.trim()).into()),
    ]))
}

fn field_of(shape: &str, name: &str) -> Option<&'static FieldSpec> {
    let mut shapes = hamq_core::api::COMMANDS.iter().map(|spec| spec.output);
    let fields = shapes.find(|spec| spec.name == shape)?.fields;
    fields.iter().find(|field| field.name == name)
}
