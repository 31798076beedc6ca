//! Commands on nodes.

use super::spec::{command, record};
use super::value::Millis;

record! {
    /// A node of the cluster.
    NodeInfo as "ClusterNode", columns ["Name", "ID", "State"], {
        /// The node's name.
        name "Name": String,
        /// Its number, given when it joined.
        id "ID": u64,
        /// `Up`, `Down`, `Paused` or `Joining` (MS-CMRP 3.1.4.2.69), or `Quarantined`.
        state "State": String,
        /// Where its agent listens.
        address "Address": String,
        /// The process number of its agent, where it runs.
        process_id "ProcessId": Option<u64>,
        /// Installed subcomponents of Message Queuing.
        features "Features": Vec<String>,
        /// The version of its program; empty for one of before version 0.1.0.
        build "BuildNumber": String,
        /// The lowest functional level its program knows.
        lowest "NodeLowestVersion": u64,
        /// The highest.
        highest "NodeHighestVersion": u64,
        /// Whether it is paused, drained or quarantined, and why.
        status "StatusInformation": Option<String>,
    }
}

command! {
    /// Adds a node to the cluster and starts it.
    AddClusterNode = "Add-ClusterNode" => NodeInfo, at Client, risk Low, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0;
    }
    examples { "Add-ClusterNode n4" => "A fourth node on this machine." }
}

command! {
    /// Shows the nodes.
    GetClusterNode = "Get-ClusterNode" => Vec<NodeInfo>, at Agent, risk None, aliases ["gcn"],
    {
        /// A name or a pattern with * and ?.
        name "Name": Option<String>, position 0, pipeline value, completes Node;
    }
    examples { "Get-ClusterNode" => "All nodes." }
}

command! {
    /// Restarts the Cluster service of a node under its resources: they go on as if nothing had happened.
    ///
    /// The agent becomes the program that is installed now, in the same process: this is how a new version gets onto a node
    /// without moving its groups. Queue managers and applications go on; what cannot be kept (block devices, addresses
    /// beyond loopback, scripts, services, OCF agents) is refused with the group to move first.
    RestartClusterNode = "Restart-ClusterNode" => NodeInfo, at Client, risk Low, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0, pipeline value, completes Node;
    }
    examples { "Restart-ClusterNode n1" => "n1 has the new program, and its groups have not moved." }
}

command! {
    /// Starts the Cluster service of a node that is down.
    ///
    /// -ForceQuorum is the operator's word that every node that does not answer is dead: their sessions end at
    /// once and their groups are claimed without waiting for leases. A node that lives after all ends what it
    /// runs when it sees that. It cannot stand in for a cluster database that is gone: with etcd, restore its
    /// majority first.
    StartClusterNode = "Start-ClusterNode" => NodeInfo, at Client, risk Low, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0, pipeline value, completes Node;
        /// End its quarantine.
        clear_quarantine "ClearQuarantine": bool, alias ["cq"];
        /// Declare the nodes dead that do not answer.
        force_quorum "ForceQuorum": bool, alias ["fq"];
    }
    examples {
        "Start-ClusterNode n1" => "Starts n1 again.",
        "Start-ClusterNode n1 -ClearQuarantine" => "Lets n1 host groups again at once.",
    }
}

command! {
    /// Stops the Cluster service of a node; its groups move to other nodes first.
    StopClusterNode = "Stop-ClusterNode" => NodeInfo, at Client, risk Medium, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0, pipeline value, completes Node;
    }
    examples { "Stop-ClusterNode n2" => "Moves the groups of n2 away and stops it." }
}

command! {
    /// Pauses a node: it takes no group any more. With -Drain its groups move to other nodes.
    ///
    /// A group that no other node may own stays, or is taken offline with -ForceDrain.
    SuspendClusterNode = "Suspend-ClusterNode" => NodeInfo, at Agent, risk Medium, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0, pipeline value, completes Node;
        /// Move its groups away.
        drain "Drain": bool;
        /// Drain, and take offline what cannot move.
        force_drain "ForceDrain": bool;
        /// Where to; by default each group goes to its best other node.
        target_node "TargetNode": Option<String>, completes Node;
        /// How long to wait for the drain (default 30s; 0 returns at once).
        wait "Wait": Option<Millis>;
    }
    examples { "Suspend-ClusterNode n1 -Drain" => "Empties n1 for maintenance." }
}

command! {
    /// Resumes a paused node.
    ResumeClusterNode = "Resume-ClusterNode" => NodeInfo, at Agent, risk Low, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0, pipeline value, completes Node;
        /// Which of the groups that were drained away come back: none (default), all at once, or those that
        /// prefer this node to the one they are on.
        failback "Failback": Option<String>, completes Choice(&["NoFailback", "Immediate", "Policy"]);
    }
    examples { "Resume-ClusterNode n1 -Failback Immediate" => "Back to work, with its groups." }
}

command! {
    /// Evicts a node: it leaves the cluster's configuration and every owner list.
    ///
    /// The node must be down; its data folder stays.
    RemoveClusterNode = "Remove-ClusterNode" => NodeInfo, at Client, risk High, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0, pipeline value, completes Node;
        /// Do not ask, and stop the node first if it is up.
        force "Force": bool;
    }
    examples { "Remove-ClusterNode n3 -Force" => "Stops n3 and evicts it." }
}

record! {
    /// A node that was cleared.
    ClearedNodeInfo as "ClearedClusterNode", columns ["Name", "Path"], {
        /// Its name.
        name "Name": String,
        /// The folder that was removed.
        path "Path": String,
    }
}

command! {
    /// Removes what an evicted node of this machine still has: its logs, settings and certificates.
    ///
    /// A node that is still a member is refused: Remove-ClusterNode first. On another machine it is its data folder.
    ClearClusterNode = "Clear-ClusterNode" => ClearedNodeInfo, at Client, risk High, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Clear-ClusterNode n5 -Force" => "Removes the rest of n5, which was evicted." }
}
