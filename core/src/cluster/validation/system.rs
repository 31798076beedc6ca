//! System Configuration: limits, clocks, processes and services.

use super::check::{Check, check};
use super::facts::{Facts, NodeFacts};
use super::verdict::Finding;
use crate::cluster::record::fold;

const DESCRIPTORS_FAILED: u64 = 1024;
const DESCRIPTORS_WARNING: u64 = 4096;
const PROCESSES_MIN: u64 = 512;
const MEMORY_FREE_MIN: u64 = 256 << 20;
/// What an instance of Message Queuing wants for its messages and index.
const POOL_PER_INSTANCE: u64 = 64 << 20;
const SKEW_WARNING_MS: u64 = 1_000;
const SKEW_FAILED_MS: u64 = 60_000;
const STEP_MS_MAX: u64 = 250;
/// The wall clock cannot have been before this: the first day of 2024.
const WALL_MS_MIN: u64 = 1_704_067_200_000;
/// Clock sources that stay steady, also in a virtual machine.
const STEADY: [&str; 6] = [
    "tsc",
    "kvm-clock",
    "arch_sys_counter",
    "hyperv_clocksource_tsc_page",
    "xen",
    "stp",
];

pub(super) const CHECKS: &[Check] = &[
    check(
        "Validate Descriptor Limits",
        "An agent and its queue managers may open enough files.",
        "1.10",
        descriptors,
    ),
    check(
        "Validate Process Limits",
        "Resources can be started.",
        "1.10",
        processes,
    ),
    check(
        "Validate Available Memory",
        "There is memory to be had without swapping.",
        "1.10",
        memory,
    ),
    check(
        "Validate Message Memory Pool",
        "A node has memory for all instances of Message Queuing that may come to it.",
        "seed: Troubleshooting, \"increase the size of the … memory pool\"",
        pool,
    ),
    check(
        "Validate Processor Load",
        "A node has time for heartbeats and leases.",
        "3.5",
        load,
    ),
    check(
        "Validate Clock Skew",
        "The nodes' wall clocks agree.",
        "3.2",
        skew,
    ),
    check(
        "Validate Clock Steadiness",
        "The wall clock does not jump.",
        "3.2, 6.2",
        steadiness,
    ),
    check(
        "Validate Wall Clock",
        "The wall clock shows a time that can be.",
        "3.2",
        wall,
    ),
    check(
        "Validate Boot Clock",
        "The machine did not sleep.",
        "3.5",
        boot,
    ),
    check(
        "Validate Clock Source",
        "The kernel's clock stays steady.",
        "3.5",
        source,
    ),
    check(
        "Validate Node Service Start Mode",
        "Message Queuing of a node is not started automatically.",
        "seed: Troubleshooting, \"You must not set it as automatic\"",
        start_mode,
    ),
    check(
        "Validate Agent Processes",
        "The agent that answers is the one that the cluster knows.",
        "3.7",
        agents,
    ),
    check(
        "Validate Orphaned Processes",
        "Each queue manager on a disk of the cluster belongs to a running agent.",
        "3.4",
        orphans,
    ),
    check(
        "Validate Single Writers",
        "No two queue managers work on one disk.",
        "3.4",
        writers,
    ),
];

fn each(facts: &Facts, look: impl Fn(&NodeFacts) -> Finding) -> Vec<Finding> {
    facts.nodes.values().map(look).collect()
}

fn descriptors(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = format!("{} descriptors", n.descriptors_max);
        let advice = "set LimitNOFILE=65536 in the unit, or ulimit -n";
        match n.descriptors_max {
            few if few < DESCRIPTORS_FAILED => Finding::failed(&n.node, detail, advice),
            few if few < DESCRIPTORS_WARNING => Finding::warning(&n.node, detail, advice),
            _ => Finding::passed(&n.node, detail),
        }
    })
}

fn processes(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = format!("{} processes", n.processes_max);
        Finding::warning(&n.node, &*detail, "raise LimitNPROC and TasksMax")
            .unless(n.processes_max >= PROCESSES_MIN, &*detail)
    })
}

fn memory(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = format!(
            "{} MiB of {} MiB are available",
            n.memory_available >> 20,
            n.memory_total >> 20
        );
        Finding::warning(
            &n.node,
            &*detail,
            "free memory: a node that swaps misses its leases",
        )
        .unless(n.memory_available >= MEMORY_FREE_MIN, &*detail)
    })
}

fn pool(facts: &Facts) -> Vec<Finding> {
    if facts.of_type("MSMQ").next().is_none() {
        return Vec::new();
    }
    each(facts, |n| {
        let may = facts.of_type("MSMQ").filter(|r| {
            facts
                .possible_nodes(&r.group)
                .iter()
                .any(|p| fold(p) == fold(&n.node))
        });
        // One more: the node's own.
        let instances = may.count() as u64 + 1;
        let needed = instances.saturating_mul(POOL_PER_INSTANCE);
        let detail = format!(
            "{instances} instance(s) with the node's own want {} MiB of {} MiB",
            needed >> 20,
            n.memory_total >> 20
        );
        Finding::failed(
            &n.node,
            &*detail,
            "give the node more memory, or limit the possible owners",
        )
        .unless(needed <= n.memory_total / 2, &*detail)
    })
}

fn load(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = format!(
            "load {}.{:02} on {} processor(s)",
            n.load_hundredths / 100,
            n.load_hundredths % 100,
            n.processors
        );
        let much = n.processors.max(1).saturating_mul(400);
        Finding::warning(
            &n.node,
            &*detail,
            "find what loads it: an agent that does not get to run loses its lease",
        )
        .unless(n.load_hundredths <= much, &*detail)
    })
}

fn skew(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let sure = n.skew_ms.unsigned_abs().saturating_sub(n.skew_error_ms);
        let detail = format!("{} ms off (±{})", n.skew_ms, n.skew_error_ms);
        let advice = "let chrony or systemd-timesyncd keep the clocks of all nodes";
        match sure {
            much if much > SKEW_FAILED_MS => Finding::failed(&n.node, detail, advice),
            much if much > SKEW_WARNING_MS => Finding::warning(&n.node, detail, advice),
            _ => Finding::passed(&n.node, detail),
        }
    })
}

fn steadiness(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = format!(
            "it moved {} ms against the boot clock while it was watched",
            n.clock_step_ms
        );
        Finding::warning(&n.node, &*detail, "let the clock be slewed, and stepped at boot only: etcd's leases run by the wall clock").unless(n.clock_step_ms <= STEP_MS_MAX, &*detail)
    })
}

fn wall(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = "its wall clock is years behind";
        Finding::failed(
            &n.node,
            detail,
            "set the clock: certificates, expiry and the cluster log go by it",
        )
        .unless(n.wall_ms >= WALL_MS_MIN, "it shows a time that can be")
    })
}

fn boot(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = format!("it slept {} s since it was started", n.suspended_ms / 1000);
        Finding::warning(
            &n.node,
            &*detail,
            "switch suspend off: a node that sleeps loses its groups",
        )
        .unless(n.suspended_ms < 1000, &*detail)
    })
}

fn source(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let steady = n.clock_source.is_empty() || STEADY.contains(&n.clock_source.as_str());
        Finding::warning(
            &n.node,
            format!("the clock source is {}", n.clock_source),
            "the kernel found the processor's own clock unsteady: look why in its log",
        )
        .unless(steady, &*n.clock_source)
    })
}

fn start_mode(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let detail = format!(
            "{} starts Message Queuing of the node at boot",
            n.automatic_services.join(", ")
        );
        Finding::failed(&n.node, detail, "systemctl disable it: the node's queue manager is started by hand, virtual servers by the cluster").unless(n.automatic_services.is_empty(), "manual")
    })
}

fn agents(facts: &Facts) -> Vec<Finding> {
    each(facts, |n| {
        let known = facts
            .view
            .sessions
            .get(&fold(&n.node))
            .map(|s| s.process.pid);
        match known {
            Some(pid) if pid == n.pid => Finding::passed(&n.node, format!("process {pid}")),
            Some(pid) => Finding::failed(
                &n.node,
                format!("process {} answers; the cluster knows process {pid}", n.pid),
                "stop one of the two agents: a node has one",
            ),
            None => Finding::failed(
                &n.node,
                format!(
                    "process {} answers, and has no session in the cluster",
                    n.pid
                ),
                format!(
                    "Get-ClusterLog -Node {} says why it does not renew its lease",
                    n.node
                ),
            ),
        }
    })
}

/// The queue managers on disks of the cluster; nodes on one machine see the same.
fn queue_managers(facts: &Facts) -> Vec<(&NodeFacts, &super::facts::ProcessFacts)> {
    let all = facts
        .nodes
        .values()
        .flat_map(|n| n.queue_managers.iter().map(move |p| (n, p)));
    let mut seen = std::collections::BTreeSet::new();
    all.filter(|(n, p)| seen.insert((n.boot_id.as_str(), p.pid)))
        .collect()
}

fn orphans(facts: &Facts) -> Vec<Finding> {
    let look = |(n, p): (&NodeFacts, &super::facts::ProcessFacts)| {
        let owned = facts
            .nodes
            .values()
            .any(|o| o.boot_id == n.boot_id && p.ancestors.contains(&o.pid));
        let object = format!("process {}", p.pid);
        Finding::failed(
            object,
            format!(
                "it works on {}, and no agent of this cluster is above it",
                p.store
            ),
            "end it: what it acknowledges is refused by the epoch, and clients wait",
        )
        .unless(owned, format!("it works on {}", p.store))
    };
    queue_managers(facts).into_iter().map(look).collect()
}

fn writers(facts: &Facts) -> Vec<Finding> {
    let all = queue_managers(facts);
    let look = |(n, p): &(&NodeFacts, &super::facts::ProcessFacts)| {
        let twin = all
            .iter()
            .find(|(o, q)| o.boot_id == n.boot_id && q.pid != p.pid && q.store == p.store);
        let object = format!("process {}", p.pid);
        match twin {
            Some((_, q)) => Finding::failed(
                object,
                format!("process {} works on {} too", q.pid, p.store),
                "end the one whose agent does not own the group",
            ),
            None => Finding::passed(object, format!("it alone works on {}", p.store)),
        }
    };
    all.iter().map(look).collect()
}
