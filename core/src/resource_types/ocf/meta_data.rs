//! What an agent says about itself: parameters and actions, as XML of OCF 1.1.

use std::collections::BTreeMap;
use std::time::Duration;

use roxmltree::{Document, Node, ParsingOptions};

use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

/// Between two calls of `monitor` where the agent proposes none.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(10);
/// More often than this an agent is not called.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Elements of a description, which bounds what reading it takes.
const NODES_MAX: u32 = 100_000;

/// A parameter of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OcfParameter {
    name: String,
    about: String,
    kind: String,
    default: Option<String>,
    required: bool,
}

/// An action it has, with the times it proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OcfAction {
    name: String,
    timeout: Option<Duration>,
    interval: Option<Duration>,
    depth: u32,
}

/// What an agent says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::resource_types) struct MetaData {
    label: String,
    /// In a line.
    pub(super) short: String,
    parameters: Vec<OcfParameter>,
    actions: Vec<OcfAction>,
}

impl MetaData {
    /// Reads the description of the agent `label`.
    ///
    /// # Errors
    /// `ResourceNotAvailable` when it is none.
    pub(in crate::resource_types) fn parse(label: &str, text: &str) -> Result<Self> {
        let options = ParsingOptions {
            allow_dtd: true,
            nodes_limit: NODES_MAX,
            ..ParsingOptions::default()
        };
        let none = |why: String| {
            let text = format!("{label} does not describe itself as an OCF agent: {why}");
            Error::new(ErrorKind::ResourceNotAvailable, text)
        };
        let document =
            Document::parse_with_options(text.trim(), options).map_err(|e| none(e.to_string()))?;
        let root = document.root_element();
        if !root.has_tag_name("resource-agent") {
            return Err(none(format!("it begins with <{}>", root.tag_name().name())));
        }
        Ok(Self {
            label: label.to_owned(),
            short: words(child(root, "shortdesc")),
            parameters: children(root, "parameters", "parameter")
                .map(parameter)
                .collect(),
            actions: children(root, "actions", "action").map(action).collect(),
        })
    }

    /// Whether these properties are those it takes.
    ///
    /// # Errors
    /// `InvalidParameter` for one it does not know, one of the wrong kind, and one that is missing.
    pub(in crate::resource_types) fn check(&self, given: &BTreeMap<String, String>) -> Result<()> {
        self.check_given(given)?;
        let missing = self.parameters.iter().find(|p| {
            let set = given.keys().any(|name| name.eq_ignore_ascii_case(&p.name));
            p.required && p.default.is_none() && !set
        });
        let Some(missing) = missing else {
            return Ok(());
        };
        let text = format!("{} needs the property {}", self.label, missing.name);
        Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint(format!("{}: {}", missing.name, missing.about)))
    }

    /// The same, but what is missing may come later.
    pub(in crate::resource_types) fn check_given(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<()> {
        for (name, value) in given {
            let known = self
                .parameters
                .iter()
                .find(|p| p.name.eq_ignore_ascii_case(name));
            let Some(known) = known else {
                return Err(self.unknown(name));
            };
            let fits = match known.kind.as_str() {
                "integer" => value.trim().parse::<i64>().is_ok(),
                "boolean" => is_boolean(value.trim()),
                _ => true,
            };
            if !fits {
                let text = format!(
                    "{} of {} is {}, not {value:?}",
                    known.name, self.label, known.kind
                );
                return Err(Error::new(ErrorKind::InvalidParameter, text).hint(known.about.clone()));
            }
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> Error {
        let known: Vec<_> = self.parameters.iter().map(|p| p.name.as_str()).collect();
        let text = format!("{} has no property {name:?}", self.label);
        Error::new(ErrorKind::InvalidParameter, text).hint(
            match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}? it has {}", known.join(", ")),
                None => format!("it has {}", known.join(", ")),
            },
        )
    }

    /// A parameter's name as the agent spells it.
    pub(super) fn spelled(&self, name: &str) -> Option<&str> {
        let found = self
            .parameters
            .iter()
            .find(|p| p.name.eq_ignore_ascii_case(name));
        found.map(|p| p.name.as_str())
    }

    pub(super) fn has_action(&self, name: &str) -> bool {
        self.actions.iter().any(|a| a.name == name)
    }

    /// The longest time it proposes for an action.
    pub(super) fn timeout(&self, name: &str) -> Option<Duration> {
        let of_name = self.actions.iter().filter(|a| a.name == name);
        of_name.filter_map(|a| a.timeout).max()
    }

    /// The depths of `monitor`, each with its interval.
    pub(super) fn depths(&self) -> Vec<(u32, Duration)> {
        let mut depths = BTreeMap::new();
        for monitor in self.actions.iter().filter(|a| a.name == "monitor") {
            let every = monitor
                .interval
                .filter(|i| !i.is_zero())
                .unwrap_or(INTERVAL_DEFAULT);
            depths
                .entry(monitor.depth)
                .or_insert(every.max(INTERVAL_MIN));
        }
        if depths.is_empty() {
            depths.insert(0, INTERVAL_DEFAULT);
        }
        depths.into_iter().collect()
    }

    /// Each parameter in a line.
    pub(super) fn help(&self) -> Vec<String> {
        let line = |p: &OcfParameter| {
            let needed = if p.required { ", required" } else { "" };
            let default = p.default.as_ref().filter(|d| !d.is_empty());
            let default = default.map_or_else(String::new, |d| format!(", default {d}"));
            format!("{} ({}{needed}{default}): {}", p.name, p.kind, p.about)
        };
        self.parameters.iter().map(line).collect()
    }
}

fn is_boolean(value: &str) -> bool {
    let known = [
        "0", "1", "true", "false", "yes", "no", "on", "off", "ja", "y", "n",
    ];
    known.iter().any(|k| k.eq_ignore_ascii_case(value))
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|c| c.has_tag_name(name))
}

fn children<'a>(
    root: Node<'a, 'a>,
    list: &str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'a>> {
    let all = child(root, list).into_iter().flat_map(|l| l.children());
    all.filter(move |c| c.has_tag_name(name))
}

/// The text of an element in one line.
fn words(node: Option<Node<'_, '_>>) -> String {
    let text = node.and_then(|n| n.text()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parameter(node: Node<'_, '_>) -> OcfParameter {
    let content = node.children().find(|c| c.has_tag_name("content"));
    let about = |name| words(node.children().find(|c| c.has_tag_name(name)));
    let short = about("shortdesc");
    OcfParameter {
        name: node.attribute("name").unwrap_or_default().to_owned(),
        about: if short.is_empty() {
            about("longdesc")
        } else {
            short
        },
        kind: content
            .and_then(|c| c.attribute("type"))
            .unwrap_or("string")
            .to_owned(),
        default: content
            .and_then(|c| c.attribute("default"))
            .map(str::to_owned),
        required: node
            .attribute("required")
            .is_some_and(|r| matches!(r, "1" | "true")),
    }
}

fn action(node: Node<'_, '_>) -> OcfAction {
    let time = |name| node.attribute(name).and_then(duration);
    OcfAction {
        name: node.attribute("name").unwrap_or_default().to_owned(),
        timeout: time("timeout"),
        interval: time("interval"),
        depth: node
            .attribute("depth")
            .and_then(|d| d.parse().ok())
            .unwrap_or(0),
    }
}

/// `20`, `20s`, `20000ms`, `2m`: seconds where no unit is named.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u32 = text.get(..digits)?.parse().ok()?;
    let number = u64::from(number);
    Some(match text.get(digits..)?.trim() {
        "" | "s" | "sec" => Duration::from_secs(number),
        "ms" | "msec" => Duration::from_millis(number),
        "m" | "min" => Duration::from_secs(number * 60),
        "h" | "hr" => Duration::from_secs(number * 3600),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Demo" version="1.0">
<version>1.0</version>
<longdesc lang="en">Long.</longdesc>
<shortdesc lang="en">A demo
  agent</shortdesc>
<parameters>
<parameter name="ip" unique="1" required="1"><longdesc lang="en">Where</longdesc>
<shortdesc lang="en">The address</shortdesc><content type="string" default="" /></parameter>
<parameter name="count"><longdesc>How many</longdesc><content type="integer" default="3"/></parameter>
<parameter name="fake" required="1"><shortdesc>x</shortdesc><content type="boolean"/></parameter>
</parameters>
<actions>
<action name="start" timeout="90s" />
<action name="monitor" timeout="20s" interval="10s" depth="0" />
<action name="monitor" timeout="40s" interval="1m" depth="10" />
<action name="stop" timeout="60000ms" />
</actions>
</resource-agent>"#;

    #[test]
    fn a_description_gives_times_help_and_checks() {
        let about = MetaData::parse("ocf:test:Demo", TEXT).unwrap();
        assert_eq!(about.short, "A demo agent");
        assert_eq!(about.timeout("monitor"), Some(Duration::from_secs(40)));
        assert_eq!(about.timeout("stop"), Some(Duration::from_secs(60)));
        assert_eq!(
            about.depths(),
            [(0, Duration::from_secs(10)), (10, Duration::from_secs(60))]
        );
        assert!(about.help()[1].contains("count (integer, default 3): How many"));
        let given = |pairs: &[(&str, &str)]| {
            let all = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            about.check(&all)
        };
        given(&[("IP", "10.0.0.1"), ("fake", "yes")]).unwrap();
        for (pairs, part) in [
            (&[("ip", "x")][..], "needs the property fake"),
            (&[("ipp", "x")], "no property \"ipp\""),
            (&[("count", "many")], "integer"),
            (&[("fake", "maybe")], "boolean"),
        ] {
            let error = given(pairs).unwrap_err();
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn what_is_no_description_is_told_and_bombs_do_not_explode() {
        let bomb = format!(
            "<!DOCTYPE r [<!ENTITY a \"{0}\"><!ENTITY b \"{1}\"><!ENTITY c \"{2}\">]><r>&c;</r>",
            "x".repeat(1000),
            "&a;".repeat(1000),
            "&b;".repeat(1000)
        );
        for text in ["", "hello", "<other/>", "<resource-agent>", &bomb] {
            let error = MetaData::parse("ocf:test:x", text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::ResourceNotAvailable);
        }
    }
}
