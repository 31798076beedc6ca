//! Cluster Configuration: what groups and resources are made of.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Check, check};
use super::facts::Facts;
use super::verdict::Finding;
use crate::cluster::dependency::{all_providers, unmet, would_cycle};
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource_type;

pub(super) const CHECKS: &[Check] = &[
    check(
        "Validate Configuration Rows",
        "Every row of the cluster database can be read.",
        "3.7",
        rows,
    ),
    check(
        "Validate Resource Types",
        "Each resource is of a type that this version knows.",
        "1.1",
        types,
    ),
    check(
        "Validate Required Properties",
        "Each resource has the properties without which it cannot come online.",
        "1.4",
        properties,
    ),
    check(
        "Validate Required Dependencies",
        "Each resource depends on what its type requires: MSMQ on a Network Name and a Physical Disk.",
        "seed: Creating an MSMQ Resource",
        required,
    ),
    check(
        "Validate Dependency Targets",
        "Providers exist and lie in the same group.",
        "1.5",
        targets,
    ),
    check(
        "Validate Dependency Cycles",
        "No resource depends on itself.",
        "1.5",
        cycles,
    ),
    check(
        "Validate One Message Queuing per Group",
        "A group has at most one MSMQ resource.",
        "seed: Creating an MSMQ Resource",
        one_msmq,
    ),
    check(
        "Validate Possible Owners",
        "Possible owners are nodes of the cluster.",
        "1.3",
        possible_owners,
    ),
    check(
        "Validate Preferred Owners",
        "Preferred owners are nodes of the cluster, and possible owners.",
        "1.3",
        preferred_owners,
    ),
    check(
        "Validate Failover Targets",
        "Each group can be on two nodes at least.",
        "1.3",
        targets_of_failover,
    ),
    check(
        "Validate Application Network Name",
        "An application beside Message Queuing uses the network name as its computer name.",
        "seed: Troubleshooting, \"should use cluster netname as the computer name\"",
        application_name,
    ),
    check(
        "Validate Application Depends on Network Name",
        "An application that uses the network name depends on it.",
        "seed: Troubleshooting, \"dependent on the Network Name resource\"",
        application_needs_name,
    ),
    check(
        "Validate Application Depends on Message Queuing",
        "An application beside Message Queuing depends on the MSMQ resource.",
        "seed: Troubleshooting, \"must be dependent on the MSMQ resource\"",
        application_needs_msmq,
    ),
    check(
        "Validate Network Name Unchanged",
        "The name that is online is the one that is configured.",
        "seed: Troubleshooting, \"Renaming of cluster netname is not supported\"",
        renamed,
    ),
    check(
        "Validate Unique Network Names",
        "No two Network Names, and no name and node, are called alike.",
        "1.4",
        unique_names,
    ),
    check(
        "Validate Unique Disks",
        "No two Physical Disks are the same folder, or one inside the other.",
        "1.4",
        unique_disks,
    ),
];

fn rows(facts: &Facts) -> Vec<Finding> {
    let damaged = &facts.view.damaged;
    if damaged.is_empty() {
        return vec![Finding::passed("database", "every row can be read")];
    }
    let broken = |key: &String| {
        Finding::failed(
            key,
            "the row cannot be read, and is left alone",
            "restore the database from a backup, or remove the object and add it again",
        )
    };
    damaged.iter().map(broken).collect()
}

fn types(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let known = resource_type::find(&r.resource_type).is_some();
        let detail = format!("its type {:?} is not known", r.resource_type);
        Finding::failed(
            &r.name,
            detail,
            "bring every node to the version that knows it, or remove the resource",
        )
        .unless(known, &*r.resource_type)
    };
    facts.view.resources.values().map(|r| look(r)).collect()
}

fn properties(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let rule = resource_type::find(&r.resource_type)?;
        let mut needed = rule.parameters.iter().filter(|p| p.required);
        let missing = needed.find(|p| r.parameters.get(p.name).is_none_or(|v| v.trim().is_empty()));
        Some(match missing {
            None => Finding::passed(&r.name, "it has what its type needs"),
            Some(p) => Finding::failed(
                &r.name,
                format!("{} is not set", p.name),
                format!("Set-ClusterParameter {} {} VALUE", r.name, p.name),
            ),
        })
    };
    facts
        .view
        .resources
        .values()
        .filter_map(|r| look(r))
        .collect()
}

fn required(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let missing: Vec<_> = unmet(&facts.view, &r.name)
            .iter()
            .map(|m| m.name())
            .collect();
        let detail = format!(
            "{} depends on no {}",
            r.resource_type,
            missing.join(" and no ")
        );
        let advice = format!("Add-ClusterResourceDependency {} PROVIDER", r.name);
        Finding::failed(&r.name, detail, advice)
            .unless(missing.is_empty(), "it depends on what its type requires")
    };
    facts.view.resources.values().map(|r| look(r)).collect()
}

fn targets(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig, provider: &str| {
        let advice = format!(
            "remove the dependency of {}, or put both into one group",
            r.name
        );
        match facts.view.resources.get(&fold(provider)) {
            None => Finding::failed(
                &r.name,
                format!("it depends on {provider}, which does not exist"),
                advice,
            ),
            Some(p) if fold(&p.group) != fold(&r.group) => Finding::failed(
                &r.name,
                format!("it depends on {provider} of another group, {}", p.group),
                advice,
            ),
            Some(_) => Finding::passed(&r.name, format!("{provider} is in its group")),
        }
    };
    let all = facts.view.resources.values();
    all.flat_map(|r| r.depends_on.iter().map(move |p| look(r, p)))
        .collect()
}

fn cycles(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let round = r
            .depends_on
            .iter()
            .find(|p| would_cycle(&facts.view, &r.name, p));
        match round {
            None => Finding::passed(&r.name, "it does not depend on itself"),
            Some(p) => Finding::failed(
                &r.name,
                format!("it depends on itself by way of {p}"),
                "remove one dependency of the circle",
            ),
        }
    };
    facts
        .view
        .resources
        .values()
        .filter(|r| !r.depends_on.is_empty())
        .map(|r| look(r))
        .collect()
}

fn one_msmq(facts: &Facts) -> Vec<Finding> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for r in facts.of_type("MSMQ") {
        groups
            .entry(facts.view.group_name(&r.group))
            .or_default()
            .push(&r.name);
    }
    let look = |(group, names): (String, Vec<&str>)| {
        let detail = format!("{} MSMQ resources: {}", names.len(), names.join(", "));
        Finding::failed(
            group,
            detail,
            "move all but one into groups of their own, each with its disk, name and address",
        )
        .unless(names.len() == 1, names.join(""))
    };
    groups.into_iter().map(look).collect()
}

fn possible_owners(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let unknown = r
            .possible_owners
            .iter()
            .find(|o| !facts.view.nodes.contains_key(&fold(o)));
        match unknown {
            None => Finding::passed(&r.name, "its possible owners exist"),
            Some(node) => Finding::failed(
                &r.name,
                format!("its possible owner {node} is no node of this cluster"),
                format!("Set-ClusterOwnerNode -Resource {} -Owners NODE,…", r.name),
            ),
        }
    };
    facts.view.resources.values().map(|r| look(r)).collect()
}

fn preferred_owners(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for group in facts.view.groups.values() {
        let possible = facts.possible_nodes(&group.name);
        let advice = format!("Set-ClusterOwnerNode -Group {} -Owners NODE,…", group.name);
        for node in &group.preferred_owners {
            let exists = facts.view.nodes.contains_key(&fold(node));
            let may = possible.iter().any(|p| fold(p) == fold(node));
            findings.push(match (exists, may) {
                (false, _) => Finding::failed(
                    &group.name,
                    format!("its preferred owner {node} is no node of this cluster"),
                    &*advice,
                ),
                (true, false) => Finding::warning(
                    &group.name,
                    format!("its preferred owner {node} is no possible owner of all its resources"),
                    &*advice,
                ),
                (true, true) => Finding::passed(&group.name, format!("{node} may own it")),
            });
        }
    }
    findings
}

fn targets_of_failover(facts: &Facts) -> Vec<Finding> {
    let look = |group: &String| {
        let possible = facts.possible_nodes(group);
        let advice = "add nodes, or let more nodes own its resources: Set-ClusterOwnerNode";
        match possible.as_slice() {
            [] => Finding::failed(group, "no node may own all of its resources", advice),
            [one] => Finding::warning(
                group,
                format!("only {one} may own it: it cannot fail over"),
                advice,
            ),
            several => Finding::passed(group, several.join(", ")),
        }
    };
    facts.view.groups.values().map(|g| look(&g.name)).collect()
}

/// Applications in groups with an MSMQ resource, with it.
fn applications(facts: &Facts) -> impl Iterator<Item = (&ResourceConfig, &ResourceConfig)> {
    let all = facts.of_type("Generic Application");
    all.filter_map(|r| Some((r, facts.msmq_of(&r.group)?)))
}

fn uses_name(r: &ResourceConfig) -> bool {
    r.parameters
        .get("UseNetworkName")
        .is_some_and(|v| v.trim() != "0")
}

fn application_name(facts: &Facts) -> Vec<Finding> {
    let look = |(r, _): (&ResourceConfig, &ResourceConfig)| {
        let detail = "it does not use the network name: it works with the node's own queues, which do not fail over";
        Finding::failed(
            &r.name,
            detail,
            format!("Set-ClusterParameter {} UseNetworkName 1", r.name),
        )
        .unless(
            uses_name(r),
            "it sees the virtual server's name as its computer's",
        )
    };
    applications(facts).map(look).collect()
}

fn application_needs_name(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let below = all_providers(&facts.view, &r.name);
        let named = facts
            .of_type("Network Name")
            .any(|n| below.contains(&fold(&n.name)));
        Finding::failed(
            &r.name,
            "it uses the network name, but depends on no Network Name",
            format!("Add-ClusterResourceDependency {} NETWORK-NAME", r.name),
        )
        .unless(named, "it depends on a Network Name")
    };
    facts
        .of_type("Generic Application")
        .filter(|r| uses_name(r))
        .map(look)
        .collect()
}

fn application_needs_msmq(facts: &Facts) -> Vec<Finding> {
    let look = |(r, msmq): (&ResourceConfig, &ResourceConfig)| {
        let needs = all_providers(&facts.view, &r.name).contains(&fold(&msmq.name));
        let detail = format!(
            "it does not depend on {}: it may start before its queues are there",
            msmq.name
        );
        Finding::failed(
            &r.name,
            detail,
            format!("Add-ClusterResourceDependency {} {}", r.name, msmq.name),
        )
        .unless(needs, format!("it depends on {}", msmq.name))
    };
    applications(facts).map(look).collect()
}

fn renamed(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let status = facts.view.states.get(&fold(&r.name))?;
        let online = status.network_name.as_ref()?;
        let configured = r.parameters.get("Name").unwrap_or(&r.group);
        let detail = format!("it is online as {online}, and configured as {configured}");
        let advice = format!(
            "set Name of {} back to {online}: messages are stored and addressed under it",
            r.name
        );
        Some(
            Finding::failed(&r.name, detail, advice)
                .unless(fold(online) == fold(configured), online),
        )
    };
    facts.of_type("Network Name").filter_map(look).collect()
}

fn unique_names(facts: &Facts) -> Vec<Finding> {
    let name = |r: &ResourceConfig| fold(r.parameters.get("Name").unwrap_or(&r.group));
    let look = |r: &ResourceConfig| {
        let own = name(r);
        let advice = "each virtual server needs a name of its own, which is no node's";
        if facts.view.nodes.contains_key(&own) {
            return Finding::failed(&r.name, format!("a node is called {own} as well"), advice);
        }
        let other = facts
            .of_type("Network Name")
            .find(|o| fold(&o.name) != fold(&r.name) && name(o) == own);
        match other {
            Some(other) => Finding::failed(
                &r.name,
                format!("{} is called {own} as well", other.name),
                advice,
            ),
            None => Finding::passed(&r.name, format!("{own} is its alone")),
        }
    };
    facts.of_type("Network Name").map(look).collect()
}

fn unique_disks(facts: &Facts) -> Vec<Finding> {
    let parts = |r: &ResourceConfig| -> Vec<String> {
        let path = r.parameters.get("DiskPath").cloned().unwrap_or_default();
        path.split('/')
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let disks: Vec<_> = facts
        .of_type("Physical Disk")
        .map(|r| (r, parts(r)))
        .filter(|(_, parts)| !parts.is_empty())
        .collect();
    let mut seen = BTreeSet::new();
    let look = |(r, own): &(&ResourceConfig, Vec<String>)| {
        let clash = disks.iter().find(|(o, theirs)| {
            o.name != r.name && (own.starts_with(theirs) || theirs.starts_with(own))
        });
        match clash {
            Some((other, _)) => Finding::failed(
                &r.name,
                format!(
                    "its folder is that of {}, or one lies inside the other",
                    other.name
                ),
                "give each Physical Disk a folder of its own",
            ),
            None => Finding::passed(&r.name, "its folder is its alone"),
        }
    };
    disks
        .iter()
        .filter(|(r, _)| seen.insert(fold(&r.name)))
        .map(look)
        .collect()
}
