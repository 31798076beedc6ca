//! A small store in which every kind of record occurs, and what can be seen of it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use hamq_core::log::inspect::{self, Salvaged};
use hamq_core::queue::access::AccessList;
use hamq_core::queue::change::{Change, Effect};
use hamq_core::queue::manager::{Manager, ManagerOptions, Tuning};
use hamq_core::queue::message::{Acknowledge, Delivery, Journal, Lifetime, Message, Received};
use hamq_core::queue::request::{
    BodyId, BodySource, MachineProperties, PoisonTarget, QueueProperties, QueueStatus, Reply,
    Request, RequestId, Select, Settle, Take, Transaction,
};
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::{FakeDisk, Survivors};
use uuid::Uuid;

use crate::store::*;

/// Messages of the queue that has pages: more than one page holds.
const MANY: u64 = 2100;
/// The client whose outcomes are asked for again.
const CAT: u128 = 3;

/// Writes the stores; gives their names and disks.
pub fn write() -> [(&'static str, FakeDisk); 2] {
    let written = [("rich", rich_store()), ("cleaned", cleaned_store())];
    let seen: Vec<String> = written.iter().flat_map(|(_, disk)| kinds(disk)).collect();
    let missing: Vec<_> = KINDS
        .iter()
        .filter(|kind| !seen.iter().any(|s| s == *kind))
        .collect();
    assert!(missing.is_empty(), "no record has {missing:?}");
    written
}

fn rich_store() -> FakeDisk {
    let disk = FakeDisk::new();
    fill(&disk);
    let mut store = Store::on(&disk, 10_000);
    queues(&mut store);
    messages(&mut store);
    transactions(&mut store);
    poison(&mut store);
    owner_of_outcomes(&mut store);
    store.left()
}

/// Every effect, as `Debug` calls it.
const KINDS: [&str; 21] = [
    "Arrive",
    "Leave",
    "Copy",
    "Move",
    "Count",
    "Relocate",
    "Part",
    "Parts",
    "Prepare",
    "Resolved",
    "Store",
    "Reserve",
    "Client",
    "Principal",
    "Create",
    "Configure",
    "Permit",
    "Machine",
    "Delete",
    "Purge",
    "Fault",
];

/// The records of a store, pages included.
pub fn records(disk: &FakeDisk) -> Vec<Vec<u8>> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let salvaged = inspect::salvage(&disk).unwrap();
    let records = salvaged.map(|salvaged| match salvaged {
        Salvaged::Record(_, bytes) => bytes.to_vec(),
        Salvaged::Gap(gap) => panic!("{gap:?}"),
    });
    records.collect()
}

fn kinds(disk: &FakeDisk) -> Vec<String> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    // Of a store that is being written the end may be missing.
    let records = inspect::salvage(&disk)
        .unwrap()
        .filter_map(|salvaged| match salvaged {
            Salvaged::Record(_, bytes) => Some(bytes),
            Salvaged::Gap(_) => None,
        });
    let changes = records.filter(|record| record[0] != 0xff);
    let client = |number: u32| Some(Uuid::from_u128(number.into()));
    let effects = changes.flat_map(|record| Change::decode(&record, &client).unwrap().0.effects);
    let name = |effect: Effect| {
        let text = format!("{effect:?}");
        let end = text.find(|c: char| !c.is_alphabetic());
        text[..end.unwrap_or(text.len())].to_owned()
    };
    effects.map(name).collect()
}

/// A queue that will have pages. Its segments stay, and with them what only the first records say.
fn fill(disk: &FakeDisk) {
    let manager = open(disk, false);
    create(&manager, "many");
    let message = |n| send("many", Message::new(format!("{n}")), Transaction::None);
    // It keeps the first segment, with what only the first records say.
    manager.call(message(0)).unwrap();
    all(&manager, (1..MANY).map(message).collect());
    manager.close().unwrap();
}

/// Segments of which so little was alive that it was copied.
fn cleaned_store() -> FakeDisk {
    let disk = &FakeDisk::new();
    let manager = open(disk, true);
    create(&manager, "sparse");
    let say = |text: Vec<u8>| send("sparse", Message::new(text), Transaction::None);
    // One small one that stays among large ones that do not.
    for n in 0..60 {
        manager.call(say(vec![b'A' + n])).unwrap();
        let large = (0..3).map(|_| say(vec![b'z'; 3000]));
        all(&manager, large.collect());
        take_last(&manager, 3);
    }
    let is_cleaned = || {
        let left = disk.crash(1, Survivors::None);
        kinds(&left).iter().any(|kind| kind == "Relocate")
    };
    for round in 0_u32.. {
        assert!(round < 200, "nothing was cleaned");
        all(&manager, (0..5).map(|_| say(vec![b'z'; 3000])).collect());
        take_last(&manager, 5);
        if is_cleaned() {
            break;
        }
    }
    manager.close().unwrap();
    disk.crash(1, Survivors::None)
}

fn take_last(manager: &Manager, count: usize) {
    for _ in 0..count {
        let last = take("sparse", Select::Last, Take::Remove);
        manager.call(last).unwrap();
    }
}

fn open(disk: &FakeDisk, cleans: bool) -> Manager {
    let options = ManagerOptions {
        name: "vs1".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|error| panic!("the store failed: {error:?}")),
    };
    let (segment_bytes, snapshot_bytes) = match cleans {
        true => (8 * 1024, 16 * 1024),
        false => (64 * 1024, 1024 * 1024),
    };
    let tuning = Tuning {
        segment_bytes,
        snapshot_bytes,
        fence: None,
    };
    let (disk, clock) = (Arc::new(disk.clone()), Arc::new(FakeClock::default()));
    let opened = match cleans {
        true => Manager::open_with_threads(disk, clock, options, tuning),
        false => Manager::open_with(disk, clock, options, tuning),
    };
    opened.unwrap().0
}

fn create(manager: &Manager, queue: &str) {
    let (queue, properties) = (queue.to_owned(), QueueProperties::default());
    manager
        .call(Request::CreateQueue { queue, properties })
        .unwrap();
}

/// All at once, so that they are few batches.
fn all(manager: &Manager, requests: Vec<Request>) {
    let client = Uuid::new_v4();
    let numbered = requests.into_iter().zip(1..).map(|(request, sequence)| {
        let id = RequestId {
            client,
            sequence,
            acknowledged: sequence,
        };
        (id, request)
    });
    let (sender, receiver) = sync_channel(1);
    manager.submit_many(
        numbered.collect(),
        Box::new(move |all| drop(sender.send(all))),
    );
    for outcome in receiver.recv().unwrap() {
        outcome.unwrap();
    }
}

fn queues(store: &mut Store) {
    store.create("admin", false);
    store.create("dead", true);
    store.create_with("plain", |p| {
        p.journal = true;
        p.label = "größe".into();
        p.quota_bytes = 1 << 30;
        p.journal_quota_bytes = 1 << 20;
        p.base_priority = -3;
        p.service_type = Uuid::from_u128(5);
        p.duplicate_window_ms = 1 << 40;
    });
    store.create("orders", true);
    store.create("other", true);
    store.create("gone", false);
    store.send_all("gone", &["never seen"]);
    store.must(ANN, delete("gone"));
    let mut properties = store.status("orders").properties;
    properties.label = "orders of today".into();
    let queue = "orders".to_owned();
    store.must(ANN, Request::SetQueue { queue, properties });
    for queue in ["orders", ""] {
        let mut access = AccessList::of_new_queue("n1");
        if queue.is_empty() {
            access = AccessList::of_new_queue("");
        }
        let queue = queue.to_owned();
        store.must(ANN, Request::SetAccess { queue, access });
    }
    let properties = MachineProperties {
        quota_bytes: 1 << 40,
        journal_quota_bytes: 1 << 30,
        long_live_seconds: 1_000_000,
    };
    store.must(ANN, Request::SetMachine { properties });
}

/// With everything that a sender can set.
fn rich(body: &str) -> Message {
    let mut message = Message::new(body);
    message.priority = 6;
    message.label = "ein Schild".into();
    message.body_type = 8;
    message.app_specific = 77;
    message.correlation_id = correlation(9);
    message.acknowledge = Acknowledge(0xf);
    message.journal = Journal(3);
    message.admin_queue = "admin".into();
    message.response_queue = "DIRECT=OS:vs1\\private$\\plain".into();
    message.extension = vec![1, 2, 3];
    message.time_to_be_received = Lifetime(1_000_000);
    message.time_to_reach_queue = Lifetime(1_000_000);
    message.idempotency_key = b"key".to_vec();
    message.soap_header = "<h/>".into();
    message.soap_body = "<b/>".into();
    message.trace = true;
    message
}

fn messages(store: &mut Store) {
    store.send("plain", rich("rich"));
    store.send_all("plain", &["received", "leased", "purged"]);
    store.one(ANN, take("plain", Select::After(2 << 56), Take::Remove));
    let lease = store.lease(BOB, "plain", 60_000);
    store.must(BOB, settle("plain", &[lease], Settle::Release));
    let mut express = Message::new("express");
    express.delivery = Delivery::Express;
    store.send("plain", express);
    let mut late = Message::new("delayed");
    late.delay_ms = 1 << 34;
    store.send("plain", late);
    let mut short = Message::new("expired");
    short.time_to_be_received = Lifetime(1);
    short.acknowledge = Acknowledge(8);
    short.admin_queue = "admin".into();
    store.send("orders", short);
    store.pass(1001);
    large_body(store, 1, "of two ", "parts");
    let body = BodyId(2);
    store.must(
        ANN,
        Request::WriteBody {
            body,
            offset: 0,
            bytes: b"never sent".to_vec(),
        },
    );
    store.create("emptied", true);
    store.send_all("emptied", &["held", "available"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("emptied", transaction));
    store.must(BOB, purge("emptied"));
    store.must(ANN, abort(1));
    store.send_all("emptied", &["after"]);
}

fn large_body(store: &mut Store, number: u64, one: &str, two: &str) {
    let body = BodyId(number);
    for (offset, part) in [(0, one), (one.len() as u64, two)] {
        let bytes = part.as_bytes().to_vec();
        let write = Request::WriteBody {
            body,
            offset,
            bytes,
        };
        store.must(ANN, write);
    }
    let request = Request::Send {
        queue: "plain".into(),
        message: Message::new("").encode(),
        transaction: Transaction::None,
        body: Some(body),
    };
    store.must(ANN, request);
}

fn transactions(store: &mut Store) {
    store.send_all(
        "orders",
        &["moved", "taken", "prepared", "rejected", "left"],
    );
    let moved = store.messages("orders")[0].lookup_id;
    store.must(
        ANN,
        move_to("orders", moved, "orders;late", Transaction::Single),
    );
    let transaction = store.begin(ANN, 2);
    store.must(ANN, receive("orders", transaction));
    let mut dead = Message::new("to its own dead letters");
    dead.dead_letter_queue = "dead".into();
    store.must(ANN, send("other", dead, transaction));
    store.must(
        ANN,
        send("other", Message::new("second of two"), transaction),
    );
    store.must(ANN, commit(2));
    let transaction = store.begin(ANN, 3);
    store.must(ANN, receive("orders", transaction));
    store.must(ANN, send("other", rich("when it is resolved"), transaction));
    store.must(ANN, prepare(3, "waits"));
    let transaction = store.begin(ANN, 4);
    let rejected = store.one(ANN, receive("orders", transaction)).lookup_id;
    store.must(ANN, reject("orders", rejected, 4));
    store.must(ANN, prepare(4, "resolved"));
    store.must(BOB, resolve("resolved", true));
}

fn poison(store: &mut Store) {
    for (number, then) in (10..).zip([
        PoisonTarget::Fault,
        PoisonTarget::Drop,
        PoisonTarget::Reject,
        PoisonTarget::Move,
    ]) {
        let queue = format!("poison-{then:?}");
        store.create_poison(&queue, 1, 0, then);
        store.send_all(&queue, &["poisonous"]);
        store.receive_and_abort(&queue, number * 10);
        store.receive_and_abort(&queue, number * 10 + 1);
    }
    store.create_poison("round", 1, 1, PoisonTarget::Move);
    store.send_all("round", &["waits for its next cycle"]);
    store.receive_and_abort("round", 200);
    store.receive_and_abort("round", 201);
}

/// What is asked again when the store is opened; the first time it is executed.
fn owner_of_outcomes(store: &mut Store) {
    for (sequence, request) in (1..).zip(remembered()) {
        store.submit_as(CAT, sequence, 0, request).unwrap();
    }
}

fn remembered() -> Vec<Request> {
    let keyed = rich("sent again with its key");
    vec![
        send("plain", Message::new("remembered"), Transaction::None),
        take("plain", Select::Last, Take::Remove),
        send("plain", keyed, Transaction::None),
        Request::CreateQueue {
            queue: "remembered".into(),
            properties: QueueProperties::default(),
        },
        many("other", Take::Remove, 1, Transaction::Single),
    ]
}

/// Everything that can be seen of the store, a line each. Also executes again what is remembered.
pub fn picture(store: &mut Store, name: &str) -> String {
    let mut text = String::new();
    let remembered = if name == "rich" {
        remembered()
    } else {
        Vec::new()
    };
    for (sequence, request) in (1..).zip(remembered) {
        let told = match store.submit_as(CAT, sequence, 0, request).unwrap() {
            Reply::Sent { lookup_id, .. } => format!("sent {lookup_id:#x}"),
            Reply::Message(one) => one_line(&one),
            Reply::Messages(all) => all.iter().map(one_line).collect(),
            Reply::Queue(queue) => queue.name,
            other => panic!("{other:?}"),
        };
        writeln!(text, "remembered {sequence}: {told}").unwrap();
    }
    match store.must(ANN, Request::GetMachine) {
        Reply::Machine(m) => {
            let p = m.properties;
            writeln!(
                text,
                "machine {} quotas {} {} lives {} messages {} bytes {} {}",
                m.id,
                p.quota_bytes,
                p.journal_quota_bytes,
                p.long_live_seconds,
                m.message_count,
                m.bytes_in_queues,
                m.bytes_in_journals
            )
            .unwrap();
        }
        other => panic!("{other:?}"),
    }
    writeln!(
        text,
        "prepared {:?}",
        store.must(ANN, Request::ListPrepared)
    )
    .unwrap();
    let all = Request::ListQueues {
        after: String::new(),
        count_max: 1000,
        all: true,
    };
    let Reply::Queues(queues) = store.must(ANN, all) else {
        panic!("no list");
    };
    for queue in queues {
        draw_queue(store, &mut text, &queue);
    }
    text
}

fn draw_queue(store: &mut Store, text: &mut String, q: &QueueStatus) {
    let p = &q.properties;
    writeln!(text, "queue {} {:?} {} messages {} bytes {} held {} delayed {} journal {} {} created {} modified {} faulted {:?}",
        q.name, q.kind, q.number, q.message_count, q.bytes_in_queue, q.locked_count, q.delayed_count,
        q.journal_message_count, q.bytes_in_journal, q.created_ms, q.modified_ms, q.faulted).unwrap();
    writeln!(text, "  {:?} transactional {} journal {} type {} quotas {} {} base {} authenticate {} {:?} {:?} {:?} window {}",
        p.label, p.transactional, p.journal, p.service_type, p.quota_bytes, p.journal_quota_bytes, p.base_priority,
        p.authenticate, p.privacy, p.multicast_address, p.poison, p.duplicate_window_ms).unwrap();
    let queue = q.name.clone();
    if let Ok(Reply::Access(access)) = store.ask(ANN, Request::GetAccess { queue }) {
        writeln!(text, "  access {access:?}").unwrap();
    }
    let lines: Vec<String> = everything(store, &q.name)
        .iter()
        .map(|m| {
            let parts = large(store, &q.name, m);
            format!("  {}{parts}\n", one_line(m))
        })
        .collect();
    if lines.len() > 100 {
        let crc = crc32c::crc32c(lines.concat().as_bytes());
        writeln!(text, "  {} messages, crc {crc:08x}", lines.len()).unwrap();
        text.push_str(&lines[0]);
        text.push_str(lines.last().unwrap());
    } else {
        text.push_str(&lines.concat());
    }
}

/// All messages that are available, however many.
fn everything(store: &mut Store, queue: &str) -> Vec<Received> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let next = Request::ReceiveMany {
            queue: queue.to_owned(),
            after,
            take: Take::Peek,
            count_max: 1000,
            bytes_max: u32::MAX,
            timeout_ms: 0,
            transaction: Transaction::None,
        };
        match store.ask(ANN, next) {
            Ok(Reply::Messages(all)) => found.extend(all),
            _ => return found,
        }
        after = found.last().unwrap().lookup_id;
    }
}

fn large(store: &mut Store, queue: &str, message: &Received) -> String {
    if message.body_bytes == message.body().len() as u64 {
        return String::new();
    }
    let source = BodySource::Message {
        queue: queue.to_owned(),
        lookup_id: message.lookup_id,
    };
    let request = Request::ReadBody {
        source,
        offset: 0,
        length: 1000,
    };
    match store.must(ANN, request) {
        Reply::Bytes(bytes) => format!(" large body {:?}", String::from_utf8_lossy(&bytes)),
        other => panic!("{other:?}"),
    }
}

fn one_line(received: &Received) -> String {
    received.content.verify().unwrap();
    let m = received.message().unwrap();
    let body = String::from_utf8_lossy(&m.body);
    format!(
        "{:#x} {} {:?} bytes {} class {:#x} {:?} sent {} arrived {} by {:?} to {:?} counts {} {} {} in {:?} \
         priority {} type {} label {:?} app {} correlation {:?} ack {} journal {} admin {:?} response {:?} dead {:?} \
         lives {:?} {:?} extension {:?} soap {:?} {:?} key {:?} delay {} trace {}",
        received.lookup_id,
        received.id,
        body.chars().take(40).collect::<String>(),
        received.body_bytes,
        received.class,
        received.delivery,
        received.sent_ms,
        received.arrived_ms,
        received.sender,
        received.destination,
        received.abort_count,
        received.move_count,
        received.last_move_ms,
        received.transaction,
        m.priority,
        m.body_type,
        m.label,
        m.app_specific,
        m.correlation_id,
        m.acknowledge.0,
        m.journal.0,
        m.admin_queue,
        m.response_queue,
        m.dead_letter_queue,
        m.time_to_reach_queue.0,
        m.time_to_be_received.0,
        m.extension,
        m.soap_header,
        m.soap_body,
        m.idempotency_key,
        m.delay_ms,
        m.trace,
    )
}
