//! A real queue manager that is looked at from outside: its counters by HTTP, its store by `hamq store`.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const HAMQ: &str = env!("CARGO_BIN_EXE_hamq");

/// A queue manager that ends with the test.
struct QueueManager(Child);

impl Drop for QueueManager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl QueueManager {
    fn start(store: &Path, host: &str) -> Self {
        let mut child = Command::new(HAMQ)
            .args(["queue-manager", "--name", "vs1", "--store"])
            .arg(store)
            .args(["--listen", &format!("{host}:7801")])
            .args(["--metrics", &format!("{host}:7809")])
            .env("HAMQ_LOG", "info,json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(line.contains("listens at"), "{line}");
        Self(child)
    }
}

impl QueueManager {
    /// The first line that it writes to standard error.
    fn first_event(&mut self) -> String {
        let mut stderr = BufReader::new(self.0.stderr.take().unwrap());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            sender.send(line)
        });
        receiver.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

fn get(host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect((host, 7809)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn store(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(HAMQ);
    command.arg("store").arg(arguments[0]).arg(folder);
    command.args(&arguments[1..]).output().unwrap()
}

#[test]
fn a_scraper_and_an_operator_look_at_a_queue_manager_and_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let host = "127.83.19.4";
    let mut manager = QueueManager::start(&path, host);
    let text = get(host, "/metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    for line in [
        "# TYPE hamq_queue_messages gauge",
        "hamq_queue_messages{manager=\"vs1\",queue=\"Computer Queues\"} 0",
        "windows_msmq_messages_in_queue{name=\"Computer Queues\"} 0",
        "hamq_store_epoch{manager=\"vs1\"} 1",
        "# TYPE hamq_store_sync_seconds histogram",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(get(host, "/").starts_with("HTTP/1.1 404"));
    let events = manager.first_event();
    drop(manager);
    assert!(
        events.contains("\"event\":\"message store opened\""),
        "{events}"
    );
    assert!(events.contains("\"epoch\":1,"), "{events}");

    let check = store(&["check"], &path);
    let report = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(0), "{report}");
    assert!(report.ends_with("sound\n"), "{report}");
    let target = folder.path().join("new");
    let salvaged = store(&["salvage", target.to_str().unwrap()], &path);
    assert_eq!(salvaged.status.code(), Some(0));
    let again = store(&["salvage", target.to_str().unwrap()], &path);
    assert_eq!(again.status.code(), Some(1));
    let hint = String::from_utf8(again.stderr).unwrap();
    assert!(hint.contains("not empty"), "{hint}");

    damage_newest_segment(&path);
    let check = store(&["check", "--json"], &path);
    let report = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(2), "{report}");
    assert!(report.contains("\"sound\":false"), "{report}");
    let dump = store(&["dump"], &path);
    assert_eq!(dump.status.code(), Some(0));
    let none = store(&["check"], &folder.path().join("nowhere"));
    assert_eq!(none.status.code(), Some(1));
}

/// The header of a segment in the middle of the log: it has a successor that names it.
fn damage_newest_segment(path: &Path) {
    drop(QueueManager::start(path, "127.83.19.5"));
    let mut names: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .collect();
    names.sort();
    let mut bytes = std::fs::read(&names[0]).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&names[0], bytes).unwrap();
}
