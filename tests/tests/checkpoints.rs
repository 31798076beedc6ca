//! Files and settings that follow a resource, with real processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hamq_core::ErrorKind;
use hamq_core::api::checkpoint::{
    AddClusterCheckpoint, CheckpointInfo, GetClusterCheckpoint, GetClusterNodeSetting,
    RemoveClusterCheckpoint, SetClusterNodeSetting,
};
use hamq_core::api::cluster::GetCluster;
use hamq_core::api::explain::GetClusterLog;
use hamq_core::api::group::{AddClusterGroup, MoveClusterGroup, StartClusterGroup};
use hamq_core::api::node::StartClusterNode;
use hamq_core::api::value::Millis;
use hamq_tests::lab::Lab;
use hamq_tests::process::{signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

/// A group APP with an application that only runs.
fn lab() -> Lab {
    let lab = Lab::new(PROGRAM).unwrap();
    let group = AddClusterGroup {
        name: "APP".into(),
        preferred_owners: vec!["n1".into(), "n2".into(), "n3".into()],
        auto_failback_type: None,
        failover_threshold: Some(100),
        failover_period: None,
    };
    lab.client.run(group).unwrap();
    let command = ["CommandLine=sleep 100000"];
    lab.add_resource("App", "APP", "Generic Application", &command, &[])
        .unwrap();
    lab
}

fn start(lab: &Lab) {
    let start = StartClusterGroup {
        name: "APP".into(),
        wait: Some(Millis(60_000)),
    };
    lab.client.run(start).unwrap();
    lab.wait_online("APP", "n1");
}

fn move_to(lab: &Lab, node: &str) {
    let wish = MoveClusterGroup {
        name: "APP".into(),
        node: Some(node.into()),
        wait: Some(Millis(60_000)),
    };
    lab.client.run(wish).unwrap();
    lab.wait_online("APP", node);
}

fn checkpoint(lab: &Lab) -> CheckpointInfo {
    let all = lab.client.run(GetClusterCheckpoint::default()).unwrap();
    all.into_iter().next().unwrap()
}

fn wait_for_version(lab: &Lab, version: u64) {
    wait_until(&format!("version {version} is captured"), || {
        checkpoint(lab).version >= version
    });
}

fn set(lab: &Lab, node: &str, value: &str) -> hamq_core::Result<()> {
    let edit = SetClusterNodeSetting {
        node: node.into(),
        key: r"app\limits".into(),
        name: "Max".into(),
        value: Some(value.into()),
        delete: false,
    };
    lab.client.run(edit).map(drop)
}

fn setting(lab: &Lab, node: &str) -> Option<String> {
    let wish = GetClusterNodeSetting {
        node: node.into(),
        key: "app/limits".into(),
    };
    let found = lab.client.run(wish).unwrap();
    found.into_iter().find(|s| s.name == "Max").map(|s| s.value)
}

fn settings_of(lab: &Lab, node: &str) -> PathBuf {
    let clusters = lab.client.run(GetCluster { name: None }).unwrap();
    Path::new(&clusters[0].path).join(node).join("settings")
}

fn add(lab: &Lab) {
    let add = AddClusterCheckpoint {
        resource: "App".into(),
        settings_key: Some("app/limits".into()),
        ..AddClusterCheckpoint::default()
    };
    lab.client.run(add).unwrap();
}

#[test]
fn settings_follow_a_resource_and_an_edit_elsewhere_is_refused_kept_and_told() {
    let lab = lab();
    set(&lab, "n1", "100").unwrap();
    set(&lab, "n3", "was here before").unwrap();
    add(&lab);
    let crypto = AddClusterCheckpoint {
        resource: "App".into(),
        crypto: Some("keys".into()),
        ..AddClusterCheckpoint::default()
    };
    let refused = lab.client.run(crypto).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::UnsupportedOperation);
    start(&lab);
    wait_for_version(&lab, 1);

    // Through the command: here it is captured, elsewhere refused with the owner's name.
    set(&lab, "n1", "200").unwrap();
    wait_for_version(&lab, 2);
    let refused = set(&lab, "n2", "300").unwrap_err();
    assert!(refused.message.contains("n1 owns"), "{refused}");
    // By hand: its mode goes with it.
    let file = settings_of(&lab, "n1").join("app/limits/Max");
    std::fs::write(&file, "250").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    wait_until("the edit is captured", || {
        let before = checkpoint(&lab).version;
        std::thread::sleep(Duration::from_millis(1100));
        before >= 3 && checkpoint(&lab).version == before
    });

    // The owner dies; the next one has it before the application starts.
    signal(lab.agent("n1"), Signal::KILL);
    lab.wait_online("APP", "n2");
    assert_eq!(setting(&lab, "n2").as_deref(), Some("250"));
    let file = settings_of(&lab, "n2").join("app/limits/Max");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);

    // What n3 had of its own is kept aside.
    set(&lab, "n2", "400").unwrap();
    move_to(&lab, "n3");
    assert_eq!(setting(&lab, "n3").as_deref(), Some("400"));
    let kept = checkpoint(&lab).kept;
    let kept = kept.last().and_then(|k| k.strip_prefix("n3:")).unwrap();
    let copy = std::fs::read_to_string(Path::new(kept).join("Max")).unwrap();
    assert_eq!(copy, "was here before");

    // By hand on the standby: told at once, and kept when it becomes the owner.
    let file = settings_of(&lab, "n2").join("app/limits/Max");
    std::fs::write(&file, "by hand").unwrap();
    wait_until("the edit is told", || {
        let log = lab.client.run(GetClusterLog::default()).unwrap();
        log.iter()
            .any(|line| line.text.contains("was edited on n2, but n3 has it"))
    });
    move_to(&lab, "n2");
    assert_eq!(setting(&lab, "n2").as_deref(), Some("400"));
    let kept = checkpoint(&lab).kept;
    let kept = kept.last().and_then(|k| k.strip_prefix("n2:")).unwrap();
    let copy = std::fs::read_to_string(Path::new(kept).join("Max")).unwrap();
    assert_eq!(copy, "by hand");

    let remove = RemoveClusterCheckpoint {
        resource: "App".into(),
        ..RemoveClusterCheckpoint::default()
    };
    assert_eq!(lab.client.run(remove).unwrap().len(), 1);
    assert!(set(&lab, "n1", "free").is_err(), "n1 is down");
    assert!(set(&lab, "n3", "free").is_ok());
}

/// The round that is written in a file of the settings; none when it is not whole.
fn round_in(file: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let first = words.first()?.parse().ok()?;
    let whole = words.len() == 20_000 && words.iter().all(|w| *w == words[0]);
    whole.then_some(first)
}

#[test]
fn an_owner_that_is_killed_while_it_captures_and_restores_leaves_a_whole_and_never_an_older_version()
 {
    let lab = lab();
    let path = |node: &str| settings_of(&lab, node).join("app/limits/Big");
    std::fs::create_dir_all(path("n1").parent().unwrap()).unwrap();
    std::fs::write(path("n1"), "0 ".repeat(20_000)).unwrap();
    add(&lab);
    start(&lab);
    wait_for_version(&lab, 1);
    let mut owner = "n1".to_owned();
    let mut round = 0;
    for (index, pause) in [0_u64, 700, 300, 1100].into_iter().enumerate() {
        let stop = AtomicBool::new(false);
        let here = path(&owner);
        let before = checkpoint(&lab).version;
        let last = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut round = round;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let fresh = here.with_file_name("fresh");
                    std::fs::write(&fresh, format!("{round} ").repeat(20_000)).unwrap();
                    std::fs::rename(&fresh, &here).unwrap();
                    std::thread::sleep(Duration::from_millis(3));
                }
                round
            });
            wait_for_version(&lab, before + 1);
            std::thread::sleep(Duration::from_millis(pause));
            signal(lab.agent(&owner), Signal::KILL);
            stop.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        });
        lab.wait_online("APP", &format!("!{owner}"));
        let former = owner;
        owner = lab.group("APP").unwrap().owner_node.unwrap();
        let restored = round_in(&path(&owner));
        assert!(restored.is_some(), "run {index}: it is whole");
        let restored = restored.unwrap();
        assert!(
            restored >= round && restored <= last,
            "run {index}: {restored} of {last}"
        );
        assert!(checkpoint(&lab).version > before);
        round = restored;
        let name = former;
        let start = StartClusterNode {
            name,
            ..StartClusterNode::default()
        };
        lab.client.run(start).unwrap();
    }
}
