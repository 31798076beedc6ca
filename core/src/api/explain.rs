//! Commands that explain: the cluster log and the reasons of decisions.

use super::spec::{command, record};
use super::value::{Millis, Time};

record! {
    /// A line of the cluster log.
    LogEntry as "ClusterLog", columns ["Time", "Node", "Level", "Text"], {
        /// When, in UTC.
        time "Time": Time,
        /// The process that wrote it.
        process_id "ProcessId": Option<u64>,
        /// On which node.
        node "Node": String,
        /// `ERR`, `WARN`, `INFO` or `DBG`.
        level "Level": String,
        /// `[NM]`, `[FM]`, `[RCM]`, `[DB]` …, the part that speaks.
        component "Component": String,
        /// The group it is about.
        group "Group": Option<String>,
        /// What happened.
        text "Text": String,
    }
}

record! {
    /// What each node keeps of its cluster log.
    ClusterLogSettingInfo as "ClusterLogSetting", columns ["Size", "Level"], {
        /// Megabytes.
        size "Size": u64,
        /// 0: nothing; 1: errors; 2: and warnings; 3: and what happens; 4 and 5: everything.
        level "Level": u64,
    }
}

command! {
    /// Sets how much each node keeps of its cluster log, and what it writes into it; without a parameter it shows that.
    SetClusterLog = "Set-ClusterLog" => ClusterLogSettingInfo, at Agent, risk Low, aliases [],
    {
        /// Megabytes (default 16).
        size "Size": Option<u64>, position 0;
        /// 0: nothing; 1: errors; 2: and warnings; 3: and what happens (the default); 4 and 5: everything.
        level "Level": Option<u64>, position 1;
    }
    examples { "Set-ClusterLog -Size 64 -Level 5" => "More of everything." }
}

record! {
    /// A decision of the cluster and its cause.
    WhyInfo as "ClusterWhy", columns ["Time", "Node", "Resource", "Event", "Cause"], {
        /// When, in UTC.
        time "Time": Time,
        /// The node that decided.
        node "Node": String,
        /// The group it is about.
        group "Group": Option<String>,
        /// The resource it is about.
        resource "Resource": Option<String>,
        /// What was done.
        event "Event": String,
        /// Why.
        cause "Cause": String,
        /// The group's epoch after it.
        epoch "Epoch": Option<u64>,
        /// Milliseconds since the first event of the same failover.
        elapsed "ElapsedMs": Option<f64>,
    }
}

command! {
    /// Shows the cluster log of all nodes on one time line.
    GetClusterLog = "Get-ClusterLog" => Vec<LogEntry>, at Client, risk None, aliases [],
    {
        /// Only these nodes.
        nodes "Node": Vec<String>, completes Node;
        /// Only the last so much.
        time_span "TimeSpan": Option<Millis>;
        /// Only lines about this group.
        group "Group": Option<String>, completes Group;
        /// Write the lines, in the classic format, into this file as well.
        destination "Destination": Option<String>, completes File;
    }
    examples { "Get-ClusterLog -TimeSpan 5m" => "The last five minutes of every node." }
}

command! {
    /// Explains a group or resource: why it is here, why it is not started, what happens if a node dies now.
    ///
    /// The last decisions come first in time; then where it stands: `is here` or `is nowhere`, `not started`
    /// for each resource that is not online, `not chosen` for each node that cannot take it. With -Replay each
    /// stored decision is made again on what it was made on: `same plan`, or `OTHER PLAN`, which is a fault of
    /// HAMQ or a decision of another version.
    GetClusterWhy = "Get-ClusterWhy" => Vec<WhyInfo>, at Agent, risk None, aliases ["why"],
    {
        /// A group or resource.
        name "Name": String, position 0, pipeline value, completes Group;
        /// How many of the last decisions (default 20).
        last "Last": Option<u64>;
        /// Instead: make the stored decisions again, and say whether they come out the same.
        replay "Replay": bool;
        /// Instead: what would happen if this node died now.
        if_node_dies "IfNodeDies": Option<String>, completes Node;
    }
    examples {
        "Get-ClusterWhy VS1" => "Why VS1 is where it is.",
        "Get-ClusterWhy VS1 -IfNodeDies n2" => "Where it would go.",
        "Get-ClusterWhy VS1 -Replay" => "Whether its last decisions follow from what they were made on.",
    }
}
