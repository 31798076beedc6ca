//! What the types of resources demand of the configuration: pure data.
//!
//! ```text
//!   TYPES (table) ── find("Message Queuing") ──► TypeRule ── parameter("Address") ──► Parameter ── check
//!   OCF           ── find("ocf:heartbeat:Dummy")   what it must depend on, how many there may be
//! ```
//!
//! What the types do is in `resource_types/`, one file each.

mod property;
mod table;

pub use property::{Form, Parameter};
pub use table::{OCF, TYPES};

/// What the names of types of OCF agents begin with: `ocf:PROVIDER:AGENT`.
const OCF_PREFIX: &str = "ocf:";

/// What a type is counted as by others that require a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 1: storage.
    Storage,
    /// 2: network.
    Network,
    /// Neither.
    Other,
}

/// What a resource must depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requires {
    /// A resource of this type.
    Type(&'static str),
    /// A resource of the storage class.
    Storage,
}

impl Requires {
    /// For messages: `a Network Name`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type(name) => name,
            Self::Storage => "Physical Disk",
        }
    }
}

/// The rules of one type.
#[derive(Clone, Copy, Debug)]
pub struct TypeRule {
    /// `Physical Disk`.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// What it is, in a line.
    pub about: &'static str,
    /// Its class.
    pub class: Class,
    /// What it must depend on.
    pub requires: &'static [Requires],
    /// What else its group must hold when it is added.
    pub group_holds: &'static [Requires],
    /// At most one in a group.
    pub single_group_instance: bool,
    /// At most one in the cluster; where no group is named it goes into the first one that fits.
    pub single_cluster_instance: bool,
    /// Its private properties.
    pub parameters: &'static [Parameter],
    /// It has further properties, which only a node with its software knows.
    pub open_parameters: bool,
    /// What must be installed on the node.
    pub feature: Option<&'static str>,
    /// What one instance takes of its node's pool of message memory, in megabytes.
    pub message_memory_mb: u32,
    /// Whether a second owner cannot do harm before the first one's lease has run out: what it writes is
    /// guarded by the epoch on the disk, or it writes nothing (DESIGN.md D4).
    pub storage_fenced: bool,
    /// Its event in the timeline of a failover.
    pub event: &'static str,
}

/// The rule of a type, by any of its spellings.
#[must_use]
pub fn find(name: &str) -> Option<&'static TypeRule> {
    if ocf_agent(name).is_some() {
        return Some(&OCF);
    }
    TYPES.iter().find(|rule| {
        rule.name.eq_ignore_ascii_case(name)
            || rule.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    })
}

/// Provider and agent of `ocf:PROVIDER:AGENT`, if it is spelled so; both are names of files.
#[must_use]
pub fn ocf_agent(name: &str) -> Option<(&str, &str)> {
    let prefix = name.get(..OCF_PREFIX.len())?;
    let (provider, agent) = name.get(OCF_PREFIX.len()..)?.split_once(':')?;
    let is_file = |text: &str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        !text.is_empty() && !text.starts_with('.') && text.len() <= 64 && text.bytes().all(known)
    };
    let fits = prefix.eq_ignore_ascii_case(OCF_PREFIX) && is_file(provider) && is_file(agent);
    fits.then_some((provider, agent))
}

impl TypeRule {
    /// One of its private properties, ignoring case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters
            .iter()
            .find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// Whether a resource of this type satisfies a requirement.
    #[must_use]
    pub fn satisfies(&self, requirement: Requires) -> bool {
        match requirement {
            Requires::Type(name) => self.name == name,
            Requires::Storage => self.class == Class::Storage,
        }
    }

    /// Whether it gives its dependents something that they keep using: a disk, an address, a name.
    #[must_use]
    pub fn hands_down(&self) -> bool {
        self.class != Class::Other || matches!(self.name, "Network Name" | "MSMQ")
    }

    /// The type as a row spells it: `name` is one of its spellings.
    #[must_use]
    pub fn spelled(&self, name: &str) -> String {
        match ocf_agent(name) {
            Some((provider, agent)) => format!("{OCF_PREFIX}{provider}:{agent}"),
            None => self.name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_each_of_their_spellings() {
        for rule in TYPES {
            for name in rule.aliases.iter().chain([&rule.name]) {
                assert_eq!(
                    find(&name.to_uppercase()).unwrap().name,
                    rule.name,
                    "{name}"
                );
            }
        }
        assert!(find("Floppy").is_none());
    }

    #[test]
    fn an_agent_is_named_by_provider_and_file() {
        assert_eq!(
            ocf_agent("OCF:heartbeat:Dummy"),
            Some(("heartbeat", "Dummy"))
        );
        for bad in [
            "ocf:heartbeat",
            "ocf::x",
            "ocf:a:",
            "ocf:a:../b",
            "ocf:..:b",
            "ocf:a:b/c",
            "oc",
            "ü:",
        ] {
            assert_eq!(ocf_agent(bad), None, "{bad}");
        }
        assert_eq!(OCF.spelled("OCF:heartbeat:Dummy"), "ocf:heartbeat:Dummy");
    }
}
