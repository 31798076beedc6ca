//! Commands on the properties that policies follow. In PowerShell they are assigned to objects; here each has
//! a parameter of its name.

use super::group::GroupInfo;
use super::resource::ResourceInfo;
use super::spec::{command, record};
use super::value::Millis;

record! {
    /// What the cluster does with nodes and groups.
    ClusterPolicyInfo as "ClusterPolicy", columns ["EnforcedAntiAffinity", "QuarantineThreshold", "QuarantineDuration"], {
        /// 1: groups that share an anti-affinity class never share a node; 0: they avoid it.
        enforced_anti_affinity "EnforcedAntiAffinity": u64,
        /// Unexpected departures within an hour that quarantine a node; 0 never does.
        quarantine_threshold "QuarantineThreshold": u64,
        /// Seconds that a quarantine lasts.
        quarantine_duration "QuarantineDuration": u64,
    }
}

command! {
    /// Sets properties of the cluster, and shows them.
    SetCluster = "Set-Cluster" => ClusterPolicyInfo, at Agent, risk Low, aliases [],
    {
        /// 1: groups that share an anti-affinity class never share a node (default 0).
        enforced_anti_affinity "EnforcedAntiAffinity": Option<u64>;
        /// Unexpected departures within an hour that quarantine a node (default 3; 0 never does).
        quarantine_threshold "QuarantineThreshold": Option<u64>;
        /// Seconds that a quarantine lasts (default 7200).
        quarantine_duration "QuarantineDuration": Option<u64>;
    }
    examples {
        "Set-Cluster" => "Shows the properties as they are.",
        "Set-Cluster -QuarantineThreshold 0" => "No node is quarantined, however often it leaves.",
    }
}

command! {
    /// Sets the failover and failback policy of a group.
    SetClusterGroup = "Set-ClusterGroup" => GroupInfo, at Agent, risk Low, aliases [],
    {
        /// The group's name.
        name "Name": String, position 0, pipeline value, completes Group;
        /// Failovers allowed within FailoverPeriod; 4294967295 (default) is one less than the number of nodes.
        failover_threshold "FailoverThreshold": Option<u64>;
        /// Hours, 0 to 1193 (default 6).
        failover_period "FailoverPeriod": Option<u64>;
        /// 1: goes back to a preferred owner when that returns (default 0).
        auto_failback_type "AutoFailbackType": Option<u64>;
        /// The first hour of the local day, 0 to 23, in which it may fail back; 4294967295 takes the window away.
        failback_window_start "FailbackWindowStart": Option<u64>;
        /// The hour at which the window ends.
        failback_window_end "FailbackWindowEnd": Option<u64>;
        /// 0 (not started by itself after its node was lost), 1000, 2000 (default) or 3000.
        priority "Priority": Option<u64>;
        /// Groups that share one of these keep apart; an empty name clears them.
        anti_affinity "AntiAffinityClassNames": Vec<String>;
        /// The node that comes after the preferred owners; an empty name clears it.
        default_owner "DefaultOwner": Option<String>, completes Node;
    }
    examples {
        "Set-ClusterGroup VS1 -AutoFailbackType 1 -FailbackWindowStart 22 -FailbackWindowEnd 6" => "VS1 fails back at night.",
        "Set-ClusterGroup VS1 -Priority 3000" => "VS1 is claimed and started before others.",
    }
}

command! {
    /// Sets the restart policy of a resource; it holds from the next failure or start on.
    SetClusterResource = "Set-ClusterResource" => ResourceInfo, at Agent, risk Low, aliases [],
    {
        /// The resource's name.
        name "Name": String, position 0, pipeline value, completes Resource;
        /// 0: stays failed; 1: is restarted, and never fails over; 2 (default): is restarted, then fails over.
        restart_action "RestartAction": Option<u64>;
        /// Restarts allowed within RestartPeriod (default 3).
        restart_threshold "RestartThreshold": Option<u64>;
        /// Default 15m.
        restart_period "RestartPeriod": Option<Millis>;
        /// Before a restart (default 500ms).
        restart_delay "RestartDelay": Option<Millis>;
        /// How long a resource rests before another try, at least RestartPeriod (default 1h; 4294967295 is never).
        retry_period "RetryPeriodOnFailure": Option<Millis>;
        /// Between two signs of progress of an online or offline (default 3m, at least 10ms).
        pending_timeout "PendingTimeout": Option<Millis>;
        /// An entry point may take so long without an answer (default 5m, at least 1s).
        deadlock_timeout "DeadlockTimeout": Option<Millis>;
        /// Between two cheap checks (4294967295, the default, is that of the type: 5s).
        looks_alive "LooksAlivePollInterval": Option<Millis>;
        /// Between two thorough checks (4294967295, the default, is that of the type: 60s).
        is_alive "IsAlivePollInterval": Option<Millis>;
    }
    examples {
        "Set-ClusterResource VS1-MSMQ -RestartThreshold 1" => "One restart in place, then the group moves.",
        "Set-ClusterResource App -RestartAction 0" => "It stays failed until somebody looks.",
    }
}
