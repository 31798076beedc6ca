//! The lines between a supervised queue manager and its supervisor.
//!
//! In: `lease MS` (acknowledge until this time of the boot clock), `stop`; the end of the input means "exit
//! at once". Out: one JSON object a line: `ready`, `alive`, `failed`.

use std::io::{BufRead, Write};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use crate::error::{Error, ErrorKind, Result};
use crate::queue::engine::OpenReport;

/// What the supervisor wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Acknowledge until this time of the boot clock.
    Lease(Duration),
    /// End in order.
    Stop,
    /// The supervisor is gone.
    Gone,
}

/// Reads a line; what is not known is passed over, so that a newer supervisor may say more.
pub(super) fn parse(line: &str) -> Option<Order> {
    let mut words = line.split_whitespace();
    match (words.next()?, words.next()) {
        ("stop", None) => Some(Order::Stop),
        ("lease", Some(ms)) => ms.parse().ok().map(Duration::from_millis).map(Order::Lease),
        _ => None,
    }
}

/// The supervisor's orders, read by a thread of their own: standard input cannot be waited for otherwise.
pub(super) fn orders() -> Result<mpsc::Receiver<Order>> {
    let (sender, receiver) = mpsc::channel(16);
    let read = move || {
        for line in std::io::stdin()
            .lock()
            .lines()
            .map_while(std::io::Result::ok)
        {
            if let Some(order) = parse(&line)
                && sender.blocking_send(order).is_err()
            {
                return;
            }
        }
        let _ = sender.blocking_send(Order::Gone);
    };
    std::thread::Builder::new()
        .name("hamq-control".to_owned())
        .spawn(read)
        .map_err(|e| Error::system("start the control thread", &e))?;
    Ok(receiver)
}

/// The line that says that the queue manager works.
pub(super) fn ready(address: std::net::SocketAddr, report: &OpenReport) -> String {
    let report = json!({
        "epoch": report.epoch,
        "records_replayed": report.records_replayed,
        "bytes_cut": report.bytes_cut,
        "queues": report.queues,
        "messages": report.messages,
        "steps": report.steps,
    });
    json!({"ready": {"address": address.to_string(), "report": report}}).to_string()
}

/// The line that says that the queue manager's thread made progress.
pub(super) fn alive(count: u64) -> String {
    json!({ "alive": count }).to_string()
}

/// The line that says why the queue manager ends.
pub(super) fn failed(error: &Error) -> String {
    let kind = error.kind.name();
    json!({"failed": {"kind": kind, "message": error.message, "hint": error.hint}}).to_string()
}

/// Writes a line to the supervisor.
///
/// # Errors
/// When nobody reads.
pub(super) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|e| Error::new(ErrorKind::System, format!("write to the supervisor: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_strange_ones_passed_over() {
        assert_eq!(parse("stop"), Some(Order::Stop));
        let lease = Order::Lease(Duration::from_millis(1500));
        assert_eq!(parse("lease 1500"), Some(lease));
        for strange in ["", "lease", "lease soon", "lease -1", "stop now", "dance"] {
            assert_eq!(parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn lines_are_json_objects_of_one_line() {
        let error = Error::new(ErrorKind::Fenced, "epoch 3\nis newer");
        let line = failed(&error);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["failed"]["kind"], "Fenced");
        assert_eq!(value["failed"]["hint"], serde_json::Value::Null);
        let report = OpenReport {
            epoch: 4,
            steps: vec![("replayed".into(), 1.5)],
            ..OpenReport::default()
        };
        let line = ready("127.0.9.1:7801".parse().unwrap(), &report);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["ready"]["address"], "127.0.9.1:7801");
        assert_eq!(value["ready"]["report"]["steps"][0][0], "replayed");
        assert_eq!(value["ready"]["report"]["epoch"], 4);
    }
}
