//! What changes come to, in the order in which it would happen.

use super::tests::Lab;
use super::*;
use crate::cluster::record::{encode, key};
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::database::{Entry, Range, Transaction};
use crate::error::Result;

/// VS1 is online on n1, with a disk below its queue manager.
fn online() -> Lab {
    let mut lab = Lab::new();
    lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
    lab.apply(|v| start_group(v, "VS1"));
    for name in ["VS1-Disk", "VS1-IP", "VS1-Name", "VS1-MSMQ"] {
        lab.state(name, ResourceState::Online.number());
    }
    lab
}

fn told(rehearsal: &Rehearsal) -> Vec<String> {
    let line = |s: &Step| format!("{} {} {}", s.action, s.object, s.node);
    let lines = rehearsal.steps().iter().map(line);
    lines.map(|l| l.trim_end().to_owned()).collect()
}

/// The rows of a view, as the database would give them.
fn range(view: &View) -> Range {
    let entry = |key: String, value: Vec<u8>| Entry {
        key,
        value,
        version: 1,
        lease: None,
    };
    macro_rules! rows {
        ($($kind:literal $table:ident),*) => {{
            let mut entries = Vec::new();
            $(for (name, row) in &view.$table {
                entries.push(entry(key($kind, name), encode(&row.row)));
            })*
            entries
        }};
    }
    Range {
        revision: view.revision,
        entries: rows!("node" nodes, "session" sessions, "group" groups, "resource" resources, "owner" owners, "state" states),
    }
}

fn rehearse(view: &View, decide: impl Fn(&View) -> Result<Transaction>) -> Rehearsal {
    let mut rehearsal = Rehearsal::new(&range(view), 0);
    let transaction = decide(view).unwrap();
    rehearsal.change(&transaction);
    rehearsal
}

const DOWN: [&str; 4] = [
    "Take offline VS1-MSMQ n1",
    "Take offline VS1-Name n1",
    "Take offline VS1-IP n1",
    "Take offline VS1-Disk n1",
];

#[test]
fn a_move_takes_dependents_offline_first_and_brings_providers_online_first() {
    let lab = online();
    let moved = |v: &View| Ok(move_group(v, "VS1", None)?.0.into_transaction());
    let rehearsal = rehearse(&lab.0, moved);
    let mut expected = DOWN.map(str::to_owned).to_vec();
    expected.push("Move VS1 n2".to_owned());
    expected.extend(
        ["VS1-Disk", "VS1-IP", "VS1-Name", "VS1-MSMQ"].map(|r| format!("Bring online {r} n2")),
    );
    assert_eq!(told(&rehearsal), expected);
    assert!(rehearsal.interrupted().contains("VS1"));
    let there = rehearsal.view();
    assert_eq!(there.live_owner("VS1").unwrap().node, "n2");
    assert_eq!(there.live_owner("VS1").unwrap().epoch, 2);
    assert!(there.moves.is_empty(), "it is served");
    assert_eq!(
        ResourceState::published(there, "VS1-MSMQ"),
        ResourceState::Online
    );
}

#[test]
fn stopping_a_provider_hits_its_dependents_and_nothing_else() {
    let lab = online();
    let stopped = |v: &View| Ok(stop_resource(v, "VS1-IP")?.into_transaction());
    let rehearsal = rehearse(&lab.0, stopped);
    assert_eq!(told(&rehearsal), DOWN[..3]);
    assert!(rehearsal.interrupted().is_empty(), "it stays offline");
}

#[test]
fn a_removal_is_rehearsed_decision_after_decision() {
    let mut lab = online();
    lab.own("VS2", "n2", 1);
    let mut rehearsal = rehearse(&lab.0, |v| {
        Ok(stop_for_removal(v, "VS1-Name")?.into_transaction())
    });
    assert_eq!(told(&rehearsal), DOWN[..2]);
    // It is offline now, so that the second decision is allowed.
    let second = remove_resource(rehearsal.view(), "VS1-Name").unwrap();
    rehearsal.change(&second.into_transaction());
    assert!(!rehearsal.view().resources.contains_key("vs1-name"));
    assert!(!rehearsal.view().resources.contains_key("vs1-msmq"));
}

#[test]
fn a_drain_moves_what_is_there_and_a_failure_comes_back_where_it_is() {
    let mut lab = online();
    lab.own("VS2", "n2", 1);
    let ask = Suspend {
        node: "n1".to_owned(),
        id: "p".to_owned(),
        drain: true,
        ..Suspend::default()
    };
    let drained = rehearse(&lab.0, |v| Ok(suspend_node(v, &ask)?.into_transaction()));
    let lines = told(&drained);
    assert_eq!(lines[0], "Add pause of n1");
    assert!(lines.contains(&"Move VS1 n2".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|l| l.contains("VS2")), "{lines:?}");

    let failed = rehearse(&lab.0, |v| {
        Ok(fail_resource(v, "VS1-IP", "1")?.into_transaction())
    });
    let mut expected = vec!["Fail VS1-IP n1".to_owned()];
    expected.extend(DOWN[..3].iter().map(|l| (*l).to_owned()));
    expected.extend(["VS1-IP", "VS1-Name", "VS1-MSMQ"].map(|r| format!("Bring online {r} n1")));
    assert_eq!(told(&failed), expected);
}

#[test]
fn a_new_group_is_taken_by_its_best_candidate_and_properties_say_what_they_were() {
    let lab = online();
    let new = NewGroup {
        name: "VS3".to_owned(),
        preferred_owners: vec!["n2".to_owned()],
        failover_threshold: Some(2),
        ..NewGroup::default()
    };
    let mut rehearsal = rehearse(&lab.0, |v| Ok(add_group(v, &new)?.into_transaction()));
    assert_eq!(told(&rehearsal), ["Add group VS3", "Take ownership VS3 n2"]);
    let change = GroupChange {
        failover_threshold: Some(5),
        ..GroupChange::default()
    };
    let second = set_group(rehearsal.view(), "VS3", &change).unwrap();
    rehearsal.change(&second.into_transaction());
    let last = rehearsal.steps().last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.object.as_str()),
        ("Change group", "VS3")
    );
    assert_eq!(last.note, "FailoverThreshold 2 -> 5");
}

#[test]
fn what_is_so_already_comes_to_nothing() {
    let lab = online();
    let again = rehearse(&lab.0, |v| Ok(start_group(v, "VS1")?.into_transaction()));
    assert_eq!(told(&again), Vec::<String>::new());
}
