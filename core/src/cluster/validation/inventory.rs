//! Inventory: what the nodes are made of, and whether they are alike.

use std::collections::BTreeSet;

use super::check::{Check, check};
use super::facts::{Facts, NodeFacts};
use super::verdict::Finding;
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource_type;

/// A database that takes longer to be read delays each decision.
const READ_MS_MAX: u64 = 500;

pub(super) const CHECKS: &[Check] = &[
    check(
        "List Software Versions",
        "Every node runs the same version.",
        "seed: Before Beginning the Installation",
        versions,
    ),
    check(
        "List Program Files",
        "Every node runs the same program, and the one that is installed.",
        "seed: Before Beginning the Installation",
        programs,
    ),
    check(
        "List Message Queuing Features",
        "Every node has the same subcomponents of Message Queuing.",
        "seed: \"installed with the same set of subcomponents in each node\"",
        features,
    ),
    check(
        "Validate Message Queuing Installed",
        "Message Queuing is installed where a resource of it may come to be.",
        "seed: \"must be installed on the physical computer before creating an MSMQ resource\"",
        installed,
    ),
    check(
        "List Operating System Versions",
        "Every node runs the same kernel.",
        "1.10",
        kernels,
    ),
    check(
        "List Processor Architectures",
        "Every node has the same architecture.",
        "1.10",
        architectures,
    ),
    check(
        "List Processors",
        "No node is much weaker than another.",
        "1.10",
        processors,
    ),
    check(
        "List Memory",
        "No node has much less memory than another.",
        "1.10",
        memory,
    ),
    check(
        "List Machines",
        "The nodes are on machines of their own.",
        "1.0",
        machines,
    ),
    check(
        "List Host Names",
        "Machines have names of their own.",
        "1.1",
        hosts,
    ),
    check(
        "List Database Response",
        "The cluster database answers quickly.",
        "3.7",
        response,
    ),
    check(
        "Validate Database Version",
        "Nothing is known against the version of the cluster database.",
        "3.2",
        faults,
    ),
];

/// One finding per node: a warning where it differs from what the first has.
fn alike(facts: &Facts, advice: &str, of: impl Fn(&NodeFacts) -> String) -> Vec<Finding> {
    let Some(first) = facts.nodes.values().next() else {
        return Vec::new();
    };
    let expected = of(first);
    let look = |node: &NodeFacts| {
        let has = of(node);
        let detail = format!("{has}, and {} has {expected}", first.node);
        Finding::warning(&node.node, detail, advice).unless(has == expected, &*has)
    };
    facts.nodes.values().map(look).collect()
}

fn versions(facts: &Facts) -> Vec<Finding> {
    alike(facts, "bring every node to the same version", |n| {
        n.version.clone()
    })
}

fn programs(facts: &Facts) -> Vec<Finding> {
    let advice = "install the same build on every node, and start its agent again";
    alike(facts, advice, |n| match n.program_bytes {
        Some(bytes) => format!("a program of {bytes} bytes"),
        None => format!("on {} a program that was replaced or removed since", n.node),
    })
    .into_iter()
    .map(|f| match facts.nodes.get(&fold(&f.object)) {
        Some(n) if n.program_bytes.is_none() => Finding::warning(
            f.object,
            "the program was replaced or removed under the running agent",
            advice,
        ),
        _ => f,
    })
    .collect()
}

fn features(facts: &Facts) -> Vec<Finding> {
    let mut nodes = facts.view.nodes.values();
    let union: BTreeSet<&String> = nodes.clone().flat_map(|n| &n.features).collect();
    if union.is_empty() {
        return Vec::new();
    }
    nodes
        .by_ref()
        .map(|n| {
            let missing: Vec<_> = union
                .iter()
                .filter(|f| !n.features.contains(**f))
                .map(|f| f.as_str())
                .collect();
            let advice = format!("Install-MsmqFeature -Node {} {}", n.name, missing.join(","));
            Finding::failed(
                &n.name,
                format!("other nodes have {}", missing.join(", ")),
                advice,
            )
            .unless(
                missing.is_empty(),
                format!("{} subcomponent(s)", n.features.len()),
            )
        })
        .collect()
}

fn installed(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for r in facts.view.resources.values() {
        let Some(feature) = resource_type::find(&r.resource_type).and_then(|t| t.feature) else {
            continue;
        };
        findings.extend(
            facts
                .possible_nodes(&r.group)
                .iter()
                .map(|node| has(facts, r, node, feature)),
        );
    }
    findings
}

fn has(facts: &Facts, resource: &ResourceConfig, node: &str, feature: &str) -> Finding {
    let installed = facts
        .view
        .nodes
        .get(&fold(node))
        .is_some_and(|n| n.features.contains(feature));
    let detail = format!(
        "{} may come to be on {node}, which lacks {feature}",
        resource.name
    );
    Finding::failed(node, detail, format!("Install-MsmqFeature -Node {node}"))
        .unless(installed, format!("ready for {}", resource.name))
}

fn kernels(facts: &Facts) -> Vec<Finding> {
    alike(facts, "bring every node to the same kernel", |n| {
        n.kernel.clone()
    })
}

fn architectures(facts: &Facts) -> Vec<Finding> {
    alike(
        facts,
        "clusters of one architecture are what is tested",
        |n| n.architecture.clone(),
    )
}

/// A warning for a node that has less than half of what the best has.
fn at_least_half(facts: &Facts, unit: &str, of: impl Fn(&NodeFacts) -> u64) -> Vec<Finding> {
    let best = facts.nodes.values().map(&of).max().unwrap_or(0);
    let look = |n: &NodeFacts| {
        let has = of(n);
        let detail = format!("{has} {unit}; the best node has {best}");
        Finding::warning(
            &n.node,
            detail,
            "what fails over to it needs as much as elsewhere",
        )
        .unless(has.saturating_mul(2) >= best, format!("{has} {unit}"))
    };
    facts.nodes.values().map(look).collect()
}

fn processors(facts: &Facts) -> Vec<Finding> {
    at_least_half(facts, "processor(s)", |n| n.processors)
}

fn memory(facts: &Facts) -> Vec<Finding> {
    at_least_half(facts, "MiB", |n| n.memory_total >> 20)
}

fn machines(facts: &Facts) -> Vec<Finding> {
    if facts.nodes.is_empty() {
        return Vec::new();
    }
    let machines: BTreeSet<_> = facts.nodes.values().map(|n| n.boot_id.as_str()).collect();
    let detail = format!(
        "{} node(s) on {} machine(s)",
        facts.nodes.len(),
        machines.len()
    );
    // A cluster on loopback was made to be on one machine: there it is no surprise.
    let fine = machines.len() == facts.nodes.len() || facts.is_loopback();
    vec![
        Finding::warning(
            "cluster",
            &*detail,
            "put each node on a machine of its own: its loss takes all nodes on it",
        )
        .unless(fine, &*detail),
    ]
}

fn hosts(facts: &Facts) -> Vec<Finding> {
    let look = |n: &NodeFacts| {
        let twin = facts
            .nodes
            .values()
            .find(|o| o.boot_id != n.boot_id && fold(&o.host_name) == fold(&n.host_name));
        match twin {
            Some(o) => Finding::failed(
                &n.node,
                format!(
                    "its machine is called {} like that of {}",
                    n.host_name, o.node
                ),
                "give each machine a name of its own",
            ),
            None => Finding::passed(&n.node, &*n.host_name),
        }
    };
    facts.nodes.values().map(look).collect()
}

fn response(facts: &Facts) -> Vec<Finding> {
    let took = facts.database.read_ms;
    let detail = format!("a read took {took} ms");
    vec![
        Finding::warning(
            &facts.database.location,
            &*detail,
            "give it a disk of its own: each decision waits for it",
        )
        .unless(took <= READ_MS_MAX, &*detail),
    ]
}

fn faults(facts: &Facts) -> Vec<Finding> {
    let place = &facts.database.location;
    if facts.database.notices.is_empty() {
        return vec![Finding::passed(place, "nothing is known against it")];
    }
    let warn = |notice: &String| {
        Finding::warning(
            place,
            notice,
            "use a version without the fault, or mend the member",
        )
    };
    facts.database.notices.iter().map(warn).collect()
}
