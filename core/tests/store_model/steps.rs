//! What can happen, and how it is made up. Numbers in a step choose among what there is when it is played, so that
//! a case that fails stays one when it is made shorter.

use proptest::prelude::*;

use hamq_core::queue::request::{PoisonPolicy, PoisonTarget, QueueProperties};

/// Queues of users.
pub(crate) const QUEUES: [&str; 4] = ["p", "t", "u", "admin"];
/// Every queue that is asked for, there or not. A higher number in a step means one that suits it.
pub(crate) const NAMES: [&str; 20] = [
    "p",
    "t",
    "p",
    "t",
    "u",
    "p",
    "t",
    "admin",
    "p;a",
    "t;a",
    "t;retry",
    "p;retry",
    "t;poison",
    "p;poison",
    "p;JOURNAL",
    "t;JOURNAL",
    "system$;DEADLETTER",
    "system$;DEADXACT",
    "system$;JOURNAL",
    "none",
];

#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) priority: u8,
    pub(crate) size: u16,
    pub(crate) acknowledge: u8,
    pub(crate) journal: u8,
    pub(crate) lives_s: Option<u8>,
    pub(crate) reach_s: u8,
    pub(crate) late_s: u8,
    pub(crate) delay_ms: u16,
    pub(crate) key: Option<u8>,
    pub(crate) express: bool,
    pub(crate) own_dead_letters: bool,
    pub(crate) correlation: Option<u8>,
    /// Set when it is played.
    pub(crate) body: String,
}

impl Wishes {
    pub(crate) fn label(&self) -> String {
        let number = self.body.split(' ').next().unwrap_or_default();
        format!("label {number}")
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    First,
    Last,
    After(u8),
    Before(u8),
    LookupId(u8),
    Id(u8),
    Correlation(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    Peek,
    Remove,
    Lease(u16),
}

/// How a request takes part in a transaction: the way that suits the queue, or any.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Fitting(u8),
    None,
    Single,
    In(u8),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Complete,
    Release,
    Reject,
    Extend(u16),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends that are handed in together.
    Burst {
        by: u8,
        queue: u8,
        all: Vec<Wishes>,
        part: Part,
    },
    Send {
        by: u8,
        queue: u8,
        wishes: Wishes,
        part: Part,
    },
    Receive {
        by: u8,
        queue: u8,
        which: Which,
        taking: Taking,
        part: Part,
    },
    Many {
        by: u8,
        queue: u8,
        taking: Taking,
        count: u8,
        part: Part,
    },
    Settle {
        by: u8,
        lease: u8,
        ending: Ending,
    },
    Move {
        by: u8,
        queue: u8,
        message: u8,
        to: u8,
        part: Part,
    },
    Reject {
        by: u8,
        transaction: u8,
        operation: u8,
    },
    Begin(u8),
    Commit(u8, u8),
    Abort(u8, u8),
    Prepare(u8, u8, u8),
    Resolve(u8, bool),
    Purge(u8),
    Delete(u8),
    Create(u8, u8),
    Set(u8, u8),
    Quotas(u8),
    Pass(u16),
    EndSession(u8),
    AskAgain(u8),
    Crash(u64, u8),
    Reopen,
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        12 => any::<u8>().prop_map(Part::Fitting),
        1 => Just(Part::None),
        1 => Just(Part::Single),
        2 => any::<u8>().prop_map(Part::In),
    ]
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let rarely = |p: f64| prop::bool::weighted(p);
    let numbers = (0..8_u8, 0..700_u16, 0..16_u8, 0..4_u8);
    let times = (
        prop::option::weighted(0.3, 0..6_u8),
        prop_oneof![8 => Just(0_u8), 1 => 1..8_u8],
        prop_oneof![4 => Just(0_u16), 1 => 1..3000_u16],
    );
    let rest = (
        prop::option::weighted(0.2, 0..3_u8),
        rarely(0.15),
        rarely(0.1),
        prop::option::weighted(0.3, 0..3_u8),
        rarely(0.5),
    );
    (numbers, times, rest).prop_map(|(numbers, times, rest)| Wishes {
        priority: numbers.0,
        size: numbers.1,
        acknowledge: if rest.4 { numbers.2 } else { 0 },
        journal: numbers.3,
        lives_s: times.0,
        reach_s: 5,
        late_s: times.1,
        delay_ms: times.2,
        key: rest.0,
        express: rest.1,
        own_dead_letters: rest.2,
        correlation: rest.3,
        body: String::new(),
    })
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        6 => Just(Which::First),
        1 => Just(Which::Last),
        1 => any::<u8>().prop_map(Which::After),
        1 => any::<u8>().prop_map(Which::Before),
        1 => any::<u8>().prop_map(Which::LookupId),
        1 => any::<u8>().prop_map(Which::Id),
        1 => (0..4_u8).prop_map(Which::Correlation),
    ]
}

fn taking() -> impl Strategy<Value = Taking> {
    prop_oneof![
        1 => Just(Taking::Peek),
        5 => Just(Taking::Remove),
        3 => (500..4000_u16).prop_map(Taking::Lease),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        2 => Just(Ending::Complete),
        3 => Just(Ending::Release),
        1 => Just(Ending::Reject),
        1 => (1..3000_u16).prop_map(Ending::Extend),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let by = || 0..2_u8;
    let name = || prop_oneof![1 => 0..NAMES.len() as u8, 3 => NAMES.len() as u8..];
    let queue = || 0..QUEUES.len() as u8;
    prop_oneof![
        4 => (by(), name(), prop::collection::vec(wishes(), 2..5), part())
            .prop_map(|(by, queue, all, part)| Step::Burst { by, queue, all, part }),
        20 => (by(), name(), wishes(), part()).prop_map(|(by, queue, wishes, part)| Step::Send { by, queue, wishes, part }),
        12 => (by(), name(), which(), taking(), part())
            .prop_map(|(by, queue, which, taking, part)| Step::Receive { by, queue, which, taking, part }),
        3 => (by(), name(), taking(), 1..5_u8, part())
            .prop_map(|(by, queue, taking, count, part)| Step::Many { by, queue, taking, count, part }),
        6 => (by(), any::<u8>(), ending()).prop_map(|(by, lease, ending)| Step::Settle { by, lease, ending }),
        5 => (by(), name(), any::<u8>(), name(), part())
            .prop_map(|(by, queue, message, to, part)| Step::Move { by, queue, message, to, part }),
        2 => (by(), any::<u8>(), any::<u8>())
            .prop_map(|(by, transaction, operation)| Step::Reject { by, transaction, operation }),
        7 => by().prop_map(Step::Begin),
        4 => (by(), any::<u8>()).prop_map(|(by, n)| Step::Commit(by, n)),
        6 => (by(), any::<u8>()).prop_map(|(by, n)| Step::Abort(by, n)),
        2 => (by(), any::<u8>(), 0..3_u8).prop_map(|(by, n, branch)| Step::Prepare(by, n, branch)),
        2 => (0..3_u8, any::<bool>()).prop_map(|(branch, commit)| Step::Resolve(branch, commit)),
        1 => name().prop_map(Step::Purge),
        1 => name().prop_map(Step::Delete),
        1 => (queue(), any::<u8>()).prop_map(|(queue, variant)| Step::Create(queue, variant)),
        1 => (queue(), any::<u8>()).prop_map(|(queue, variant)| Step::Set(queue, variant)),
        1 => (0..4_u8).prop_map(Step::Quotas),
        5 => (1..3000_u16).prop_map(Step::Pass),
        1 => by().prop_map(Step::EndSession),
        3 => by().prop_map(Step::AskAgain),
        2 => (any::<u64>(), 0..4_u8).prop_map(|(seed, how)| Step::Crash(seed, how)),
        2 => Just(Step::Reopen),
    ]
}

/// Properties of a queue, made up from a number.
pub(crate) fn properties(queue: &str, variant: u8) -> QueueProperties {
    let bit = |bit: u8| variant >> bit & 1 == 1;
    let then = [
        PoisonTarget::Fault,
        PoisonTarget::Drop,
        PoisonTarget::Reject,
        PoisonTarget::Move,
    ];
    QueueProperties {
        transactional: matches!(queue, "t" | "u"),
        journal: bit(0) && queue != "admin",
        quota_bytes: if bit(1) && bit(2) { 3000 } else { u64::MAX },
        journal_quota_bytes: if bit(2) { 900 } else { u64::MAX },
        poison: PoisonPolicy {
            receive_retry_count: u32::from(bit(3)),
            retry_cycles_max: u32::from(bit(4)),
            retry_cycle_delay_ms: 700,
            then: then[usize::from(variant >> 5 & 3)],
        },
        duplicate_window_ms: 3000,
        ..QueueProperties::default()
    }
}
