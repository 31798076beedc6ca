//! A full disk: sends are refused with the reason, receives go on, nothing acknowledged is lost.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use hamq_core::ErrorKind;
use hamq_core::api::drill::StartDrill;
use hamq_core::api::value::{Millis, to_value};
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

/// A small file system in memory, as long as the test runs.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path, size: &str) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "hamq-test"])
            .arg(path)
            .status()
            .unwrap();
        assert!(mounted.success(), "mount a tmpfs at {}", path.display());
        Self(path.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[test]
#[ignore = "needs root: it mounts a small file system"]
fn as_root_a_full_disk_refuses_sends_and_lets_receives_go_on() {
    let lab = Lab::new(PROGRAM).unwrap();
    let _disk = SmallDisk::mount(&lab.disk("vs1"), "96m");
    lab.add_virtual_server().unwrap();
    lab.new_queue("orders", true).unwrap();
    let body = "x".repeat(1024 * 1024);
    let mut acknowledged = 0;
    let error = loop {
        match lab.send("orders", &body) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 200, "the disk never ran full");
    };
    assert_eq!(error.kind, ErrorKind::InsufficientResources, "{error}");
    assert!(error.hint.is_some());
    assert!(
        acknowledged > 20,
        "only {acknowledged} MiB of 96 were taken"
    );
    assert_eq!(
        lab.group("VS1").unwrap().state,
        "Online",
        "it did not fail over for that"
    );
    assert_eq!(lab.receive_all("orders").unwrap().len(), acknowledged);
    lab.send("orders", "small, after the space was given back")
        .unwrap();
}

#[test]
#[ignore = "needs root: it mounts a small file system"]
fn as_root_a_drill_fills_the_disk_slows_it_and_undoes_both() {
    let lab = Lab::new(PROGRAM).unwrap();
    let _disk = SmallDisk::mount(&lab.disk("vs1"), "96m");
    lab.add_virtual_server().unwrap();
    let drill = StartDrill {
        group: Some("VS1".into()),
        faults: vec!["DiskFull".into(), "SlowDisk".into()],
        senders: Some(2),
        duration: Some(Millis(2_000)),
        force: true,
        ..StartDrill::default()
    };
    let foreseen = lab.client.what_if("Start-Drill", to_value(&drill).unwrap());
    let foreseen = foreseen.unwrap().unwrap();
    let full = foreseen
        .iter()
        .find(|step| step.object == "DiskFull")
        .unwrap();
    assert!(full.note.contains("all room in"), "{full:?}");
    let report = lab.client.run(drill).unwrap();
    assert!(report.passed, "{}", report.text);
    assert_eq!(
        (report.lost, report.duplicated, report.out_of_order),
        (0, 0, 0)
    );
    assert!(report.text.contains("DiskFull") && report.text.contains("SlowDisk"));
    // The room is given back, and nothing of the drill is left.
    let left = std::fs::read_dir(lab.disk("vs1")).unwrap();
    let left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains("drill")),
        "{left:?}"
    );
    lab.new_queue("orders", true).unwrap();
    lab.send("orders", "after it").unwrap();
}
