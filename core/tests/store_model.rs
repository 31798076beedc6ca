//! Random sends, receives, transactions, retries and crashes against a plain model in memory.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test fails where it stands"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use hamq_core::queue::manager::{Manager, ManagerOptions, Tuning};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{
    QueueProperties, Reply, Request, RequestId, Select, Take, Transaction, TransactionId,
};
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk_fake::{FakeDisk, Survivors};
use hamq_core::{ErrorKind, Result};
use proptest::prelude::*;
use uuid::Uuid;

#[derive(Clone, Debug)]
enum Step {
    Send { priority: u8, size: usize },
    Receive,
    SendSingle,
    Begin,
    SendIn,
    ReceiveIn,
    Commit,
    Abort,
    Purge(bool),
    AskAgain,
    Crash(u64, u8),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8_u8, 0..700_usize).prop_map(|(priority, size)| Step::Send { priority, size }),
        4 => Just(Step::Receive),
        3 => Just(Step::SendSingle),
        3 => Just(Step::Begin),
        3 => Just(Step::SendIn),
        4 => Just(Step::ReceiveIn),
        3 => Just(Step::Commit),
        1 => Just(Step::Abort),
        1 => any::<bool>().prop_map(Step::Purge),
        4 => Just(Step::AskAgain),
        2 => (any::<u64>(), 0..4_u8).prop_map(|(seed, how)| Step::Crash(seed, how)),
        1 => Just(Step::Restart),
    ]
}

/// A queue of the model: messages by priority, highest first, then by arrival.
type Messages = BTreeMap<(u8, u64), String>;

#[derive(Default)]
struct Open {
    id: u64,
    sent: Vec<String>,
    received: Vec<((u8, u64), String)>,
}

struct World {
    disk: FakeDisk,
    manager: Manager,
    client: Uuid,
    sequence: u64,
    last: Option<(RequestId, Request, Reply)>,
    plain: Messages,
    transactional: Messages,
    open: Option<Open>,
    counter: u64,
}

fn open(disk: &FakeDisk) -> Manager {
    let options = ManagerOptions {
        name: ".".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|_| {}),
    };
    let tuning = Tuning {
        segment_bytes: 4096,
        snapshot_bytes: 6000,
        fence: None,
    };
    let clock = Arc::new(FakeClock::default());
    Manager::open_with(Arc::new(disk.clone()), clock, options, tuning)
        .unwrap()
        .0
}

fn text_of(reply: &Reply) -> String {
    match reply {
        Reply::Message(received) => String::from_utf8(received.body().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

impl World {
    fn new() -> Self {
        let disk = FakeDisk::new();
        let manager = open(&disk);
        let mut world = Self {
            disk,
            manager,
            client: Uuid::from_u128(3),
            sequence: 0,
            last: None,
            plain: Messages::new(),
            transactional: Messages::new(),
            open: None,
            counter: 0,
        };
        for (queue, transactional) in [("p", false), ("t", true)] {
            let properties = QueueProperties {
                transactional,
                ..QueueProperties::default()
            };
            let queue = queue.to_owned();
            world
                .ask(Request::CreateQueue { queue, properties })
                .unwrap();
        }
        world
    }

    fn submit(&self, id: RequestId, request: Request) -> Result<Reply> {
        let (sender, receiver) = sync_channel(1);
        let respond = Box::new(move |result| drop(sender.send(result)));
        self.manager.submit(id, request, respond);
        receiver.recv().unwrap()
    }

    fn ask(&mut self, request: Request) -> Result<Reply> {
        self.sequence += 1;
        let id = RequestId {
            client: self.client,
            sequence: self.sequence,
            acknowledged: self.sequence,
        };
        let result = self.submit(id, request.clone());
        self.last = result
            .as_ref()
            .ok()
            .map(|reply| (id, request, reply.clone()));
        result
    }

    fn send(&mut self, queue: &str, text: &str, priority: u8, transaction: Transaction) {
        let mut message = Message::new(text);
        message.priority = priority;
        let queue = queue.to_owned();
        let request = Request::Send {
            queue,
            message: message.encode(),
            body: None,
            transaction,
        };
        self.ask(request).unwrap();
    }

    fn receive(&mut self, queue: &str, transaction: Transaction) -> Option<String> {
        let request = Request::Receive {
            queue: queue.to_owned(),
            select: Select::First,
            take: Take::Remove,
            timeout_ms: 0,
            transaction,
        };
        match self.ask(request) {
            Ok(reply) => Some(text_of(&reply)),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::ReceiveTimeout, "{error}");
                None
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn play(&mut self, step: &Step) {
        let transaction = self.open.as_ref().map(|o| TransactionId(o.id));
        match (step, transaction) {
            (Step::Send { priority, size }, _) => {
                let n = self.next();
                let text = format!("{n} {}", "s".repeat(*size));
                self.send("p", &text, *priority, Transaction::None);
                self.plain.insert((7 - priority, n), text);
            }
            (Step::SendSingle, _) => {
                let n = self.next();
                self.send("t", &n.to_string(), 5, Transaction::Single);
                self.transactional.insert((0, n), n.to_string());
            }
            (Step::Receive, _) => {
                let got = self.receive("p", Transaction::None);
                assert_eq!(got, self.plain.pop_first().map(|m| m.1));
            }
            (Step::Begin, None) => {
                let id = TransactionId(self.sequence + 1);
                self.ask(Request::Begin { transaction: id }).unwrap();
                self.open = Some(Open {
                    id: id.0,
                    ..Open::default()
                });
            }
            (Step::SendIn, Some(id)) => {
                let text = format!("in {}", self.next());
                self.send("t", &text, 0, Transaction::In(id));
                self.open.as_mut().unwrap().sent.push(text);
            }
            (Step::ReceiveIn, Some(id)) => {
                let got = self.receive("t", Transaction::In(id));
                let expected = self.transactional.pop_first();
                assert_eq!(got.as_ref(), expected.as_ref().map(|m| &m.1));
                self.open.as_mut().unwrap().received.extend(expected);
            }
            (Step::Commit, Some(transaction)) => {
                self.ask(Request::Commit { transaction }).unwrap();
                for text in self.open.take().unwrap().sent {
                    let n = self.next();
                    self.transactional.insert((0, n), text);
                }
            }
            (Step::Abort, Some(transaction)) => {
                self.ask(Request::Abort { transaction }).unwrap();
                self.put_back();
            }
            (Step::Purge(plain), _) => self.purge(*plain),
            (Step::AskAgain, _) => self.ask_again(true),
            (Step::Crash(seed, how), _) => {
                let all = [
                    Survivors::None,
                    Survivors::All,
                    Survivors::Prefix,
                    Survivors::Subset,
                ];
                self.disk = self.disk.crash(*seed, all[usize::from(*how)]);
                self.manager = open(&self.disk);
                self.put_back();
                self.ask_again(false);
            }
            (Step::Restart, _) => {
                self.manager.close().unwrap();
                self.manager = open(&self.disk);
                self.put_back();
                self.ask_again(false);
            }
            _ => {}
        }
    }

    fn put_back(&mut self) {
        if let Some(open) = self.open.take()
            && !open.received.is_empty()
        {
            self.transactional.extend(open.received);
        }
    }

    fn purge(&mut self, plain: bool) {
        let queue = if plain { "p" } else { "t" }.to_owned();
        self.ask(Request::PurgeQueue { queue }).unwrap();
        if plain {
            self.plain.clear();
        } else {
            self.transactional.clear();
            // What it holds dies with it; what it takes after this is another matter.
            if let Some(open) = &mut self.open {
                open.received.clear();
            }
        }
    }

    /// The last request again: executed once, the same answer, before and after a restart.
    fn ask_again(&mut self, same_process: bool) {
        let Some((id, request, reply)) = self.last.clone() else {
            return;
        };
        let durable = match &request {
            Request::Send { transaction, .. } | Request::Receive { transaction, .. } => {
                !matches!(transaction, Transaction::In(_))
            }
            Request::Begin { .. } | Request::Abort { .. } => false,
            _ => true,
        };
        if durable || same_process {
            assert_eq!(self.submit(id, request), Ok(reply));
        } else {
            self.last = None;
            // An abort that counted a message's aborted receive is remembered.
            let aborted = matches!(request, Request::Abort { .. });
            if !matches!(request, Request::Begin { .. }) {
                match self.submit(id, request) {
                    Ok(Reply::Done) if aborted => {}
                    other => assert_eq!(other.unwrap_err().kind, ErrorKind::TransactionAborted),
                }
            }
        }
    }

    fn check_the_rest(&mut self) {
        self.play(&Step::Crash(1, 0));
        while let Some((_, text)) = self.plain.pop_first() {
            assert_eq!(self.receive("p", Transaction::None), Some(text));
        }
        while let Some((_, text)) = self.transactional.pop_first() {
            assert_eq!(self.receive("t", Transaction::None), Some(text));
        }
        assert_eq!(self.receive("p", Transaction::None), None);
        assert_eq!(self.receive("t", Transaction::None), None);
    }
}

/// Plays steps that once went wrong.
fn replay(steps: &[Step]) {
    let mut world = World::new();
    for step in steps {
        world.play(step);
    }
    world.check_the_rest();
}

/// The abort is not logged, so the replay must know by itself that the purge took the message.
#[test]
fn a_purge_after_one_whose_locked_message_died_with_its_transaction_is_remembered_alike() {
    for end in [Step::Crash(1, 0), Step::Crash(1, 1)] {
        replay(&[
            Step::SendSingle,
            Step::Begin,
            Step::ReceiveIn,
            Step::Purge(false),
            Step::Abort,
            Step::Purge(false),
            end,
        ]);
    }
}

/// Cases to try: enough for every run of the tests, or what `PROPTEST_CASES` says for a longer hunt.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(1500)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..40)) {
        replay(&steps);
    }
}
