//! Commands on checkpoints, and on the settings of nodes that they carry.

use super::spec::{command, record};
use super::value::Time;

record! {
    /// Files or settings of a node that follow a resource.
    CheckpointInfo as "ClusterCheckpoint", columns ["Resource", "Type", "Key", "Version", "OwnerNode", "Status"], {
        /// The resource.
        resource "Resource": String,
        /// `Settings` or `File`.
        kind "Type": String,
        /// The settings key, or the path of the file or folder.
        key "Key": String,
        /// Of the newest capture; 0 before the first.
        version "Version": u64,
        /// Its size in bytes.
        bytes "Bytes": u64,
        /// The node that has it in use, or had it last.
        owner_node "OwnerNode": Option<String>,
        /// Where the newest version was captured.
        captured_by "CapturedBy": Option<String>,
        /// When.
        captured "CaptureTime": Option<Time>,
        /// Copies that were edited where the resource was not, each with its node: `n2:/etc/app.conf.kept-…`.
        kept "Kept": Vec<String>,
        /// Why there is no newer version, if one could not be captured; otherwise `Captured` or `Waiting`.
        status "Status": String,
    }
}

command! {
    /// Makes files or settings of the nodes follow a resource.
    ///
    /// They are captured within a second after each change while the resource is online, stored in the cluster database (the
    /// newest four versions, up to 960 KiB each), and put in place on the node where it comes online next, before it does.
    /// What was edited on a node that did not have the resource is kept beside it as NAME.kept-TIME, and told.
    AddClusterCheckpoint = "Add-ClusterCheckpoint" => CheckpointInfo, at Agent, risk Low, aliases [],
    {
        /// The resource.
        resource "ResourceName": String, position 0, pipeline value, completes Resource, alias ["Resource"];
        /// A key of the nodes' settings, with all below it: the folder of this name in `settings` of a node's data folder.
        settings_key "SettingsKey": Option<String>, alias ["RegistryCheckpoint"];
        /// The absolute path of a file, or of a folder with all in it.
        file_path "FilePath": Option<String>, completes File;
        /// Refused: there are no containers of keys here; give the file that holds the key as -FilePath.
        crypto "CryptoCheckpointName": Option<String>, alias ["CryptoCheckpoint"];
    }
    examples {
        "Add-ClusterCheckpoint VS1-App -FilePath /etc/app.conf" => "The application finds its configuration on every node.",
        "Add-ClusterCheckpoint VS1-App -SettingsKey app/limits" => "A key of the settings follows it.",
    }
}

command! {
    /// Shows the checkpoints of resources.
    GetClusterCheckpoint = "Get-ClusterCheckpoint" => Vec<CheckpointInfo>, at Agent, risk None, aliases [],
    {
        /// A resource, or a pattern with * and ?; by default all.
        resource "ResourceName": Option<String>, position 0, pipeline value, completes Resource, alias ["Resource"];
        /// Only this settings key.
        settings_key "SettingsKey": Option<String>, alias ["RegistryCheckpoint"];
        /// Only this path.
        file_path "FilePath": Option<String>, completes File;
    }
    examples { "Get-ClusterCheckpoint" => "All checkpoints of the cluster." }
}

command! {
    /// Ends a checkpoint of a resource, or all of them; the files stay on the nodes as they are.
    RemoveClusterCheckpoint = "Remove-ClusterCheckpoint" => Vec<CheckpointInfo>, at Agent, risk Medium, aliases [],
    {
        /// The resource.
        resource "ResourceName": String, position 0, pipeline value, completes Resource, alias ["Resource"];
        /// Only this settings key.
        settings_key "SettingsKey": Option<String>, alias ["RegistryCheckpoint"];
        /// Only this path.
        file_path "FilePath": Option<String>, completes File;
    }
    examples { "Remove-ClusterCheckpoint VS1-App -FilePath /etc/app.conf" => "The file no longer follows the application." }
}

record! {
    /// A setting of a node.
    NodeSettingInfo as "ClusterNodeSetting", columns ["Node", "Key", "Name", "Value"], {
        /// The node.
        node "Node": String,
        /// The key: a folder in `settings` of the node's data folder.
        key "Key": String,
        /// The value's name: a file in that folder.
        name "Name": String,
        /// The value.
        value "Value": String,
    }
}

command! {
    /// Shows the settings of a node under a key.
    GetClusterNodeSetting = "Get-ClusterNodeSetting" => Vec<NodeSettingInfo>, at Client, risk None, aliases [],
    {
        /// The node.
        node "Node": String, position 0, completes Node;
        /// The key, for example `app/limits`.
        key "Key": String, position 1;
    }
    examples { "Get-ClusterNodeSetting n1 app/limits" => "What n1 has under the key." }
}

command! {
    /// Sets a value in the settings of a node, or removes it.
    ///
    /// Settings that follow a resource (Add-ClusterCheckpoint) are edited on the node that owns it; elsewhere the edit is
    /// refused with that node's name.
    SetClusterNodeSetting = "Set-ClusterNodeSetting" => NodeSettingInfo, at Client, risk Low, aliases [],
    {
        /// The node.
        node "Node": String, position 0, completes Node;
        /// The key, for example `app/limits`.
        key "Key": String, position 1;
        /// The value's name.
        name "Name": String, position 2;
        /// Its value, up to 64 KiB.
        value "Value": Option<String>, position 3;
        /// Remove it.
        delete "Delete": bool;
    }
    examples { "Set-ClusterNodeSetting n1 app/limits MaxOrders 100" => "A value on one node." }
}
