//! The monitor on a terminal, driven through tmux over a real cluster; passed over where there is no tmux.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test that is passed over says so")]

mod terminal;

use std::ops::Deref;
use std::process::{Command, Stdio};
use std::time::Duration;

use terminal::Terminal;

/// How long a screen may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with a cluster of two nodes and the monitor on it.
struct Monitor(Terminal);

impl Deref for Monitor {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.0
    }
}

impl Monitor {
    fn open(arguments: &str) -> Option<Self> {
        let monitor = Self(Terminal::open("sh", PATIENCE)?);
        let make = format!(
            "New-Cluster -Name lab -Node n1,n2 -Local -Detach | Out-Null
             Add-ClusterGroup G -PreferredOwners n1 | Out-Null
             Add-ClusterResource G-Disk G 'Physical Disk' -Parameters 'DiskPath={}' | Out-Null
             Start-ClusterGroup G | Out-Null",
            monitor.home.path().join("disk").display()
        );
        monitor.hamq(&make);
        monitor.line(&format!(
            "{} -c 'Show-ClusterMonitor {arguments}'",
            env!("CARGO_BIN_EXE_hamq")
        ));
        Some(monitor)
    }

    fn hamq(&self, script: &str) {
        let done = Command::new(env!("CARGO_BIN_EXE_hamq"))
            .args(["-c", script])
            .env("HAMQ_HOME", self.home.path().join("home"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn line(&self, text: &str) {
        self.text(text);
        self.key("Enter");
    }

    /// Closes what lies over the view, and waits until it is closed: a key that comes right behind Escape is Alt and that key.
    fn closes(&self) {
        self.key("Escape");
        self.until("view without a box on it", |screen| {
            !screen.contains("any other key closes it")
        });
    }

    /// The shell below is back, on the screen it had, and echoes what is typed.
    fn is_given_back(&self) {
        self.until("the screen of before", |screen| {
            screen.contains("Show-ClusterMonitor") && !screen.contains("nodes, groups, resources")
        });
        self.line("echo given back: $?; stty -a | grep -o ' icanon'");
        self.until("a terminal that reads lines", |screen| {
            screen.contains("\ngiven back: ") && screen.contains("\n icanon")
        });
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // The monitor asks the cluster until its terminal is gone.
        self.tmux(&["kill-server"]);
        self.hamq("Stop-Cluster lab; Remove-Cluster lab -Force");
    }
}

#[test]
fn it_shows_the_cluster_follows_it_and_gives_the_terminal_back() {
    let Some(terminal) = Monitor::open("") else {
        return;
    };
    terminal.sees("nodes 2/2 up  groups 1/1 online");
    terminal.sees("+   G-Disk Online  Physical Disk");
    terminal.text(":Move-ClusterGroup G");
    terminal.key("Enter");
    terminal.sees("this monitor is read-only");
    terminal.closes();
    terminal.text(":Get-ClusterGroup | select Name,OwnerNode");
    terminal.key("Enter");
    terminal.sees("G     n1");
    terminal.closes();
    terminal.hamq("Move-ClusterGroup G n2 | Out-Null");
    terminal.until("the new owner", |screen| {
        screen
            .lines()
            .any(|line| line.contains("G ") && line.contains("on n2"))
    });
    terminal.tmux(&["resize-window", "-x", "120", "-y", "40"]);
    terminal.until("a larger screen", |screen| {
        screen.lines().count() >= 40 && screen.contains("? keys")
    });
    terminal.text("q");
    terminal.is_given_back();
}

#[test]
fn a_change_is_made_after_a_yes_and_a_signal_gives_the_terminal_back() {
    let Some(terminal) = Monitor::open("-AllowChanges") else {
        return;
    };
    terminal.sees("groups 1/1 online");
    terminal.text(":Move-ClusterGroup G n2");
    terminal.key("Enter");
    terminal.sees("Do it? y/N");
    terminal.key("y");
    terminal.sees("output; any other key closes it");
    terminal.closes();
    terminal.until("the new owner", |screen| {
        screen
            .lines()
            .any(|line| line.contains("G ") && line.contains("on n2"))
    });
    let shell = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]);
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", shell.trim())).unwrap();
    let monitor = children.split_whitespace().next().unwrap();
    assert!(
        Command::new("kill")
            .args(["-TERM", monitor])
            .status()
            .unwrap()
            .success()
    );
    terminal.is_given_back();
    terminal.sees("given back: 143");
}
