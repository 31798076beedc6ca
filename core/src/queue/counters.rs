//! Performance counters, named like those of the original (msmq.md 7.3).

use serde::{Deserialize, Serialize};

/// One value at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// `MSMQ Queue`, `MSMQ Service`, `HAMQ Store`.
    pub object: String,
    /// The queue's local name; `Computer Queues`; empty for the service.
    pub instance: String,
    /// `Messages in Queue` and its like.
    pub counter: String,
    /// The value. Of one that only rises, the total since the start.
    pub value: u64,
    /// Whether it only rises.
    pub total: bool,
}

use super::request::QueueKind;
use super::state::State;
use super::stored_queue::Queue;

impl State {
    /// All counters of queues and of the service, idle queues included.
    #[must_use]
    pub fn counters(&self) -> Vec<Counter> {
        let mut all = Vec::new();
        let mut add = |object: &str, instance: &str, counter: &str, value, total| {
            all.push(Counter {
                object: object.to_owned(),
                instance: instance.to_owned(),
                counter: counter.to_owned(),
                value,
                total,
            });
        };
        let shown = |queue: &&Queue| {
            matches!(
                queue.kind,
                QueueKind::Private | QueueKind::Subqueue | QueueKind::Outgoing
            )
        };
        for queue in self.queues.values().filter(shown) {
            let status = self.status(queue);
            let mut of =
                |counter, value, total| add("MSMQ Queue", &queue.name, counter, value, total);
            of("Messages in Queue", status.message_count, false);
            of("Bytes in Queue", status.bytes_in_queue, false);
            of(
                "Messages in Journal Queue",
                status.journal_message_count,
                false,
            );
            of("Bytes in Journal Queue", status.bytes_in_journal, false);
            of("Messages Arrived", queue.totals.arrived, true);
            of("Messages Received", queue.totals.left, true);
            of("Bytes Arrived", queue.totals.arrived_bytes, true);
            of("Bytes Received", queue.totals.left_bytes, true);
            of("Messages Locked", status.locked_count, false);
            of("Messages Delayed", status.delayed_count, false);
        }
        let of_kind = |kinds: &[QueueKind]| -> (u64, u64) {
            let queues = || {
                self.queues
                    .values()
                    .filter(|queue| kinds.contains(&queue.kind))
            };
            (
                queues().map(Queue::len).sum(),
                queues().map(Queue::bytes).sum(),
            )
        };
        let dead = of_kind(&[QueueKind::DeadLetter, QueueKind::TransactionalDeadLetter]);
        let journal = of_kind(&[QueueKind::MachineJournal]);
        let computer = "Computer Queues";
        add("MSMQ Queue", computer, "Messages in Queue", dead.0, false);
        add("MSMQ Queue", computer, "Bytes in Queue", dead.1, false);
        add(
            "MSMQ Queue",
            computer,
            "Messages in Journal Queue",
            journal.0,
            false,
        );
        add(
            "MSMQ Queue",
            computer,
            "Bytes in Journal Queue",
            journal.1,
            false,
        );
        let arrived = self.queues.values().map(|queue| queue.totals.arrived).sum();
        let left = self.queues.values().map(|queue| queue.totals.left).sum();
        let messages = self.queues.values().map(Queue::len).sum();
        let bytes = self.queues.values().map(Queue::bytes).sum();
        let service = "MSMQ Service";
        add(service, "", "Total messages in all queues", messages, false);
        add(service, "", "Total bytes in all queues", bytes, false);
        add(service, "", "MSMQ Incoming Messages", arrived, true);
        add(service, "", "MSMQ Outgoing Messages", left, true);
        all
    }
}
