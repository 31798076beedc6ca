//! Commands on nodes.

use super::spec::{command, record};

record! {
    /// A node of the cluster.
    NodeInfo as "ClusterNode", columns ["Name", "ID", "State"], {
        /// The node's name.
        name "Name": String,
        /// Its number, given when it joined.
        id "ID": u64,
        /// `Up`, `Down`, `Paused` or `Joining` (MS-CMRP 3.1.4.2.69).
        state "State": String,
        /// Where its agent listens.
        address "Address": String,
        /// The process number of its agent, where it runs.
        process_id "ProcessId": Option<u64>,
        /// Installed subcomponents of Message Queuing.
        features "Features": Vec<String>,
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
    /// Starts the Cluster service of a node that is down.
    StartClusterNode = "Start-ClusterNode" => NodeInfo, at Client, risk Low, aliases [],
    {
        /// The node's name.
        name "Name": String, position 0, pipeline value, completes Node;
    }
    examples { "Start-ClusterNode n1" => "Starts n1 again." }
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
