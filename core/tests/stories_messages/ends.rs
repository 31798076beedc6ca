//! Transactions of all kinds end within the room that was asked for: debug builds assert it at each of them, and a full
//! disk therefore refuses an end and fails no store.

use hamq_core::queue::access::{AccessEntry, AccessList, Rights};
use hamq_core::queue::message::{Acknowledge, Journal, Message};
use hamq_core::queue::request::{
    BranchId, PoisonPolicy, PoisonTarget, Request, Transaction, TransactionId,
};

use crate::world::*;

/// Numbers without a pattern, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

const LONG: usize = 249;

fn any_message(dice: &mut Dice) -> Message {
    let size = [0, 1, 100, 5000][usize::try_from(dice.roll(4)).unwrap()];
    let label = usize::try_from(dice.roll(LONG as u64)).unwrap();
    message(&"x".repeat(size), |m| {
        m.label = "\u{1F4E6}".repeat(label / 2);
        m.journal = Journal([0, 1, 2, 3][usize::try_from(dice.roll(4)).unwrap()]);
        if dice.roll(2) == 0 {
            m.acknowledge = Acknowledge(0xF);
            m.admin_queue = "admin".into();
        }
        if dice.roll(3) == 0 {
            m.idempotency_key = vec![7; usize::try_from(1 + dice.roll(60)).unwrap()];
        }
        if dice.roll(4) == 0 {
            m.delay_ms = 1000;
        }
    })
}

fn world(then: PoisonTarget) -> World {
    let mut world = World::new();
    world.create("admin");
    let label = "\u{20AC}".repeat(124);
    let name = format!("t{}", "u".repeat(100));
    for queue in ["t", name.as_str()] {
        world.create_with(queue, |p| {
            p.transactional = true;
            p.journal = true;
            p.label.clone_from(&label);
            p.poison = PoisonPolicy {
                receive_retry_count: 1,
                retry_cycles_max: 1,
                retry_cycle_delay_ms: 10,
                then,
            };
        });
        let entries = (0..20).map(|n| AccessEntry {
            trustee: format!("somebody {n} {}", "of a long name".repeat(5)),
            allow: true,
            rights: Rights::PEEK,
        });
        let access = AccessList {
            owner: OWNER.into(),
            entries: entries.collect(),
        };
        let queue = queue.to_owned();
        world.ask(Request::SetAccess { queue, access }).unwrap();
    }
    world
}

/// One transaction: sends, receives, rejects and moves at random, then one of its ends.
fn play(world: &mut World, dice: &mut Dice, number: u64) {
    let long = format!("t{}", "u".repeat(100));
    let transaction = TransactionId(number);
    world.begin(number);
    for _ in 0..dice.roll(12) {
        let queue = if dice.roll(2) == 0 { "t" } else { &long };
        match dice.roll(5) {
            0 | 1 => drop(world.send_in(number, queue, &any_message(dice))),
            2 => drop(world.receive_in(number, queue)),
            3 => {
                if let Ok(received) = world.receive_in(number, queue) {
                    let (queue, lookup_id) = (queue.to_owned(), received.lookup_id);
                    world
                        .ask(Request::Reject {
                            transaction,
                            queue,
                            lookup_id,
                        })
                        .unwrap();
                }
            }
            _ => {
                if let Some(first) = world.peek_all(queue).first() {
                    let to = format!("{queue};{}{}", "s".repeat(20), dice.roll(1000));
                    let (queue, lookup_id) = (queue.to_owned(), first.lookup_id);
                    let transaction = Transaction::In(transaction);
                    drop(world.ask(Request::Move {
                        queue,
                        lookup_id,
                        to,
                        transaction,
                    }));
                }
            }
        }
    }
    if dice.roll(6) == 0 {
        world.purge("t");
    }
    let branch = BranchId(vec![1; usize::try_from(1 + dice.roll(128)).unwrap()]);
    match dice.roll(4) {
        0 => world.abort(number),
        1 => drop(world.commit(number)),
        end => {
            let prepare = Request::Prepare {
                transaction,
                branch: branch.clone(),
            };
            if world.ask(prepare).is_ok() {
                let commit = end == 2;
                world.ask(Request::Resolve { branch, commit }).unwrap();
            }
        }
    }
}

#[test]
fn whatever_a_transaction_did_its_end_has_the_room_that_was_asked_for() {
    for (seed, then) in [
        (1, PoisonTarget::Reject),
        (2, PoisonTarget::Move),
        (3, PoisonTarget::Fault),
        (4, PoisonTarget::Drop),
    ] {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut world = world(then);
        for number in 1..=60 {
            play(&mut world, &mut dice, number);
            world.advance(1);
        }
        assert!(world.status("admin").message_count > 20, "they were told");
    }
}
