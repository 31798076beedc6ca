//! Queues themselves: who may do what, properties and limits, lists, deletion, counters.

use hamq_core::ErrorKind;
use hamq_core::queue::access::{AccessEntry, AccessList, EVERYONE, Rights};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{
    BodySource, MachineProperties, QueueKind, QueueProperties, Reply, Request, Select, Settle,
    Take, Transaction,
};

use crate::world::*;

fn allow(world: &mut World, queue: &str, rights: Rights) {
    let trustee = "alice".to_owned();
    let entries = match rights.0 {
        0 => Vec::new(),
        _ => vec![AccessEntry {
            trustee,
            allow: true,
            rights,
        }],
    };
    let access = AccessList {
        owner: OWNER.into(),
        entries,
    };
    let queue = queue.to_owned();
    world.ask(Request::SetAccess { queue, access }).unwrap();
}

fn named(queue: &str, what: &str) -> Request {
    let queue = queue.to_owned();
    let lookup_id = 1;
    match what {
        "send" => send(&queue, &Message::new("x"), Transaction::None),
        "peek" => receive(&queue, Take::Peek, Transaction::None),
        "receive" => receive(&queue, Take::Remove, Transaction::None),
        "lease" => receive(&queue, Take::Lease(1000), Transaction::None),
        "peek many" | "receive many" => Request::ReceiveMany {
            queue,
            after: 0,
            take: if what == "peek many" {
                Take::Peek
            } else {
                Take::Remove
            },
            count_max: 1,
            bytes_max: 1,
            timeout_ms: 0,
            transaction: Transaction::None,
        },
        "settle" => Request::Settle {
            queue,
            leases: Vec::new(),
            how: Settle::Complete,
        },
        "move" => Request::Move {
            queue,
            lookup_id,
            to: "q;sub".into(),
            transaction: Transaction::None,
        },
        "read body" => {
            let source = BodySource::Message { queue, lookup_id };
            Request::ReadBody {
                source,
                offset: 0,
                length: 1,
            }
        }
        "purge" => Request::PurgeQueue { queue },
        "get" => Request::GetQueue { queue },
        "set" => Request::SetQueue {
            queue,
            properties: QueueProperties::default(),
        },
        "get access" => Request::GetAccess { queue },
        "set access" => {
            let access = AccessList {
                owner: OWNER.into(),
                entries: Vec::new(),
            };
            Request::SetAccess { queue, access }
        }
        "take ownership" => {
            let access = AccessList {
                owner: "alice".into(),
                entries: Vec::new(),
            };
            Request::SetAccess { queue, access }
        }
        "delete" => Request::DeleteQueue { queue },
        other => panic!("{other}"),
    }
}

/// Operation, rights that it needs.
const TABLE: &[(&str, Rights)] = &[
    ("send", Rights::WRITE),
    ("peek", Rights::PEEK),
    ("peek many", Rights::PEEK),
    ("receive", Rights::RECEIVE),
    ("receive many", Rights::RECEIVE),
    ("lease", Rights::RECEIVE),
    ("settle", Rights::RECEIVE),
    ("move", Rights::RECEIVE),
    ("read body", Rights::PEEK),
    ("purge", Rights::DELETE_MESSAGE),
    ("get", Rights::GET_PROPERTIES),
    ("set", Rights::SET_PROPERTIES),
    ("get access", Rights::GET_PERMISSIONS),
    ("set access", Rights::CHANGE_PERMISSIONS),
    ("take ownership", Rights(0xC_0000)),
    ("delete", Rights::DELETE_QUEUE),
];

fn may(world: &mut World, request: Request) -> bool {
    match world.ask_as("alice", request) {
        Err(error) if error.kind == ErrorKind::AccessDenied => {
            assert!(
                error.message.contains("alice") && error.hint.is_some(),
                "{error:?}"
            );
            false
        }
        _ => true,
    }
}

#[test]
fn each_operation_needs_its_rights_and_no_others() {
    for (what, needed) in TABLE {
        let mut world = World::new();
        world.create("q");
        allow(&mut world, "q", Rights(Rights::FULL_CONTROL.0 & !needed.0));
        assert!(
            !may(&mut world, named("q", what)),
            "{what} without its right"
        );
        for bit in (0..32).map(|n| 1 << n).filter(|bit| needed.0 & bit != 0) {
            allow(&mut world, "q", Rights(Rights::FULL_CONTROL.0 & !bit));
            assert!(
                !may(&mut world, named("q", what)),
                "{what} without {bit:#x}"
            );
        }
        allow(&mut world, "q", *needed);
        assert!(
            may(&mut world, named("q", what)),
            "{what} with its right alone"
        );
    }
}

#[test]
fn a_denial_counts_more_than_a_permission() {
    let mut world = World::new();
    world.create("q");
    let entry = |trustee: &str, allow| AccessEntry {
        trustee: trustee.into(),
        allow,
        rights: Rights::WRITE,
    };
    let entries = vec![entry(EVERYONE, true), entry("ALICE", false)];
    let access = AccessList {
        owner: OWNER.into(),
        entries,
    };
    world
        .ask(Request::SetAccess {
            queue: "q".into(),
            access,
        })
        .unwrap();
    assert!(!may(&mut world, named("q", "send")));
    world.ask_as("bob", named("q", "send")).unwrap();
    world.ask_as("", named("q", "send")).unwrap();
}

#[test]
fn a_journal_has_the_rights_of_its_queue_and_one_of_its_own() {
    let mut world = World::new();
    world.create_with("q", |p| p.journal = true);
    for (what, rights, allowed) in [
        ("receive", Rights::RECEIVE, false),
        ("receive", Rights::RECEIVE_JOURNAL, true),
        ("lease", Rights::RECEIVE, false),
        ("peek", Rights::PEEK, true),
        ("purge", Rights::DELETE_MESSAGE, false),
        ("purge", Rights::DELETE_JOURNAL, true),
        ("move", Rights::RECEIVE, false),
        ("get", Rights::GET_PROPERTIES, true),
    ] {
        allow(&mut world, "q", rights);
        assert_eq!(may(&mut world, named("q;JOURNAL", what)), allowed, "{what}");
    }
}

#[test]
fn a_subqueue_has_the_rights_of_its_queue_also_when_they_change() {
    let mut world = World::new();
    world.create("q");
    world.send("q", &Message::new("x")).unwrap();
    let lookup_id = world.peek_all("q")[0].lookup_id;
    let to = "q;sub".to_owned();
    world
        .ask(Request::Move {
            queue: "q".into(),
            lookup_id,
            to,
            transaction: Transaction::None,
        })
        .unwrap();
    assert!(!may(&mut world, named("q;sub", "receive")));
    allow(&mut world, "q", Rights::RECEIVE);
    world.restart(Restart::Crash);
    assert!(may(&mut world, named("q;sub", "peek")));
    assert!(may(&mut world, named("q;sub", "receive")));
}

#[test]
fn the_systems_queues_and_the_queue_manager_are_the_administrators() {
    let mut world = World::new();
    world.create("q");
    for queue in [DEAD, DEAD_TRANSACTIONAL, JOURNAL, "admin_queue$"] {
        for what in ["receive", "peek", "purge"] {
            assert!(!may(&mut world, named(queue, what)), "{what} {queue}");
        }
    }
    let properties = MachineProperties::default();
    let access = AccessList::default();
    assert!(!may(&mut world, Request::SetMachine { properties }));
    assert!(!may(
        &mut world,
        Request::GetAccess {
            queue: String::new()
        }
    ));
    assert!(!may(
        &mut world,
        Request::SetAccess {
            queue: String::new(),
            access
        }
    ));
    let create = || Request::CreateQueue {
        queue: "hers".into(),
        properties: QueueProperties::default(),
    };
    assert!(!may(&mut world, create()));
    allow(&mut world, "", hamq_core::queue::access::CREATE_QUEUE);
    assert!(may(&mut world, create()));
    for (what, _) in TABLE
        .iter()
        .filter(|row| row.0 != "move" && row.0 != "set access" && row.0 != "take ownership")
    {
        assert!(
            may(&mut world, named("hers", what)),
            "its creator may {what}"
        );
    }
}

#[test]
fn nobody_sends_to_what_only_the_queue_manager_fills() {
    let mut world = World::new();
    world.create("q");
    for queue in [DEAD, DEAD_TRANSACTIONAL, JOURNAL, "q;JOURNAL"] {
        let error = world.send(queue, &Message::new("x")).unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::UnsupportedFormatNameOperation,
            "{queue}"
        );
        let delete = Request::DeleteQueue {
            queue: queue.into(),
        };
        assert_eq!(
            world.ask(delete).unwrap_err().kind,
            ErrorKind::InvalidParameter,
            "{queue}"
        );
        let properties = QueueProperties::default();
        let set = Request::SetQueue {
            queue: queue.into(),
            properties,
        };
        assert_eq!(
            world.ask(set).unwrap_err().kind,
            ErrorKind::InvalidParameter,
            "{queue}"
        );
    }
    assert_eq!(
        world.send("q;none", &Message::new("x")).unwrap_err().kind,
        ErrorKind::QueueNotFound
    );
}

#[test]
fn properties_have_limits_and_survive() {
    let mut world = World::new();
    world.create("q");
    let set = |change: &dyn Fn(&mut QueueProperties)| {
        let mut properties = QueueProperties::default();
        change(&mut properties);
        Request::SetQueue {
            queue: "Q".into(),
            properties,
        }
    };
    for (change, kind) in [
        (
            &(|p: &mut QueueProperties| p.label = "l".repeat(125)) as &dyn Fn(&mut QueueProperties),
            ErrorKind::LabelTooLong,
        ),
        (&|p| p.transactional = true, ErrorKind::IllegalPropertyValue),
        (
            &|p| p.multicast_address = "10.0.0.1:1".into(),
            ErrorKind::IllegalPropertyValue,
        ),
    ] {
        let error = world.ask(set(change)).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
    world.advance(5);
    let change = |p: &mut QueueProperties| {
        p.label = "ä".repeat(124);
        p.multicast_address = "234.1.1.1:8001".into();
        (p.quota_bytes, p.base_priority, p.journal) = (7, -3, true);
    };
    world.ask(set(&change)).unwrap();
    for restart in RESTARTS {
        world.restart(restart);
        let status = world.status("q");
        let mut expected = QueueProperties::default();
        change(&mut expected);
        assert_eq!(status.properties, expected);
        assert_eq!(status.modified_ms, status.created_ms + 5_000);
    }
    for name in ["", "a;b", "system$x", "a\\b"] {
        let properties = QueueProperties::default();
        world
            .ask(Request::CreateQueue {
                queue: name.into(),
                properties,
            })
            .unwrap_err();
    }
    let properties = QueueProperties::default();
    let again = world
        .ask(Request::CreateQueue {
            queue: "Q".into(),
            properties,
        })
        .unwrap_err();
    assert_eq!(again.kind, ErrorKind::QueueExists);
    let properties = MachineProperties {
        long_live_seconds: 0,
        ..Default::default()
    };
    world.ask(Request::SetMachine { properties }).unwrap_err();
}

#[test]
fn a_deleted_queue_takes_its_subqueues_and_journal_with_it() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create_with("q", |p| p.journal = true);
        world.create("q2");
        for n in 0..3 {
            world.send("q", &Message::new(n.to_string())).unwrap();
        }
        world.receive("q").unwrap();
        let lookup_id = world.peek_all("q")[0].lookup_id;
        let to = "q;sub".to_owned();
        world
            .ask(Request::Move {
                queue: "q".into(),
                lookup_id,
                to,
                transaction: Transaction::None,
            })
            .unwrap();
        let reply = world
            .ask(Request::DeleteQueue { queue: "q".into() })
            .unwrap();
        let Reply::Queue(status) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(
            (status.message_count, status.journal_message_count),
            (1, 1),
            "as it was"
        );
        world.restart(restart);
        for name in ["q", "q;sub", "q;JOURNAL"] {
            let gone = world.ask(Request::GetQueue { queue: name.into() });
            assert_eq!(gone.unwrap_err().kind, ErrorKind::QueueNotFound, "{name}");
        }
        assert_eq!(world.status("q2").kind, QueueKind::Private);
        world.create("q");
        assert_eq!((world.count("q"), world.count("q;JOURNAL")), (0, 0));
    }
}

#[test]
fn queues_are_listed_in_pages_and_only_to_who_may_see_them() {
    let mut world = World::new();
    for name in ["c", "A", "e", "b", "D"] {
        world.create(name);
    }
    let list = |world: &mut World, user: &str, after: &str, count_max, all| {
        let after = after.to_owned();
        match world.ask_as(
            user,
            Request::ListQueues {
                after,
                count_max,
                all,
            },
        ) {
            Ok(Reply::Queues(queues)) => queues.into_iter().map(|q| q.name).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(list(&mut world, OWNER, "", 2, false), ["A", "b"]);
    assert_eq!(list(&mut world, OWNER, "B", 2, false), ["c", "D"]);
    assert_eq!(list(&mut world, OWNER, "D", 2, false), ["e"]);
    let all = list(&mut world, OWNER, "", 100, true);
    assert!(
        [DEAD, JOURNAL, "order_queue$", "A;JOURNAL"]
            .iter()
            .all(|name| all.iter().any(|n| n == name)),
        "{all:?}"
    );
    allow(&mut world, "A", Rights(0));
    assert_eq!(list(&mut world, "alice", "", 2, false), ["b", "c"]);
}

#[test]
fn a_sender_is_who_the_connection_proved_also_after_a_restart() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        world.create_transactional("t");
        for queue in ["q", "t"] {
            let rights = Rights::WRITE;
            let entries = vec![AccessEntry {
                trustee: EVERYONE.into(),
                allow: true,
                rights,
            }];
            let access = AccessList {
                owner: OWNER.into(),
                entries,
            };
            world
                .ask(Request::SetAccess {
                    queue: queue.into(),
                    access,
                })
                .unwrap();
        }
        for user in ["alice", "", "bob", "alice"] {
            world
                .ask_as(user, send("q", &Message::new(user), Transaction::None))
                .unwrap();
        }
        world
            .ask_as("carol", send("t", &Message::new("x"), Transaction::Single))
            .unwrap();
        world.restart(restart);
        let senders: Vec<_> = world.peek_all("q").into_iter().map(|m| m.sender).collect();
        assert_eq!(senders, ["alice", "", "bob", "alice"]);
        assert_eq!(world.peek_all("t")[0].sender, "carol");
    }
}

#[test]
fn counters_say_what_happened() {
    let mut world = World::new();
    world.create_with("q", |p| p.journal = true);
    for _ in 0..3 {
        world.send("q", &Message::new("12345")).unwrap();
    }
    world.receive("q").unwrap();
    world.lease("q", 1000).unwrap();
    let Ok(Reply::Counters(all)) = world.ask(Request::Counters) else {
        panic!()
    };
    let value = |instance: &str, counter: &str| {
        let found = all
            .iter()
            .find(|c| c.instance == instance && c.counter == counter);
        found.map(|c| c.value)
    };
    assert_eq!(value("q", "Messages in Queue"), Some(2));
    assert_eq!(value("q", "Bytes in Queue"), Some(10));
    assert_eq!(value("q", "Messages in Journal Queue"), Some(1));
    assert_eq!(value("q", "Messages Arrived"), Some(3));
    assert_eq!(value("q", "Messages Received"), Some(1));
    assert_eq!(value("q", "Messages Locked"), Some(1));
    assert_eq!(value("", "MSMQ Incoming Messages"), Some(3));
    assert_eq!(value("", "Total messages in all queues"), Some(3));
    let Ok(Reply::Machine(machine)) = world.ask(Request::GetMachine) else {
        panic!()
    };
    assert_eq!(
        (
            machine.message_count,
            machine.bytes_in_queues,
            machine.bytes_in_journals
        ),
        (3, 10, 5)
    );
}

#[test]
fn a_purge_counts_and_leaves_nothing() {
    let mut world = World::new();
    world.create("q");
    for n in 0..10 {
        world
            .send("q", &message(&n.to_string(), |m| m.delay_ms = n % 2 * 1000))
            .unwrap();
    }
    world.purge("q");
    world.advance(5);
    let first = Request::Receive {
        queue: "q".into(),
        select: Select::First,
        take: Take::Peek,
        timeout_ms: 0,
        transaction: Transaction::None,
    };
    assert_eq!(
        world.ask(first).unwrap_err().kind,
        ErrorKind::ReceiveTimeout
    );
    assert_eq!((world.count("q"), world.status("q").bytes_in_queue), (0, 0));
}

#[test]
fn a_subqueue_has_its_queues_properties_also_when_they_change() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        world.send("q", &message("x", |_| {})).unwrap();
        let lookup_id = world.peek_all("q")[0].lookup_id;
        let (queue, to) = ("q".into(), "q;side".into());
        let transaction = Transaction::None;
        let request = Request::Move {
            queue,
            lookup_id,
            to,
            transaction,
        };
        world.ask(request).unwrap();
        let properties = QueueProperties {
            label: "new".into(),
            journal: true,
            ..QueueProperties::default()
        };
        let queue = "q".into();
        let request = Request::SetQueue { queue, properties };
        world.ask(request).unwrap();
        world.restart(restart);
        assert_eq!(world.status("q;side").properties.label, "new");
        assert_eq!(
            world.status("q;JOURNAL").properties.label,
            "",
            "it has none"
        );
    }
}
