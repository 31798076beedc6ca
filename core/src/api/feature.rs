//! Commands that install Message Queuing on nodes.

use super::spec::{command, record};

record! {
    /// A subcomponent of Message Queuing on a node.
    FeatureInfo as "MsmqFeature", columns ["Node", "Feature", "InstallState"], {
        /// The node.
        node "Node": String,
        /// `MSMQ-Server`, `MSMQ-Triggers`, `MSMQ-HTTP-Support`, `MSMQ-Routing`, `MSMQ-ADIntegration`.
        feature "Feature": String,
        /// `Installed` or `Available`.
        install_state "InstallState": String,
    }
}

record! {
    /// A node's pool of message memory.
    MemoryPoolInfo as "MsmqMemoryPool", columns ["Node", "Megabytes", "Instances"], {
        /// The node.
        node "Node": String,
        /// Its size.
        megabytes "Megabytes": u64,
        /// Queue managers that fit in at once; each takes 4 MB.
        instances "Instances": u64,
    }
}

command! {
    /// Shows the pool of message memory of nodes: how many queue managers may work there at once.
    GetMsmqMemoryPool = "Get-MsmqMemoryPool" => Vec<MemoryPoolInfo>, at Agent, risk None, aliases [],
    {
        /// A node; by default all.
        node "Node": Option<String>, position 0, pipeline value, completes Node, alias ["Name"];
    }
    examples { "Get-MsmqMemoryPool" => "Of every node." }
}

command! {
    /// Sets the pool of message memory of a node: 4 MB for each queue manager that may work there.
    ///
    /// By default 12 MB, for three. A virtual server that comes to a node whose pool is full is refused
    /// there, and goes to the next node. Enlarge it on each node for the virtual servers that may meet.
    SetMsmqMemoryPool = "Set-MsmqMemoryPool" => MemoryPoolInfo, at Agent, risk Low, aliases [],
    {
        /// The node.
        node "Node": String, position 0, pipeline value, completes Node, alias ["Name"];
        /// The size, from 4 MB on.
        megabytes "Megabytes": u64, position 1;
    }
    examples { "Set-MsmqMemoryPool n1 32" => "Eight queue managers may work on n1." }
}

command! {
    /// Installs Message Queuing on a node of the cluster.
    ///
    /// Each node of the cluster needs it, with the same subcomponents, before an MSMQ resource can
    /// come online there. The cluster must exist before. The node's own queue manager is not started.
    InstallMsmqFeature = "Install-MsmqFeature" => Vec<FeatureInfo>, at Agent, risk Low, aliases [],
    {
        /// The nodes; by default all.
        nodes "Node": Vec<String>, position 0, pipeline value, completes Node, alias ["Name"];
        /// The subcomponents (default MSMQ-Server).
        features "Feature": Vec<String>, completes Choice(&["MSMQ-Server", "MSMQ-Triggers", "MSMQ-HTTP-Support", "MSMQ-Routing", "MSMQ-ADIntegration"]);
    }
    examples { "Install-MsmqFeature -Node n1,n2,n3" => "Message Queuing on three nodes." }
}

command! {
    /// Removes Message Queuing from a node.
    ///
    /// Refused while an MSMQ resource could still come online there.
    UninstallMsmqFeature = "Uninstall-MsmqFeature" => Vec<FeatureInfo>, at Agent, risk High, aliases [],
    {
        /// The node.
        node "Node": String, position 0, pipeline value, completes Node, alias ["Name"];
        /// Permanently delete the queues and messages of the node's own queue manager, without asking.
        force "Force": bool;
    }
    examples { "Uninstall-MsmqFeature n3 -Force" => "Removes it with the node's own queues." }
}

command! {
    /// Shows what of Message Queuing is installed where.
    GetMsmqFeature = "Get-MsmqFeature" => Vec<FeatureInfo>, at Agent, risk None, aliases [],
    {
        /// A node; by default all.
        node "Node": Option<String>, position 0, pipeline value, completes Node, alias ["Name"];
    }
    examples { "Get-MsmqFeature" => "Everything, on every node." }
}
