//! Records and rows as rhai sees them, and the conversions to and from the wire's values.

use std::rc::Rc;

use hamq_core::api::value::Value;
use hamq_core::name::nearest;
use hamq_core::{Error, ErrorKind, Result};
use rhai::{Array, Blob, Dynamic, Map};

/// A record: named values in order; names ignore case.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The name of its shape, `ClusterGroup`; empty when it has none.
    pub shape: &'static str,
    /// Its fields.
    pub fields: Rc<Vec<(String, Dynamic)>>,
}

impl Record {
    /// A record without a shape.
    #[must_use]
    pub fn of(fields: Vec<(String, Dynamic)>) -> Self {
        Self {
            shape: "",
            fields: Rc::new(fields),
        }
    }

    /// The value of a field, if there is one of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Dynamic> {
        let mut fields = self.fields.iter();
        fields
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of a field.
    ///
    /// # Errors
    /// `NotFound` with the name that was probably meant.
    pub fn get(&self, name: &str) -> Result<Dynamic> {
        self.find(name).cloned().ok_or_else(|| {
            let what = if self.shape.is_empty() {
                "the record"
            } else {
                self.shape
            };
            let error = Error::new(
                ErrorKind::NotFound,
                format!("{what} has no property '{name}'"),
            );
            let names = || self.fields.iter().map(|(n, _)| n.as_str());
            match nearest(name, names()) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
            }
        })
    }

    /// Sets a field.
    pub fn set(&mut self, name: &str, value: Dynamic) {
        let fields = Rc::make_mut(&mut self.fields);
        match fields
            .iter_mut()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
        {
            Some((_, place)) => *place = value,
            None => fields.push((name.to_owned(), value)),
        }
    }
}

/// The result of a pipeline, always: none, one or many rows.
#[derive(Clone, Debug, Default)]
pub struct Rows(pub Rc<Vec<Dynamic>>);

impl Rows {
    /// The property of one row as a scalar, of many as a list, of none as `()`.
    ///
    /// # Errors
    /// When a row has no such property.
    pub fn property(&self, name: &str) -> Result<Dynamic> {
        if name.eq_ignore_ascii_case("count") || name == "len" {
            return Ok(Dynamic::from(
                i64::try_from(self.0.len()).unwrap_or(i64::MAX),
            ));
        }
        let mut values = self
            .0
            .iter()
            .map(|row| property(row, name))
            .collect::<Result<Array>>()?;
        Ok(match values.len() {
            0 => Dynamic::UNIT,
            1 => values.pop().unwrap_or_default(),
            _ => values.into(),
        })
    }
}

/// A property of any value.
///
/// # Errors
/// When it has none of this name.
pub fn property(value: &Dynamic, name: &str) -> Result<Dynamic> {
    if let Some(record) = value.clone().try_cast::<Record>() {
        return record.get(name);
    }
    if let Some(rows) = value.clone().try_cast::<Rows>() {
        return rows.property(name);
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        return from_map(&map).get(name);
    }
    if let Some(fault) = value.read_lock::<super::Fault>() {
        return fault.record().get(name);
    }
    Err(Error::new(
        ErrorKind::NotFound,
        format!("a {} has no property '{name}'", value.type_name()),
    ))
}

/// A row as commands take it: a plain map is a record.
pub fn as_row(value: Dynamic) -> Dynamic {
    let record = value.read_lock::<Map>().map(|map| from_map(&map));
    record.map_or(value, Dynamic::from)
}

/// A plain map as a record.
#[must_use]
pub fn from_map(map: &Map) -> Record {
    Record::of(
        map.iter()
            .map(|(k, v)| (k.to_string(), v.clone()))
            .collect(),
    )
}

/// What a value is made of, one by one: the rows of rows and lists, itself otherwise, nothing of `()`.
#[must_use]
pub fn rows_of(value: &Dynamic) -> Vec<Dynamic> {
    if let Some(rows) = value.clone().try_cast::<Rows>() {
        return rows.0.as_ref().clone();
    }
    match value.clone().try_cast::<Array>() {
        Some(array) => array,
        None if value.is_unit() => Vec::new(),
        None => vec![value.clone()],
    }
}

/// A value of the wire as one of rhai; maps become records of `shape`.
pub fn from_wire(value: Value, shape: &'static str) -> Dynamic {
    match value {
        Value::Integer(n) => i64::try_from(i128::from(n))
            .map_or_else(|_| Dynamic::from(n_to_float(n.into())), Dynamic::from),
        Value::Bytes(bytes) => Dynamic::from_blob(bytes),
        Value::Float(f) => f.into(),
        Value::Text(text) => text.into(),
        Value::Bool(b) => b.into(),
        Value::Array(items) => {
            let items: Array = items.into_iter().map(|v| from_wire(v, "")).collect();
            items.into()
        }
        Value::Map(entries) => {
            let fields = entries.into_iter().map(|(key, value)| {
                let key = key.into_text().unwrap_or_else(|key| format!("{key:?}"));
                (key, from_wire(value, ""))
            });
            let fields = Rc::new(fields.collect());
            Dynamic::from(Record { shape, fields })
        }
        Value::Tag(_, inner) => from_wire(*inner, shape),
        _ => Dynamic::UNIT,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "beyond 64 bits only the size matters"
)]
fn n_to_float(n: i128) -> f64 {
    n as f64
}

/// A value of rhai as one of the wire.
#[must_use]
pub fn to_wire(value: &Dynamic) -> Value {
    if let Some(record) = value.clone().try_cast::<Record>() {
        let entry = |(k, v): &(String, Dynamic)| (Value::Text(k.clone()), to_wire(v));
        return Value::Map(record.fields.iter().map(entry).collect());
    }
    if let Some(rows) = value.clone().try_cast::<Rows>() {
        return Value::Array(rows.0.iter().map(to_wire).collect());
    }
    if let Some(array) = value.clone().try_cast::<Array>() {
        return Value::Array(array.iter().map(to_wire).collect());
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        let entry = |(k, v): (&_, &Dynamic)| (Value::Text(ToString::to_string(k)), to_wire(v));
        return Value::Map(
            map.iter()
                .map(|(k, v)| entry((&k.to_string(), v)))
                .collect(),
        );
    }
    if let Some(blob) = value.clone().try_cast::<Blob>() {
        return Value::Bytes(blob);
    }
    if let Ok(n) = value.as_int() {
        return Value::Integer(n.into());
    }
    if let Ok(f) = value.as_float() {
        return Value::Float(f);
    }
    if let Ok(b) = value.as_bool() {
        return Value::Bool(b);
    }
    if value.is_unit() {
        return Value::Null;
    }
    Value::Text(text(value))
}

/// A JSON value as one of rhai; objects become records, with their properties in order.
pub fn of_json(value: serde_json::Value) -> Dynamic {
    use serde_json::Value as Json;
    match value {
        Json::Null => Dynamic::UNIT,
        Json::Bool(b) => b.into(),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => n.into(),
            (None, f) => f.unwrap_or_default().into(),
        },
        Json::String(text) => text.into(),
        Json::Array(items) => items.into_iter().map(of_json).collect::<Array>().into(),
        Json::Object(entries) => {
            let fields = entries.into_iter().map(|(k, v)| (k, of_json(v)));
            Dynamic::from(Record::of(fields.collect()))
        }
    }
}

/// A value as JSON.
#[must_use]
pub fn to_json(value: &Dynamic) -> serde_json::Value {
    wire_to_json(&to_wire(value))
}

fn wire_to_json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Integer(n) => i64::try_from(i128::from(*n)).map_or(Json::Null, Json::from),
        Value::Bytes(bytes) => bytes.iter().copied().map(Json::from).collect(),
        Value::Float(f) => Json::from(*f),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bool(b) => Json::from(*b),
        Value::Array(items) => items.iter().map(wire_to_json).collect(),
        Value::Map(entries) => {
            let entry = |(k, v): &(Value, Value)| {
                (k.as_text().unwrap_or_default().to_owned(), wire_to_json(v))
            };
            Json::Object(entries.iter().map(entry).collect())
        }
        _ => Json::Null,
    }
}

/// A value as text, the way a table cell shows it.
#[must_use]
pub fn text(value: &Dynamic) -> String {
    if let Some(record) = value.clone().try_cast::<Record>() {
        let field = |(k, v): &(String, Dynamic)| format!("{k}={}", text(v));
        return record
            .fields
            .iter()
            .map(field)
            .collect::<Vec<_>>()
            .join("; ");
    }
    if let Some(fault) = value.clone().try_cast::<super::Fault>() {
        return fault.error.message;
    }
    if value.is::<Rows>() || value.is::<Array>() {
        return rows_of(value)
            .iter()
            .map(text)
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        return text(&Dynamic::from(from_map(&map)));
    }
    if let Some(blob) = value.clone().try_cast::<Blob>() {
        return format!("{} bytes", blob.len());
    }
    value.to_string()
}

/// Orders values: numbers by size, the rest as text without case.
#[must_use]
pub fn compare(a: &Dynamic, b: &Dynamic) -> std::cmp::Ordering {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => text(a).to_lowercase().cmp(&text(b).to_lowercase()),
    }
}

/// The value as a number, if it is one or spells one.
#[must_use]
pub fn number(value: &Dynamic) -> Option<f64> {
    if let Ok(n) = value.as_int() {
        return Some(n_to_float(n.into()));
    }
    value
        .as_float()
        .ok()
        .or_else(|| value.clone().into_string().ok()?.parse().ok())
}
