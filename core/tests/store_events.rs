//! What an operator is told of a queue manager: events, and counters.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hamq_core::queue::access::Access;
use hamq_core::queue::counters::{Counter, QUEUE, SERVICE, STORE};
use hamq_core::queue::encoded::Encoded;
use hamq_core::queue::engine::{Engine, ManagerOptions, Tuning};
use hamq_core::queue::message::{Delivery, Journal, Lifetime, Message};
use hamq_core::queue::request::{
    Answer, Caller, QueueProperties, Reply, Request, RequestId, Transaction,
};
use hamq_core::queue::serve::Serve;
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk_fake::FakeDisk;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use uuid::Uuid;

/// One test at a time: an event that is first told on a thread without a subscriber, at the very moment when
/// another thread sets its own, may stay switched off for both.
static ALONE: Mutex<()> = Mutex::new(());

/// Keeps events as text.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Kept {
    fn with(&self, part: &str) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|line| line.contains(part))
            .cloned()
            .collect()
    }
}

struct Story {
    engine: Engine,
    clock: Arc<FakeClock>,
    caller: Caller,
    sequence: u64,
}

impl Story {
    fn begin() -> Self {
        let clock = Arc::new(FakeClock::default());
        let options = ManagerOptions {
            name: "vs1".into(),
            epoch: None,
            owner: "n1".into(),
            deadline: None,
            on_failure: Box::new(|_| {}),
        };
        let disk = Arc::new(FakeDisk::new());
        let opened = Engine::open(disk, clock.clone(), options, Tuning::default());
        let client = Uuid::from_u128(1);
        let access = Arc::new(Access::owner_of_all("admin"));
        Self {
            engine: opened.unwrap().0,
            clock,
            caller: Caller { client, access },
            sequence: 0,
        }
    }

    fn ask(&mut self, request: Request) -> hamq_core::Result<Reply> {
        self.sequence += 1;
        let id = RequestId {
            client: self.caller.client,
            sequence: self.sequence,
            acknowledged: self.sequence,
        };
        let answer = Answer::Call(Box::new(|_| {}));
        self.engine.submit(&self.caller, id, request, answer);
        let mut out = Vec::new();
        self.engine.step(&mut out);
        out.pop().unwrap().1
    }

    fn create(&mut self, queue: &str, quota_bytes: u64) {
        let properties = QueueProperties {
            quota_bytes,
            ..QueueProperties::default()
        };
        let queue = queue.to_owned();
        self.ask(Request::CreateQueue { queue, properties })
            .unwrap();
    }

    fn send(&mut self, queue: &str, body: &str, lifetime: Lifetime) -> hamq_core::Result<Reply> {
        let mut message = Message::new(body);
        message.delivery = Delivery::Recoverable;
        message.journal = Journal::DEAD_LETTER;
        message.time_to_be_received = lifetime;
        self.ask(Request::Send {
            queue: queue.into(),
            message: Encoded::new(&message),
            transaction: Transaction::None,
            body: None,
        })
    }

    fn counters(&mut self) -> Vec<Counter> {
        match self.ask(Request::Counters).unwrap() {
            Reply::Counters(counters) => counters,
            other => panic!("{other:?}"),
        }
    }
}

fn value(counters: &[Counter], object: &str, instance: &str, counter: &str) -> Option<u64> {
    let same = |c: &&Counter| c.object == object && c.instance == instance && c.counter == counter;
    counters.iter().find(same).map(|c| c.value)
}

#[test]
fn a_full_queue_is_told_once_an_hour_and_dead_letters_once_a_minute() {
    let _alone = ALONE.lock();
    let kept = Kept::default();
    tracing::subscriber::with_default(kept.clone(), || {
        let mut story = Story::begin();
        assert_eq!(kept.with("message store opened").len(), 1);
        story.create("small", 10);
        story.create("big", u64::MAX);
        for _ in 0..5 {
            story
                .send("small", "more than ten bytes", Lifetime::INFINITE)
                .unwrap_err();
        }
        let told = kept.with("event_id=2182");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("WARN") && told[0].contains("queue=small"),
            "{told:?}"
        );
        story.clock.advance(Duration::from_secs(3600));
        story
            .send("small", "more than ten bytes", Lifetime::INFINITE)
            .unwrap_err();
        let told = kept.with("event_id=2182");
        assert!(told.len() == 2 && told[1].contains("untold=4"), "{told:?}");

        for _ in 0..3 {
            story.send("big", "short-lived", Lifetime(1)).unwrap();
        }
        story.clock.advance(Duration::from_secs(2));
        story.counters();
        assert_eq!(
            kept.with("NACK_RECEIVE_TIMEOUT").len(),
            4,
            "each on debug, one on warn"
        );
        assert_eq!(kept.with("became dead letters").len(), 1);
    });
}

#[test]
fn idle_queues_have_counters_and_busy_ones_true_ones() {
    let _alone = ALONE.lock();
    let mut story = Story::begin();
    story.create("idle", u64::MAX);
    story.create("busy", u64::MAX);
    for _ in 0..3 {
        story.send("busy", "12345", Lifetime::INFINITE).unwrap();
    }
    story.engine.set_sessions(5, 4);
    let counters = story.counters();
    let of = |instance: &str, counter: &str| value(&counters, QUEUE, instance, counter);
    for counter in [
        "Messages in Queue",
        "Bytes in Queue",
        "Messages in Journal Queue",
        "Bytes in Journal Queue",
    ] {
        assert_eq!(of("idle", counter), Some(0), "{counter}");
        assert_eq!(of("Computer Queues", counter), Some(0), "{counter}");
    }
    assert_eq!(of("busy", "Messages in Queue"), Some(3));
    assert_eq!(of("busy", "Bytes in Queue"), Some(15));
    let service = |counter: &str| value(&counters, SERVICE, "", counter);
    assert_eq!(
        (service("Sessions"), service("IP Sessions")),
        (Some(5), Some(4))
    );
    assert_eq!(service("Total messages in all queues"), Some(3));
    assert_eq!(service("Incoming Messages/sec"), Some(3));
    assert_eq!(service("Outgoing Messages/sec"), Some(0));
    let store = |instance: &str, counter: &str| value(&counters, STORE, instance, counter);
    let syncs = store("", "Syncs").unwrap();
    assert!(syncs >= 5, "{syncs}");
    assert_eq!(store("+Inf", "Syncs Within Microseconds"), Some(syncs));
    assert_eq!(
        store("50", "Syncs Within Microseconds"),
        Some(syncs),
        "the clock stands still"
    );
    assert!(store("", "Records Written").unwrap() >= 5);
    assert!(store("", "Log Segments").unwrap() >= 1);
}
