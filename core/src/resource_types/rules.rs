//! What each resource type requires and accepts: data for validation, help and completion.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};

/// What a type provides, for dependencies by class (MS-CMRP 2.2.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A disk.
    Storage,
    /// An address.
    Network,
}

/// A dependency that a resource must have before it can come online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// On any resource of the class.
    Class(Class),
    /// On a resource of the type.
    Type(&'static str),
}

impl Required {
    /// Whether a provider of `type_info` satisfies it.
    #[must_use]
    pub fn is_met_by(self, type_info: &TypeInfo) -> bool {
        match self {
            Self::Class(class) => type_info.class == Some(class),
            Self::Type(name) => type_info.name == name,
        }
    }
}

impl std::fmt::Display for Required {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Class(Class::Storage) => "storage (Physical Disk)",
            Self::Class(Class::Network) => "network (IP Address)",
            Self::Type(name) => name,
        })
    }
}

/// The kind of a private property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text.
    String,
    /// A whole number from 0 to 4294967295.
    UInt32,
}

/// A private property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Its name; case does not matter.
    pub name: &'static str,
    /// Its kind.
    pub kind: ParameterKind,
    /// Whether the resource cannot come online without it.
    pub required: bool,
    /// Its value when it is not set.
    pub default: Option<&'static str>,
    /// One line for help.
    pub help: &'static str,
}

/// A resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// Its name.
    pub name: &'static str,
    /// Other spellings that are accepted.
    pub aliases: &'static [&'static str],
    /// What it provides.
    pub class: Option<Class>,
    /// What it must depend on, directly or indirectly.
    pub required: &'static [Required],
    /// At most one in a group.
    pub single_group_instance: bool,
    /// Its private properties.
    pub parameters: &'static [ParameterInfo],
    /// Subcomponents of Message Queuing that its node must have.
    pub features: &'static [&'static str],
}

/// Every type.
pub const TYPES: &[TypeInfo] = &[
    TypeInfo {
        name: "Physical Disk",
        aliases: &["PhysicalDisk", "Disk"],
        class: Some(Class::Storage),
        required: &[],
        single_group_instance: false,
        parameters: &[text(
            "DiskPath",
            true,
            "the folder, absolute; held by one owner at a time",
        )],
        features: &[],
    },
    TypeInfo {
        name: "IP Address",
        aliases: &["IPAddress", "IPv4 Address"],
        class: Some(Class::Network),
        required: &[],
        single_group_instance: false,
        parameters: &[
            text(
                "Address",
                true,
                "the loopback address to hold, for example 127.0.1.100",
            ),
            text(
                "SubnetMask",
                false,
                "kept for compatibility; loopback needs none",
            ),
            text(
                "Network",
                false,
                "the cluster network it belongs to; kept for compatibility",
            ),
        ],
        features: &[],
    },
    TypeInfo {
        name: "Network Name",
        aliases: &["NetworkName"],
        class: None,
        required: &[Required::Type("IP Address")],
        single_group_instance: false,
        parameters: &[text(
            "Name",
            false,
            "the virtual server's name; the group's if not set",
        )],
        features: &[],
    },
    TypeInfo {
        name: "MSMQ",
        aliases: &["Message Queuing", "MessageQueuing"],
        class: None,
        required: &[
            Required::Class(Class::Storage),
            Required::Type("Network Name"),
        ],
        single_group_instance: true,
        parameters: &[ParameterInfo {
            name: "Coherent",
            kind: ParameterKind::UInt32,
            required: false,
            default: Some("1"),
            help: "0 when the disk is not coherent between machines: acknowledge within the lease only",
        }],
        features: &["MSMQ-Server"],
    },
    TypeInfo {
        name: "Generic Application",
        aliases: &["GenericApplication", "GenApp"],
        class: None,
        required: &[],
        single_group_instance: false,
        parameters: &[
            text("CommandLine", true, "the command, quoted as for a shell"),
            text("CurrentDirectory", false, "the folder it runs in"),
            ParameterInfo {
                name: "UseNetworkName",
                kind: ParameterKind::UInt32,
                required: false,
                default: Some("0"),
                help: "1: the command sees the Network Name as its computer name",
            },
        ],
        features: &[],
    },
];

const fn text(name: &'static str, required: bool, help: &'static str) -> ParameterInfo {
    ParameterInfo {
        name,
        kind: ParameterKind::String,
        required,
        default: None,
        help,
    }
}

/// The type that has this name or alias, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static TypeInfo> {
    TYPES.iter().find(|info| {
        let mut names = std::iter::once(&info.name).chain(info.aliases);
        names.any(|known| known.eq_ignore_ascii_case(name))
    })
}

impl TypeInfo {
    /// Its private property of that name, in any case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'static ParameterInfo> {
        self.parameters
            .iter()
            .find(|info| info.name.eq_ignore_ascii_case(name))
    }

    /// Checks private properties before they are stored: known names, values of their kind. Required
    /// ones may still be missing; coming online asks for them.
    ///
    /// # Errors
    /// `InvalidParameter` naming the property and what is possible.
    pub fn check_parameters(&self, parameters: &BTreeMap<String, String>) -> Result<()> {
        for (name, value) in parameters {
            let Some(info) = self.parameter(name) else {
                let known: Vec<_> = self.parameters.iter().map(|info| info.name).collect();
                return Err(
                    invalid(format!("a {} has no private property {name}", self.name))
                        .hint(format!("it has {}", known.join(", "))),
                );
            };
            if info.kind == ParameterKind::UInt32 && value.trim().parse::<u32>().is_err() {
                return Err(invalid(format!("{} is {value:?}, not a number", info.name))
                    .hint("give a whole number from 0 to 4294967295"));
            }
        }
        Ok(())
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_can_be_created_and_its_requirements_exist() {
        for info in TYPES {
            assert!(super::super::create(info.name).is_some(), "{}", info.name);
            for required in info.required {
                assert!(TYPES.iter().any(|t| required.is_met_by(t)), "{required}");
            }
            for alias in info.aliases {
                assert_eq!(find(&alias.to_uppercase()), Some(info));
            }
        }
        assert!(super::super::create("Toaster").is_none());
    }

    #[test]
    fn an_unknown_property_and_a_wrong_number_are_refused() {
        let disk = find("disk").unwrap();
        let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        disk.check_parameters(&one("diskpath", "/srv")).unwrap();
        let error = disk.check_parameters(&one("Path", "/srv")).unwrap_err();
        assert_eq!(error.hint.unwrap(), "it has DiskPath");
        let msmq = find("msmq").unwrap();
        msmq.check_parameters(&one("Coherent", "0")).unwrap();
        msmq.check_parameters(&one("Coherent", "no")).unwrap_err();
    }
}
