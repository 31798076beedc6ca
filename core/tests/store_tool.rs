//! `check`, `dump` and `salvage` on stores that are sound, and on stores with any damage.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hamq_core::ErrorKind;
use hamq_core::queue::encoded::Encoded;
use hamq_core::queue::manager::{Manager, ManagerOptions, Tuning};
use hamq_core::queue::message::{Journal, Message, MessageId};
use hamq_core::queue::offline;
use hamq_core::queue::request::{
    BodyId, BranchId, QueueProperties, Reply, Request, Select, Take, Transaction, TransactionId,
};
use hamq_core::sys::clock::{Clock, FakeClock};
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::{FakeDisk, Survivors};
use proptest::prelude::*;

fn open(disk: &FakeDisk) -> Manager {
    let options = ManagerOptions {
        name: "vs1".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|_| {}),
    };
    let tuning = Tuning {
        segment_bytes: 4096,
        snapshot_bytes: 9000,
        fence: None,
    };
    let clock = Arc::new(FakeClock::default());
    let opened = Manager::open_with(Arc::new(disk.clone()), clock, options, tuning);
    opened.unwrap().0
}

fn of(disk: &FakeDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(FakeClock::default())
}

fn create(manager: &Manager, queue: &str, properties: QueueProperties) {
    let queue = queue.to_owned();
    let request = Request::CreateQueue { queue, properties };
    manager.call(request).unwrap();
}

fn send(manager: &Manager, queue: &str, text: &str, transaction: Transaction) {
    let mut message = Message::new(text);
    message.priority = u8::try_from(text.len() % 8).unwrap();
    message.delivery = hamq_core::queue::message::Delivery::Recoverable;
    message.journal = Journal::DEAD_LETTER;
    manager
        .call(Request::Send {
            queue: queue.into(),
            message: Encoded::new(&message),
            transaction,
            body: None,
        })
        .unwrap();
}

fn receive(manager: &Manager, queue: &str, transaction: Transaction) -> u64 {
    let reply = manager
        .call(Request::Receive {
            queue: queue.into(),
            select: Select::First,
            take: Take::Remove,
            timeout_ms: 0,
            transaction,
        })
        .unwrap();
    match reply {
        Reply::Message(received) => received.lookup_id,
        other => panic!("{other:?}"),
    }
}

/// What a reader sees of a message.
type Seen = (MessageId, u64, Vec<u8>, u64, u64, String, u16, u32);

/// Every message of every queue, by peeking.
fn contents(manager: &Manager) -> BTreeMap<String, Vec<Seen>> {
    let list = Request::ListQueues {
        after: String::new(),
        count_max: 1000,
        all: true,
    };
    let Reply::Queues(queues) = manager.call(list).unwrap() else {
        panic!("queues")
    };
    let mut all = BTreeMap::new();
    for queue in queues {
        let name = queue.name.clone();
        let mut seen = Vec::new();
        let (mut after, mut more) = (0, true);
        while more {
            let reply = manager.call(Request::ReceiveMany {
                queue: name.clone(),
                after,
                take: Take::Peek,
                count_max: 100,
                bytes_max: 1 << 20,
                timeout_ms: 0,
                transaction: Transaction::None,
            });
            let messages = match reply {
                Ok(Reply::Messages(messages)) => messages,
                Err(error) if error.kind == ErrorKind::ReceiveTimeout => Vec::new(),
                other => panic!("{other:?}"),
            };
            more = !messages.is_empty();
            for m in messages {
                after = m.lookup_id;
                let body = m.content.body().to_vec();
                seen.push((
                    m.id,
                    m.lookup_id,
                    body,
                    m.body_bytes,
                    m.arrived_ms,
                    m.destination,
                    m.class,
                    m.move_count,
                ));
            }
        }
        all.insert(name, seen);
    }
    all
}

/// A store with a bit of everything, over several segments and snapshots.
fn busy_store() -> FakeDisk {
    let disk = FakeDisk::new();
    let manager = open(&disk);
    let journal = QueueProperties {
        journal: true,
        label: "with a journal".into(),
        ..QueueProperties::default()
    };
    let transactional = QueueProperties {
        transactional: true,
        ..QueueProperties::default()
    };
    create(&manager, "orders", journal);
    create(&manager, "bank", transactional);
    create(&manager, "gone", QueueProperties::default());
    for n in 0..60 {
        let text = format!("order {n} {}", "x".repeat(n * 7 % 230));
        send(&manager, "orders", &text, Transaction::None);
        if n % 3 == 0 {
            send(
                &manager,
                "bank",
                &format!("booking {n}"),
                Transaction::Single,
            );
        }
        if n % 2 == 0 {
            receive(&manager, "orders", Transaction::None);
        }
    }
    send(
        &manager,
        "gone",
        "deleted with its queue",
        Transaction::None,
    );
    let queue = "gone".to_owned();
    manager.call(Request::DeleteQueue { queue }).unwrap();
    large_body(&manager);
    moved_and_dead(&manager);
    manager
        .call(Request::SetQueue {
            queue: "bank".into(),
            properties: QueueProperties {
                transactional: true,
                label: "renamed".into(),
                ..QueueProperties::default()
            },
        })
        .unwrap();
    // As a crash leaves it: with records behind the last snapshot.
    disk.crash(1, Survivors::None)
}

fn large_body(manager: &Manager) {
    let mut offset = 0;
    for bytes in [
        b"first part ".to_vec(),
        vec![b'y'; 700],
        b" last part".to_vec(),
    ] {
        let part = Request::WriteBody {
            body: BodyId(1),
            offset,
            bytes: bytes.clone(),
        };
        manager.call(part).unwrap();
        offset += bytes.len() as u64;
    }
    let mut message = Message::new("");
    message.delivery = hamq_core::queue::message::Delivery::Recoverable;
    let sent = manager.call(Request::Send {
        queue: "orders".into(),
        message: Encoded::new(&message),
        transaction: Transaction::None,
        body: Some(BodyId(1)),
    });
    sent.unwrap();
}

/// One message in a subqueue, one dead letter.
fn moved_and_dead(manager: &Manager) {
    let transaction = TransactionId(5);
    manager.call(Request::Begin { transaction }).unwrap();
    let lookup_id = receive(manager, "bank", Transaction::In(transaction));
    let queue = "bank".to_owned();
    manager
        .call(Request::Reject {
            transaction,
            queue,
            lookup_id,
        })
        .unwrap();
    manager.call(Request::Commit { transaction }).unwrap();
    let Some(first) = contents(manager)["orders"].first().cloned() else {
        panic!("no order")
    };
    let moved = manager.call(Request::Move {
        queue: "orders".into(),
        lookup_id: first.1,
        to: "orders;later".into(),
        transaction: Transaction::None,
    });
    moved.unwrap();
}

/// The files of a disk.
fn files(disk: &FakeDisk) -> BTreeMap<String, Vec<u8>> {
    let read = |name: &String| {
        let file = disk.open(name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    };
    let names = disk.list().unwrap();
    names.into_iter().map(|n| (n.clone(), read(&n))).collect()
}

fn disk_of(files: &BTreeMap<String, Vec<u8>>) -> FakeDisk {
    let disk = FakeDisk::new();
    for (name, bytes) in files {
        let file = disk.create(name, bytes.len() as u64).unwrap();
        file.write_at(0, bytes).unwrap();
        file.sync().unwrap();
    }
    disk.sync_folder().unwrap();
    disk
}

#[test]
fn a_sound_store_is_reported_as_replay_would_give_it_and_not_a_byte_is_written() {
    let disk = busy_store();
    let before = files(&disk);
    let writes = Arc::new(AtomicU64::new(0));
    let kept = Arc::clone(&writes);
    disk.set_hook(Some(Arc::new(move |what, _| {
        let reads = ["list", "open", "read", "length"];
        kept.fetch_add(u64::from(!reads.contains(&what)), Ordering::SeqCst);
    })));
    let report = offline::check(&of(&disk)).unwrap();
    assert_eq!(report.faults, Vec::<String>::new(), "{report}");
    let mut lines = Vec::new();
    offline::dump(&of(&disk), true, &mut lines).unwrap();
    assert_eq!(writes.load(Ordering::SeqCst), 0);
    disk.set_hook(None);
    assert_eq!(files(&disk), before);
    let parsed = String::from_utf8(lines).unwrap();
    assert!(parsed.lines().count() > 10);
    for line in parsed.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let seen = contents(&open(&disk));
    assert!(seen["orders;JOURNAL"].len() > 20 && seen["orders;later"].len() == 1);
    assert!(seen["system$;DEADXACT"].len() == 1);
    for queue in report.queues {
        assert_eq!(
            queue.messages,
            seen[&queue.name].len() as u64,
            "{}",
            queue.name
        );
    }
}

#[test]
fn a_sound_store_comes_through_salvage_as_it_was() {
    let disk = busy_store();
    let target = FakeDisk::new();
    let rescued = offline::salvage(&of(&disk), &of(&target), &clock()).unwrap();
    assert_eq!((rescued.queues, rescued.lost), (2, vec![]));
    let (before, after) = (open(&disk), open(&target));
    assert_eq!(contents(&after), contents(&before));
    let ask = |manager: &Manager, queue: &str| {
        let queue = queue.to_owned();
        let status = manager.call(Request::GetQueue {
            queue: queue.clone(),
        });
        let access = manager.call(Request::GetAccess { queue });
        (status.unwrap(), access.unwrap())
    };
    for queue in ["orders", "bank", "orders;later"] {
        assert_eq!(ask(&after, queue), ask(&before, queue), "{queue}");
    }
    assert!(offline::check(&of(&target)).unwrap().is_sound());
    let known: BTreeSet<u64> = contents(&after).values().flatten().map(|m| m.1).collect();
    send(&after, "orders", "new", Transaction::None);
    let fresh = contents(&after)["orders"]
        .iter()
        .find(|m| m.2 == b"new")
        .unwrap()
        .1;
    assert!(!known.contains(&fresh), "numbers are not given twice");
    let again = offline::salvage(&of(&disk), &of(&target), &clock()).unwrap_err();
    assert_eq!(again.kind, ErrorKind::InvalidParameter);
    assert!(again.message.contains("not empty"));
}

#[test]
fn a_prepared_transaction_waits_in_the_new_store_too() {
    let disk = FakeDisk::new();
    let manager = open(&disk);
    let transactional = QueueProperties {
        transactional: true,
        ..QueueProperties::default()
    };
    create(&manager, "bank", transactional);
    send(&manager, "bank", "old", Transaction::Single);
    let transaction = TransactionId(1);
    manager.call(Request::Begin { transaction }).unwrap();
    receive(&manager, "bank", Transaction::In(transaction));
    send(&manager, "bank", "staged", Transaction::In(transaction));
    let branch = BranchId(b"branch".to_vec());
    manager
        .call(Request::Prepare {
            transaction,
            branch: branch.clone(),
        })
        .unwrap();
    drop(manager);
    let target = FakeDisk::new();
    let rescued = offline::salvage(&of(&disk), &of(&target), &clock()).unwrap();
    assert_eq!((rescued.prepared, rescued.lost), (1, vec![]));
    let after = open(&target);
    assert_eq!(contents(&after)["bank"].len(), 0, "it is held");
    let commit = true;
    after.call(Request::Resolve { branch, commit }).unwrap();
    let bank = contents(&after)["bank"].clone();
    assert_eq!((bank.len(), bank[0].2.as_slice()), (1, &b"staged"[..]));
}

/// Where the pages of the index lie, by the dump.
fn pages(disk: &FakeDisk) -> Vec<(u64, usize)> {
    let mut lines = Vec::new();
    offline::dump(&of(disk), false, &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let values = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let pages = values.filter(|value: &serde_json::Value| value["record"]["page"].is_u64());
    let place = |page: serde_json::Value| {
        let offset = usize::try_from(page["offset"].as_u64().unwrap()).unwrap();
        (page["segment"].as_u64().unwrap(), offset)
    };
    pages.map(place).collect()
}

#[test]
fn messages_of_a_lost_index_page_are_known_from_their_arrival() {
    let disk = FakeDisk::new();
    let manager = open(&disk);
    create(&manager, "long", QueueProperties::default());
    for n in 0..4500 {
        send(
            &manager,
            "long",
            &format!("order {}", n % 10),
            Transaction::None,
        );
    }
    for _ in 0..7 {
        receive(&manager, "long", Transaction::None);
    }
    manager.close().unwrap();
    let before = contents(&open(&disk_of(&files(&disk))));
    let pages = pages(&disk);
    assert!(!pages.is_empty(), "the queue has no page");
    for (segment, offset) in pages {
        let prefix = format!("{segment:010}-");
        let name = disk
            .list()
            .unwrap()
            .into_iter()
            .find(|n| n.starts_with(&prefix) && n.ends_with(".seg"));
        disk.damage(&name.unwrap(), offset + 20);
    }
    let report = offline::check(&of(&disk)).unwrap();
    assert!(!report.is_sound());
    let target = FakeDisk::new();
    offline::salvage(&of(&disk), &of(&target), &clock()).unwrap();
    let after = contents(&open(&target));
    let kept: BTreeSet<&Seen> = after["long"].iter().collect();
    assert!(before["long"].iter().all(|message| kept.contains(message)));
    // The record of a receive may be gone with its segment; then the message is back, and that is said.
    assert!(kept.len() <= before["long"].len() + 7, "{}", kept.len());
    assert!(
        report
            .remarks
            .iter()
            .any(|r| r.contains("lost index pages")),
        "{report}"
    );
}

/// One way in which a file suffers.
#[derive(Clone, Debug)]
enum Harm {
    Flip(usize, usize),
    Cut(usize, usize),
    Remove(usize),
    Zero(usize, usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<usize>(), any::<usize>()).prop_map(|(f, at)| Harm::Flip(f, at)),
        (any::<usize>(), any::<usize>()).prop_map(|(f, at)| Harm::Cut(f, at)),
        any::<usize>().prop_map(Harm::Remove),
        (any::<usize>(), any::<usize>(), 1..2000_usize).prop_map(|(f, at, n)| Harm::Zero(f, at, n)),
    ]
}

fn suffer(files: &mut BTreeMap<String, Vec<u8>>, harm: &Harm) {
    let (Harm::Flip(file, _) | Harm::Cut(file, _) | Harm::Remove(file) | Harm::Zero(file, ..)) =
        harm;
    let Some(name) = files.keys().nth(file % files.len().max(1)).cloned() else {
        return;
    };
    if let Harm::Remove(_) = harm {
        files.remove(&name);
        return;
    }
    let bytes = files.get_mut(&name).unwrap();
    let length = bytes.len().max(1);
    match harm {
        Harm::Flip(_, at) => {
            if let Some(byte) = bytes.get_mut(at % length) {
                *byte ^= 1 << (at % 8);
            }
        }
        Harm::Cut(_, at) => bytes.truncate(at % length),
        Harm::Zero(_, at, count) => {
            let at = at % length;
            let end = (at + count).min(bytes.len());
            bytes[at.min(end)..end].fill(0);
        }
        Harm::Remove(_) => {}
    }
}

/// The lookup ids of messages whose arrival an intact record tells, by the dump.
fn arrivals(disk: &FakeDisk) -> BTreeSet<u64> {
    let mut lines = Vec::new();
    offline::dump(&of(disk), false, &mut lines).unwrap();
    let mut ids = BTreeSet::new();
    for line in String::from_utf8(lines).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let effects = value["record"]["effects"].as_array().cloned();
        for effect in effects.unwrap_or_default() {
            let arrive = &effect["Arrive"];
            if arrive["parts"] == 0 {
                ids.extend(arrive["lookup_id"].as_u64());
            }
        }
    }
    ids
}

/// Messages that left a queue by what intact records say, and did not come back.
fn departures(disk: &FakeDisk) -> BTreeSet<(u64, u64)> {
    let mut lines = Vec::new();
    offline::dump(&of(disk), false, &mut lines).unwrap();
    let mut gone = BTreeSet::new();
    for line in String::from_utf8(lines).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let effects = value["record"]["effects"].as_array().cloned();
        for effect in effects.unwrap_or_default() {
            let pair = |what: &str, queue: &str| {
                let of = &effect[what];
                Some((of[queue].as_u64()?, of["lookup_id"].as_u64()?))
            };
            gone.extend(pair("Leave", "queue"));
            gone.extend(pair("Move", "queue"));
            for (what, to) in [("Arrive", "queue"), ("Copy", "to"), ("Move", "to")] {
                if let Some(back) = pair(what, to) {
                    gone.remove(&back);
                }
            }
        }
    }
    gone
}

fn by_id(manager: &Manager) -> BTreeMap<u64, Vec<u8>> {
    let all = contents(manager).into_values().flatten();
    all.map(|seen| (seen.1, seen.2)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_to_a_store_what_is_intact_is_kept_and_nothing_invented(
        harms in proptest::collection::vec(harm(), 1..6),
    ) {
        let sound = busy_store();
        let live = by_id(&open(&disk_of(&files(&sound))));
        let mut files = files(&sound);
        harms.iter().for_each(|harm| suffer(&mut files, harm));
        let damaged = disk_of(&files);
        let report = offline::check(&of(&damaged)).unwrap();
        let target = FakeDisk::new();
        let rescued = match offline::salvage(&of(&damaged), &of(&target), &clock()) {
            Ok(rescued) => rescued,
            Err(error) => {
                prop_assert!(error.message.contains("no message store"), "{}", error);
                return Ok(());
            }
        };
        prop_assert_eq!(report.is_sound(), rescued.lost.is_empty());
        let kept = contents(&open(&target));
        let gone = departures(&damaged);
        let new = offline::check(&of(&target)).unwrap();
        let number = |name: &String| new.queues.iter().find(|q| q.name == *name).unwrap().number;
        let count: usize = kept.values().map(Vec::len).sum();
        prop_assert_eq!(count as u64, rescued.messages);
        let mut ids = BTreeMap::new();
        for (queue, seen) in kept {
            for message in seen {
                let text = String::from_utf8(message.2.clone()).unwrap();
                let known = ["order ", "booking ", "deleted with its queue"];
                let sent = known.iter().any(|k| text.starts_with(k)) || text.is_empty();
                prop_assert!(sent, "{}: {} was never sent", queue, text);
                let there = (u64::from(number(&queue)), message.1);
                prop_assert!(!gone.contains(&there), "{}: {:#x} has left", queue, message.1);
                ids.insert(message.1, message.2);
            }
        }
        for id in arrivals(&damaged) {
            if let Some(body) = live.get(&id) {
                prop_assert_eq!(ids.get(&id), Some(body), "message {:#x} is gone", id);
            }
        }
    }
}
