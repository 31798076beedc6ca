//! What the types of resources demand of the configuration: pure data.

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

/// A private property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// A whole number (UInt32), not text.
    pub number: bool,
    /// The resource cannot come online without it.
    pub required: bool,
    /// Cannot be changed once it has a value and the resource has been online.
    pub immutable: bool,
}

const fn text(name: &'static str) -> Parameter {
    Parameter {
        name,
        number: false,
        required: false,
        immutable: false,
    }
}

const fn needed(name: &'static str) -> Parameter {
    Parameter {
        required: true,
        ..text(name)
    }
}

const fn number(name: &'static str) -> Parameter {
    Parameter {
        number: true,
        ..text(name)
    }
}

/// The rules of one type.
#[derive(Clone, Copy, Debug)]
pub struct TypeRule {
    /// `Physical Disk`.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// Its class.
    pub class: Class,
    /// What it must depend on.
    pub requires: &'static [Requires],
    /// At most one in a group.
    pub single_group_instance: bool,
    /// Its private properties.
    pub parameters: &'static [Parameter],
    /// What must be installed on the node.
    pub feature: Option<&'static str>,
    /// Whether a second owner cannot do harm before the first one's lease has run out: what it writes is
    /// guarded by the epoch on the disk, or it writes nothing (DESIGN.md D4).
    pub storage_fenced: bool,
    /// Its event in the timeline of a failover.
    pub event: &'static str,
}

/// The built-in types.
pub const TYPES: &[TypeRule] = &[
    TypeRule {
        name: "Physical Disk",
        aliases: &["PhysicalDisk", "Disk"],
        class: Class::Storage,
        requires: &[],
        single_group_instance: false,
        parameters: &[Parameter {
            immutable: true,
            ..needed("DiskPath")
        }],
        feature: None,
        storage_fenced: true,
        event: "disk",
    },
    TypeRule {
        name: "IP Address",
        aliases: &["IPAddress", "IPv4 Address", "IPv6 Address"],
        class: Class::Network,
        requires: &[],
        single_group_instance: false,
        parameters: &[
            needed("Address"),
            text("SubnetMask"),
            number("PrefixLength"),
            text("Network"),
            number("EnableDhcp"),
            number("OverrideAddressMatch"),
        ],
        feature: None,
        storage_fenced: true,
        event: "address",
    },
    TypeRule {
        name: "Network Name",
        aliases: &["NetworkName"],
        class: Class::Other,
        requires: &[Requires::Type("IP Address")],
        single_group_instance: false,
        parameters: &[Parameter {
            immutable: true,
            ..text("Name")
        }],
        feature: None,
        storage_fenced: true,
        event: "name",
    },
    TypeRule {
        name: "MSMQ",
        aliases: &["Message Queuing", "MessageQueuing"],
        class: Class::Other,
        requires: &[Requires::Type("Network Name"), Requires::Storage],
        single_group_instance: true,
        parameters: &[number("Coherent"), number("MetricsPort")],
        feature: Some("MSMQ-Server"),
        storage_fenced: true,
        event: "ready",
    },
    TypeRule {
        name: "Generic Application",
        aliases: &["GenericApplication", "GenApp"],
        class: Class::Other,
        requires: &[],
        single_group_instance: false,
        parameters: &[
            needed("CommandLine"),
            text("CurrentDirectory"),
            number("UseNetworkName"),
        ],
        feature: None,
        storage_fenced: false,
        event: "online",
    },
];

/// The rule of a type, by any of its spellings.
#[must_use]
pub fn find(name: &str) -> Option<&'static TypeRule> {
    TYPES.iter().find(|rule| {
        rule.name.eq_ignore_ascii_case(name)
            || rule.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    })
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
}
