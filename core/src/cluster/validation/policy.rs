//! Cluster Configuration: how the cluster stands, and what it will do.

use super::check::{Check, check};
use super::facts::Facts;
use super::verdict::Finding;
use crate::cluster::group::GroupState;
use crate::cluster::record::{FencingMode, GroupConfig, ResourceConfig, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::resource_type;

/// Instances of Message Queuing that a node's message memory is meant for.
const INSTANCES_DEFAULT: usize = 3;
/// What an etcd cluster needs to lose a member and go on.
const MEMBERS_MIN: usize = 3;

pub(super) const CHECKS: &[Check] = &[
    check(
        "Validate Node Membership",
        "Every node is up and answers.",
        "1.1",
        membership,
    ),
    check(
        "Validate Node Count",
        "There is a node to fail over to.",
        "seed: Introduction",
        count,
    ),
    check(
        "Validate Paused Nodes",
        "No node is kept from hosting.",
        "1.8",
        paused,
    ),
    check(
        "Validate Quorum Configuration",
        "The cluster database survives a machine if the nodes do.",
        "1.6, 3.2",
        quorum,
    ),
    check(
        "Validate Resource Status",
        "No resource failed.",
        "1.2",
        resource_status,
    ),
    check(
        "Validate Group Status",
        "Each group that is meant to be online has an owner and is.",
        "1.2",
        group_status,
    ),
    check(
        "Validate Persistent States",
        "Nothing in an online group was taken offline by hand and forgotten.",
        "1.2",
        persistent,
    ),
    check(
        "Validate Lease and Heartbeat",
        "A missed heartbeat is noticed before the lease runs out, and a lease survives one lost renewal.",
        "3.5",
        lease,
    ),
    check(
        "Validate Pending Timeouts",
        "A resource may take longer than a lease to come online.",
        "1.3, 3.5",
        pending,
    ),
    check(
        "Validate Restart Policies",
        "A failed resource is restarted where it is, before the group moves.",
        "1.3",
        restarts,
    ),
    check(
        "Validate Failover Thresholds",
        "A group may fail over.",
        "1.3",
        thresholds,
    ),
    check(
        "Validate Failovers of Late",
        "No group used up its failovers.",
        "1.3",
        recent,
    ),
    check(
        "Validate Failback",
        "A group that shall fail back has somewhere to go.",
        "1.3",
        failback,
    ),
    check(
        "Validate Fencing",
        "Former owners are ended where the storage does not keep them out.",
        "3.4",
        fencing,
    ),
    check(
        "Validate Instances per Node",
        "A node that is left alone has message memory for all instances of Message Queuing.",
        "seed: Troubleshooting, \"limit of three active, working instances\"",
        instances,
    ),
    check(
        "Validate Requests",
        "No move asks for a node that is not there.",
        "1.2",
        requests,
    ),
    check(
        "Validate Join Tokens",
        "No permission to join lies around.",
        "3.7",
        tokens,
    ),
];

fn membership(facts: &Facts) -> Vec<Finding> {
    let look = |node: &String| {
        let advice = format!("Start-ClusterNode {node}, and see Get-ClusterLog -Node {node}");
        if !facts.view.sessions.contains_key(&fold(node)) {
            return Finding::failed(node, "it is down", advice);
        }
        match facts.silent.get(&fold(node)) {
            Some(why) => Finding::failed(node, format!("it does not answer: {why}"), advice),
            None => Finding::passed(node, "it is up and answers"),
        }
    };
    facts.view.nodes.values().map(|n| look(&n.name)).collect()
}

fn count(facts: &Facts) -> Vec<Finding> {
    let count = facts.view.nodes.len();
    let advice = "Add-ClusterNode adds one";
    vec![
        Finding::failed(
            "cluster",
            format!("{count} node: a single point of failure"),
            advice,
        )
        .unless(count >= 2, format!("{count} nodes")),
    ]
}

fn paused(facts: &Facts) -> Vec<Finding> {
    let look = |name: &String, paused: bool| {
        Finding::warning(
            name,
            "it is paused, and hosts nothing new",
            "resume it when its maintenance is done",
        )
        .unless(!paused, "it hosts what comes")
    };
    facts
        .view
        .nodes
        .values()
        .map(|n| look(&n.name, n.paused))
        .collect()
}

fn quorum(facts: &Facts) -> Vec<Finding> {
    let place = &facts.database.location;
    let Some(members) = facts.database.etcd_members else {
        let advice = "Set-ClusterQuorum etcd://HOST,HOST,HOST moves it to three members";
        let detail = "an SQLite file serves the nodes of one machine only";
        return vec![
            Finding::failed(place, detail, advice)
                .unless(facts.is_loopback(), "a file, for the nodes of this machine"),
        ];
    };
    let advice = "run etcd on three or five machines with disks and power of their own";
    vec![match members {
        n if n < MEMBERS_MIN => Finding::warning(
            place,
            format!("{n} member(s): the loss of one stops the cluster"),
            advice,
        ),
        n if n % 2 == 0 => Finding::warning(
            place,
            format!("{n} members bear no more losses than {}", n - 1),
            advice,
        ),
        n => Finding::passed(place, format!("{n} members")),
    }]
}

fn resource_status(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let state = ResourceState::published(&facts.view, &r.name);
        let cause = facts
            .view
            .states
            .get(&fold(&r.name))
            .map_or("", |s| &s.cause);
        Finding::failed(
            &r.name,
            format!("it failed: {cause}"),
            format!("Get-ClusterWhy {0}, then Start-ClusterResource {0}", r.name),
        )
        .unless(state != ResourceState::Failed, state.name())
    };
    facts.view.resources.values().map(|r| look(r)).collect()
}

fn group_status(facts: &Facts) -> Vec<Finding> {
    let look = |g: &GroupConfig| {
        let state = GroupState::published(&facts.view, &g.name);
        let advice = format!("Get-ClusterWhy {0}, then Start-ClusterGroup {0}", g.name);
        if facts.view.live_owner(&g.name).is_none() {
            return Finding::failed(&g.name, "no node owns it", advice);
        }
        let up = matches!(state, GroupState::Online | GroupState::Pending);
        let empty = facts.view.resources_of(&g.name).next().is_none();
        Finding::warning(
            &g.name,
            format!("it is meant to be online, and is {}", state.name()),
            advice,
        )
        .unless(up || empty, state.name())
    };
    facts
        .view
        .groups
        .values()
        .filter(|g| g.persistent_online)
        .map(|g| look(g))
        .collect()
}

fn persistent(facts: &Facts) -> Vec<Finding> {
    let online = |r: &ResourceConfig| {
        facts
            .view
            .groups
            .get(&fold(&r.group))
            .is_some_and(|g| g.persistent_online)
    };
    let look = |r: &ResourceConfig| {
        Finding::warning(
            &r.name,
            format!(
                "it was taken offline by hand, and stays so when {} comes online",
                r.group
            ),
            format!("Start-ClusterResource {}", r.name),
        )
        .unless(r.persistent_online, "it comes online with its group")
    };
    facts
        .view
        .resources
        .values()
        .filter(|r| online(r))
        .map(|r| look(r))
        .collect()
}

fn lease(facts: &Facts) -> Vec<Finding> {
    let Some(cluster) = &facts.view.cluster else {
        return Vec::new();
    };
    let silence = cluster
        .same_subnet_delay_ms
        .saturating_mul(cluster.same_subnet_threshold);
    let (delay, ttl) = (cluster.same_subnet_delay_ms, cluster.lease_ttl_ms);
    let detail =
        format!("heartbeat {delay} ms, silence noticed after {silence} ms, lease {ttl} ms");
    vec![
        Finding::failed(
            &cluster.name,
            &*detail,
            "choose the lease longer than the silence, and four heartbeats at least",
        )
        .unless(silence <= ttl && delay.saturating_mul(4) <= ttl, &*detail),
    ]
}

fn pending(facts: &Facts) -> Vec<Finding> {
    let Some(cluster) = &facts.view.cluster else {
        return Vec::new();
    };
    let look = |r: &ResourceConfig| {
        let (limit, ttl) = (r.policy.pending_timeout_ms, cluster.lease_ttl_ms);
        let detail = format!("it is given up after {limit} ms; a lease is {ttl} ms");
        Finding::failed(&r.name, &*detail, "take the default of 180000 ms: what waits for a former owner must be allowed its lease")
            .unless(limit > ttl, &*detail)
    };
    facts.view.resources.values().map(|r| look(r)).collect()
}

fn restarts(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        Finding::warning(
            &r.name,
            "RestartThreshold 0: the first failure moves the group",
            "take the default, three restarts in fifteen minutes",
        )
        .unless(
            r.policy.threshold > 0,
            format!(
                "{} restart(s) in {} s",
                r.policy.threshold,
                r.policy.period_ms / 1000
            ),
        )
    };
    facts.view.resources.values().map(|r| look(r)).collect()
}

fn thresholds(facts: &Facts) -> Vec<Finding> {
    let look = |g: &GroupConfig| {
        Finding::warning(
            &g.name,
            "FailoverThreshold 0: it stays failed where it is",
            "let it follow the number of nodes",
        )
        .unless(g.failover_threshold != Some(0), "it may fail over")
    };
    facts.view.groups.values().map(|g| look(g)).collect()
}

fn recent(facts: &Facts) -> Vec<Finding> {
    let look = |g: &GroupConfig| {
        let period = g.failover_period_hours.saturating_mul(3_600_000);
        let counted = facts
            .view
            .failovers
            .get(&fold(&g.name))
            .map_or(0, |f| f.within(period, facts.now_ms));
        let others = facts.view.nodes.len().saturating_sub(1) as u64;
        let limit = g.failover_threshold.unwrap_or(others);
        let detail = format!(
            "{counted} failover(s) in {} h, of {limit}",
            g.failover_period_hours
        );
        Finding::warning(
            &g.name,
            &*detail,
            format!(
                "the next failure leaves it failed: find the cause with Get-ClusterWhy {}",
                g.name
            ),
        )
        .unless(counted == 0 || counted < limit, &*detail)
    };
    facts.view.groups.values().map(|g| look(g)).collect()
}

fn failback(facts: &Facts) -> Vec<Finding> {
    let look = |g: &GroupConfig| {
        Finding::warning(
            &g.name,
            "it shall fail back, but prefers no node",
            format!("Set-ClusterOwnerNode -Group {} -Owners NODE,…", g.name),
        )
        .unless(
            !g.preferred_owners.is_empty(),
            "it fails back to what it prefers",
        )
    };
    facts
        .view
        .groups
        .values()
        .filter(|g| g.auto_failback)
        .map(|g| look(g))
        .collect()
}

fn fencing(facts: &Facts) -> Vec<Finding> {
    let Some(cluster) = &facts.view.cluster else {
        return Vec::new();
    };
    let open = |r: &&ResourceConfig| {
        resource_type::find(&r.resource_type).is_some_and(|t| !t.storage_fenced)
    };
    let unfenced: Vec<_> = facts
        .view
        .resources
        .values()
        .map(|r| &r.row)
        .filter(open)
        .map(|r| r.name.as_str())
        .collect();
    let detail = format!(
        "Fencing is Storage, and nothing on the disk keeps a former owner's {} out",
        unfenced.join(", ")
    );
    vec![
        Finding::warning(
            &cluster.name,
            detail,
            "create the cluster with -Fencing Kill, or take these resources out",
        )
        .unless(
            cluster.fencing == FencingMode::Kill || unfenced.is_empty(),
            cluster.fencing.name(),
        ),
    ]
}

fn instances(facts: &Facts) -> Vec<Finding> {
    let look = |node: &String| {
        let may = |r: &&ResourceConfig| facts.possible_nodes(&r.group).iter().any(|n| n == node);
        let count = facts.of_type("MSMQ").filter(may).count();
        let detail = format!("{count} instance(s) may come to be here, beside the node's own");
        Finding::warning(
            node,
            &*detail,
            "limit the possible owners, or give every node more memory for messages",
        )
        .unless(count <= INSTANCES_DEFAULT, &*detail)
    };
    facts.view.nodes.values().map(|n| look(&n.name)).collect()
}

fn requests(facts: &Facts) -> Vec<Finding> {
    let look = |(group, target): (&String, &String)| {
        Finding::warning(
            facts.view.group_name(group),
            format!("it shall move to {target}, which is not up"),
            format!("Start-ClusterNode {target}, or move it elsewhere"),
        )
        .unless(
            facts.view.sessions.contains_key(&fold(target)),
            format!("it moves to {target}"),
        )
    };
    let current = facts.view.moves.iter().filter(|(group, m)| {
        facts
            .view
            .owners
            .get(*group)
            .is_some_and(|o| o.epoch == m.epoch)
    });
    current.map(|(group, m)| look((group, &m.target))).collect()
}

fn tokens(facts: &Facts) -> Vec<Finding> {
    let valid = facts
        .view
        .tokens
        .values()
        .filter(|t| t.expires_ms > facts.now_ms)
        .count();
    vec![
        Finding::warning(
            "cluster",
            format!("{valid} unused permission(s) to join are valid"),
            "use them or let them run out before others find them",
        )
        .unless(valid == 0, "no permission to join is open"),
    ]
}
