//! The catalogue: every fault of the list, what makes it here, and why it is not made where it is not.

use std::str::FromStr;

/// What a rehearsal can do to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL to the queue manager.
    KillManager,
    /// SIGKILL to the owner's agent.
    KillAgent,
    /// SIGKILL to both.
    KillBoth,
    /// SIGSTOP to the queue manager for half the lease to five times, then SIGCONT.
    FreezeManager,
    /// The same with the agent.
    FreezeAgent,
    /// The same with both: a kernel that hangs.
    FreezeBoth,
    /// The queue manager gets into a control group without memory.
    OutOfMemory,
    /// Agent and queue manager may open no file more.
    FewFiles,
    /// They get a twentieth of a processor.
    Throttle,
    /// The owner's agent dies three times in a row.
    Flap,
    /// Every cable of the owner is pulled.
    CutOff,
    /// And that of the host where etcd's leader is.
    CutOffWithLeader,
    /// The owner receives nothing.
    Deaf,
    /// The owner's packets are dropped.
    Mute,
    /// The owner does not hear one of the others, who hears both.
    Bridge,
    /// 1 to 30 % of what the owner receives is dropped.
    Loss,
    /// What the owner sends waits in a queue.
    Delay,
    /// Private cables are pulled and put back one by one, in other orders.
    Swizzle,
    /// The owner's public interface is set down.
    InterfaceDown,
    /// The owner's public cable is pulled.
    ClientNetworkCut,
    /// The owner does not reach etcd.
    EtcdCut,
    /// The store's file system is full.
    FullDisk,
    /// The leader of etcd is killed.
    KillEtcdLeader,
    /// Two of three members hang for the lease or five times that.
    QuorumLoss,
    /// One member hangs and comes back behind the others.
    StaleMember,
    /// A planned move.
    Move,
    /// A move to another node while one is under way.
    MoveDuringMove,
    /// The owner is paused, drained, resumed.
    Drain,
    /// A resource is added and deleted while the group is pending.
    ChangeWhilePending,
    /// Two operators move the group to different nodes.
    TwoOperators,
    /// An operator's program is killed in the middle of a command.
    KillOperator,
    /// All agents die at once and are started again.
    ColdStart,
}

/// What becomes of an entry of the list.
#[derive(Clone, Copy, Debug)]
pub enum Made {
    /// By these faults.
    By(&'static [Fault]),
    /// By this test.
    Test(&'static str),
    /// Not here, because.
    Not(&'static str),
}

/// The whole list, by number.
pub const CATALOGUE: &[(u8, &str, Made)] = &[
    (
        1,
        "SIGKILL to the queue manager",
        Made::By(&[Fault::KillManager]),
    ),
    (2, "SIGKILL to the agent", Made::By(&[Fault::KillAgent])),
    (3, "SIGKILL to both", Made::By(&[Fault::KillBoth])),
    (
        4,
        "SIGSTOP for parts and multiples of the lease",
        Made::By(&[Fault::FreezeManager, Fault::FreezeAgent, Fault::FreezeBoth]),
    ),
    (5, "out of memory", Made::By(&[Fault::OutOfMemory])),
    (6, "files run out", Made::By(&[Fault::FewFiles])),
    (
        7,
        "processor throttled to 5 %",
        Made::By(&[Fault::Throttle]),
    ),
    (
        8,
        "deadlock in a resource's hook",
        Made::Test("application"),
    ),
    (
        9,
        "crash at each failpoint",
        Made::Test(
            "store_faults: at each operation on the disk; cluster_simulation: at each event",
        ),
    ),
    (
        10,
        "power-off",
        Made::Not("no machine to switch off: CutOff with SIGKILL is nearest"),
    ),
    (11, "kernel hang", Made::By(&[Fault::FreezeBoth])),
    (12, "flapping node", Made::By(&[Fault::Flap])),
    (13, "slow boot", Made::By(&[Fault::Throttle])),
    (14, "full partition", Made::By(&[Fault::CutOff])),
    (
        15,
        "one-way partition",
        Made::By(&[Fault::Deaf, Fault::Mute]),
    ),
    (
        16,
        "minority partition",
        Made::By(&[Fault::CutOff, Fault::CutOffWithLeader]),
    ),
    (17, "bridge node", Made::By(&[Fault::Bridge])),
    (18, "loss of 1 to 30 %", Made::By(&[Fault::Loss])),
    (19, "delay of seconds", Made::By(&[Fault::Delay])),
    (
        20,
        "reordering, duplicates, replay",
        Made::Not("TCP and TLS hide them; heartbeats in cluster_simulation"),
    ),
    (21, "swizzle", Made::By(&[Fault::Swizzle])),
    (22, "interface down", Made::By(&[Fault::InterfaceDown])),
    (
        23,
        "only the clients' network cut",
        Made::By(&[Fault::ClientNetworkCut]),
    ),
    (
        24,
        "only the storage network cut",
        Made::Not("the store is a local file system here"),
    ),
    (25, "only etcd cut", Made::By(&[Fault::EtcdCut])),
    (29, "disk full", Made::By(&[Fault::FullDisk])),
    (
        30,
        "read-only remount",
        Made::Not("refused while a store is open; a failing write is in store_faults"),
    ),
    (
        38,
        "clock steps",
        Made::Not("one clock for all processes; cluster_simulation steps it"),
    ),
    (
        41,
        "etcd's leader killed",
        Made::By(&[Fault::KillEtcdLeader]),
    ),
    (42, "etcd's quorum lost", Made::By(&[Fault::QuorumLoss])),
    (
        43,
        "etcd wiped",
        Made::Not("the configuration is gone with it: backup and restore of the database"),
    ),
    (
        44,
        "compaction and a slow watcher",
        Made::Test("database::etcd, against a server that compacts"),
    ),
    (45, "stale member", Made::By(&[Fault::StaleMember])),
    (
        46,
        "etcd 3.4 to 3.5 under load",
        Made::Not("one version is installed"),
    ),
    (52, "move during a move", Made::By(&[Fault::MoveDuringMove])),
    (53, "pause, drain, resume", Made::By(&[Fault::Drain])),
    (
        54,
        "change while pending",
        Made::By(&[Fault::ChangeWhilePending]),
    ),
    (55, "two operators", Made::By(&[Fault::TwoOperators])),
    (
        56,
        "operator's client killed midway",
        Made::By(&[Fault::KillOperator]),
    ),
    (
        58,
        "edge of the failback window",
        Made::Test("cluster_simulation: policies"),
    ),
    (
        59,
        "edge of the restart threshold",
        Made::Test(
            "failover: a_killed_queue_manager_is_restarted_in_place_until_the_threshold_then_the_group_moves",
        ),
    ),
    (60, "cold start of all", Made::By(&[Fault::ColdStart])),
];

impl Fault {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::KillManager,
        Self::KillAgent,
        Self::KillBoth,
        Self::FreezeManager,
        Self::FreezeAgent,
        Self::FreezeBoth,
        Self::OutOfMemory,
        Self::FewFiles,
        Self::Throttle,
        Self::Flap,
        Self::CutOff,
        Self::CutOffWithLeader,
        Self::Deaf,
        Self::Mute,
        Self::Bridge,
        Self::Loss,
        Self::Delay,
        Self::Swizzle,
        Self::InterfaceDown,
        Self::ClientNetworkCut,
        Self::EtcdCut,
        Self::FullDisk,
        Self::KillEtcdLeader,
        Self::QuorumLoss,
        Self::StaleMember,
        Self::Move,
        Self::MoveDuringMove,
        Self::Drain,
        Self::ChangeWhilePending,
        Self::TwoOperators,
        Self::KillOperator,
        Self::ColdStart,
    ];
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |fault: &&Self| format!("{fault:?}").eq_ignore_ascii_case(text);
        let found = Self::ALL.iter().find(named).copied();
        found.ok_or_else(|| format!("{text} is no fault; there are: {:?}", Self::ALL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_in_the_catalogue_or_a_plain_move_and_is_found_by_its_name() {
        for fault in Fault::ALL {
            let listed = CATALOGUE
                .iter()
                .any(|(_, _, made)| matches!(made, Made::By(by) if by.contains(&fault)));
            assert!(listed || fault == Fault::Move, "{fault:?}");
            assert_eq!(format!("{fault:?}").parse(), Ok(fault));
        }
        assert!(CATALOGUE.is_sorted_by_key(|(number, _, _)| *number));
    }
}
