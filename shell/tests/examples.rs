//! Every example of the help is carried out, on a real cluster of three nodes.
//!
//! They are played in the order of the list of commands, those that end something last, each by a `hamq -c` of its own.
//! What one needs is made before it (`before`); identities of messages are those that are there (`real`).
#![allow(clippy::unwrap_used, reason = "tests")]

mod machine;

use std::path::Path;

use machine::Machine;

/// Commands whose examples come last, in this order: they end what others need.
const LAST: &[&str] = &[
    "Remove-MsmqQueue",
    "Remove-ClusterCheckpoint",
    "Remove-ClusterResourceDependency",
    "Remove-ClusterResource",
    "Stop-ClusterGroup",
    "Remove-ClusterGroup",
    "Uninstall-MsmqFeature",
    "Stop-ClusterNode",
    "Remove-ClusterNode",
    "Stop-Cluster",
    "Start-Cluster",
    "Restore-Cluster",
    "Remove-Cluster",
    "New-Cluster",
];

/// What is there for all of them.
const LAB: &str = "
    New-Cluster -Name lab -Node n1,n2,n3 -Local -Detach | Out-Null
    Install-MsmqFeature | Out-Null
";

/// What an example takes for granted, or why it cannot be carried out here.
enum Before {
    Nothing,
    Lines(&'static str),
    /// In the same session.
    Session(&'static str),
    NotHere,
}
use Before::{Lines, NotHere, Nothing, Session};

const VIRTUAL_SERVER: &str = "
    let lab = Get-Cluster lab;
    Add-ClusterResource VS1-Disk VS1 'Physical Disk' -Parameters \"DiskPath=${lab.Path}/disks/vs1\"
    Add-ClusterResource VS1-IP VS1 'IP Address' -Parameters \"Address=${lab.Subnet}.101\"
    Add-ClusterResource VS1-Name VS1 'Network Name' -Parameters Name=VS1 -DependsOn VS1-IP
    Add-ClusterResource VS1-MSMQ VS1 MSMQ -DependsOn VS1-Disk,VS1-Name
    Add-ClusterResource VS1-App VS1 'Generic Application' -Parameters 'CommandLine=sleep 1000'
    Add-ClusterResource App VS1 'Generic Application' -Parameters 'CommandLine=sleep 1000'
";
const TWO_ADDRESSES: &str = "
    let lab = Get-Cluster lab;
    Stop-ClusterGroup VS1
    Add-ClusterResource VS1-IP1 VS1 'IP Address' -Parameters \"Address=${lab.Subnet}.102\"
    Add-ClusterResource VS1-IP2 VS1 'IP Address' -Parameters \"Address=${lab.Subnet}.103\"
";
const ONE_ADDRESS: &str = "Set-ClusterResourceDependency VS1-Name '[VS1-IP]'";
/// A load whose session ended leaves what nobody has received, and the next one stops at it.
const LOAD: &str = "Clear-MsmqQueue VS1/private$/load -Force
    Start-DrillWorkload VS1/private$/load scripts/orders.jsonl | Out-Null";
const ENDED_LOAD: &str = "Clear-MsmqQueue VS1/private$/load -Force
    Start-DrillWorkload VS1/private$/load scripts/orders.jsonl | Out-Null
    Stop-DrillWorkload | Out-Null";
const JOB: &str = "Send-MsmqQueue VS1/private$/jobs 'job'";

fn before(code: &str) -> Before {
    let first = code.split(' ').next().unwrap_or_default();
    match (first, code) {
        // etcd, a second network, an authority, a coordinator, a terminal, another cluster: other tests have them.
        (_, code) if code.contains("etcd://") => NotHere,
        (
            "Set-ClusterNetwork"
            | "New-ClusterJoinToken"
            | "New-ClusterClientCertificate"
            | "Resolve-MsmqPreparedTransaction"
            | "Show-ClusterMonitor"
            | "Set-HamqContext",
            _,
        ) => NotHere,
        _ => before_cluster(first, code)
            .or_else(|| before_queues(first, code))
            .unwrap_or(Nothing),
    }
}

/// Groups, resources and nodes.
fn before_cluster(first: &str, code: &str) -> Option<Before> {
    Some(match (first, code) {
        // What was removed keeps the disks of its virtual servers.
        ("New-Cluster", _) => Lines("Invoke-Native rm @('-r', 'home/clusters/lab')"),
        ("Start-ClusterGroup", _) => Lines(VIRTUAL_SERVER),
        (_, code) if code.starts_with("Add-ClusterResource VS1-Disk") => Lines(
            "Stop-ClusterGroup VS1
             Remove-ClusterResource VS1-MSMQ -Force
             Remove-ClusterResource VS1-Disk -Force",
        ),
        ("Add-ClusterResourceDependency", _) => Lines(
            "Stop-ClusterResource VS1-MSMQ
             Remove-ClusterResourceDependency VS1-MSMQ VS1-Disk",
        ),
        (_, code) if code.starts_with("Set-ClusterResourceDependency VS1-Name") => {
            Lines(TWO_ADDRESSES)
        }
        (_, code) if code.starts_with("Set-ClusterResourceDependency VS1-App") => {
            Lines(ONE_ADDRESS)
        }
        ("Remove-ClusterResourceDependency", _) => {
            Lines("Set-ClusterResourceDependency VS1-App '[VS1-Disk]'")
        }
        ("Suspend-ClusterResource" | "Test-ClusterResourceFailure", _) => {
            Lines("Start-ClusterResource VS1-MSMQ -Wait 60s")
        }
        ("Clear-ClusterNode", _) => Lines(
            "Add-ClusterNode n5
             Remove-ClusterNode n5 -Force",
        ),
        ("Test-Cluster", _) => Lines("Install-MsmqFeature n4"),
        ("It", _) => Lines(
            "Stop-ClusterNode n4
             Remove-ClusterNode n4 -Force",
        ),
        ("Set-ClusterNodeSetting" | "Wait-ClusterGroup", _) => {
            Lines("Move-ClusterGroup VS1 -Node n1")
        }
        _ => return None,
    })
}

/// Queues, messages, drills and files.
fn before_queues(first: &str, code: &str) -> Option<Before> {
    Some(match (first, code) {
        (_, "New-MsmqQueue VS1/private$/orders -Transactional") => {
            Lines("Start-ClusterGroup VS1 -Wait 60s")
        }
        ("Remove-MsmqQueue", _) => Lines(
            "Start-ClusterGroup VS1 -Wait 60s
             New-MsmqQueue VS1/private$/old",
        ),
        (_, "Clear-MsmqQueue VS1/private$/test -Force") => Lines("New-MsmqQueue VS1/private$/test"),
        (_, code) if code.contains("-BodyFile") => Lines("'a large body' | Out-File big.bin"),
        (_, code) if code.contains("AdminQueuePath") => Lines("New-MsmqQueue VS1/private$/acks"),
        (_, code) if code.starts_with("Receive-MsmqQueue VS1/private$/jobs") => Lines(JOB),
        (_, code) if code.starts_with("Receive-MsmqQueue VS1/private$/orders") => {
            Lines("Send-MsmqQueue VS1/private$/orders 'order' -Transactional")
        }
        (_, code) if code.starts_with("Receive-MsmqQueue 'VS1/system$;DEADLETTER'") => Lines(
            "Send-MsmqQueue VS1/private$/jobs 'late' -TimeToBeReceived 1s
             Start-Sleep 1500ms
             Clear-MsmqQueue VS1/private$/jobs -Force",
        ),
        (_, code) if code.contains("216172782113783810") => Lines(JOB),
        ("Test-MsmqStore" | "Repair-MsmqStore", _) => Lines(
            "Stop-ClusterGroup VS1 -Wait 60s
             Invoke-Native rm '-rf' store saved
             Invoke-Native cp '-r' \"$((Get-Cluster lab).Path)/disks/vs1/msmq/storage\" store
             Start-ClusterGroup VS1 -Wait 60s",
        ),
        ("Start-Transaction;", code) if code.contains("Receive-") => {
            Lines("Send-MsmqQueue VS1/private$/orders 'order' -Transactional")
        }
        ("Complete-Transaction" | "Undo-Transaction" | "Get-Transaction", _) => {
            Session("Start-Transaction | Out-Null")
        }
        ("Start-DrillWorkload", _) => Lines(
            "Invoke-Native mkdir scripts
             '{\"order\":1}' | Out-File scripts/orders.jsonl
             Clear-MsmqQueue VS1/private$/orders -Force
             New-MsmqQueue VS1/private$/load -Transactional",
        ),
        (
            "Get-DrillWorkload" | "Stop-DrillWorkload" | "Assert-NoDuplicate" | "Assert-InOrder",
            _,
        ) => Session(LOAD),
        ("Assert-NoLoss", _) => Session(ENDED_LOAD),
        ("Measure-DrillFault", _) => Session(
            "Start-ClusterGroup VS1 -Wait 60s
             Clear-MsmqQueue VS1/private$/load -Force
             Start-DrillWorkload VS1/private$/load scripts/orders.jsonl | Out-Null
             Invoke-Fault Kill VS1 | Out-Null",
        ),
        // The example before may have killed the node that owned it.
        ("Start-Drill" | "Invoke-Fault", _) => Lines(
            "for node in (Get-ClusterNode | Where-Object State -eq Down) { Start-ClusterNode $node.Name }
             Start-ClusterGroup VS1 -Wait 60s",
        ),
        ("Wait-Condition" | "Wait-MsmqQueue", _) => {
            Lines("Clear-MsmqQueue VS1/private$/orders -Force")
        }
        ("Stop-Transcript", _) => Session("Start-Transcript of-examples.txt"),
        (_, code) if code.contains("orders.json ") => Lines("'[1,2]' | Out-File orders.json"),
        (_, code) if code.contains("orders.csv") => {
            Lines("@('Text','one') | Out-File orders.csv")
        }
        (_, code) if code.contains("orders.txt") => Lines("'one' | Out-File orders.txt"),
        (_, code) if code.contains("steps.txt") => Lines("'Get-Date' | Out-File steps.txt"),
        ("Compare-Drill", _) => Lines("Get-Content drill.json | Out-File last-month.json"),
        _ => return None,
    })
}

/// With the folders, addresses and identities of this machine.
fn real(machine: &Machine, code: &str) -> String {
    let folder = machine.0.path().display();
    let ask = |question: &str| machine.hamq(question).trim().to_owned();
    let mut code = code
        .replace("/srv/vs1", &format!("{folder}/vs1"))
        .replace("/etc/app.conf", &format!("{folder}/app.conf"));
    if code.contains("127.0.9.1") {
        let subnet = ask("(Get-Cluster lab).Subnet");
        code = code.replace("127.0.9.1", &format!("{subnet}.104"));
    }
    if code.contains("216172782113783810.1") {
        let receipt = ask("Receive-MsmqQueue VS1/private$/jobs -Lease 30s | % LeaseId");
        code = code.replace("216172782113783810.1", &receipt);
    }
    if code.contains("216172782113783810") {
        let id = ask("(Send-MsmqQueue VS1/private$/orders 'order' -Transactional).LookupId");
        code = code.replace("216172782113783810", &id);
    }
    if code.contains("7f2c1de0-") {
        let id = ask("(Send-MsmqQueue VS1/private$/orders 'order' -Transactional).Id");
        code = code.replace("7f2c1de0-0c52-4bb3-9a3e-3b0a2a35c6f1/12", &id);
    }
    code
}

#[test]
fn every_example_of_the_help_is_carried_out() {
    let machine = Machine::new();
    for file in ["bring-online.rhai", "steps.rhai"] {
        let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/runbooks");
        std::fs::copy(runbooks.join(file), machine.0.path().join(file)).unwrap();
    }
    let made = machine.hamq(LAB);
    assert_eq!(made, "");
    let place = |name: &str| {
        LAST.iter()
            .position(|last| *last == name)
            .map_or(0, |n| n + 1)
    };
    let mut specs: Vec<_> = hamq_shell::cmdlet::all().collect();
    specs.sort_by_key(|spec| place(spec.name));
    let mut failed = Vec::new();
    for spec in specs {
        for example in spec.examples {
            match before(example.code) {
                Nothing => {}
                Lines(lines) => {
                    let answer = machine.hamq(lines);
                    if answer.contains("(exit code") {
                        failed.push(format!("before {}:\n{answer}", example.code));
                    }
                }
                Session(_) => {}
                NotHere => continue,
            }
            let code = match before(example.code) {
                Session(lines) => format!("{lines}\n{}", example.code),
                _ => real(&machine, example.code),
            };
            let answer = machine.hamq(&code);
            // Those two say with it what they found.
            let told = match spec.name {
                "Test-Cluster" | "Write-Error" => answer.ends_with("(exit code 3)"),
                _ => false,
            };
            if answer.contains("(exit code") && !told {
                failed.push(format!("{code}\n{answer}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
