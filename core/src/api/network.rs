//! Commands on the networks of the cluster.

use super::spec::{command, record};

record! {
    /// A network of the cluster.
    NetworkInfo as "ClusterNetwork", columns ["Name", "State", "Subnet", "Role"], {
        /// Its name.
        name "Name": String,
        /// `Up`, `Partitioned`, `Down` or `Unavailable` (MS-CMRP 3.1.4.2.83).
        state "State": String,
        /// Its addresses: `10.0.0.0/24`.
        subnet "Subnet": String,
        /// 0: not used by the cluster; 1: heartbeats; 3: heartbeats and clients.
        role "Role": u64,
    }
}

record! {
    /// The interface of a node in a network.
    NetworkInterfaceInfo as "ClusterNetworkInterface", columns ["Name", "Node", "Network", "State"], {
        /// The interface's name on its node.
        name "Name": String,
        /// The node.
        node "Node": String,
        /// The network.
        network "Network": String,
        /// `Up`, `Unreachable`, `Failed` or `Unavailable` (MS-CMRP 3.1.4.2.94).
        state "State": String,
        /// Its address.
        address "Address": String,
    }
}

command! {
    /// Shows the networks of the cluster.
    ///
    /// A network is a subnet that nodes have interfaces in; nodes tell theirs by themselves.
    GetClusterNetwork = "Get-ClusterNetwork" => Vec<NetworkInfo>, at Agent, risk None, aliases [],
    {
        /// A name or a pattern with * and ?.
        name "Name": Option<String>, position 0, pipeline value;
    }
    examples { "Get-ClusterNetwork" => "All networks." }
}

command! {
    /// Shows the interfaces of the nodes, and whether they reach each other.
    GetClusterNetworkInterface = "Get-ClusterNetworkInterface" => Vec<NetworkInterfaceInfo>, at Agent, risk None, aliases [],
    {
        /// Only of this network.
        network "Network": Option<String>;
        /// Only of this node.
        node "Node": Option<String>, completes Node;
    }
    examples { "Get-ClusterNetworkInterface -Node n1" => "The interfaces of n1." }
}

command! {
    /// Changes what a network is for, or its name.
    SetClusterNetwork = "Set-ClusterNetwork" => NetworkInfo, at Agent, risk Medium, aliases [],
    {
        /// The network.
        name "Name": String, position 0, pipeline value;
        /// 0: not used by the cluster; 1: heartbeats; 3: heartbeats and clients.
        role "Role": Option<u64>;
        /// Its new name.
        new_name "NewName": Option<String>;
    }
    examples { "Set-ClusterNetwork 'Cluster Network 2' -Role 1 -NewName Private" => "Heartbeats only." }
}
