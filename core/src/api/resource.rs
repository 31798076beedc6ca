//! Commands on resources.

use super::spec::{command, record};
use super::value::Millis;

record! {
    /// A resource: one thing that is brought online and taken offline.
    ResourceInfo as "ClusterResource", columns ["Name", "State", "Group", "ResourceType"], {
        /// The resource's name.
        name "Name": String,
        /// `Online`, `Offline`, `Failed`, `OnlinePending`, `OfflinePending` … (MS-CMRP 3.1.4.2.13).
        state "State": String,
        /// The group it is in.
        group "Group": String,
        /// Its type.
        resource_type "ResourceType": String,
        /// The node that owns its group.
        owner_node "OwnerNode": Option<String>,
        /// Whether it is meant to be online: 1 or 0.
        persistent_state "PersistentState": u64,
        /// The nodes that may own it; empty means all.
        possible_owners "PossibleOwners": Vec<String>,
        /// Restarts allowed within RestartPeriod before the group fails over.
        restart_threshold "RestartThreshold": u64,
        /// Milliseconds.
        restart_period "RestartPeriod": u64,
        /// Restarts counted within the running period.
        restart_count "RestartCount": u64,
        /// 0: stays failed; 1: is restarted, and never fails over; 2: is restarted, then fails over.
        restart_action "RestartAction": u64,
        /// Milliseconds before a restart.
        restart_delay "RestartDelay": u64,
        /// Milliseconds until a resource that rests is tried again; 4294967295 is never.
        retry_period "RetryPeriodOnFailure": u64,
        /// Milliseconds between two signs of progress of an online or offline.
        pending_timeout "PendingTimeout": u64,
        /// Milliseconds an entry point may take without an answer.
        deadlock_timeout "DeadlockTimeout": u64,
        /// Milliseconds between two cheap checks; 4294967295 is that of the type.
        looks_alive "LooksAlivePollInterval": u64,
        /// Milliseconds between two thorough checks; 4294967295 is that of the type.
        is_alive "IsAlivePollInterval": u64,
        /// Why it is in this state.
        status "StatusInformation": Option<String>,
        /// Whether it is in maintenance: 1 or 0.
        maintenance_mode "MaintenanceMode": u64,
    }
}

record! {
    /// A type of resources.
    ResourceTypeInfo as "ClusterResourceType", columns ["Name", "DisplayName"], {
        /// Its name.
        name "Name": String,
        /// What it is.
        display_name "DisplayName": String,
        /// `Storage`, `Network` or `Other`.
        class "Class": String,
        /// What its resources must depend on.
        required_dependencies "RequiredDependencies": Vec<String>,
        /// What must be installed on the node.
        feature "Feature": Option<String>,
        /// Its private properties, each as `Name (Type): what it is`.
        properties "Properties": Vec<String>,
    }
}

command! {
    /// Adds a resource to a group; it starts offline.
    ///
    /// Get-ClusterResourceType lists the types with their properties; any OCF agent that is installed on
    /// the nodes is a type too: ocf:heartbeat:Filesystem. Private properties can be given at once with
    /// -Parameters as Name=Value, or later with Set-ClusterParameter. A Distributed Transaction
    /// Coordinator goes into the first group that has an address, a name and a disk, if none is named.
    AddClusterResource = "Add-ClusterResource" => ResourceInfo, at Agent, risk Low, aliases [],
    {
        /// The resource's name.
        name "Name": String, position 0;
        /// The group.
        group "Group": Option<String>, position 1, pipeline property, completes Group;
        /// The type.
        resource_type "ResourceType": String, position 2,
            completes Choice(&["Physical Disk", "IP Address", "Network Name", "MSMQ", "MSMQTriggers", "Distributed Transaction Coordinator", "Generic Application", "Generic Service", "Generic Script"]), alias ["Type"];
        /// Private properties: Name=Value.
        parameters "Parameters": Vec<String>;
        /// Resources it depends on.
        depends_on "DependsOn": Vec<String>, completes Resource;
        /// Restarts allowed within RestartPeriod (default 3).
        restart_threshold "RestartThreshold": Option<u64>;
        /// Milliseconds (default 900000).
        restart_period "RestartPeriod": Option<Millis>;
        /// Milliseconds before a restart (default 500; 0 restarts at once).
        restart_delay "RestartDelay": Option<Millis>;
    }
    examples {
        "Add-ClusterResource VS1-Disk VS1 'Physical Disk' -Parameters DiskPath=/srv/vs1" => "A folder as the disk.",
        "Add-ClusterResource VS1-MSMQ VS1 MSMQ -DependsOn VS1-Disk,VS1-Name" => "The queue manager on it.",
    }
}

command! {
    /// Shows the resources.
    GetClusterResource = "Get-ClusterResource" => Vec<ResourceInfo>, at Agent, risk None, aliases ["gcr"],
    {
        /// A name or a pattern with * and ?.
        name "Name": Option<String>, position 0, pipeline value, completes Resource;
        /// Only those of this group.
        group "Group": Option<String>, pipeline property, completes Group;
    }
    examples { "Get-ClusterResource -Group VS1" => "The resources of VS1." }
}

command! {
    /// Deletes a resource and those that depend on it, after taking them offline.
    RemoveClusterResource = "Remove-ClusterResource" => ResourceInfo, at Agent, risk High, aliases [],
    {
        /// The resource's name.
        name "Name": String, position 0, pipeline value, completes Resource;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Remove-ClusterResource VS1-MSMQ -Force" => "Deletes the resource; its messages stay on the disk." }
}

command! {
    /// Moves a resource to another group, with everything that is tied to it by dependencies.
    ///
    /// All of it must be offline. A message store never takes an owner of a lower epoch: where a disk comes into a group that was
    /// owned fewer times, that group must be offline too, and is owned anew.
    MoveClusterResource = "Move-ClusterResource" => Vec<ResourceInfo>, at Agent, risk Medium, aliases [],
    {
        /// The resource's name.
        name "Name": String, position 0, pipeline value, completes Resource;
        /// The group it is to be in.
        group "Group": String, position 1, completes Group;
    }
    examples { "Move-ClusterResource VS1-Disk -Group VS1 -WhatIf" => "What would move; here it is there already." }
}

command! {
    /// Brings a resource online, after the ones it depends on.
    StartClusterResource = "Start-ClusterResource" => ResourceInfo, at Agent, risk Low, aliases [],
    {
        /// The resource's name.
        name "Name": String, position 0, pipeline value, completes Resource;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples { "Start-ClusterResource VS1-MSMQ" => "Brings the queue manager online with all it needs." }
}

command! {
    /// Takes a resource offline, after the ones that depend on it.
    StopClusterResource = "Stop-ClusterResource" => ResourceInfo, at Agent, risk Medium, aliases [],
    {
        /// The resource's name.
        name "Name": String, position 0, pipeline value, completes Resource;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples { "Stop-ClusterResource VS1-MSMQ" => "Takes the queue manager offline; it is not restarted." }
}

command! {
    /// Makes a resource fail its health check, to rehearse what happens then.
    TestClusterResourceFailure = "Test-ClusterResourceFailure" => ResourceInfo, at Agent, risk Medium, aliases [],
    {
        /// The resource's name.
        name "Name": String, position 0, pipeline value, completes Resource;
    }
    examples { "Test-ClusterResourceFailure VS1-MSMQ" => "Restarts it, or moves the group past the threshold." }
}

command! {
    /// Puts a disk into maintenance: its health is not checked, and it stays online.
    ///
    /// What happens to it meanwhile is no failure; its dependents go on. Maintenance lasts until
    /// Resume-ClusterResource, also over a move.
    SuspendClusterResource = "Suspend-ClusterResource" => ResourceInfo, at Agent, risk Medium, aliases [],
    {
        /// The disk.
        name "Name": String, position 0, pipeline value, completes Resource;
    }
    examples { "Suspend-ClusterResource VS1-Disk" => "The disk can be worked on." }
}

command! {
    /// Ends the maintenance of a disk: its health is checked again, at once.
    ResumeClusterResource = "Resume-ClusterResource" => ResourceInfo, at Agent, risk Low, aliases [],
    {
        /// The disk.
        name "Name": String, position 0, pipeline value, completes Resource;
    }
    examples { "Resume-ClusterResource VS1-Disk" => "Back to normal." }
}

command! {
    /// Shows the types of resources with their properties.
    GetClusterResourceType = "Get-ClusterResourceType" => Vec<ResourceTypeInfo>, at Agent, risk None, aliases [],
    {
        /// A name, a pattern with * and ?, or an OCF agent, whose own description is then shown.
        name "Name": Option<String>, position 0, pipeline value;
    }
    examples {
        "Get-ClusterResourceType" => "All that are built in.",
        "Get-ClusterResourceType 'Generic*'" => "Those for programs of your own.",
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::{Command as _, Completes};
    use super::AddClusterResource;

    #[test]
    fn the_prompt_offers_every_resource_type_there_is() {
        let parameter = AddClusterResource::SPEC.parameter("ResourceType").unwrap();
        let types: Vec<_> = crate::cluster::resource_type::TYPES
            .iter()
            .map(|t| t.name)
            .collect();
        let Completes::Choice(offered) = parameter.completes else {
            panic!("no choice: {:?}", parameter.completes);
        };
        assert_eq!(offered, types);
    }
}
