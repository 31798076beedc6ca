//! What a record is, and in what it differs from another, in words: `Label orders -> parcels, Quota 5 -> 7`.

use ciborium::Value;
use serde::Serialize;

/// A record as its fields; null where it has none.
#[must_use]
pub(crate) fn record<T: Serialize>(record: &T) -> Value {
    Value::serialized(record).unwrap_or(Value::Null)
}

/// The fields that differ from what they were, with both: `Label orders -> parcels`.
#[must_use]
pub(crate) fn changed(before: &Value, after: &Value, silent: &[&str]) -> String {
    let told = |before: Option<&Value>, after: Option<&Value>| {
        let text = |value: Option<&Value>| value.map_or_else(|| NOTHING.to_owned(), shown);
        format!("{} -> {}", text(before), text(after))
    };
    let mut texts = Vec::new();
    compare("", before, after, silent, &told, &mut texts);
    texts.join(", ")
}

/// The fields that are not as usual: `Label parcels`.
#[must_use]
pub(crate) fn unusual(usual: &Value, record: &Value, silent: &[&str]) -> String {
    let told =
        |_: Option<&Value>, after: Option<&Value>| after.map_or_else(|| NOTHING.to_owned(), shown);
    let mut texts = Vec::new();
    compare("", usual, record, silent, &told, &mut texts);
    texts.join(", ")
}

type Told<'a> = dyn Fn(Option<&Value>, Option<&Value>) -> String + 'a;

fn compare(
    path: &str,
    before: &Value,
    after: &Value,
    silent: &[&str],
    told: &Told<'_>,
    texts: &mut Vec<String>,
) {
    for name in names(before, after) {
        let (old, new) = (field(before, name), field(after, name));
        if silent.contains(&name) || old == new {
            continue;
        }
        let title = format!("{path}{}", title(name));
        match (old, new) {
            (Some(old @ Value::Map(_)), Some(new @ Value::Map(_))) => {
                compare(&format!("{title}."), old, new, silent, told, texts);
            }
            _ => texts.push(format!("{title} {}", told(old, new))),
        }
    }
}

/// The names of the fields of both, each once.
fn names<'a>(before: &'a Value, after: &'a Value) -> Vec<&'a str> {
    let of = |record: &'a Value| record.as_map().into_iter().flatten();
    let all = of(before)
        .chain(of(after))
        .filter_map(|(name, _)| name.as_text());
    let mut names: Vec<&str> = Vec::new();
    for name in all {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn field<'a>(record: &'a Value, name: &str) -> Option<&'a Value> {
    let mut map = record.as_map()?.iter();
    map.find(|(n, _)| n.as_text() == Some(name)).map(|(_, v)| v)
}

/// `FailoverThreshold` of `failover_threshold`, as the property is called.
fn title(field: &str) -> String {
    let words = field.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

const NOTHING: &str = "(none)";
/// No limit, as numbers without one are stored.
const UNLIMITED: &str = "unlimited";

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if !text.is_empty() => text.clone(),
        Value::Bool(on) => on.to_string(),
        Value::Integer(number) if i128::from(*number) == i128::from(u64::MAX) => {
            UNLIMITED.to_owned()
        }
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Array(list) if !list.is_empty() => {
            list.iter().map(shown).collect::<Vec<_>>().join(",")
        }
        Value::Map(map) if !map.is_empty() => {
            let pairs = map
                .iter()
                .map(|(k, v)| format!("{}={}", shown(k), shown(v)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(" "))
        }
        Value::Bytes(bytes) if !bytes.is_empty() => format!("{} bytes", bytes.len()),
        _ => NOTHING.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        failover_threshold: Option<u64>,
        owners: Vec<&'static str>,
        quota: u64,
        id: u8,
        parameters: std::collections::BTreeMap<&'static str, &'static str>,
    }

    #[test]
    fn differences_are_told_with_what_they_were_and_silence_is_kept() {
        let before = record(&Row {
            failover_threshold: None,
            owners: vec!["n1", "n2"],
            quota: u64::MAX,
            id: 1,
            parameters: [("Address", "127.0.9.1"), ("Network", "a")].into(),
        });
        let after = record(&Row {
            failover_threshold: Some(2),
            owners: Vec::new(),
            quota: 7,
            id: 2,
            parameters: [("Address", "127.0.9.2"), ("Network", "a")].into(),
        });
        assert_eq!(
            changed(&before, &after, &["id"]),
            "FailoverThreshold (none) -> 2, Owners n1,n2 -> (none), Quota unlimited -> 7, \
             Parameters.Address 127.0.9.1 -> 127.0.9.2"
        );
        assert_eq!(
            unusual(&before, &after, &["parameters"]),
            "FailoverThreshold 2, Owners (none), Quota 7, Id 2"
        );
        assert_eq!(changed(&after, &after, &[]), "");
    }
}
