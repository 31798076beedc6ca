//! Commands on dependencies between resources of a group.

use super::spec::{command, record};

record! {
    /// What a resource depends on.
    DependencyInfo as "ClusterResourceDependency", columns ["Resource", "DependencyExpression"], {
        /// The resource.
        resource "Resource": String,
        /// `([Disk]) and ([Name])`; empty when it depends on nothing.
        expression "DependencyExpression": String,
    }
}

command! {
    /// Makes a resource depend on another of its group.
    AddClusterResourceDependency = "Add-ClusterResourceDependency" => DependencyInfo, at Agent, risk Low, aliases [],
    {
        /// The resource that needs the other.
        resource "Resource": String, position 0, pipeline value, completes Resource, alias ["Name"];
        /// The resource it needs.
        provider "Provider": String, position 1, completes Resource;
    }
    examples { "Add-ClusterResourceDependency VS1-MSMQ VS1-Disk" => "MSMQ comes online after its disk." }
}

command! {
    /// Shows what a resource depends on.
    GetClusterResourceDependency = "Get-ClusterResourceDependency" => Vec<DependencyInfo>, at Agent, risk None, aliases [],
    {
        /// A name or a pattern with * and ?; by default all resources.
        resource "Resource": Option<String>, position 0, pipeline value, completes Resource, alias ["Name"];
    }
    examples { "Get-ClusterResourceDependency VS1-MSMQ" => "What the queue manager needs." }
}
