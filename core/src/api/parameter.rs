//! Commands on private properties of resources, and on owner nodes.

use super::spec::{command, record};

record! {
    /// A private property of a resource.
    ParameterInfo as "ClusterParameter", columns ["Object", "Name", "Value", "Type"], {
        /// The resource.
        object "Object": String,
        /// The property.
        name "Name": String,
        /// Its value as text.
        value "Value": String,
        /// `String` or `UInt32`.
        kind "Type": String,
    }
}

record! {
    /// The nodes of a group (preferred, in order) or of a resource (possible).
    OwnerNodeInfo as "ClusterOwnerNode", columns ["ClusterObject", "OwnerNodes"], {
        /// The group or resource.
        object "ClusterObject": String,
        /// The nodes.
        owner_nodes "OwnerNodes": Vec<String>,
    }
}

command! {
    /// Shows the private properties of a resource.
    GetClusterParameter = "Get-ClusterParameter" => Vec<ParameterInfo>, at Agent, risk None, aliases [],
    {
        /// The resource.
        resource "Resource": String, position 0, pipeline value, completes Resource, alias ["InputObject"];
        /// One property; by default all.
        name "Name": Option<String>, position 1, completes PropertyName;
    }
    examples { "Get-ClusterParameter VS1-Disk" => "All private properties of the disk." }
}

command! {
    /// Sets a private property of a resource; it takes effect the next time the resource comes online.
    SetClusterParameter = "Set-ClusterParameter" => ParameterInfo, at Agent, risk Low, aliases [],
    {
        /// The resource.
        resource "Resource": String, position 0, pipeline value, completes Resource, alias ["InputObject"];
        /// The property.
        name "Name": String, position 1, completes PropertyName;
        /// Its new value.
        value "Value": Option<ciborium::Value>, position 2;
        /// Take it back to its default.
        delete "Delete": bool;
    }
    examples { "Set-ClusterParameter VS1-IP Address 127.0.9.1" => "The virtual server's address." }
}

command! {
    /// Shows the preferred owners of groups, or the possible owners of resources.
    GetClusterOwnerNode = "Get-ClusterOwnerNode" => Vec<OwnerNodeInfo>, at Agent, risk None, aliases [],
    {
        /// A group.
        group "Group": Option<String>, completes Group;
        /// A resource.
        resource "Resource": Option<String>, completes Resource;
    }
    examples { "Get-ClusterOwnerNode -Group VS1" => "Where VS1 would rather be." }
}

command! {
    /// Sets the preferred owners of a group, or the possible owners of a resource.
    SetClusterOwnerNode = "Set-ClusterOwnerNode" => OwnerNodeInfo, at Agent, risk Low, aliases [],
    {
        /// A group: the nodes are preferred, in order.
        group "Group": Option<String>, completes Group;
        /// A resource: the nodes are the only ones that may own it.
        resource "Resource": Option<String>, completes Resource;
        /// The nodes.
        owners "Owners": Vec<String>, completes Node;
    }
    examples { "Set-ClusterOwnerNode -Group VS1 -Owners n1,n2" => "VS1 prefers n1, then n2." }
}
