//! Commands on the cluster as a whole.

use super::spec::{command, record};
use super::value::{Millis, Time};

record! {
    /// A failover cluster.
    ClusterInfo as "Cluster", columns ["Name", "State", "Nodes", "Groups"], {
        /// The cluster's name.
        name "Name": String,
        /// `Up`, or `Down` when no node answers.
        state "State": String,
        /// Its nodes.
        nodes "Nodes": Vec<String>,
        /// Its groups.
        groups "Groups": Vec<String>,
        /// Its folder on this machine, with `disks` in it for virtual servers; empty for a cluster elsewhere.
        path "Path": String,
        /// The first three numbers of its loopback addresses; .101 and up are free for virtual servers.
        subnet "Subnet": String,
        /// Where the cluster database lies.
        quorum "Quorum": String,
        /// How often a node sends a heartbeat to each other node, in milliseconds.
        same_subnet_delay "SameSubnetDelay": u64,
        /// How many heartbeats may be missed before a node counts as down.
        same_subnet_threshold "SameSubnetThreshold": u64,
        /// How long a node may go without renewing its lease before others may claim its groups, in milliseconds.
        lease_ttl "LeaseTtl": u64,
        /// `Kill`: a node that hangs on the same machine is ended before its groups are taken, as a power
        /// switch would; `Storage`: only the epoch in the message store keeps it out.
        fencing "Fencing": String,
        /// What its nodes can do together (Update-ClusterFunctionalLevel); 0 when no node answers.
        functional_level "ClusterFunctionalLevel": u64,
        /// The wall-clock time of its creation.
        created "CreateTime": Time,
    }
}

command! {
    /// Creates a cluster and starts its nodes.
    ///
    /// With -Local each node is a process on this machine with a loopback address, a data folder and a
    /// log of its own, around one quorum disk (an SQLite file), or the etcd cluster that -Quorum names.
    /// The nodes belong to the session that made them: they stop when it ends, however it ends. -Detach
    /// lets them outlive it; Stop-Cluster ends them then.
    NewCluster = "New-Cluster" => ClusterInfo, at Client, risk Low, aliases [],
    {
        /// The cluster's name.
        name "Name": String, position 0;
        /// The names of its nodes.
        nodes "Node": Vec<String>, position 1;
        /// Make every node a process on this machine.
        local "Local": bool;
        /// Keep the nodes running after this session.
        detach "Detach": bool;
        /// The folder for the quorum disk and the nodes' data; by default one under the user's state folder.
        path "Path": Option<String>, completes File;
        /// Where the cluster database lies instead: etcd://HOST:PORT,…/PREFIX (see docs/operating.md).
        quorum "Quorum": Vec<String>;
        /// Heartbeat interval (default 100ms).
        same_subnet_delay "SameSubnetDelay": Option<Millis>;
        /// Missed heartbeats until a node counts as down (default 10).
        same_subnet_threshold "SameSubnetThreshold": Option<u64>;
        /// The node lease (default 2s).
        lease_ttl "LeaseTtl": Option<Millis>;
        /// How a hung node is kept from doing harm.
        fencing "Fencing": Option<String>, completes Choice(&["Kill", "Storage"]);
    }
    examples {
        "New-Cluster -Name lab -Node n1,n2,n3 -Local" => "Three nodes on this machine.",
        "New-Cluster -Name lab -Node n1,n2,n3 -Local -Quorum etcd://127.0.0.1:2379,127.0.0.2:2379,127.0.0.3:2379" => "The same, with the cluster database in etcd.",
    }
}

command! {
    /// Shows the cluster.
    GetCluster = "Get-Cluster" => Vec<ClusterInfo>, at Client, risk None, aliases [],
    {
        /// The cluster's name; by default every cluster known on this machine.
        name "Name": Option<String>, position 0, completes Cluster;
    }
    examples { "Get-Cluster" => "All clusters known on this machine." }
}

command! {
    /// Starts the nodes of a cluster that was stopped.
    StartCluster = "Start-Cluster" => ClusterInfo, at Client, risk Low, aliases [],
    {
        /// The cluster's name.
        name "Name": String, position 0, pipeline value, completes Cluster;
        /// Keep the nodes running after this session.
        detach "Detach": bool;
    }
    examples { "Start-Cluster lab" => "Starts every node of the cluster lab." }
}

command! {
    /// Stops every node of the cluster; groups are taken offline first.
    StopCluster = "Stop-Cluster" => ClusterInfo, at Client, risk Medium, aliases [],
    {
        /// The cluster's name; by default the one in use.
        name "Name": Option<String>, position 0, pipeline value, completes Cluster;
    }
    examples { "Stop-Cluster lab" => "Stops the cluster lab." }
}

command! {
    /// Raises the functional level of the cluster to the highest that every node knows; there is no way back.
    ///
    /// A rolling upgrade installs the new program on one node after the other (Suspend-ClusterNode -Drain, Stop-ClusterNode,
    /// install, Start-ClusterNode, Resume-ClusterNode); nodes of both programs work together meanwhile, and what only the
    /// new one knows is refused. This command ends it: from then on a node with the old program does not join.
    UpdateClusterFunctionalLevel = "Update-ClusterFunctionalLevel" => ClusterInfo, at Agent, risk Medium, aliases [],
    {
    }
    examples { "Update-ClusterFunctionalLevel" => "Every node has the new program." }
}

record! {
    /// The cluster database of a cluster.
    QuorumInfo as "ClusterQuorum", columns ["Cluster", "Quorum", "State", "Notices"], {
        /// The cluster's name.
        cluster "Cluster": String,
        /// Where its database lies.
        quorum "Quorum": String,
        /// `Online`, or `Failed` when it does not answer.
        state "State": String,
        /// What an operator should know: members that do not answer, versions with known faults.
        notices "Notices": Vec<String>,
    }
}

command! {
    /// Shows where the cluster database lies, and how it is.
    GetClusterQuorum = "Get-ClusterQuorum" => QuorumInfo, at Client, risk None, aliases [],
    {
        /// The cluster's name; by default the one in use.
        name "Cluster": Option<String>, position 0, completes Cluster;
    }
    examples { "Get-ClusterQuorum" => "The cluster in use." }
}

command! {
    /// Moves the cluster database of a stopped cluster to another place.
    ///
    /// Everything is copied and compared; then the old place is marked as moved, so that no node can go on
    /// with it, and the new one becomes the cluster's. What was interrupted is completed by the same command.
    /// The old place is left as it is, with its mark.
    SetClusterQuorum = "Set-ClusterQuorum" => QuorumInfo, at Client, risk High, aliases [],
    {
        /// The new place: etcd://HOST:PORT,…/PREFIX, or the path of an SQLite file.
        quorum "Quorum": Vec<String>, position 0;
        /// The cluster's name; by default the one in use.
        name "Cluster": Option<String>, position 1, completes Cluster;
        /// Do not ask.
        force "Force": bool;
    }
    examples {
        "Set-ClusterQuorum etcd://127.0.0.1:2379 lab -Force" => "From the quorum disk to etcd.",
    }
}

command! {
    /// Deletes a stopped cluster with its quorum disk and the data folders of its nodes.
    ///
    /// Disks of virtual servers in its folder `disks` go with it; those that lie elsewhere are left alone.
    RemoveCluster = "Remove-Cluster" => ClusterInfo, at Client, risk High, aliases [],
    {
        /// The cluster's name.
        name "Name": String, position 0, pipeline value, completes Cluster;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Remove-Cluster lab -Force" => "Deletes the cluster lab." }
}
