//! The store and the model side by side: each step is played on both, and what can be seen of them is compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hamq_core::queue::access::Access;
use hamq_core::queue::engine::{Engine, ManagerOptions, Tuning};
use hamq_core::queue::message::{
    Acknowledge, Delivery, Journal, LeaseId, Lifetime, Message, MessageId, Received,
};
use hamq_core::queue::request::{
    Answer, BranchId, Caller, MachineProperties, QueueStatus, Reply, Request, RequestId, Select,
    Settle, Take, Transaction, TransactionId,
};
use hamq_core::queue::serve::Serve;
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk_fake::{FakeDisk, Survivors};
use hamq_core::{ErrorKind, Result};
use uuid::Uuid;

use crate::model::{Correlation, Holder, How, Kind, Model, Operation, Place, Queue};
use crate::steps::{Ending, NAMES, Part, QUEUES, Step, Taking, Which, Wishes, properties};

/// How long the outcome of a request is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remembered {
    ForGood,
    ThisProcess,
    No,
}

struct Last {
    id: RequestId,
    request: Request,
    reply: Reply,
    remembered: Remembered,
}

/// What a send came to.
enum Sent {
    Staged,
    Before(u64),
    Now(u64),
}

#[derive(Clone, Debug)]
struct Lease {
    queue: String,
    number: u64,
    id: LeaseId,
}

pub(crate) struct World {
    disk: FakeDisk,
    clock: Arc<FakeClock>,
    engine: Engine,
    model: Model,
    manager: Uuid,
    sequences: BTreeMap<u128, u64>,
    last: BTreeMap<u128, Last>,
    leases: Vec<Lease>,
    transactions: u64,
    bodies: u64,
    /// The highest number that a message was seen to have before this step.
    floor: u64,
    threads: bool,
}

fn open(disk: &FakeDisk, clock: &Arc<FakeClock>, threads: bool) -> Engine {
    let options = ManagerOptions {
        name: "vs1".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|error| panic!("the store failed: {error:?}")),
    };
    let tuning = Tuning {
        segment_bytes: 4096,
        snapshot_bytes: 6000,
        fence: None,
    };
    let (disk, clock) = (Arc::new(disk.clone()), Arc::clone(clock) as _);
    let mut engine = Engine::open(disk, clock, options, tuning).unwrap().0;
    if threads {
        engine.set_waker(Arc::new(|| {}));
    }
    engine.settle_in();
    engine
}

const COUNTER_MASK: u64 = (1 << 56) - 1;

impl World {
    pub(crate) fn new(threads: bool, variants: (u8, u8)) -> Self {
        let (disk, clock) = (FakeDisk::new(), Arc::new(FakeClock::default()));
        let mut world = Self {
            engine: open(&disk, &clock, threads),
            disk,
            clock,
            model: Model::new(),
            manager: Uuid::nil(),
            sequences: BTreeMap::new(),
            last: BTreeMap::new(),
            leases: Vec::new(),
            transactions: 0,
            bodies: 0,
            floor: 0,
            threads,
        };
        if let Ok(Reply::Machine(machine)) = world.ask(9, Request::GetMachine) {
            world.manager = machine.id;
        }
        for (variant, queue) in [(variants.0, "p"), (variants.1, "t"), (0, "u"), (0, "admin")] {
            world.create(queue, variant);
        }
        world
    }

    pub(crate) fn play(&mut self, step: &Step) {
        self.floor = self
            .model
            .ids
            .values()
            .map(|id| id & COUNTER_MASK)
            .max()
            .unwrap_or(0);
        self.do_step(step);
        self.model.settle_time();
        self.look();
    }

    // ---- asking ----

    fn submit(&mut self, id: RequestId, request: Request) -> Result<Reply> {
        self.hand_in(id, request);
        self.answers(1).remove(0)
    }

    fn hand_in(&mut self, id: RequestId, request: Request) {
        let from = Caller {
            client: id.client,
            access: Arc::new(Access::owner_of_all("n1".to_owned())),
        };
        let answer = Answer::Connection {
            connection: 1,
            sequence: id.sequence,
        };
        self.engine.submit(&from, id, request, answer);
    }

    /// So many answers, in the order of their requests.
    fn answers(&mut self, count: usize) -> Vec<Result<Reply>> {
        let mut out = Vec::new();
        for _ in 0..1_000_000 {
            self.engine.step(&mut out);
            if out.len() >= count {
                break;
            }
            std::thread::yield_now();
        }
        assert_eq!(out.len(), count, "answers");
        let sequence = |answer: &Answer| match answer {
            Answer::Connection { sequence, .. } => *sequence,
            _ => 0,
        };
        out.sort_by_key(|(answer, _)| sequence(answer));
        out.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn ask(&mut self, client: u128, request: Request) -> Result<Reply> {
        let sequence = self.sequences.entry(client).or_default();
        *sequence += 1;
        let id = RequestId {
            client: Uuid::from_u128(client),
            sequence: *sequence,
            acknowledged: *sequence,
        };
        self.last.remove(&client);
        self.submit(id, request)
    }

    /// Asks, and keeps what it came to.
    fn ask_and_keep(
        &mut self,
        client: u128,
        request: Request,
        remembered: Remembered,
    ) -> Result<Reply> {
        let foreseen = self.foresee(client, &request);
        let outcome = self.ask(client, request.clone());
        if let Some(foreseen) = foreseen {
            Self::came_true(&request, &foreseen, &outcome);
        }
        if let Ok(reply) = &outcome
            && remembered != Remembered::No
        {
            let sequence = self.sequences[&client];
            let id = RequestId {
                client: Uuid::from_u128(client),
                sequence,
                acknowledged: sequence,
            };
            let reply = reply.clone();
            self.last.insert(
                client,
                Last {
                    id,
                    request,
                    reply,
                    remembered,
                },
            );
        }
        outcome
    }

    /// What the request would come to. That nothing came of it is seen by the next look at everything.
    fn foresee(&mut self, client: u128, request: &Request) -> Option<Result<Reply>> {
        if !request.changes() {
            return None;
        }
        let foreseen = self.ask(client, Request::what_if(request));
        let cannot = matches!(&foreseen, Err(error) if error.kind == ErrorKind::Usage);
        (!cannot).then_some(foreseen)
    }

    /// What was foreseen to be done was done, and what was foreseen to be refused was refused in the same way.
    fn came_true(request: &Request, foreseen: &Result<Reply>, outcome: &Result<Reply>) {
        let waited = |reply: &Reply| match reply {
            Reply::Foreseen(steps) => steps.iter().any(|step| step.action == "Wait"),
            _ => false,
        };
        let is_true = match (foreseen, outcome) {
            (Ok(reply), Err(error)) => waited(reply) && error.kind == ErrorKind::ReceiveTimeout,
            (Ok(reply), Ok(_)) => !waited(reply),
            (Err(before), Err(after)) => before.kind == after.kind,
            (Err(_), Ok(_)) => false,
        };
        assert!(
            is_true,
            "{request:?}: foreseen {foreseen:?}, came {outcome:?}"
        );
    }

    fn ask_again(&mut self, client: u128) {
        if let Some(last) = self.last.get(&client) {
            let (id, request, reply) = (last.id, last.request.clone(), last.reply.clone());
            let again = self.submit(id, request).map(lasting);
            assert_eq!(again, Ok(lasting(reply)), "asked again");
        }
    }

    /// Both did it, or both refused it in the same way.
    fn agree<T>(is: &Result<Reply>, should: &std::result::Result<T, ErrorKind>) {
        match (is, should) {
            (Ok(_), Ok(_)) => {}
            (Err(error), Err(kind)) if error.kind == *kind => {}
            _ => {
                let should = should.as_ref().map(|_| "done");
                panic!("{is:?} should be {should:?}");
            }
        }
    }

    // ---- choosing ----

    fn client(by: u8) -> u128 {
        u128::from(by) + 1
    }

    fn transaction_of(&self, client: u128, choice: u8) -> Option<u64> {
        let open: Vec<u64> = self
            .model
            .transactions
            .keys()
            .filter(|k| k.0 == client)
            .map(|k| k.1)
            .collect();
        open.get(usize::from(choice) % open.len().max(1)).copied()
    }

    fn how(&self, client: u128, queue: &str, part: Part) -> How {
        let in_one = |choice| {
            self.transaction_of(client, choice)
                .map_or(How::In(1_000_000), How::In)
        };
        match part {
            Part::None => How::Alone,
            Part::Single => How::Single,
            Part::In(choice) => in_one(choice),
            Part::Fitting(choice) => {
                let transactional = self
                    .model
                    .queue(queue)
                    .is_ok_and(|q| q.properties.transactional);
                match (transactional, self.transaction_of(client, choice)) {
                    (true, Some(number)) if choice & 0x40 == 0 => How::In(number),
                    (true, _) => How::Single,
                    (false, _) => How::Alone,
                }
            }
        }
    }

    /// A queue that can be sent to, most often.
    fn to_send(choice: u8) -> &'static str {
        let suits = ["p", "t", "p", "t", "t", "u"];
        let other = suits[usize::from(choice) % suits.len()];
        NAMES.get(usize::from(choice)).copied().unwrap_or(other)
    }

    /// A queue that has messages, most often.
    fn to_take(&self, choice: u8) -> String {
        if let Some(name) = NAMES.get(usize::from(choice)) {
            return (*name).to_owned();
        }
        let full = self
            .model
            .queues
            .iter()
            .filter(|(_, q)| q.messages.iter().any(|m| m.place == Place::Available));
        let full: Vec<&String> = full.map(|(name, _)| name).collect();
        let found = full.get(usize::from(choice) % full.len().max(1));
        found.map_or("p".to_owned(), |name| (*name).clone())
    }

    /// Where a message of that queue can go, most often.
    fn to_move(queue: &str, choice: u8) -> String {
        if let Some(name) = NAMES.get(usize::from(choice)) {
            return (*name).to_owned();
        }
        let subs = ["a", "retry", "poison"];
        match queue.split_once(';') {
            Some(("system$", _)) => ["p", "t", "u"][usize::from(choice) % 3].to_owned(),
            Some((parent, _)) => parent.to_owned(),
            None => format!("{queue};{}", subs[usize::from(choice) % 3]),
        }
    }

    fn do_step(&mut self, step: &Step) {
        match step {
            Step::Send {
                by,
                queue,
                wishes,
                part,
            } => self.send(*by, Self::to_send(*queue), wishes, *part),
            Step::Burst {
                by,
                queue,
                all,
                part,
            } => self.burst(*by, Self::to_send(*queue), all, *part),
            Step::Receive {
                by,
                queue,
                which,
                taking,
                part,
            } => {
                self.receive(*by, &self.to_take(*queue), Some(*which), *taking, 1, *part);
            }
            Step::Many {
                by,
                queue,
                taking,
                count,
                part,
            } => {
                self.receive(*by, &self.to_take(*queue), None, *taking, *count, *part);
            }
            Step::Settle { by, lease, ending } => self.settle(*by, *lease, *ending),
            Step::Move {
                by,
                queue,
                message,
                to,
                part,
            } => {
                self.movement(
                    *by,
                    &self.to_take(*queue),
                    *message,
                    &Self::to_move(&self.to_take(*queue), *to),
                    *part,
                );
            }
            Step::Reject {
                by,
                transaction,
                operation,
            } => self.reject(*by, *transaction, *operation),
            Step::Begin(by) => self.begin(Self::client(*by)),
            Step::Commit(by, choice) => self.end(Self::client(*by), *choice, true),
            Step::Abort(by, choice) => self.end(Self::client(*by), *choice, false),
            Step::Prepare(by, choice, branch) => self.prepare(Self::client(*by), *choice, *branch),
            Step::Resolve(branch, commit) => self.resolve(*branch, *commit),
            Step::Purge(queue) => self.purge(&self.to_take(*queue)),
            Step::Delete(queue) => self.delete(&self.to_take(*queue)),
            Step::Create(queue, variant) => self.create(QUEUES[usize::from(*queue)], *variant),
            Step::Set(queue, variant) => self.set(QUEUES[usize::from(*queue)], *variant),
            Step::Quotas(variant) => self.quotas(*variant),
            Step::Pass(ms) => self.pass(*ms),
            Step::EndSession(by) => self.end_session(Self::client(*by)),
            Step::AskAgain(by) => self.ask_again(Self::client(*by)),
            Step::Crash(seed, how) => {
                let all = [
                    Survivors::None,
                    Survivors::All,
                    Survivors::Prefix,
                    Survivors::Subset,
                ];
                self.disk = self.disk.crash(*seed, all[usize::from(*how)]);
                self.restarted();
            }
            Step::Reopen => {
                self.engine.close(&mut Vec::new()).unwrap();
                self.restarted();
            }
        }
    }

    // ---- messages ----

    fn send(&mut self, by: u8, queue: &str, wishes: &Wishes, part: Part) {
        let client = Self::client(by);
        let how = self.how(client, queue, part);
        let (request, should) = self.sending(client, queue, wishes, how);
        let remembered = match (&should, how) {
            (Ok(Sent::Before(_)), _) => Remembered::ForGood,
            (_, How::In(_)) => Remembered::ThisProcess,
            _ if wishes.express => Remembered::ThisProcess,
            _ => Remembered::ForGood,
        };
        let is = self.ask_and_keep(client, request, remembered);
        self.sent(&is, should);
    }

    /// Sends that are handed in together are as if each came alone.
    fn burst(&mut self, by: u8, queue: &str, all: &[Wishes], part: Part) {
        let client = Self::client(by);
        let how = self.how(client, queue, part);
        self.last.remove(&client);
        let first = self.sequences.get(&client).map_or(1, |last| last + 1);
        let mut expected = Vec::new();
        for (sequence, wishes) in (first..).zip(all) {
            let (request, should) = self.sending(client, queue, wishes, how);
            let id = RequestId {
                client: Uuid::from_u128(client),
                sequence,
                acknowledged: first,
            };
            self.sequences.insert(client, sequence);
            self.hand_in(id, request);
            expected.push(should);
        }
        let mut last = 0;
        for (is, should) in self.answers(all.len()).iter().zip(expected) {
            if let (Ok(Reply::Sent { lookup_id, .. }), Ok(Sent::Now(_))) = (is, &should) {
                let counter = lookup_id & COUNTER_MASK;
                assert!(last < counter, "sent in another order");
                last = counter;
            }
            self.sent(is, should);
        }
    }

    /// The request, and what is to come of it.
    fn sending(
        &mut self,
        client: u128,
        queue: &str,
        wishes: &Wishes,
        how: How,
    ) -> (Request, std::result::Result<Sent, ErrorKind>) {
        self.bodies += 1;
        let mut wishes = wishes.clone();
        wishes.body = format!("{} {}", self.bodies, "s".repeat(wishes.size.into()));
        let message = message_of(&wishes, self.model.now_ms);
        let newest = self.model.newest();
        let told = self.model.send(client, queue, &wishes, how);
        let should = told.map(|told| match told {
            None => Sent::Staged,
            Some(number) if number <= newest => Sent::Before(number),
            Some(number) => Sent::Now(number),
        });
        let request = Request::Send {
            queue: queue.to_owned(),
            message: message.encode(),
            transaction: transaction(how),
            body: None,
        };
        (request, should)
    }

    fn sent(&mut self, is: &Result<Reply>, should: std::result::Result<Sent, ErrorKind>) {
        Self::agree(is, &should);
        let (Ok(Reply::Sent { id, lookup_id }), Ok(sent)) = (is, should) else {
            return;
        };
        match sent {
            Sent::Staged => assert_eq!((*id, *lookup_id), (MessageId::NONE, 0)),
            Sent::Before(number) => {
                // One that a transaction sent to come later: its number was not seen before.
                self.model.ids.entry(number).or_insert(*lookup_id);
                self.bind(number, *lookup_id);
            }
            Sent::Now(number) => {
                assert_eq!(*id, self.id_of(*lookup_id));
                self.bind(number, *lookup_id);
            }
        }
    }

    fn id_of(&self, lookup_id: u64) -> MessageId {
        MessageId {
            manager: self.manager,
            ordinal: (lookup_id & u64::from(u32::MAX)) as u32,
        }
    }

    /// A message's lookup id is learned, or is what it was.
    fn bind(&mut self, number: u64, lookup_id: u64) {
        let floor = self.floor;
        let known = *self.model.ids.entry(number).or_insert_with(|| {
            assert!(
                lookup_id & COUNTER_MASK > floor,
                "{lookup_id:#x} is not above {floor:#x}"
            );
            lookup_id
        });
        assert_eq!(known, lookup_id);
    }

    /// The lookup id of some message of a queue, or of none.
    fn some_id(&self, queue: &str, choice: u8) -> (u64, u64) {
        let all = self
            .model
            .queues
            .get(queue)
            .map_or(&[][..], |q| &q.messages);
        let known: Vec<_> = all
            .iter()
            .filter_map(|m| Some((m.number, *self.model.ids.get(&m.number)?)))
            .collect();
        match known.get(usize::from(choice) % known.len().max(1)) {
            Some(found) if choice < 250 => *found,
            _ => (0, 5 << 56 | u64::from(choice)),
        }
    }

    fn select(&self, queue: &str, which: Which) -> (Select, std::result::Result<u64, ErrorKind>) {
        let all = self.model.available(queue);
        let ids: Vec<(u64, u64)> = all
            .iter()
            .map(|m| (self.model.ids[&m.number], m.number))
            .collect();
        let none = ErrorKind::ReceiveTimeout;
        let missing = ErrorKind::MessageNotFound;
        let one = |found: Option<&(u64, u64)>, or| found.map(|f| f.1).ok_or(or);
        let exactly = |number: u64| {
            let of = self.model.queues.get(queue);
            let message = of.and_then(|q| q.messages.iter().find(|m| m.number == number));
            match message.map(|m| &m.place) {
                Some(Place::Available) => Ok(number),
                Some(Place::Held { .. }) => Err(ErrorKind::MessageAlreadyReceived),
                _ => Err(missing),
            }
        };
        match which {
            Which::First => (Select::First, one(ids.first(), none)),
            Which::Last => (Select::Last, one(ids.last(), missing)),
            Which::After(choice) => {
                let (_, id) = self.some_id(queue, choice);
                (Select::After(id), one(ids.iter().find(|f| f.0 > id), none))
            }
            Which::Before(choice) => {
                let (_, id) = self.some_id(queue, choice);
                (
                    Select::Before(id),
                    one(ids.iter().rfind(|f| f.0 < id), missing),
                )
            }
            Which::LookupId(choice) => {
                let (number, id) = self.some_id(queue, choice);
                (Select::LookupId(id), exactly(number))
            }
            Which::Id(choice) => {
                let (number, id) = self.some_id(queue, choice);
                (Select::Id(self.id_of(id)), exactly(number))
            }
            Which::Correlation(given) => {
                let has =
                    |m: &&&crate::model::Message| m.correlation == Some(Correlation::Given(given));
                let found = all.iter().find(has).map(|m| m.number);
                (Select::Correlation(correlation(given)), found.ok_or(none))
            }
        }
    }

    /// `which`: one; none: so many from the first.
    fn receive(
        &mut self,
        by: u8,
        queue: &str,
        which: Option<Which>,
        taking: Taking,
        count: u8,
        part: Part,
    ) {
        let client = Self::client(by);
        let how = match (taking, part) {
            (Taking::Lease(_), Part::Fitting(_)) => How::Alone,
            _ => self.how(client, queue, part),
        };
        let (select, found) = match which {
            Some(which) => {
                let (select, found) = self.select(queue, which);
                (select, found.map(|number| vec![number]))
            }
            None => {
                let all = self.model.available(queue).into_iter().take(count.into());
                let all: Vec<u64> = all.map(|m| m.number).collect();
                let found = if all.is_empty() {
                    Err(ErrorKind::ReceiveTimeout)
                } else {
                    Ok(all)
                };
                (Select::First, found)
            }
        };
        let named = matches!(select, Select::LookupId(_) | Select::Id(_));
        let (peek, lease) = (taking == Taking::Peek, matches!(taking, Taking::Lease(_)));
        let should = self
            .model
            .check_receive(queue, peek, lease, how, named)
            .and_then(|()| match how {
                How::In(transaction) if !peek && !lease => {
                    self.model.open(client, transaction).map(drop)
                }
                _ => Ok(()),
            });
        let should = should.and(found);
        let take = match taking {
            Taking::Peek => Take::Peek,
            Taking::Remove => Take::Remove,
            Taking::Lease(ms) => Take::Lease(ms.into()),
        };
        let queue_name = queue.to_owned();
        let request = match which {
            Some(_) => Request::Receive {
                queue: queue_name,
                select,
                take,
                timeout_ms: 0,
                transaction: transaction(how),
            },
            None => Request::ReceiveMany {
                queue: queue_name,
                after: 0,
                take,
                count_max: count.into(),
                bytes_max: u32::MAX,
                timeout_ms: 0,
                transaction: transaction(how),
            },
        };
        let express = |number: &u64| {
            self.model
                .queue(queue)
                .is_ok_and(|q| q.messages.iter().any(|m| m.number == *number && m.express))
        };
        let any_express = should.as_ref().is_ok_and(|all| all.iter().any(express));
        let remembered = match (taking, how) {
            (Taking::Peek, _) => Remembered::No,
            (Taking::Lease(_), _) | (_, How::In(_)) => Remembered::ThisProcess,
            _ if any_express => Remembered::ThisProcess,
            _ => Remembered::ForGood,
        };
        let is = self.ask_and_keep(client, request, remembered);
        Self::agree(&is, &should);
        let received = match is {
            Ok(Reply::Message(one)) => vec![*one],
            Ok(Reply::Messages(all)) => all,
            Ok(other) => panic!("{other:?}"),
            Err(_) => return,
        };
        self.received(client, queue, &should.unwrap(), &received, taking, how);
    }

    fn received(
        &mut self,
        client: u128,
        queue: &str,
        numbers: &[u64],
        received: &[Received],
        taking: Taking,
        how: How,
    ) {
        assert_eq!(received.len(), numbers.len());
        for (is, number) in received.iter().zip(numbers) {
            self.compare(queue, *number, is);
        }
        let of = self.model.queues[queue].number;
        match (taking, how) {
            (Taking::Peek, _) => {}
            (Taking::Remove, How::In(transaction)) => {
                self.model.hold(queue, numbers, client, transaction)
            }
            (Taking::Remove, _) => self.model.remove(queue, numbers),
            (Taking::Lease(ms), _) => {
                for (is, number) in received.iter().zip(numbers) {
                    let id = is.lease.unwrap();
                    assert_eq!(id.lookup_id, is.lookup_id);
                    let until_ms = self.model.now_ms + u64::from(ms);
                    self.model.lock(
                        of,
                        *number,
                        Holder::Lease {
                            delivery: id.delivery,
                            until_ms,
                        },
                    );
                    self.leases.push(Lease {
                        queue: queue.to_owned(),
                        number: *number,
                        id,
                    });
                }
            }
        }
    }

    /// What is told of a message is what the model knows of it.
    fn compare(&self, queue: &str, number: u64, is: &Received) {
        let of = &self.model.queues[queue];
        let m = of.messages.iter().find(|m| m.number == number).unwrap();
        is.content.verify().unwrap();
        assert_eq!(is.lookup_id, self.model.ids[&number], "{m:?}");
        assert_eq!(is.id, self.id_of(is.lookup_id));
        self.compare_content(of, m, is);
    }

    fn compare_content(&self, of: &Queue, m: &crate::model::Message, is: &Received) {
        let content = is.message().unwrap();
        assert_eq!(String::from_utf8_lossy(&content.body), m.body);
        assert_eq!(content.label, m.label, "{m:?}");
        assert_eq!((content.priority, is.class), (m.priority, m.class), "{m:?}");
        assert_eq!(is.delivery == Delivery::Express, m.express, "{m:?}");
        assert_eq!(
            (is.abort_count, is.move_count, is.last_move_ms),
            (m.aborts, m.moves, m.last_move_ms),
            "{m:?}"
        );
        assert_eq!(
            (&is.destination, is.arrived_ms),
            (&m.destination, m.arrived_ms),
            "{m:?}"
        );
        let alone = of.properties.transactional.then_some((true, true));
        assert_eq!(
            is.transaction.map(|t| (t.first, t.last)),
            m.sent_in.or(alone),
            "{m:?}"
        );
        let expected = match m.correlation {
            None => Some(MessageId::NONE),
            Some(Correlation::Given(given)) => Some(correlation(given)),
            Some(Correlation::Of(number)) => self.model.ids.get(&number).map(|id| self.id_of(*id)),
        };
        assert_eq!(
            content.correlation_id,
            expected.unwrap_or(content.correlation_id),
            "{m:?}"
        );
    }

    fn settle(&mut self, by: u8, choice: u8, ending: Ending) {
        let at = usize::from(choice) % self.leases.len().max(1);
        let Some(lease) = self.leases.get(at).cloned() else {
            return;
        };
        let how = match ending {
            Ending::Complete => Settle::Complete,
            Ending::Release => Settle::Release,
            Ending::Reject => Settle::Reject,
            Ending::Extend(ms) => Settle::Extend(ms.into()),
        };
        let of = self.model.queues.get(&lease.queue);
        let express = of.is_some_and(|q| {
            q.messages
                .iter()
                .any(|m| m.number == lease.number && m.express)
        });
        let should = self
            .model
            .settle(&lease.queue, lease.number, lease.id.delivery, how);
        let remembered = match ending {
            Ending::Complete | Ending::Reject if !express => Remembered::ForGood,
            _ => Remembered::ThisProcess,
        };
        let request = Request::Settle {
            queue: lease.queue,
            leases: vec![lease.id, lease.id],
            how,
        };
        let is = self.ask_and_keep(Self::client(by), request, remembered);
        Self::agree(&is, &should);
        if !matches!(ending, Ending::Extend(_)) || should.is_err() {
            self.leases.remove(at);
        }
    }

    fn movement(&mut self, by: u8, queue: &str, choice: u8, to: &str, part: Part) {
        let client = Self::client(by);
        let how = self.how(client, queue, part);
        let (number, lookup_id) = self.some_id(queue, choice);
        let of = self.model.queues.get(queue);
        let express =
            of.is_some_and(|q| q.messages.iter().any(|m| m.number == number && m.express));
        let should = self.model.movement(client, queue, number, to, how);
        let remembered = match how {
            How::In(_) => Remembered::ThisProcess,
            _ if express => Remembered::ThisProcess,
            _ => Remembered::ForGood,
        };
        let request = Request::Move {
            queue: queue.to_owned(),
            lookup_id,
            to: to.to_owned(),
            transaction: transaction(how),
        };
        let is = self.ask_and_keep(client, request, remembered);
        Self::agree(&is, &should);
    }

    // ---- transactions ----

    fn begin(&mut self, client: u128) {
        self.transactions += 1;
        let number = self.transactions;
        self.model
            .transactions
            .insert((client, number), crate::model::Transaction::default());
        let transaction = TransactionId(number);
        let is = self.ask_and_keep(
            client,
            Request::Begin { transaction },
            Remembered::ThisProcess,
        );
        is.unwrap();
    }

    fn reject(&mut self, by: u8, choice: u8, operation: u8) {
        let client = Self::client(by);
        let Some(number) = self.transaction_of(client, choice) else {
            return;
        };
        let operations = &self.model.transactions[&(client, number)].operations;
        let Some(chosen) = operations.get(usize::from(operation) % operations.len().max(1)) else {
            return;
        };
        let (Operation::Receive(queue, message) | Operation::Move(queue, message, _)) = chosen
        else {
            return;
        };
        let (queue, message) = (*queue, *message);
        let Some(name) = self
            .model
            .queues
            .iter()
            .find(|q| q.1.number == queue)
            .map(|q| q.0.clone())
        else {
            return;
        };
        let should = self.model.reject(client, number, &name, message);
        let request = Request::Reject {
            transaction: TransactionId(number),
            queue: name,
            lookup_id: self.model.ids[&message],
        };
        let is = self.ask_and_keep(client, request, Remembered::ThisProcess);
        Self::agree(&is, &should);
    }

    fn end(&mut self, client: u128, choice: u8, commit: bool) {
        let open = self.transaction_of(client, choice);
        let Some(number) = open.or((choice > 200).then_some(1_000_000)) else {
            return;
        };
        let transaction = TransactionId(number);
        let (should, request, remembered) = if commit {
            let remembered = if self.has_express(client, number) {
                Remembered::ThisProcess
            } else {
                Remembered::ForGood
            };
            (
                self.model.commit(client, number),
                Request::Commit { transaction },
                remembered,
            )
        } else {
            (
                self.model.abort(client, number),
                Request::Abort { transaction },
                Remembered::ThisProcess,
            )
        };
        let is = self.ask_and_keep(client, request, remembered);
        Self::agree(&is, &should);
    }

    /// Whether a transaction takes messages that are only in memory.
    fn has_express(&self, client: u128, number: u64) -> bool {
        let open = self.model.transactions.get(&(client, number));
        let mut held = open
            .into_iter()
            .flat_map(|open| &open.operations)
            .filter_map(|o| match o {
                Operation::Receive(queue, m) | Operation::Move(queue, m, _) => Some((*queue, *m)),
                Operation::Send(..) => None,
            });
        held.any(|(queue, number)| {
            let of = self.model.queues.values().find(|q| q.number == queue);
            of.is_some_and(|q| q.messages.iter().any(|m| m.number == number && m.express))
        })
    }

    fn prepare(&mut self, client: u128, choice: u8, branch: u8) {
        let Some(number) = self.transaction_of(client, choice) else {
            return;
        };
        let should = self.model.prepare(client, number, branch);
        let request = Request::Prepare {
            transaction: TransactionId(number),
            branch: BranchId(vec![branch + 1]),
        };
        let is = self.ask_and_keep(client, request, Remembered::ForGood);
        Self::agree(&is, &should);
    }

    fn resolve(&mut self, branch: u8, commit: bool) {
        let known = self.model.prepared.contains_key(&branch);
        let should = self.model.resolve(branch, commit);
        let request = Request::Resolve {
            branch: BranchId(vec![branch + 1]),
            commit,
        };
        let remembered = if known {
            Remembered::ForGood
        } else {
            Remembered::ThisProcess
        };
        let is = self.ask_and_keep(2, request, remembered);
        Self::agree(&is, &should);
    }

    // ---- queues ----

    fn create(&mut self, queue: &str, variant: u8) {
        let properties = properties(queue, variant);
        let should = self.model.create(queue, properties.clone());
        let queue = queue.to_owned();
        let is = self.ask_and_keep(
            1,
            Request::CreateQueue { queue, properties },
            Remembered::ForGood,
        );
        Self::agree(&is, &should);
    }

    fn set(&mut self, queue: &str, variant: u8) {
        let properties = properties(queue, variant);
        let should = self.model.set(queue, properties.clone());
        let queue = queue.to_owned();
        let is = self.ask_and_keep(
            1,
            Request::SetQueue { queue, properties },
            Remembered::ForGood,
        );
        Self::agree(&is, &should);
    }

    fn purge(&mut self, queue: &str) {
        let should = self.model.purge(queue);
        let name = queue.to_owned();
        let is = self.ask_and_keep(2, Request::PurgeQueue { queue: name }, Remembered::ForGood);
        Self::agree(&is, &should);
        if let Ok(Reply::Queue(status)) = is {
            assert_eq!(
                status.message_count,
                self.model.queues[queue].messages.len() as u64
            );
        }
    }

    fn delete(&mut self, queue: &str) {
        let should = self.model.delete(queue);
        let name = queue.to_owned();
        let is = self.ask_and_keep(2, Request::DeleteQueue { queue: name }, Remembered::ForGood);
        Self::agree(&is, &should);
    }

    fn quotas(&mut self, variant: u8) {
        let quota = |bit: u8, bytes: u64| (variant >> bit & 1 == 1).then_some(bytes);
        (self.model.machine_quota, self.model.journal_quota) = (quota(0, 6000), quota(1, 1500));
        let properties = MachineProperties {
            quota_bytes: self.model.machine_quota.unwrap_or(u64::MAX),
            journal_quota_bytes: self.model.journal_quota.unwrap_or(u64::MAX),
            ..MachineProperties::default()
        };
        self.ask(1, Request::SetMachine { properties }).unwrap();
    }

    // ---- time and restarts ----

    fn pass(&mut self, ms: u16) {
        self.clock.advance(Duration::from_millis(ms.into()));
        self.model.now_ms += u64::from(ms);
    }

    fn end_session(&mut self, client: u128) {
        self.engine.end_session(Uuid::from_u128(client));
        self.model.end_session(client);
        let keeps = |last: &Last| last.remembered == Remembered::ForGood;
        if self.last.get(&client).is_some_and(|last| !keeps(last)) {
            self.last.remove(&client);
        }
    }

    fn restarted(&mut self) {
        self.engine = open(&self.disk, &self.clock, self.threads);
        self.model.restart();
        self.leases.clear();
        self.last
            .retain(|_, last| last.remembered == Remembered::ForGood);
        for client in [1, 2] {
            self.ask_again(client);
        }
    }

    // ---- looking ----

    /// Everything that can be seen is as the model says.
    fn look(&mut self) {
        let mut out = Vec::new();
        for _ in 0..3 {
            self.engine.step(&mut out);
        }
        let request = Request::ListQueues {
            after: String::new(),
            count_max: 1000,
            all: true,
        };
        let Ok(Reply::Queues(all)) = self.ask(9, request) else {
            panic!("no list of queues");
        };
        let names: Vec<&str> = all
            .iter()
            .map(|q| q.name.as_str())
            .filter(|n| !n.ends_with("_queue$"))
            .collect();
        let mut expected: Vec<&String> = self.model.queues.keys().collect();
        expected.sort_by_key(|name| name.to_ascii_lowercase());
        assert_eq!(names, expected);
        let mut learned = Vec::new();
        for status in all.iter().filter(|q| !q.name.ends_with("_queue$")) {
            self.look_at(status, &mut learned);
        }
        self.check_order(learned);
        for status in all.iter().filter(|q| !q.name.ends_with("_queue$")) {
            self.check_status(status);
        }
    }

    fn peek_all(&mut self, queue: &str) -> Vec<Received> {
        let request = Request::ReceiveMany {
            queue: queue.to_owned(),
            after: 0,
            take: Take::Peek,
            count_max: 1000,
            bytes_max: u32::MAX,
            timeout_ms: 0,
            transaction: Transaction::None,
        };
        match self.ask(9, request) {
            Ok(Reply::Messages(all)) => all,
            Err(error) if error.kind == ErrorKind::ReceiveTimeout => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    fn look_at(&mut self, status: &QueueStatus, learned: &mut Vec<u64>) {
        let seen = if status.message_count == 0 {
            Vec::new()
        } else {
            self.peek_all(&status.name)
        };
        let name = &status.name;
        for is in &seen {
            let of = &self.model.queues[name];
            let mut here = of.messages.iter().filter(|m| m.place == Place::Available);
            let known = here
                .clone()
                .find(|m| self.model.ids.get(&m.number) == Some(&is.lookup_id));
            if let Some(known) = known {
                self.compare(name, known.number, is);
                continue;
            }
            let content = is.message().unwrap();
            let fits = here.find(|m| {
                !self.model.ids.contains_key(&m.number)
                    && m.body.as_bytes() == content.body
                    && m.label == content.label
                    && m.class == is.class
            });
            let number = fits
                .unwrap_or_else(|| {
                    panic!("{name} has what it should not: {is:?} {:#?}", of.messages)
                })
                .number;
            self.bind_seen(number, is.lookup_id);
            self.compare(name, number, is);
            learned.push(number);
        }
        let expected = self.model.available(name);
        let expected: Vec<u64> = expected
            .iter()
            .map(|m| self.model.ids.get(&m.number).copied().unwrap_or(0))
            .collect();
        let seen: Vec<u64> = seen.iter().map(|is| is.lookup_id).collect();
        assert_eq!(
            seen, expected,
            "{name}: {:#?}",
            self.model.queues[name].messages
        );
    }

    /// One that was delayed when it came got its number before this step.
    fn bind_seen(&mut self, number: u64, lookup_id: u64) {
        let delayed = self
            .model
            .queues
            .values()
            .flat_map(|q| &q.messages)
            .any(|m| m.number == number && m.due_ms != 0);
        if delayed {
            self.model.ids.insert(number, lookup_id);
        } else {
            self.bind(number, lookup_id);
        }
    }

    /// What a transaction sent is in the order in which it was sent.
    fn check_order(&self, mut learned: Vec<u64>) {
        let is_sent = |number: &u64| {
            let all = self.model.queues.values().flat_map(|q| &q.messages);
            let mut own = all.filter(|m| m.number == *number && m.due_ms == 0);
            own.any(|m| !matches!(m.correlation, Some(Correlation::Of(_))))
        };
        learned.retain(is_sent);
        learned.sort_by_key(|number| self.model.ids[number] & COUNTER_MASK);
        assert!(learned.is_sorted(), "sent in another order: {learned:?}");
    }

    fn check_status(&self, is: &QueueStatus) {
        let q = &self.model.queues[&is.name];
        let count =
            |test: fn(&Place) -> bool| q.messages.iter().filter(|m| test(&m.place)).count() as u64;
        let held = count(|p| matches!(p, Place::Held { .. }));
        let delayed = count(|p| matches!(p, Place::Delayed { .. }));
        assert_eq!(
            (
                is.message_count,
                is.bytes_in_queue,
                is.locked_count,
                is.delayed_count
            ),
            (q.messages.len() as u64, q.bytes(), held, delayed),
            "{}: {:#?}",
            is.name,
            q.messages
        );
        assert_eq!(
            is.faulted,
            q.faulted.map(|number| self.model.ids[&number]),
            "{}",
            is.name
        );
        if q.kind == Kind::Private {
            assert_eq!(is.properties, q.properties);
            let journal = &self.model.queues[&format!("{};JOURNAL", is.name)];
            let journal = (journal.messages.len() as u64, journal.bytes());
            assert_eq!((is.journal_message_count, is.bytes_in_journal), journal);
        }
    }
}

/// What stays true of an answer. Counters of a queue: messages in memory and those that were held have ended with the
/// process that counted them. That a message was a transaction of its own: its queue says so, and may be gone.
fn lasting(mut reply: Reply) -> Reply {
    match &mut reply {
        Reply::Queue(status) => {
            (status.message_count, status.bytes_in_queue) = (0, 0);
            (status.locked_count, status.delayed_count, status.faulted) = (0, 0, None);
            (status.journal_message_count, status.bytes_in_journal) = (0, 0);
        }
        Reply::Message(one) => one.transaction = None,
        Reply::Messages(all) => all.iter_mut().for_each(|one| one.transaction = None),
        _ => {}
    }
    reply
}

fn transaction(how: How) -> Transaction {
    match how {
        How::Alone => Transaction::None,
        How::Single => Transaction::Single,
        How::In(number) => Transaction::In(TransactionId(number)),
    }
}

fn correlation(given: u8) -> MessageId {
    MessageId {
        manager: Uuid::from_u128(77),
        ordinal: u32::from(given) + 1,
    }
}

fn message_of(wishes: &Wishes, now_ms: u64) -> Message {
    let mut message = Message::new(wishes.body.clone());
    message.label = wishes.label();
    message.priority = wishes.priority;
    message.acknowledge = Acknowledge(wishes.acknowledge);
    message.journal = Journal(wishes.journal);
    message.time_to_reach_queue = Lifetime(wishes.reach_s.into());
    if wishes.acknowledge != 0 {
        message.admin_queue = "admin".into();
    }
    if let Some(seconds) = wishes.lives_s {
        message.time_to_be_received = Lifetime(seconds.into());
    }
    if wishes.late_s != 0 {
        message.sent_ms = now_ms - u64::from(wishes.late_s) * 1000;
    }
    message.delay_ms = wishes.delay_ms.into();
    if let Some(key) = wishes.key {
        message.idempotency_key = vec![key];
    }
    if wishes.express {
        message.delivery = Delivery::Express;
    }
    if wishes.own_dead_letters {
        message.dead_letter_queue = "u".into();
    }
    if let Some(given) = wishes.correlation {
        message.correlation_id = correlation(given);
    }
    message
}
