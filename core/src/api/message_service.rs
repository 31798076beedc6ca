//! Commands on the nodes' own queue managers: Message Queuing as a service of a node, beside the virtual servers.

use super::spec::{command, record};
use super::value::Time;

record! {
    /// A node's own queue manager.
    MsmqServiceInfo as "MsmqService", columns ["Node", "Status", "StartType", "Address", "Rule"], {
        /// The node; it is also the computer name of its queues.
        node "Node": String,
        /// `Running`, `Stopped`, or `NotInstalled`.
        status "Status": String,
        /// `Manual`: it is not started by itself.
        start_type "StartType": String,
        /// Where it accepts clients.
        address "Address": Option<String>,
        /// Which rule chose the address: `OnlyAddress`, `BindInterfaceIP`, `NotPrivate` or `Private`.
        rule "Rule": Option<String>,
        /// The address that multicast messages are sent from: MulticastBindIP, or that for messaging.
        multicast_address "MulticastAddress": Option<String>,
        /// Since when it runs.
        since "Since": Option<Time>,
    }
}

command! {
    /// Shows the nodes' own queue managers.
    GetMsmqService = "Get-MsmqService" => Vec<MsmqServiceInfo>, at Agent, risk None, aliases [],
    {
        /// A node, or a pattern with * and ?; by default all.
        node "Node": Option<String>, position 0, pipeline value, completes Node, alias ["Name"];
    }
    examples { "Get-MsmqService" => "Of every node." }
}

command! {
    /// Starts the node's own queue manager.
    ///
    /// Its queues are those of the node (n1/private$/orders) and do not fail over. It is not started by itself when the node
    /// starts again; virtual servers come back without it. The address for messaging is the node's only one, else the
    /// setting BindInterfaceIP under MSMQ/Parameters, else one in a network that is for clients, else any; where the node
    /// has more than one, the cluster log tells which was chosen and why. MulticastBindIP is the same for multicast messages.
    StartMsmqService = "Start-MsmqService" => MsmqServiceInfo, at Client, risk Low, aliases [],
    {
        /// The node.
        node "Node": String, position 0, pipeline value, completes Node, alias ["Name"];
    }
    examples { "Start-MsmqService n1" => "The queues of n1 can be used." }
}

command! {
    /// Stops the node's own queue manager in order; its queues and messages stay.
    StopMsmqService = "Stop-MsmqService" => MsmqServiceInfo, at Client, risk Medium, aliases [],
    {
        /// The node.
        node "Node": String, position 0, pipeline value, completes Node, alias ["Name"];
    }
    examples { "Stop-MsmqService n1" => "The queues of n1 cannot be used." }
}

command! {
    /// Stops the node's own queue manager and starts it again, so that changed settings take effect.
    RestartMsmqService = "Restart-MsmqService" => MsmqServiceInfo, at Client, risk Medium, aliases [],
    {
        /// The node.
        node "Node": String, position 0, pipeline value, completes Node, alias ["Name"];
    }
    examples { "Restart-MsmqService n1" => "After Set-ClusterNodeSetting n1 MSMQ/Parameters BindInterfaceIP 10.0.0.1." }
}
