//! What is foreseen changes nothing, and comes true.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use hamq_core::ErrorKind;
use hamq_core::api::spec::{Command, Risk};
use hamq_core::api::value::Value;
use hamq_core::api::what_if::StepInfo;
use hamq_core::api::{COMMANDS, group, node, queue, resource};
use hamq_tests::lab::Lab;
use hamq_tests::process::wait_until;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn map(fields: &[(&str, Value)]) -> Value {
    let pair = |(name, value): &(&str, Value)| (Value::from(*name), value.clone());
    Value::Map(fields.iter().map(pair).collect())
}

/// What can be seen of the cluster and of the queues of VS1.
fn seen(lab: &Lab) -> Vec<Value> {
    let mut all = vec![
        ("Get-ClusterGroup", map(&[])),
        ("Get-ClusterResource", map(&[])),
        ("Get-ClusterNode", map(&[])),
        ("Get-ClusterParameter", map(&[("Name", "VS1-IP".into())])),
        ("Get-MsmqFeature", map(&[])),
    ];
    // One that is down would be waited for.
    if lab.group("VS1").is_ok_and(|group| group.state == "Online") {
        all.push(("Get-MsmqQueue", map(&[("Name", "VS1/private$/*".into())])));
    }
    let rows = all.into_iter();
    let rows = rows.map(|(name, with)| lab.client.invoke(name, with).unwrap_or_default());
    rows.flatten().collect()
}

/// The state and the place of each resource that the steps speak of, as they would be at the end.
fn promised(steps: &[StepInfo]) -> BTreeMap<String, Option<(String, String)>> {
    let mut promised = BTreeMap::new();
    for step in steps {
        let state = match step.action.as_str() {
            "Take offline" => Some(("Offline".to_owned(), String::new())),
            "Bring online" => Some(("Online".to_owned(), step.node.clone())),
            "Remove resource" => None,
            _ => continue,
        };
        promised.insert(step.object.clone(), state);
    }
    promised
}

fn came_true(lab: &Lab, steps: &[StepInfo]) -> bool {
    let all = resource::GetClusterResource::default();
    let all = lab.client.run(all).unwrap();
    promised(steps).into_iter().all(|(name, promise)| {
        let found = all.iter().find(|r| r.name == name);
        match (found, promise) {
            (None, None) => true,
            (Some(found), Some((state, node))) => {
                let there = node.is_empty() || found.owner_node.as_deref() == Some(&node);
                found.state == state && there
            }
            _ => false,
        }
    })
}

/// Foresees a command, sees that nothing has changed, gives it and sees that it came true.
fn given(lab: &Lab, name: &str, with: &[(&str, Value)]) -> Vec<StepInfo> {
    let before = seen(lab);
    let steps = lab.client.what_if(name, map(with)).unwrap().unwrap();
    assert_eq!(seen(lab), before, "{name} was only foreseen");
    lab.client.invoke(name, map(with)).unwrap();
    let text = format!("{name} comes true: {steps:?}");
    wait_until(&text, || came_true(lab, &steps));
    steps
}

fn actions(steps: &[StepInfo]) -> Vec<&str> {
    steps.iter().map(|step| step.action.as_str()).collect()
}

#[test]
fn what_is_foreseen_changes_nothing_and_comes_true() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    let group = || ("Name", Value::from("VS1"));

    let moved = given(&lab, "Move-ClusterGroup", &[group()]);
    assert_eq!(moved.len(), 10, "{moved:?}");
    assert!(
        moved[9].note.contains("the last time that took"),
        "{moved:?}"
    );
    let again = lab.client.what_if("Start-ClusterGroup", map(&[group()]));
    assert_eq!(again.unwrap().unwrap(), [], "it is online already");

    let disk = ("Name", Value::from("VS1-Disk"));
    let stopped = given(&lab, "Stop-ClusterResource", std::slice::from_ref(&disk));
    assert_eq!(actions(&stopped), ["Take offline", "Take offline"]);
    given(&lab, "Start-ClusterGroup", &[group()]);
    let drain = [("Name", Value::from("n2")), ("Drain", Value::Bool(true))];
    given(&lab, "Suspend-ClusterNode", &drain);
    given(&lab, "Resume-ClusterNode", &[("Name", Value::from("n2"))]);
    let owner = lab.group("VS1").unwrap().owner_node.unwrap();
    let left = given(&lab, "Stop-ClusterNode", &[("Name", owner.as_str().into())]);
    assert_eq!(left.last().unwrap().action, "Stop agent");
    let started = given(
        &lab,
        "Start-ClusterNode",
        &[("Name", owner.as_str().into())],
    );
    assert_eq!(actions(&started), ["Start agent"]);

    let orders = || ("Name", Value::from("VS1/private$/orders"));
    let new = [orders(), ("Transactional", Value::Bool(true))];
    assert_eq!(
        given(&lab, "New-MsmqQueue", &new)[0].note,
        "Transactional true"
    );
    for body in ["one", "two"] {
        let sent = given(&lab, "Send-MsmqQueue", &[orders(), ("Body", body.into())]);
        assert_eq!(actions(&sent), ["Store message"]);
    }
    let taken = given(&lab, "Receive-MsmqQueue", &[orders()]);
    assert_eq!(actions(&taken), ["Remove message"]);
    let set = [orders(), ("Label", Value::from("parcels"))];
    assert_eq!(
        given(&lab, "Set-MsmqQueue", &set)[0].note,
        "Label (none) -> parcels"
    );
    assert_eq!(
        given(&lab, "Clear-MsmqQueue", &[orders()])[0].note,
        "1 message, 3 bytes"
    );
    given(&lab, "Remove-MsmqQueue", &[orders()]);

    let whole = [group(), ("RemoveResources", Value::Bool(true))];
    let removed = given(&lab, "Remove-ClusterGroup", &whole);
    assert_eq!(removed.last().unwrap().action, "Remove group");
    assert!(lab.group("VS1").is_err());
}

#[test]
fn what_would_be_refused_is_refused_when_it_is_foreseen() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    let refused = |name: &str, with: &[(&str, Value)]| {
        let foreseen = lab.client.what_if(name, map(with)).unwrap_err();
        let given = lab.client.invoke(name, map(with)).unwrap_err();
        assert_eq!(foreseen, given, "{name}");
        foreseen.kind
    };
    let vs1 = ("Name", Value::from("VS1"));
    let kind = refused(
        group::RemoveClusterGroup::SPEC.name,
        std::slice::from_ref(&vs1),
    );
    assert_eq!(kind, ErrorKind::InvalidRequest);
    let kind = refused(
        group::MoveClusterGroup::SPEC.name,
        &[vs1.clone(), ("Node", "n9".into())],
    );
    assert_eq!(kind, ErrorKind::NodeNotFound);
    let n1 = ("Name", Value::from("n1"));
    refused(
        node::ResumeClusterNode::SPEC.name,
        std::slice::from_ref(&n1),
    );
    refused(node::AddClusterNode::SPEC.name, std::slice::from_ref(&n1));
    let nosuch = ("Name", Value::from("VS1/private$/nosuch"));
    let kind = refused(
        queue::RemoveMsmqQueue::SPEC.name,
        std::slice::from_ref(&nosuch),
    );
    assert_eq!(kind, ErrorKind::QueueNotFound);
    // A cluster that is up is not removed.
    let cluster = ("Name", Value::from(lab.client.cluster().unwrap()));
    let kind = refused("Remove-Cluster", std::slice::from_ref(&cluster));
    assert_eq!(kind, ErrorKind::InvalidState);
}

#[test]
fn every_command_that_changes_something_is_foreseen_by_who_would_do_it() {
    let lab = Lab::new(PROGRAM).unwrap();
    for spec in COMMANDS.iter().filter(|spec| spec.risk != Risk::None) {
        let required = spec.parameters.iter().filter(|p| p.required);
        let value = |kind| match kind {
            hamq_core::api::spec::ValueKind::Int | hamq_core::api::spec::ValueKind::Duration => {
                Value::from(1)
            }
            _ => Value::from("nosuch"),
        };
        let with = Value::Map(required.map(|p| (p.name.into(), value(p.kind))).collect());
        let told = match lab.client.what_if(spec.name, with) {
            Ok(steps) => steps.is_some(),
            Err(error) => {
                assert_ne!(error.kind, ErrorKind::Internal, "{}: {error}", spec.name);
                assert!(
                    !error.message.contains("rehearsed"),
                    "{}: {error}",
                    spec.name
                );
                true
            }
        };
        assert!(told, "{}", spec.name);
    }
}
