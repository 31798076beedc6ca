//! Commands that rehearse failures: a load that is reconciled, faults, and what they cost.

use super::spec::{command, record};
use super::value::{Millis, Time, Value};

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
        /// What Start-Drill is doing.
        step "Step": Option<String>,
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
        /// `Kill`, `KillQueueManager`, `Freeze`, `DiskFull`, `SlowDisk`, `Move`, `Undo` or `Restart`.
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
    /// Makes a fault on the node that owns a group, on a leash that undoes it by itself.
    ///
    /// Kill: SIGKILL to its agent and queue manager. KillQueueManager: to the queue manager alone. Freeze: SIGSTOP to
    /// both. DiskFull: takes all room of the group's disk, where it is a file system of its own. SlowDisk: keeps that
    /// disk busy with synced writes. Move: moves the group to the best other node, without waiting. Undo (or Thaw):
    /// ends the faults on that group's leashes now. Restart: starts every node that is down.
    ///
    /// Freeze, DiskFull and SlowDisk end by themselves after -Duration, and when this client ends, however it ends: a
    /// process beside the fault sees to that. CutOff and ClockStep are refused with the reason: nodes on one machine share
    /// its network and its clock. Get-DrillPlan, or -WhatIf, says beforehand what a fault would hit.
    InvokeFault = "Invoke-Fault" => FaultInfo, at Client, risk Medium, aliases ["Invoke-DrillFault"],
    {
        /// The fault.
        kind "Kind": String, position 0, completes Choice(&["Kill", "KillQueueManager", "Freeze", "DiskFull", "SlowDisk", "CutOff", "ClockStep", "Move", "Undo", "Thaw", "Restart"]);
        /// The group whose owner is hit.
        group "Group": String, position 1, pipeline property, completes Group, alias ["Name"];
        /// How long it lasts at most (default 30s). A killed node of a detached cluster is started again after it; by
        /// default it stays dead.
        duration "Duration": Option<Millis>;
    }
    examples {
        "Invoke-Fault Kill VS1" => "The owner of VS1 dies.",
        "Invoke-Fault Freeze VS1 -Duration 5s" => "It hangs for five seconds, whatever becomes of this shell.",
    }
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

record! {
    /// What a fault would hit.
    PlanInfo as "DrillPlan", columns ["Fault", "Node", "Possible", "Groups", "ExpectedOutage"], {
        /// The fault.
        fault "Fault": String,
        /// The node it would hit now.
        node "Node": String,
        /// Whether it can be made here.
        possible "Possible": bool,
        /// The groups that would be interrupted.
        groups "Groups": Vec<String>,
        /// The processes or the folder it acts on.
        target "Target": String,
        /// Who would notice.
        clients "Clients": String,
        /// How long.
        expected_outage "ExpectedOutage": String,
        /// How it ends.
        undo "Undo": String,
        /// Why it is not possible.
        reason "Reason": Option<String>,
    }
}

record! {
    /// A drill: a load, faults, and what came of it.
    DrillInfo as "Drill", columns ["Name", "Group", "Passed", "Acknowledged", "Lost", "Duplicated", "OutOfOrder", "WorstOutageMs"], {
        /// Its name.
        name "Name": String,
        /// The cluster.
        cluster "Cluster": String,
        /// The group whose owners were hit.
        group "Group": String,
        /// The queue under load.
        queue "Queue": String,
        /// When it began, in UTC.
        started "Started": Time,
        /// How long the load ran.
        seconds "Seconds": f64,
        /// Whether every check passed.
        passed "Passed": bool,
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
        /// Sends whose outcome the client could not learn.
        unknown "Unknown": u64,
        /// The longest time without a successful send around one of its faults.
        worst_outage_ms "WorstOutageMs": f64,
        /// Half of the sends were acknowledged within this.
        latency_p50_ms "LatencyP50Ms": f64,
        /// All but one in a hundred were.
        latency_p99_ms "LatencyP99Ms": f64,
        /// The faults, each with its node, its outage and its phases.
        faults "Faults": Vec<Value>,
        /// What was judged, each with its outcome.
        checks "Checks": Vec<Value>,
        /// The report as text.
        text "Text": String,
        /// The reports that were written.
        files "Files": Vec<String>,
    }
}

record! {
    /// A figure of two drills.
    DifferenceInfo as "DrillDifference", columns ["Figure", "Before", "After", "Verdict"], {
        /// What is compared.
        figure "Figure": String,
        /// In the earlier drill.
        before "Before": Option<f64>,
        /// In the later one.
        after "After": Option<f64>,
        /// `better`, `same`, `worse`, `new` or `gone`.
        verdict "Verdict": String,
    }
}

command! {
    /// Says what faults would hit, before anything is hit.
    GetDrillPlan = "Get-DrillPlan" => Vec<PlanInfo>, at Client, risk None, aliases [],
    {
        /// The group whose owner would be hit.
        group "Group": String, position 0, pipeline property, completes Group, alias ["Name"];
        /// The faults (default: those of Start-Drill).
        faults "Fault": Vec<String>, position 1, completes Choice(&["Kill", "KillQueueManager", "Freeze", "DiskFull", "SlowDisk", "CutOff", "ClockStep", "Move"]);
    }
    examples { "Get-DrillPlan VS1" => "Nodes, groups, processes and the expected outage of each fault." }
}

command! {
    /// Rehearses failures of a group under load, and judges what became of every message.
    ///
    /// A load runs on a queue of the group's virtual server; each fault strikes its owner at a moment that follows from
    /// the seed; then the cluster is made whole again. Without -Queue it makes a transactional queue and removes it; a
    /// queue of your own must be transactional and empty, and a message of anybody else in it ends the drill
    /// untouched. Ctrl-C, a fault that is not survived and the end of this client undo everything.
    ///
    /// -Throwaway makes a cluster of three nodes for it and removes it afterwards. The kind of a report follows from the
    /// file's ending: .txt, .json, .xml (JUnit) or .html (one page with its pictures inside).
    StartDrill = "Start-Drill" => DrillInfo, at Client, risk High, aliases [],
    {
        /// The group whose owners are hit.
        group "Group": Option<String>, position 0, pipeline property, completes Group, alias ["Name"];
        /// The faults in order (default Kill,Freeze,KillQueueManager,Move).
        faults "Fault": Vec<String>, position 1, completes Choice(&["Kill", "KillQueueManager", "Freeze", "DiskFull", "SlowDisk", "Move"]);
        /// The queue to use.
        queue "Queue": Option<String>, completes Queue;
        /// The file of messages; by default they are made up.
        messages "Messages": Option<String>, completes File;
        /// Senders (default 4).
        senders "Senders": Option<u64>;
        /// Consumers (default 1); with more than one, order is not checked.
        consumers "Consumers": Option<u64>;
        /// Messages a second of each sender (default 100; 0 is as fast as it goes).
        rate "Rate": Option<u64>;
        /// When each fault strikes, and where in the messages each sender starts (default 1).
        seed "Seed": Option<u64>;
        /// How long DiskFull and SlowDisk last, and Freeze at most (default 5s).
        duration "Duration": Option<Millis>;
        /// How long the group may take to serve again (default 60s).
        timeout "Timeout": Option<Millis>;
        /// The longest outage that passes; by default any that ends in time.
        max_outage "MaxOutage": Option<Millis>;
        /// Files for the report.
        report "Report": Vec<String>, completes File;
        /// An earlier report (.json) to compare with.
        compare_with "CompareWith": Option<String>, completes File;
        /// Use a cluster made for this drill.
        throwaway "Throwaway": bool;
        /// Do not ask.
        force "Force": bool;
    }
    examples {
        "Start-Drill VS1 -WhatIf" => "What it would hit.",
        "Start-Drill VS1 -Fault Kill,Move -Report drill.html,drill.json -Force" => "Two faults, and a page to read.",
        "Start-Drill -Throwaway -Force" => "On a cluster of its own.",
    }
}

command! {
    /// Writes the report of the last drill, or of one kept as JSON.
    ExportDrillReport = "Export-DrillReport" => DrillInfo, at Client, risk Low, aliases [],
    {
        /// The files; their endings tell the kind: .txt, .json, .xml (JUnit) or .html.
        paths "Path": Vec<String>, position 0, completes File;
        /// The JSON report to start from (default: the last drill of this session).
        from "From": Option<String>, completes File;
    }
    examples { "Export-DrillReport drill.html -From drill.json" => "The page of an earlier drill." }
}

command! {
    /// Compares two drills by their JSON reports.
    CompareDrill = "Compare-Drill" => Vec<DifferenceInfo>, at Client, risk None, aliases [],
    {
        /// The earlier report.
        reference "Reference": String, position 0, completes File;
        /// The later one (default: the last drill of this session).
        difference "Difference": Option<String>, position 1, completes File;
    }
    examples { "Compare-Drill last-month.json drill.json" => "What got better and what got worse." }
}

command! {
    /// Fails unless every acknowledged message of the last load was received.
    AssertNoLoss = "Assert-NoLoss" => VerdictInfo, at Client, risk None, aliases [],
    {}
    examples { "Assert-NoLoss" => "After Stop-DrillWorkload or Start-Drill." }
}

command! {
    /// Fails if one message of the load came more than once.
    AssertNoDuplicate = "Assert-NoDuplicate" => VerdictInfo, at Client, risk None, aliases [],
    {}
    examples { "Assert-NoDuplicate" => "Also while the load runs." }
}

command! {
    /// Fails if one message of the load came behind a later one of the same sender.
    AssertInOrder = "Assert-InOrder" => VerdictInfo, at Client, risk None, aliases [],
    {}
    examples { "Assert-InOrder" => "Also while the load runs." }
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
