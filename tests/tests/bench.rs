//! The bench measures: each kind of workload once, for a moment, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::{Command, Stdio};

use hamq_tests::process::{mentioning, wait_until};

const BENCH: &str = env!("CARGO_BIN_EXE_hamq-bench");
const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn bench(folder: &Path, workloads: &str) -> Command {
    let mut command = Command::new(BENCH);
    command.args(["run", workloads, "--seconds", "0.1", "--rounds", "2"]);
    command.args(["--program", PROGRAM, "--timeout", "300", "--folder"]);
    command.arg(folder);
    command
}

#[test]
fn floor_and_product_are_measured_and_their_ratio_reported() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let done = bench(folder.path(), "a,b,f,e2")
        .arg("--json")
        .arg(&report)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let letters: Vec<_> = rows
        .iter()
        .map(|row| row["workload"].as_str().unwrap())
        .collect();
    assert_eq!(letters, ["a", "b", "b", "f", "f", "e2"]);
    for row in rows {
        assert_eq!(row["hamq_runs"].as_array().unwrap().len(), 2, "{row}");
        assert!(row["hamq"].as_f64().unwrap() > 0.0, "{row}");
        let beside_floor = matches!(row["workload"].as_str(), Some("a" | "b"));
        assert_eq!(row["ratio"].is_number(), beside_floor, "{row}");
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "only the report is left");
}

#[test]
fn a_bench_that_is_killed_leaves_no_server_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = bench(folder.path(), "e1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let own = format!("{}/run-{}", folder.path().display(), running.id());
    wait_until("floor and queue manager run", || {
        mentioning(&own).len() == 2
    });
    running.kill().unwrap();
    running.wait().unwrap();
    wait_until("both are gone", || mentioning(&own).is_empty());
}
