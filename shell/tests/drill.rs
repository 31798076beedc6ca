//! Drills as an operator plays them, with real nodes: their faults end whatever becomes of who made them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine with one cluster, `lab`, of nodes that outlive the commands.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// With the group G, a disk alone, online on n1; nodes wait long before they suspect each other.
    fn with_patient_nodes() -> Self {
        let machine = Self::empty();
        let disk = machine.folder.path().join("disk");
        machine.does(&format!(
            "New-Cluster -Name lab -Node n1,n2 -Local -Detach -LeaseTtl 300s -SameSubnetThreshold 1000 | Out-Null
             Add-ClusterGroup G -PreferredOwners n1 | Out-Null
             Add-ClusterResource G-Disk G 'Physical Disk' -Parameters 'DiskPath={}' | Out-Null
             Start-ClusterGroup G | Out-Null",
            disk.display()
        ));
        machine
    }

    fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn hamq(&self, script: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hamq"));
        command
            .args(["-c", script])
            .env("HAMQ_HOME", self.folder.path().join("home"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, script: &str) -> Output {
        self.hamq(script).output().unwrap()
    }

    /// Runs what must succeed; what it showed.
    fn does(&self, script: &str) -> String {
        let output = self.run(script);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}{err}");
        out
    }

    /// Starts a script and returns when it has shown `word`.
    fn begins(&self, script: &str, word: &str) -> Client {
        let mut child = Client(self.hamq(script).spawn().unwrap());
        let mut out = BufReader::new(child.0.stdout.as_mut().unwrap());
        let mut line = String::new();
        while line.trim() != word {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "{script} ended");
        }
        child
    }

    fn agent(&self, node: &str) -> u32 {
        let pid = self.does(&format!(
            "Get-ClusterNode {node} | select -ExpandProperty ProcessId"
        ));
        pid.trim().parse().unwrap()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.run(
            "Get-Cluster | ForEach-Object { Stop-Cluster $_.Name; Remove-Cluster $_.Name -Force }",
        ));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that runs on; it ends with the test.
struct Client(Child);

impl Client {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The letter that /proc has for what a process does; `T` is stopped.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.unwrap_or('X')
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_frozen_node_runs_again_when_the_client_kill_in_the_middle() {
    let machine = Machine::with_patient_nodes();
    let agent = machine.agent("n1");
    let script =
        "Invoke-Fault Freeze G -Duration 600s | Out-Null; Write-Host frozen; Start-Sleep 600s";
    let client = machine.begins(script, "frozen");
    assert_eq!(state(agent), 'T');
    client.kill();
    until("the node runs again", || state(agent) != 'T');
    assert_ne!(state(agent), 'X', "it was thawed, not ended");
    let owner = machine.does("Get-ClusterGroup G | select -ExpandProperty OwnerNode");
    assert_eq!(owner.trim(), "n1");
}

#[test]
fn a_fault_ends_with_its_time_and_with_the_word_for_it() {
    let machine = Machine::with_patient_nodes();
    let agent = machine.agent("n1");
    let script =
        "Invoke-Fault Freeze G -Duration 1s | Out-Null; Write-Host frozen; Start-Sleep 600s";
    let mut client = machine.begins(script, "frozen");
    until("its time is over", || state(agent) != 'T');
    assert!(
        client.0.try_wait().unwrap().is_none(),
        "the client still runs"
    );
    client.kill();
    let said = machine.does(
        "Invoke-Fault Freeze G -Duration 600s | Out-Null
         Invoke-Fault Undo G | select -ExpandProperty Target
         Invoke-Fault Undo G | select -ExpandProperty Target",
    );
    assert_eq!(
        said,
        "1 thawed, 0 had been fenced by SIGKILL\nnothing is left to undo\n"
    );
    assert_ne!(state(agent), 'T');
}

#[test]
fn a_busy_disk_and_a_killed_node_are_put_right_by_the_leash_alone() {
    let machine = Machine::with_patient_nodes();
    let agent = machine.agent("n1");
    let churn = machine.folder.path().join("disk/.hamq-drill-churn-0");
    let script =
        "Invoke-Fault SlowDisk G -Duration 600s | Out-Null; Write-Host busy; Start-Sleep 600s";
    let client = machine.begins(script, "busy");
    assert!(churn.exists());
    client.kill();
    until("the writers are gone", || !churn.exists());

    let script =
        "Invoke-Fault Kill G -Duration 600s | Out-Null; Write-Host killed; Start-Sleep 600s";
    let client = machine.begins(script, "killed");
    assert!(matches!(state(agent), 'X' | 'Z'), "it is dead");
    client.kill();
    until("n1 was started again", || {
        let up = machine.run("Get-ClusterNode n1 | select -ExpandProperty State");
        text(&up.stdout).trim() == "Up"
    });
}

#[test]
fn what_cannot_be_made_here_says_why() {
    let machine = Machine::with_patient_nodes();
    for (kind, why) in [
        ("CutOff", "share its network"),
        ("ClockStep", "one wall clock"),
        ("DiskFull", "shares its file system"),
        ("KillQueueManager", "no queue manager running"),
        ("Freze", "did you mean Freeze?"),
    ] {
        let output = machine.run(&format!("Invoke-Fault {kind} G"));
        assert_ne!(output.status.code(), Some(0), "{kind}");
        let said = text(&output.stderr);
        assert!(said.contains(why), "{kind}: {said}");
    }
    let plan = machine.does("Invoke-Fault Freeze G -WhatIf");
    assert!(
        plan.contains("What if: 1. Fault Freeze on n1: agent "),
        "{plan}"
    );
    assert!(plan.contains("interrupts G for"), "{plan}");
    assert_ne!(state(machine.agent("n1")), 'T');
}

#[test]
fn a_drill_is_played_reported_and_compared() {
    let machine = Machine::empty();
    let shown = machine.does(
        "Start-Drill -Throwaway -Fault Kill,KillQueueManager -Senders 2 -Rate 50 -Force -Report d.json,d.html,d.xml | Format-List Passed,Lost,WorstOutageMs
         Assert-NoLoss | Out-Null; Assert-NoDuplicate | Out-Null; Assert-InOrder | Out-Null
         Compare-Drill d.json | Where-Object Verdict -ne same | Format-List
         Export-DrillReport again.txt -From d.json | Out-Null",
    );
    assert!(shown.contains("Passed        : true"), "{shown}");
    assert!(shown.contains("Lost          : 0"), "{shown}");
    assert!(
        !shown.contains("Figure"),
        "a drill is as good as itself: {shown}"
    );
    assert!(machine.file("d.html").contains("<svg"));
    assert!(machine.file("d.xml").contains("name=\"1 Kill\"/>"));
    let again = machine.file("again.txt");
    assert!(again.contains("n1 started again"), "{again}");
    let left = machine.does("Get-Cluster | Measure-Object | select -ExpandProperty Count");
    assert_eq!(left.trim(), "0", "the cluster is gone");
}

#[test]
fn a_drill_that_is_interrupted_puts_everything_back() {
    let machine = Machine::with_patient_nodes();
    let disk = machine.folder.path().join("vs-disk");
    machine.does(&format!(
        "let lab = Get-Cluster lab
         Install-MsmqFeature | Out-Null
         Add-ClusterGroup VS1 -PreferredOwners n1 | Out-Null
         let address = lab.Subnet + \".101\"
         Add-ClusterResource VS1-Disk VS1 'Physical Disk' -Parameters 'DiskPath={}' | Out-Null
         Add-ClusterResource VS1-IP VS1 'IP Address' -Parameters \"Address=$address\" | Out-Null
         Add-ClusterResource VS1-Name VS1 'Network Name' -Parameters Name=VS1 -DependsOn VS1-IP | Out-Null
         Add-ClusterResource VS1-MSMQ VS1 MSMQ -DependsOn VS1-Disk,VS1-Name | Out-Null
         Start-ClusterGroup VS1 | Out-Null
         New-MsmqQueue VS1/private$/mine -Transactional | Out-Null
         Send-MsmqQueue VS1/private$/mine precious -Transactional | Out-Null",
        disk.display()
    ));
    let unconfirmed = machine.run("Start-Drill VS1");
    assert_eq!(
        unconfirmed.status.code(),
        Some(4),
        "{}",
        text(&unconfirmed.stderr)
    );
    let full = machine.run("Start-Drill VS1 -Queue VS1/private$/mine -Force");
    assert!(
        text(&full.stderr).contains("holds 1 messages"),
        "{}",
        text(&full.stderr)
    );

    let agent = machine.agent("n1");
    let client = machine
        .hamq("Start-Drill VS1 -Fault Freeze -Duration 600s -Force")
        .spawn()
        .unwrap();
    until("the node is frozen", || state(agent) == 'T');
    signal(client.id(), "-INT");
    let ended = client.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", text(&ended.stderr));
    assert_ne!(state(agent), 'T');
    let queues =
        machine.does("Get-MsmqQueue VS1 | ForEach-Object { echo $_.Name $_.MessageCount }");
    assert_eq!(
        queues, "VS1\\private$\\mine\n1\n",
        "the drill's own queue is gone"
    );
}
