//! Commands that make a program highly available at once: its group, address, name, disk and itself.

use super::group::GroupInfo;
use super::spec::command;
use super::value::Millis;

command! {
    /// Makes a program highly available: a group with all it needs, online.
    ///
    /// With -StaticAddress the group has an IP Address and a Network Name of the role's name (a virtual server without queues);
    /// Message Queuing comes into it with Add-ClusterResource. It is made as one: a refusal leaves nothing behind.
    AddClusterGenericApplicationRole = "Add-ClusterGenericApplicationRole" => GroupInfo, at Agent, risk Low, aliases [],
    {
        /// The command with its arguments.
        command_line "CommandLine": String, position 0;
        /// More private properties of the resource: CurrentDirectory=/srv/app, UseNetworkName=1.
        parameters "Parameters": Vec<String>;
        /// Settings that are carried from node to node (Add-ClusterCheckpoint -SettingsKey).
        checkpoint_keys "CheckpointKey": Vec<String>;
        /// Its disks: a Physical Disk that is offline, which moves into the group, or the path of a new one.
        storage "Storage": Vec<String>, completes Resource;
        /// The address at which clients find it.
        address "StaticAddress": Option<String>;
        /// The role's name (default: the program's).
        name "Name": Option<String>;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples {
        "Add-ClusterGenericApplicationRole 'sleep 3600' -Name Nap -Wait 0" => "A program that is restarted, and fails over.",
    }
}

command! {
    /// Makes a systemd service highly available: a group with all it needs, online.
    ///
    /// As Add-ClusterGenericApplicationRole. The service must not start at boot: the cluster starts it where the group is.
    AddClusterGenericServiceRole = "Add-ClusterGenericServiceRole" => GroupInfo, at Agent, risk Low, aliases [],
    {
        /// The unit.
        service_name "ServiceName": String, position 0;
        /// Settings that are carried from node to node.
        checkpoint_keys "CheckpointKey": Vec<String>;
        /// Its disks: a Physical Disk that is offline, which moves into the group, or the path of a new one.
        storage "Storage": Vec<String>, completes Resource;
        /// The address at which clients find it.
        address "StaticAddress": Option<String>;
        /// The role's name (default: the service's).
        name "Name": Option<String>;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples {
        "Add-ClusterGenericServiceRole getty@.service -Name Console -WhatIf" => "What it would make of a service.",
    }
}

command! {
    /// Makes a program that is called with online, offline, looksalive, isalive and terminate highly available.
    ///
    /// As Add-ClusterGenericApplicationRole. The program must be on every node.
    AddClusterGenericScriptRole = "Add-ClusterGenericScriptRole" => GroupInfo, at Agent, risk Low, aliases [],
    {
        /// The program.
        script_file_path "ScriptFilePath": String, position 0, completes File;
        /// Its disks: a Physical Disk that is offline, which moves into the group, or the path of a new one.
        storage "Storage": Vec<String>, completes Resource;
        /// The address at which clients find it.
        address "StaticAddress": Option<String>;
        /// The role's name (default: the program's).
        name "Name": Option<String>;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples {
        "Add-ClusterGenericScriptRole /bin/true -Name Truth -Wait 0" => "A script whose every answer is yes.",
    }
}
