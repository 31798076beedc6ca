//! Counters as Prometheus text: one family after the other, each with its HELP and TYPE.

use std::fmt::Write as _;

use crate::queue::counters::{
    BATCHES_WITHIN, COMPUTER_QUEUES, Counter, NO_BOUND, QUEUE, SERVICE, STORE, SYNCS_WITHIN,
};

/// A family that shows one counter as it is.
struct Family {
    object: &'static str,
    counter: &'static str,
    name: &'static str,
    help: &'static str,
}

const fn family(
    object: &'static str,
    counter: &'static str,
    name: &'static str,
    help: &'static str,
) -> Family {
    Family {
        object,
        counter,
        name,
        help,
    }
}

/// In the order in which they are shown. Names of the original's rates are left out: Prometheus makes rates of totals.
const FAMILIES: &[Family] = &[
    family(
        QUEUE,
        "Messages in Queue",
        "hamq_queue_messages",
        "Messages in the queue.",
    ),
    family(
        QUEUE,
        "Bytes in Queue",
        "hamq_queue_bytes",
        "Bytes of the bodies in the queue.",
    ),
    family(
        QUEUE,
        "Messages in Journal Queue",
        "hamq_queue_journal_messages",
        "Messages in the queue's journal.",
    ),
    family(
        QUEUE,
        "Bytes in Journal Queue",
        "hamq_queue_journal_bytes",
        "Bytes of the bodies in the queue's journal.",
    ),
    family(
        QUEUE,
        "Messages Locked",
        "hamq_queue_locked_messages",
        "Messages held by transactions and leases.",
    ),
    family(
        QUEUE,
        "Messages Delayed",
        "hamq_queue_delayed_messages",
        "Messages that are not due yet.",
    ),
    family(
        QUEUE,
        "Messages Arrived",
        "hamq_queue_arrived_messages_total",
        "Messages that came into the queue since the queue manager started.",
    ),
    family(
        QUEUE,
        "Messages Received",
        "hamq_queue_left_messages_total",
        "Messages that left the queue since the queue manager started.",
    ),
    family(
        QUEUE,
        "Bytes Arrived",
        "hamq_queue_arrived_bytes_total",
        "Bytes of the bodies that came into the queue since the queue manager started.",
    ),
    family(
        QUEUE,
        "Bytes Received",
        "hamq_queue_left_bytes_total",
        "Bytes of the bodies that left the queue since the queue manager started.",
    ),
    family(
        SERVICE,
        "Total messages in all queues",
        "hamq_messages",
        "Messages in all queues.",
    ),
    family(
        SERVICE,
        "Total bytes in all queues",
        "hamq_bytes",
        "Bytes of the bodies in all queues.",
    ),
    family(
        SERVICE,
        "MSMQ Incoming Messages",
        "hamq_incoming_messages_total",
        "Messages that came into queues since the queue manager started.",
    ),
    family(
        SERVICE,
        "MSMQ Outgoing Messages",
        "hamq_outgoing_messages_total",
        "Messages that left queues since the queue manager started.",
    ),
    family(
        SERVICE,
        "Sessions",
        "hamq_sessions",
        "Clients that are connected.",
    ),
    family(
        SERVICE,
        "IP Sessions",
        "hamq_ip_sessions",
        "Clients that are connected over IP.",
    ),
    family(
        SERVICE,
        "Waiting Receives",
        "hamq_waiting_receives",
        "Receives that wait for a message.",
    ),
    family(
        SERVICE,
        "Open Transactions",
        "hamq_open_transactions",
        "Transactions that have neither committed nor aborted.",
    ),
    family(
        SERVICE,
        "Prepared Transactions",
        "hamq_prepared_transactions",
        "Transactions that wait for their coordinator.",
    ),
    family(
        STORE,
        "Bytes Written",
        "hamq_store_written_bytes_total",
        "Bytes of batches written to the log.",
    ),
    family(
        STORE,
        "Records Written",
        "hamq_store_records_total",
        "Records written to the log.",
    ),
    family(
        STORE,
        "Log Segments",
        "hamq_store_segments",
        "Segments of the log.",
    ),
    family(
        STORE,
        "Log Bytes",
        "hamq_store_log_bytes",
        "Bytes of the log's segments in use.",
    ),
    family(
        STORE,
        "Snapshots",
        "hamq_store_snapshots_total",
        "Snapshots since the queue manager started.",
    ),
    family(
        STORE,
        "Last Snapshot Bytes",
        "hamq_store_snapshot_bytes",
        "Bytes of the last snapshot.",
    ),
    family(
        STORE,
        "Cached Contents",
        "hamq_store_cached_messages",
        "Messages whose content is in memory.",
    ),
    family(
        STORE,
        "Cached Bytes",
        "hamq_store_cached_bytes",
        "Bytes of contents in memory.",
    ),
    family(
        STORE,
        "Epoch",
        "hamq_store_epoch",
        "The epoch of the store: it rises with each takeover.",
    ),
];

/// The names that dashboards for Windows know, with their label `name`.
const ALIASES: &[Family] = &[
    family(
        QUEUE,
        "Messages in Queue",
        "windows_msmq_messages_in_queue",
        "Count of messages in the queue.",
    ),
    family(
        QUEUE,
        "Bytes in Queue",
        "windows_msmq_bytes_in_queue",
        "Size of the queue in bytes.",
    ),
    family(
        QUEUE,
        "Messages in Journal Queue",
        "windows_msmq_messages_in_journal_queue",
        "Count of messages in the queue's journal.",
    ),
    family(
        QUEUE,
        "Bytes in Journal Queue",
        "windows_msmq_bytes_in_journal_queue",
        "Size of the queue's journal in bytes.",
    ),
];

/// The counters of the queue manager `manager` in the text format 0.0.4.
#[must_use]
pub fn exposition(manager: &str, counters: &[Counter]) -> String {
    let mut text = String::with_capacity(96 * counters.len() + 4096);
    for family in FAMILIES {
        show(&mut text, family, counters, &|counter| {
            let queue = (family.object == QUEUE).then_some(counter.instance.as_str());
            labels(manager, queue.map(|queue| ("queue", queue)))
        });
    }
    for family in ALIASES {
        show(&mut text, family, counters, &|counter| {
            let name = windows_name(manager, &counter.instance);
            format!("{{name=\"{}\"}}", escaped(&name))
        });
    }
    histogram(
        &mut text,
        counters,
        manager,
        &Buckets {
            name: "hamq_store_sync_seconds",
            help: "Time to write and sync a batch.",
            buckets: SYNCS_WITHIN,
            sum: "Sync Microseconds",
            per_unit: 1e6,
        },
    );
    histogram(
        &mut text,
        counters,
        manager,
        &Buckets {
            name: "hamq_store_batch_bytes",
            help: "Bytes of a batch.",
            buckets: BATCHES_WITHIN,
            sum: "Bytes Written",
            per_unit: 1.0,
        },
    );
    text
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}");
    let _ = writeln!(text, "# TYPE {name} {kind}");
}

fn show(
    text: &mut String,
    family: &Family,
    counters: &[Counter],
    labels: &dyn Fn(&Counter) -> String,
) {
    let of = |c: &&Counter| c.object == family.object && c.counter == family.counter;
    let mut found = counters.iter().filter(of).peekable();
    let Some(first) = found.peek() else { return };
    let kind = if first.total { "counter" } else { "gauge" };
    head(text, family.name, family.help, kind);
    for counter in found {
        let _ = writeln!(text, "{}{} {}", family.name, labels(counter), counter.value);
    }
}

/// Counters that are the buckets of a histogram.
struct Buckets {
    name: &'static str,
    help: &'static str,
    buckets: &'static str,
    sum: &'static str,
    /// So many units of the buckets are one of the family.
    per_unit: f64,
}

fn histogram(text: &mut String, counters: &[Counter], manager: &str, of: &Buckets) {
    let of_store = |name: &'static str| {
        let same = move |c: &&Counter| c.object == STORE && c.counter == name;
        counters.iter().filter(same)
    };
    let Some(count) = of_store(of.buckets).map(|bucket| bucket.value).max() else {
        return;
    };
    head(text, of.name, of.help, "histogram");
    for bucket in of_store(of.buckets) {
        let bound = match bucket.instance.parse::<f64>() {
            Ok(bound) if bucket.instance != NO_BOUND => (bound / of.per_unit).to_string(),
            _ => NO_BOUND.to_owned(),
        };
        let labels = labels(manager, Some(("le", &bound)));
        let _ = writeln!(text, "{}_bucket{labels} {}", of.name, bucket.value);
    }
    let total = of_store(of.sum).next().map_or(0, |sum| sum.value);
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus has no other numbers"
    )]
    let sum = total as f64 / of.per_unit;
    let labels = labels(manager, None);
    let _ = writeln!(text, "{}_sum{labels} {sum}", of.name);
    let _ = writeln!(text, "{}_count{labels} {count}", of.name);
}

fn labels(manager: &str, more: Option<(&str, &str)>) -> String {
    let mut text = format!("{{manager=\"{}\"", escaped(manager));
    if let Some((name, value)) = more {
        let _ = write!(text, ",{name}=\"{}\"", escaped(value));
    }
    text.push('}');
    text
}

/// `computer\private$\queue`, in lower case as the original's instances are.
fn windows_name(manager: &str, queue: &str) -> String {
    match queue {
        COMPUTER_QUEUES => queue.to_owned(),
        queue => format!(
            "{}\\private$\\{}",
            manager.to_lowercase(),
            queue.to_lowercase()
        ),
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(object: &'static str, instance: &str, name: &'static str, value: u64) -> Counter {
        Counter {
            object: object.into(),
            instance: instance.into(),
            counter: name.into(),
            value,
            total: false,
        }
    }

    #[test]
    fn a_queue_is_shown_under_its_own_name_and_under_that_of_windows() {
        let counters = [
            counter(QUEUE, "Orders \"x\"\\y\n", "Messages in Queue", 7),
            counter(QUEUE, COMPUTER_QUEUES, "Messages in Queue", 1),
        ];
        let text = exposition("VS1", &counters);
        let expected = r#"# HELP hamq_queue_messages Messages in the queue.
# TYPE hamq_queue_messages gauge
hamq_queue_messages{manager="VS1",queue="Orders \"x\"\\y\n"} 7
hamq_queue_messages{manager="VS1",queue="Computer Queues"} 1
# HELP windows_msmq_messages_in_queue Count of messages in the queue.
# TYPE windows_msmq_messages_in_queue gauge
windows_msmq_messages_in_queue{name="vs1\\private$\\orders \"x\"\\y\n"} 7
windows_msmq_messages_in_queue{name="Computer Queues"} 1
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn syncs_are_a_histogram_in_seconds() {
        let counters = [
            counter(STORE, "50", SYNCS_WITHIN, 2),
            counter(STORE, NO_BOUND, SYNCS_WITHIN, 3),
            counter(STORE, "", "Sync Microseconds", 2_000_090),
        ];
        let text = exposition("n", &counters);
        for line in [
            "# TYPE hamq_store_sync_seconds histogram",
            "hamq_store_sync_seconds_bucket{manager=\"n\",le=\"0.00005\"} 2",
            "hamq_store_sync_seconds_bucket{manager=\"n\",le=\"+Inf\"} 3",
            "hamq_store_sync_seconds_sum{manager=\"n\"} 2.00009",
            "hamq_store_sync_seconds_count{manager=\"n\"} 3",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
        }
    }
}
