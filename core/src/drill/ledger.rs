//! The ledger: what was sent, acknowledged and received, and what does not add up. Pure.

use std::collections::HashMap;

/// Examples kept of each kind of violation.
const EXAMPLES_MAX: usize = 5;

/// One message of a drill: the sender and its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageKey {
    /// The sender, from 0.
    pub sender: u32,
    /// Its messages are counted from 1.
    pub number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Sent,
    Acknowledged,
    Unknown,
}

/// Everything that happened to the messages of one drill.
#[derive(Debug, Default)]
pub struct Ledger {
    fates: HashMap<MessageKey, Fate>,
    received: HashMap<MessageKey, u32>,
    last_of_sender: HashMap<u32, u64>,
    duplicated: u64,
    out_of_order: u64,
    altered: u64,
    acknowledged: u64,
    waiting: i64,
    unknown: u64,
    examples: Vec<String>,
}

/// What a ledger adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// Messages handed in.
    pub sent: u64,
    /// Acknowledged ones.
    pub acknowledged: u64,
    /// Different messages received.
    pub received: u64,
    /// Acknowledged, never received.
    pub lost: u64,
    /// Receptions beyond the first of a message.
    pub duplicated: u64,
    /// Received behind a later message of the same sender.
    pub out_of_order: u64,
    /// Received with a content that nobody sent.
    pub altered: u64,
    /// Sends whose outcome was never learned.
    pub unknown: u64,
    /// One example of each kind.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether every promise was kept.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.out_of_order == 0 && self.altered == 0
    }
}

impl Ledger {
    /// A message is handed to the virtual server.
    pub fn sent(&mut self, key: MessageKey) {
        self.fates.insert(key, Fate::Sent);
    }

    /// It was acknowledged.
    pub fn acknowledged(&mut self, key: MessageKey) {
        self.fates.insert(key, Fate::Acknowledged);
        self.acknowledged += 1;
        if !self.received.contains_key(&key) {
            self.waiting += 1;
        }
    }

    /// Its sender gave up without learning the outcome.
    pub fn unknown(&mut self, key: MessageKey) {
        self.fates.insert(key, Fate::Unknown);
        self.unknown += 1;
    }

    /// It was taken out by a receive that committed. `ordered`: whether there is one consumer, so that
    /// the messages of a sender must come in the order they were sent.
    pub fn received(&mut self, key: MessageKey, ordered: bool) {
        let times = self.received.entry(key).or_insert(0);
        *times += 1;
        if *times > 1 {
            self.duplicated += 1;
            self.example(format!(
                "message {} of sender {} came twice",
                key.number, key.sender
            ));
            return;
        }
        match self.fates.get(&key) {
            Some(Fate::Acknowledged) => self.waiting -= 1,
            Some(Fate::Sent | Fate::Unknown) => {}
            None => self.altered(&format!("message {} of sender {}", key.number, key.sender)),
        }
        let last = self.last_of_sender.entry(key.sender).or_insert(0);
        let behind = *last;
        *last = behind.max(key.number);
        if ordered && key.number < behind {
            self.out_of_order += 1;
            self.example(format!(
                "message {} of sender {} came behind its message {behind}",
                key.number, key.sender
            ));
        }
    }

    /// Something was received that nobody sent in this form.
    pub fn altered(&mut self, what: &str) {
        self.altered += 1;
        self.example(format!("{what} was never sent like this"));
    }

    /// Acknowledged messages that are still to be received.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        u64::try_from(self.waiting).unwrap_or(0)
    }

    /// The counters so far without a search for what is missing: no matter how many messages there were.
    #[must_use]
    pub fn counters(&self) -> Verdict {
        Verdict {
            sent: count(self.fates.len()),
            acknowledged: self.acknowledged,
            received: count(self.received.len()),
            duplicated: self.duplicated,
            out_of_order: self.out_of_order,
            altered: self.altered,
            unknown: self.unknown,
            ..Verdict::default()
        }
    }

    /// The counters so far; `lost` counts what has not been received yet.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let mut missing: Vec<_> = self
            .fates
            .iter()
            .filter(|(key, fate)| **fate == Fate::Acknowledged && !self.received.contains_key(key))
            .map(|(key, _)| *key)
            .collect();
        missing.sort_unstable();
        let mut examples = self.examples.clone();
        if let Some(key) = missing.first() {
            examples.push(format!(
                "message {} of sender {} was acknowledged and never came",
                key.number, key.sender
            ));
        }
        Verdict {
            lost: count(missing.len()),
            examples,
            ..self.counters()
        }
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text);
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn key(sender: u32, number: u64) -> MessageKey {
        MessageKey { sender, number }
    }

    fn two_acknowledged() -> Ledger {
        let mut ledger = Ledger::default();
        for number in 1..=2 {
            ledger.sent(key(0, number));
            ledger.acknowledged(key(0, number));
        }
        ledger
    }

    #[test]
    fn everything_received_once_and_in_order_passes() {
        let mut ledger = two_acknowledged();
        ledger.received(key(0, 1), true);
        assert_eq!(ledger.waiting(), 1);
        ledger.received(key(0, 2), true);
        let verdict = ledger.verdict();
        assert!(verdict.passed(), "{verdict:?}");
        assert_eq!(
            (verdict.sent, verdict.acknowledged, verdict.received),
            (2, 2, 2)
        );
        assert_eq!(ledger.waiting(), 0);
    }

    #[test]
    fn each_violation_is_counted() {
        let mut ledger = two_acknowledged();
        ledger.received(key(0, 2), true);
        assert_eq!(ledger.verdict().lost, 1);
        ledger.received(key(0, 1), true);
        ledger.received(key(0, 1), true);
        ledger.received(key(7, 1), true);
        let verdict = ledger.verdict();
        assert_eq!(
            (
                verdict.lost,
                verdict.duplicated,
                verdict.out_of_order,
                verdict.altered
            ),
            (0, 1, 1, 1)
        );
        assert!(!verdict.passed());
    }

    #[test]
    fn a_send_of_unknown_outcome_may_arrive_or_not() {
        let mut ledger = Ledger::default();
        for number in 1..=2 {
            ledger.sent(key(0, number));
            ledger.unknown(key(0, number));
        }
        ledger.received(key(0, 2), true);
        let verdict = ledger.verdict();
        assert!(verdict.passed(), "{verdict:?}");
        assert_eq!((verdict.unknown, verdict.received), (2, 1));
    }

    #[test]
    fn a_message_that_comes_before_its_acknowledgement_is_not_waiting() {
        let mut ledger = Ledger::default();
        ledger.sent(key(0, 1));
        ledger.received(key(0, 1), true);
        ledger.acknowledged(key(0, 1));
        assert_eq!(ledger.waiting(), 0);
        assert!(ledger.verdict().passed());
    }
}
