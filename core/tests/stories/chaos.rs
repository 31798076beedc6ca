//! Anything in any order: the store never fails, and what a restart reads is what was there.
//!
//! The engine checks its invariants after each step of a small store in a debug build; this adds requests that
//! nobody sane would send, and compares each restart with what was there before.

use std::collections::BTreeMap;

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Acknowledge, Journal, LeaseId, Lifetime, Message};
use hamq_core::queue::request::{
    PoisonPolicy, PoisonTarget, QueueProperties, Reply, Request, Select, Settle, Take, Transaction,
    TransactionId,
};

use crate::store::*;

const QUEUES: [&str; 3] = ["a", "b", "c"];
const OTHERS: [&str; 11] = [
    "a;retry",
    "a;poison",
    "a;x",
    "b;x",
    "c;retry",
    "a;JOURNAL",
    "b;JOURNAL",
    "system$;DEADLETTER",
    "system$;DEADXACT",
    "system$;JOURNAL",
    "admin",
];

pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    pub fn any<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

struct Chaos {
    store: Store,
    dice: Dice,
    transactions: u64,
    leases: Vec<(String, LeaseId)>,
}

fn properties(queue: &str, then: PoisonTarget) -> QueueProperties {
    QueueProperties {
        transactional: queue != "b",
        journal: queue != "c",
        poison: PoisonPolicy {
            receive_retry_count: 1,
            retry_cycles_max: 1,
            retry_cycle_delay_ms: 3000,
            then,
        },
        ..QueueProperties::default()
    }
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut chaos = Self {
            store: Store::with_snapshots(3000),
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            transactions: 0,
            leases: Vec::new(),
        };
        for queue in QUEUES {
            chaos.create(queue);
        }
        chaos.store.create("admin", false);
        chaos
    }

    fn create(&mut self, queue: &str) {
        use PoisonTarget::{Drop, Fault, Move, Reject};
        let then = self.dice.any(&[Drop, Fault, Move, Reject]);
        let properties = properties(queue, then);
        let queue = queue.to_owned();
        self.ask(Request::CreateQueue { queue, properties });
    }

    fn queue(&mut self) -> &'static str {
        match self.dice.roll(3) {
            0 => self.dice.any(&OTHERS),
            _ => self.dice.any(&QUEUES),
        }
    }

    fn ask(&mut self, request: Request) -> Option<Reply> {
        let client = self.dice.any(&[ANN, BOB]);
        let reply = self.store.ask(client, request);
        if let Err(error) = &reply {
            let broken = [
                ErrorKind::StoreDamaged,
                ErrorKind::Internal,
                ErrorKind::Fenced,
            ];
            assert!(!broken.contains(&error.kind), "{error:?}");
        }
        reply.ok()
    }

    fn transaction(&mut self) -> Transaction {
        match self.dice.roll(4) {
            0 => Transaction::None,
            1 => Transaction::Single,
            _ => Transaction::In(self.number()),
        }
    }

    fn number(&mut self) -> TransactionId {
        TransactionId(self.transactions.saturating_sub(self.dice.roll(4) as u64))
    }

    fn message(&mut self) -> Message {
        let mut message = Message::new("x".repeat(self.dice.roll(60)));
        message.priority = self.dice.roll(8) as u8;
        message.journal = Journal(self.dice.roll(4) as u8);
        message.correlation_id = correlation(self.dice.roll(3) as u32);
        if self.dice.roll(2) == 0 {
            message.acknowledge = Acknowledge(self.dice.roll(16) as u8);
            message.admin_queue = "admin".into();
        }
        match self.dice.roll(6) {
            0 => message.delay_ms = self.dice.roll(5000) as u64,
            1 => message.time_to_be_received = Lifetime(1 + self.dice.roll(4) as u32),
            _ => {}
        }
        message
    }

    /// The place of some message of a queue.
    fn place(&mut self, queue: &str) -> u64 {
        let all = self.store.messages(queue);
        match all.len() {
            0 => 1,
            count => all[self.dice.roll(count)].lookup_id,
        }
    }

    fn step(&mut self) {
        let queue = self.queue();
        let transaction = self.transaction();
        match self.dice.roll(24) {
            0..=4 => {
                let message = self.message();
                let mut usual = transaction;
                if transaction == Transaction::None && queue != "b" {
                    usual = Transaction::Single;
                }
                self.ask(send(queue, message, usual));
            }
            5..=8 => {
                let select = match self.dice.roll(3) {
                    0 => Select::LookupId(self.place(queue)),
                    1 => Select::Correlation(correlation(1)),
                    _ => Select::First,
                };
                self.ask(receive_in(queue, select, transaction));
            }
            9 => drop(self.ask(many(queue, Take::Remove, 3, transaction))),
            10 | 11 => {
                self.transactions += 1;
                let transaction = TransactionId(self.transactions);
                self.ask(Request::Begin { transaction });
            }
            12 => drop(self.number()),
            13 | 14 => {
                let number = self.number().0;
                let end = self.dice.any(&[commit, abort]);
                self.ask(end(number));
            }
            15 => {
                let (place, to) = (self.place(queue), self.queue());
                self.ask(move_to(queue, place, to, transaction));
            }
            16 => {
                let length = 500 + self.dice.roll(3000) as u32;
                if let Some(Reply::Messages(all)) =
                    self.ask(many(queue, Take::Lease(length), 3, Transaction::None))
                {
                    let leased = all.iter().filter_map(|m| m.lease);
                    self.leases.extend(leased.map(|l| (queue.to_owned(), l)));
                }
            }
            17 => self.settle_some(),
            18 => {
                let (number, branch) = (self.number().0, self.dice.any(&["x", "y", "z"]));
                self.ask(prepare(number, branch));
            }
            19 => {
                let (branch, yes) = (self.dice.any(&["x", "y", "z"]), self.dice.roll(2) == 0);
                self.ask(resolve(branch, yes));
            }
            20 => {
                let number = self.number().0;
                let place = self.place(queue);
                self.ask(reject(queue, place, number));
            }
            21 => self.store.pass(700),
            _ => self.rarely(queue),
        }
    }

    fn settle_some(&mut self) {
        let Some((queue, lease)) = self.leases.pop() else {
            return;
        };
        let how = [
            Settle::Complete,
            Settle::Release,
            Settle::Reject,
            Settle::Extend(900),
        ];
        let how = self.dice.any(&how);
        self.ask(settle(&queue, &[lease, lease], how));
    }

    fn rarely(&mut self, queue: &'static str) {
        match self.dice.roll(8) {
            0 => drop(self.ask(purge(queue))),
            1 => drop(self.ask(delete(queue))),
            2 => self.store.end_session(ANN),
            3 | 4 => self.restart(),
            _ => {}
        }
        for queue in QUEUES {
            if self.ask(peek(queue, Select::First)).is_none() {
                self.create(queue);
            }
        }
        if self.ask(peek("admin", Select::First)).is_none() && self.dice.roll(4) == 0 {
            let (queue, properties) = ("admin".to_owned(), QueueProperties::default());
            self.ask(Request::CreateQueue { queue, properties });
        }
    }

    /// What is available and what is counted, by queue.
    fn picture(&mut self) -> BTreeMap<&'static str, Vec<String>> {
        let all = QUEUES.iter().chain(&OTHERS);
        let tell = |store: &mut Store, queue: &str| {
            let messages = store.messages(queue).into_iter();
            messages.map(|m| format!("{m:?}")).collect()
        };
        all.map(|queue| (*queue, tell(&mut self.store, queue)))
            .collect()
    }

    fn restart(&mut self) {
        for client in [ANN, BOB] {
            self.store.end_session(client);
        }
        // Leases end here too: what is held is held by branches.
        self.store.pass(13 * 60 * 60 * 1000);
        self.store.pass(0);
        let before = self.picture();
        match self.dice.roll(2) {
            0 => self.store.crash(),
            _ => self.store.reopen(),
        }
        self.store.pass(0);
        assert_eq!(self.picture(), before);
        self.leases.clear();
    }
}

#[test]
fn whatever_is_asked_the_store_stays_whole() {
    let seeds = std::env::var("HAMQ_CHAOS_SEEDS").map_or(40, |count| count.parse().unwrap());
    let from = std::env::var("HAMQ_CHAOS_FROM").map_or(1, |first| first.parse().unwrap());
    for seed in from..from + seeds {
        println!("seed {seed}");
        let mut chaos = Chaos::new(seed);
        for _ in 0..250 {
            chaos.step();
        }
        chaos.restart();
    }
}
