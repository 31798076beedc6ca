//! Commands that rehearse failures: a load that is reconciled, faults, and what they cost.

use super::spec::{command, record};
use super::value::{Millis, Time};

record! {
    /// A load that a drill keeps on a queue.
    WorkloadInfo as "DrillWorkload", columns ["Queue", "Sent", "Acknowledged", "Received", "Waiting"], {
        /// The queue's path name.
        queue "Queue": String,
        /// Messages handed to the virtual server.
        sent "Sent": u64,
        /// Of these, the ones it acknowledged.
        acknowledged "Acknowledged": u64,
        /// Messages taken out by a committed receive.
        received "Received": u64,
        /// Acknowledged and not received yet.
        waiting "Waiting": u64,
        /// Sends whose outcome the client could not learn in time.
        unknown "Unknown": u64,
        /// Messages in the input file.
        input "Input": u64,
        /// The last error a sender or consumer met, if any.
        last_error "LastError": Option<String>,
    }
}

record! {
    /// What a drill found after everything was received.
    VerdictInfo as "DrillVerdict", columns ["Sent", "Acknowledged", "Received", "Lost", "Duplicated", "OutOfOrder"], {
        /// Messages handed to the virtual server.
        sent "Sent": u64,
        /// Of these, the ones it acknowledged.
        acknowledged "Acknowledged": u64,
        /// Different messages received.
        received "Received": u64,
        /// Acknowledged and never received.
        lost "Lost": u64,
        /// Received more than once.
        duplicated "Duplicated": u64,
        /// Received behind a later message of the same sender.
        out_of_order "OutOfOrder": u64,
        /// Received with a content that nobody sent.
        altered "Altered": u64,
        /// Sends whose outcome the client could not learn: they may or may not have arrived.
        unknown "Unknown": u64,
        /// How long the load ran.
        seconds "Seconds": f64,
        /// Whether nothing was lost, duplicated, out of order or altered.
        passed "Passed": bool,
        /// One example of each kind of violation, for the search.
        examples "Examples": Vec<String>,
    }
}

record! {
    /// A fault that was made on purpose.
    FaultInfo as "DrillFault", columns ["Kind", "Group", "Node", "Target", "Time"], {
        /// `Kill`, `Freeze`, `Thaw`, `KillQueueManager`, `Move` or `Restart`.
        kind "Kind": String,
        /// The group it was aimed at.
        group "Group": String,
        /// The node that owned it.
        node "Node": String,
        /// What was hit: `agent 4711, queue manager 4712`.
        target "Target": String,
        /// When, in UTC.
        time "Time": Time,
    }
}

record! {
    /// A step on the way from a fault to service.
    PhaseInfo as "DrillPhase", columns ["Phase", "ElapsedMs", "Node"], {
        /// `detected`, `fenced`, `claimed`, `disk`, `address`, `replayed`, `ready`, `first send`, `first receive`, `outage`.
        phase "Phase": String,
        /// Milliseconds since the fault; for `outage` the longest time without a successful send.
        elapsed_ms "ElapsedMs": f64,
        /// The node that took the step; `client` for what a client saw.
        node "Node": String,
        /// What the cluster recorded about it.
        detail "Detail": String,
    }
}

command! {
    /// Puts a load on a transactional queue: senders and a consumer in this process, every message accounted for.
    ///
    /// The input is read from a file: JSON lines, CSV (each row becomes a JSON object) or plain lines.
    /// Each sender sends its share over and over, in order, one message at a time.
    StartDrillWorkload = "Start-DrillWorkload" => WorkloadInfo, at Client, risk Low, aliases [],
    {
        /// The queue's path name.
        queue "Queue": String, position 0, pipeline property, completes Queue, alias ["Name"];
        /// The input file.
        messages "Messages": String, position 1, completes File;
        /// Senders (default 4).
        senders "Senders": Option<u64>;
        /// Consumers (default 1); with more than one, order is not checked.
        consumers "Consumers": Option<u64>;
        /// Messages a second of each sender (default 250; 0 is as fast as it goes).
        rate "Rate": Option<u64>;
        /// Where in the input each sender starts.
        seed "Seed": Option<u64>;
    }
    examples { "Start-DrillWorkload VS1/private$/orders scripts/orders.jsonl" => "Four senders and a consumer." }
}

command! {
    /// Shows how far the load is.
    GetDrillWorkload = "Get-DrillWorkload" => WorkloadInfo, at Client, risk None, aliases [],
    {}
    examples { "Get-DrillWorkload" => "The counters now." }
}

command! {
    /// Ends the load, receives what is left in the queue and gives the verdict.
    StopDrillWorkload = "Stop-DrillWorkload" => VerdictInfo, at Client, risk Low, aliases [],
    {
        /// How long to wait for the queue to run empty (default 60s).
        timeout "Timeout": Option<Millis>;
    }
    examples { "Stop-DrillWorkload" => "Sent, acknowledged, received, lost, duplicated, out of order." }
}

command! {
    /// Makes a fault on the node that owns a group of a cluster on this machine.
    ///
    /// Kill: SIGKILL to its agent and queue manager. Freeze: SIGSTOP to both, until -Kind Thaw or until
    /// the cluster ends them. KillQueueManager: SIGKILL to the queue manager alone. Move: moves the group
    /// to the best other node, without waiting. Restart: starts every node that is down.
    InvokeDrillFault = "Invoke-DrillFault" => FaultInfo, at Client, risk Medium, aliases [],
    {
        /// The fault.
        kind "Kind": String, position 0, completes Choice(&["Kill", "Freeze", "Thaw", "KillQueueManager", "Move", "Restart"]);
        /// The group whose owner is hit.
        group "Group": String, position 1, pipeline property, completes Group, alias ["Name"];
    }
    examples { "Invoke-DrillFault Kill VS1" => "The owner of VS1 dies." }
}

command! {
    /// Waits until the load gets through again after the last fault, and shows every step on the way.
    MeasureDrillFault = "Measure-DrillFault" => Vec<PhaseInfo>, at Client, risk None, aliases [],
    {
        /// How long to wait (default 60s).
        timeout "Timeout": Option<Millis>;
    }
    examples { "Measure-DrillFault" => "detected, claimed, disk, replayed, address, ready, first send, first receive." }
}

command! {
    /// Waits until a group is in a state, or on a node.
    WaitClusterGroup = "Wait-ClusterGroup" => super::group::GroupInfo, at Client, risk None, aliases [],
    {
        /// The group's name.
        name "Name": String, position 0, pipeline value, completes Group;
        /// The state (default Online).
        state "State": Option<String>, completes Choice(&["Online", "Offline", "Failed", "PartialOnline", "Pending"]);
        /// The node that shall own it.
        node "Node": Option<String>, completes Node;
        /// How long to wait (default 60s).
        timeout "Timeout": Option<Millis>;
    }
    examples { "Wait-ClusterGroup VS1 -Node n1 -Timeout 30s" => "Until VS1 is back on n1." }
}
