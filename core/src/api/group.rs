//! Commands on groups: the unit that moves.

use super::spec::{command, record};
use super::value::Millis;

record! {
    /// A group: resources that are always on one node together; with a Network Name, a virtual server.
    GroupInfo as "ClusterGroup", columns ["Name", "OwnerNode", "State"], {
        /// The group's name.
        name "Name": String,
        /// The node that owns it.
        owner_node "OwnerNode": Option<String>,
        /// `Online`, `Offline`, `Failed`, `PartialOnline` or `Pending` (MS-CMRP 3.1.4.2.46).
        state "State": String,
        /// Raised by each change of owner; the storage refuses anyone with a lower one.
        epoch "Epoch": u64,
        /// Whether it is meant to be online: 1 or 0.
        persistent_state "PersistentState": u64,
        /// In order of preference.
        preferred_owners "PreferredOwners": Vec<String>,
        /// 1: goes back to a preferred owner when that returns.
        auto_failback_type "AutoFailbackType": u64,
        /// Failovers allowed within FailoverPeriod; 4294967295 is one less than the number of nodes.
        failover_threshold "FailoverThreshold": u64,
        /// Hours.
        failover_period "FailoverPeriod": u64,
        /// Hours of the local day between which it may fail back: `22-6`; empty is any time.
        failback_window "FailbackWindow": String,
        /// 0 (not started by itself after its node was lost), 1000, 2000 or 3000: the order of claims and starts.
        priority "Priority": u64,
        /// Groups that share one of these keep apart.
        anti_affinity "AntiAffinityClassNames": Vec<String>,
        /// The node it was last moved to on purpose; it comes after the preferred owners.
        default_owner "DefaultOwner": Option<String>,
        /// What is in the way, if anything is.
        status "StatusInformation": Option<String>,
    }
}

command! {
    /// Creates an empty group.
    AddClusterGroup = "Add-ClusterGroup" => GroupInfo, at Agent, risk Low, aliases [],
    {
        /// The group's name.
        name "Name": String, position 0;
        /// The nodes in order of preference; they may also be set later with Set-ClusterOwnerNode.
        preferred_owners "PreferredOwners": Vec<String>, completes Node;
        /// 1: goes back to a preferred owner when that returns (default 0).
        auto_failback_type "AutoFailbackType": Option<u64>;
        /// Failovers allowed within FailoverPeriod.
        failover_threshold "FailoverThreshold": Option<u64>;
        /// Hours (default 6).
        failover_period "FailoverPeriod": Option<u64>;
    }
    examples {
        "Add-ClusterGroup VS1 -PreferredOwners n1,n2 -AutoFailbackType 1" => "A group that prefers n1 and returns to it.",
    }
}

command! {
    /// Shows the groups.
    GetClusterGroup = "Get-ClusterGroup" => Vec<GroupInfo>, at Agent, risk None, aliases ["gcg"],
    {
        /// A name or a pattern with * and ?.
        name "Name": Option<String>, position 0, pipeline value, completes Group;
    }
    examples { "Get-ClusterGroup" => "All groups with their owners." }
}

command! {
    /// Deletes a group.
    RemoveClusterGroup = "Remove-ClusterGroup" => GroupInfo, at Agent, risk High, aliases [],
    {
        /// The group's name.
        name "Name": String, position 0, pipeline value, completes Group;
        /// Delete its resources too, after taking them offline.
        remove_resources "RemoveResources": bool;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Remove-ClusterGroup VS1 -RemoveResources -Force" => "Deletes VS1 and all in it." }
}

command! {
    /// Brings every resource of a group online, providers first.
    StartClusterGroup = "Start-ClusterGroup" => GroupInfo, at Agent, risk Low, aliases [],
    {
        /// The group's name.
        name "Name": String, position 0, pipeline value, completes Group;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples { "Start-ClusterGroup VS1" => "Brings VS1 online." }
}

command! {
    /// Takes every resource of a group offline, dependents first.
    StopClusterGroup = "Stop-ClusterGroup" => GroupInfo, at Agent, risk Medium, aliases [],
    {
        /// The group's name.
        name "Name": String, position 0, pipeline value, completes Group;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples { "Stop-ClusterGroup VS1" => "Takes VS1 offline." }
}

command! {
    /// Moves a group to another node: offline here in order, online there in order.
    ///
    /// Nothing of the move stays behind in the configuration, also when it fails.
    MoveClusterGroup = "Move-ClusterGroup" => GroupInfo, at Agent, risk Medium, aliases [],
    {
        /// The group's name.
        name "Name": String, position 0, pipeline value, completes Group;
        /// The target; by default the best other node.
        node "Node": Option<String>, position 1, completes Node;
        /// How long to wait for it (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples { "Move-ClusterGroup VS1 -Node n2" => "Moves VS1 to n2." }
}
