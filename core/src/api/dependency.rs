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

record! {
    /// The page that was written.
    DependencyReportInfo as "ClusterResourceDependencyReport", columns ["Path", "Groups", "Resources"], {
        /// Where it is.
        path "Path": String,
        /// Groups in it.
        groups "Groups": u64,
        /// Resources in it.
        resources "Resources": u64,
    }
}

command! {
    /// Writes a page with a picture of what the resources of groups depend on.
    ///
    /// It needs nothing but itself: it opens from disk, without a network.
    GetClusterResourceDependencyReport = "Get-ClusterResourceDependencyReport" => DependencyReportInfo, at Client, risk None, aliases [],
    {
        /// Only this group.
        group "Group": Option<String>, position 0, pipeline value, completes Group;
        /// Only the group of this resource.
        resource "Resource": Option<String>, completes Resource;
        /// The file.
        path "Path": String, position 1, completes File;
    }
    examples { "Get-ClusterResourceDependencyReport VS1 -Path vs1.html" => "The picture of VS1." }
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
    /// Ends a dependency of a resource; where it was one of alternatives the others stay.
    RemoveClusterResourceDependency = "Remove-ClusterResourceDependency" => DependencyInfo, at Agent, risk Medium, aliases [],
    {
        /// The resource that needed the other.
        resource "Resource": String, position 0, pipeline value, completes Resource, alias ["Name"];
        /// The resource it needed.
        provider "Provider": String, position 1, completes Resource;
    }
    examples { "Remove-ClusterResourceDependency VS1-App VS1-Disk" => "The application no longer needs the disk." }
}

command! {
    /// Sets all that a resource depends on, as an expression of and, or and parentheses.
    ///
    /// Of alternatives (or) one is enough: the resource comes online with the first that is there, stays
    /// online as long as one is, and is restarted on another when what it was given goes (an address, a
    /// disk, a name). and beside or needs parentheses. An empty expression ends all dependencies.
    SetClusterResourceDependency = "Set-ClusterResourceDependency" => DependencyInfo, at Agent, risk Medium, aliases [],
    {
        /// The resource.
        resource "Resource": String, position 0, pipeline value, completes Resource, alias ["Name"];
        /// For example `([IP 1] or [IP 2]) and [Disk]`; empty ends all.
        dependency "Dependency": String, position 1;
    }
    examples {
        "Set-ClusterResourceDependency VS1-Name '[VS1-IP1] or [VS1-IP2]'" => "One of two addresses is enough.",
        "Set-ClusterResourceDependency VS1-App '([VS1-Disk] and [VS1-Name]) or [VS1-MSMQ]'" => "Parentheses nest.",
    }
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
