//! What was done to the cluster, by whom, why and with what outcome: lines of the cluster log.

use crate::api::host::Given;
use crate::api::value::Value;
use crate::cluster::agent::Agent;
use crate::cluster::cluster_log::AUDIT;
use crate::error::Result;

/// Parameters whose values are nobody's business.
const SECRET: [&str; 4] = ["Value", "Secret", "PublicKey", "Body"];
/// So much of a line is written: whoever gives a command must not be able to push the log's past out of it.
const LINE_CHARS_MAX: usize = 2_000;
/// So much of a value is written.
const VALUE_CHARS_MAX: usize = 80;

pub(super) fn audit(agent: &Agent, given: &Given, outcome: &Result<Value>) {
    let outcome = match outcome {
        Ok(_) => "done".to_owned(),
        Err(error) => format!("{}: {}", error.kind, error.message),
    };
    let reason = given
        .reason
        .as_ref()
        .map_or_else(String::new, |r| format!(" because {r:?}"));
    let (who, command) = (&given.who, &given.command);
    let text = format!(
        "{who}: {command}{}{reason}: {outcome}",
        arguments(&given.arguments)
    );
    let text: String = text.chars().take(LINE_CHARS_MAX).collect();
    agent.note("INFO", AUDIT, &text);
}

fn arguments(map: &Value) -> String {
    let told = |(name, value): &(Value, Value)| {
        let name = name.as_text().unwrap_or_default();
        match (SECRET.contains(&name), shown(value)) {
            (_, None) => String::new(),
            (true, Some(_)) => format!(" -{name} ***"),
            (false, Some(value)) => format!(" -{name} {value}"),
        }
    };
    map.as_map().into_iter().flatten().map(told).collect()
}

/// A value in one word; none where nothing was given.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null | Value::Bool(false) => return None,
        Value::Bool(true) => "true".to_owned(),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Text(text) => text.clone(),
        Value::Array(list) if list.is_empty() => return None,
        Value::Array(list) => list.iter().filter_map(shown).collect::<Vec<_>>().join(","),
        _ => "…".to_owned(),
    };
    let text: String = text.chars().take(VALUE_CHARS_MAX).collect();
    Some(match text.contains(char::is_whitespace) {
        true => format!("'{text}'"),
        false => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_was_not_given_are_not_written() {
        let map = Value::Map(vec![
            ("Name".into(), "VS 1".into()),
            ("Node".into(), Value::Null),
            ("Force".into(), Value::Bool(true)),
            ("Wait".into(), Value::Bool(false)),
            (
                "Owners".into(),
                Value::Array(vec!["n1".into(), "n2".into()]),
            ),
            ("Value".into(), "password".into()),
        ]);
        assert_eq!(
            arguments(&map),
            " -Name 'VS 1' -Force true -Owners n1,n2 -Value ***"
        );
    }
}
