//! The built-in types.

use super::{Class, Form, Parameter, Requires, TypeRule};

const fn property(name: &'static str, form: Form, about: &'static str) -> Parameter {
    Parameter {
        name,
        about,
        form,
        required: false,
        immutable: false,
    }
}

const fn needed(parameter: Parameter) -> Parameter {
    Parameter {
        required: true,
        ..parameter
    }
}

const fn immutable(parameter: Parameter) -> Parameter {
    Parameter {
        immutable: true,
        ..parameter
    }
}

const PLAIN: TypeRule = TypeRule {
    name: "",
    aliases: &[],
    about: "",
    class: Class::Other,
    requires: &[],
    group_holds: &[],
    single_group_instance: false,
    single_cluster_instance: false,
    parameters: &[],
    open_parameters: false,
    feature: None,
    message_memory_mb: 0,
    storage_fenced: false,
    event: "online",
};

const USE_NETWORK_NAME: Parameter = property(
    "UseNetworkName",
    Form::Flag,
    "1: it sees the network name as its computer's name, and the virtual server's queues as its own",
);

/// The types that are built in.
pub const TYPES: &[TypeRule] = &[
    TypeRule {
        name: "Physical Disk",
        aliases: &["PhysicalDisk", "Disk"],
        about: "a folder, a path on a network file system, or a block device with a file system",
        class: Class::Storage,
        parameters: &[
            immutable(needed(property(
                "DiskPath",
                Form::Path,
                "the folder, or where the device is mounted",
            ))),
            immutable(property(
                "Device",
                Form::Device,
                "the block device; unset where DiskPath is the disk itself",
            )),
            property(
                "FileSystem",
                Form::OneOf(&["ext4", "xfs"]),
                "what the device must hold (default: what it holds)",
            ),
            property(
                "MountOptions",
                Form::MountOptions,
                "options of the mount (default noatime,nodev,nosuid)",
            ),
            property(
                "DiskRunChkDsk",
                Form::OneNumberOf(&["0", "2", "4"]),
                "the check before each mount: 0 replays and repairs what is safe, 2 checks all, 4 none",
            ),
            property(
                "PersistentReservation",
                Form::Flag,
                "1: a SCSI-3 persistent reservation keeps other machines from writing",
            ),
            property(
                "ForceUnmount",
                Form::Flag,
                "1 (default): processes that keep the disk busy are ended when it must go at once",
            ),
        ],
        storage_fenced: true,
        event: "disk",
        ..PLAIN
    },
    TypeRule {
        name: "IP Address",
        aliases: &["IPAddress", "IPv4 Address", "IPv6 Address"],
        about: "an address at which clients reach the virtual server",
        class: Class::Network,
        parameters: &[
            needed(property("Address", Form::Address, "the address")),
            property(
                "SubnetMask",
                Form::Text,
                "of the network, for example 255.255.255.0",
            ),
            property("PrefixLength", Form::Number, "the same as a number of bits"),
            property("Network", Form::Text, "the cluster network it belongs to"),
            property(
                "EnableDhcp",
                Form::Number,
                "0: addresses are given, not leased",
            ),
            property(
                "OverrideAddressMatch",
                Form::Number,
                "1: also outside the network's subnet",
            ),
        ],
        storage_fenced: true,
        event: "address",
        ..PLAIN
    },
    TypeRule {
        name: "Network Name",
        aliases: &["NetworkName"],
        about: "the name by which clients reach the virtual server",
        requires: &[Requires::Type("IP Address")],
        parameters: &[immutable(property(
            "Name",
            Form::ComputerName,
            "the name (default: the group's)",
        ))],
        storage_fenced: true,
        event: "name",
        ..PLAIN
    },
    TypeRule {
        name: "MSMQ",
        aliases: &["Message Queuing", "MessageQueuing"],
        about: "a queue manager of the virtual server, with its messages on the group's disk",
        requires: &[Requires::Type("Network Name"), Requires::Storage],
        single_group_instance: true,
        parameters: &[
            property(
                "Coherent",
                Form::Flag,
                "0: the disk is a file system that machines may see differently; then only the lease counts",
            ),
            property(
                "MetricsPort",
                Form::Port,
                "the TCP port at which the counters are had; 0 for none",
            ),
        ],
        feature: Some("MSMQ-Server"),
        message_memory_mb: 4,
        storage_fenced: true,
        event: "ready",
        ..PLAIN
    },
    TypeRule {
        name: "MSMQTriggers",
        aliases: &[
            "MSMQ Triggers",
            "Message Queuing Triggers",
            "MessageQueuingTriggers",
        ],
        about: "runs rules and actions when messages arrive at the virtual server",
        requires: &[Requires::Type("MSMQ"), Requires::Type("Network Name")],
        single_group_instance: true,
        feature: Some("MSMQ-Triggers"),
        ..PLAIN
    },
    TypeRule {
        name: "Distributed Transaction Coordinator",
        aliases: &["DTC", "MSDTC", "Distributed Transaction Coordinator (DTC)"],
        about: "coordinates transactions between queues and databases, once in the cluster",
        requires: &[Requires::Storage],
        group_holds: &[
            Requires::Type("IP Address"),
            Requires::Type("Network Name"),
            Requires::Storage,
        ],
        single_cluster_instance: true,
        ..PLAIN
    },
    TypeRule {
        name: "Generic Application",
        aliases: &["GenericApplication", "GenApp"],
        about: "any command; it and all it starts end with its owner",
        parameters: &[
            needed(property(
                "CommandLine",
                Form::Text,
                "the command with its arguments",
            )),
            property("CurrentDirectory", Form::Text, "where it runs"),
            USE_NETWORK_NAME,
        ],
        ..PLAIN
    },
    TypeRule {
        name: "Generic Service",
        aliases: &["GenericService", "GenSvc"],
        about: "a systemd service that the cluster starts and stops",
        parameters: &[
            needed(property(
                "ServiceName",
                Form::Unit,
                "the unit; it must not start at boot",
            )),
            property(
                "StartupParameters",
                Form::Text,
                "the instance of a template unit (NAME@.service)",
            ),
            USE_NETWORK_NAME,
        ],
        ..PLAIN
    },
    TypeRule {
        name: "Generic Script",
        aliases: &["GenericScript", "GenScript"],
        about: "a program that is called with online, offline, looksalive, isalive and terminate",
        parameters: &[needed(property(
            "ScriptFilePath",
            Form::Path,
            "the program, on every node",
        ))],
        ..PLAIN
    },
];

/// The type of every OCF agent: `ocf:heartbeat:Filesystem`.
pub const OCF: TypeRule = TypeRule {
    name: "OCF agent",
    about: "an agent of the Open Cluster Framework, named ocf:PROVIDER:AGENT",
    open_parameters: true,
    ..PLAIN
};
