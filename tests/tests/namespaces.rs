//! The thawed zombie on machines of their own: each node in a network namespace, where nothing but the
//! check of the store's epoch before each acknowledgement stands between two owners with the same address.
//!
//! ```text
//!  namespace of n1                            namespace of n2
//!   agent n1 ── queue manager, VS1's address    agent n2 ── queue manager, VS1's address
//!         └─────────── the quorum disk and VS1's disk, on one file system ───────────┘
//! ```
//!
//! No link between the nodes reaches across, so a frozen node is known by its lease alone, and Fencing is
//! Storage, so nobody ends it. A namespace is held by a process that ends with this test, however this ends.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use hamq_core::api::client::{Session, Ticket};
use hamq_core::api::cluster::{ClusterInfo, GetCluster, StopCluster};
use hamq_core::api::group::MoveClusterGroup;
use hamq_core::api::value::Millis;
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{Reply, Request, Select, Take, Transaction};
use hamq_core::sys::network::{PRESENCE_PORT, QUEUE_MANAGER_PORT};
use hamq_core::sys::process;
use hamq_tests::lab::Lab;
use hamq_tests::machine::Machine;
use hamq_tests::namespace::{self, Namespace};
use hamq_tests::process::{freeze, is_frozen, queue_managers, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

/// A session with whoever has VS1's address in this namespace.
fn session(machine: &Machine, virtual_server: &str) -> Session {
    let address = format!("{virtual_server}:{QUEUE_MANAGER_PORT}");
    machine
        .inside(|client| client.new_session(&address))
        .unwrap()
}

fn call(machine: &Machine, session: &Session, request: Request) -> hamq_core::Result<Reply> {
    machine.inside(|_| session.call(request))
}

/// Stops the agent and its queue manager; gives the queue manager's process number.
fn freeze_node(machine: &Machine) -> u32 {
    let agent = machine.agent.id();
    let [manager] = queue_managers(agent)[..] else {
        panic!("not one queue manager: {:?}", queue_managers(agent));
    };
    freeze(manager);
    // One that stops in the middle of a transaction keeps the whole cluster from its database; such a
    // one is ended, as a disk's reservation is broken. It is not the one this story is about.
    loop {
        freeze(agent);
        if !holds_a_write_lock(agent) {
            return manager;
        }
        signal(agent, Signal::CONT);
    }
}

fn holds_a_write_lock(pid: u32) -> bool {
    let table = std::fs::read_to_string("/proc/locks").unwrap();
    let of = pid.to_string();
    table.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1) == Some(&"POSIX")
            && words.get(3) == Some(&"WRITE")
            && words.get(4) == Some(&of.as_str())
    })
}

fn send(text: &str) -> Request {
    Request::Send {
        queue: "orders".into(),
        message: Message::new(text).encode(),
        body: None,
        transaction: Transaction::None,
    }
}

fn receive() -> Request {
    Request::Receive {
        queue: "orders".into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms: 0,
        transaction: Transaction::None,
    }
}

fn body(reply: Reply) -> String {
    match reply {
        Reply::Message(received) => String::from_utf8(received.message().unwrap().body).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// What became of requests, within a minute.
fn answers(tickets: Vec<Ticket>) -> Vec<hamq_core::Result<Reply>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let replies = tickets.into_iter().map(Ticket::wait);
        drop(sender.send(replies.collect()));
    });
    receiver.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// A stopped cluster that fences by its store alone, with VS1 and the queue `orders`.
fn stopped_cluster() -> (Lab, ClusterInfo, String) {
    let lab = Lab::with(PROGRAM, |command| command.fencing = Some("Storage".into())).unwrap();
    lab.add_virtual_server().unwrap();
    lab.new_queue("orders", false).unwrap();
    let virtual_server = lab.address(101).unwrap();
    let name = Some(lab.name.clone());
    let found = lab.client.run(GetCluster { name: name.clone() }).unwrap();
    lab.client.run(StopCluster { name }).unwrap();
    let cluster = found.into_iter().next().unwrap();
    assert_eq!(cluster.fencing, "Storage");
    (lab, cluster, virtual_server)
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_a_thawed_owner_acknowledges_nothing_though_both_owners_have_the_address() {
    if !namespace::can_be_made() {
        return;
    }
    let (lab, cluster, virtual_server) = stopped_cluster();
    let home = lab.folder.path().join("machines");
    let one = Machine::start(&[PROGRAM], &cluster, 1, &home, Namespace::new());
    one.wait_for_owner("VS1", "n1");
    let two = Machine::start(&[PROGRAM], &cluster, 2, &home, Namespace::new());
    wait_until("n1 sees n2", || one.state_of("n2").as_deref() == Some("Up"));

    let to_one = session(&one, &virtual_server);
    for n in 0..3 {
        call(&one, &to_one, send(&format!("first owner {n}"))).unwrap();
    }

    // It freezes; requests go into its socket, and nobody can reach it but by its own network.
    let agent = one.agent.id();
    let zombie = freeze_node(&one);
    let late: Vec<Ticket> = one.inside(|_| {
        let sends = (0..3).map(|n| send(&format!("zombie {n}")));
        sends.chain([receive()]).map(|r| to_one.submit(r)).collect()
    });

    // The other node takes over when the lease has run out, and serves at the same address.
    two.wait_for_owner("VS1", "n2");
    let to_two = session(&two, &virtual_server);
    for n in 0..3 {
        call(&two, &to_two, send(&format!("second owner {n}"))).unwrap();
    }
    assert_eq!(
        body(call(&two, &to_two, receive()).unwrap()),
        "first owner 0"
    );
    assert!(is_frozen(zombie) && is_frozen(agent), "nobody ended them");

    // The queue manager alone wakes up, so that its agent cannot tell it: it ends without a word.
    signal(zombie, Signal::CONT);
    for reply in answers(late) {
        assert!(reply.is_err(), "the zombie answered: {reply:?}");
    }
    wait_until("the zombie has ended", || process::is_gone(zombie));
    // Then its agent: it ends what it has of VS1 and is a node again.
    signal(agent, Signal::CONT);
    two.wait_for_owner("VS1", "n2");
    wait_until("n2 sees n1 again", || {
        two.state_of("n1").as_deref() == Some("Up")
    });
    one.wait_for_owner("VS1", "n2");
    assert!(!process::is_gone(agent), "it is the same agent");
    assert_eq!(queue_managers(agent), Vec::<u32>::new());
    wait_until("VS1's address is gone from n1", || {
        let presence: SocketAddr = format!("{virtual_server}:{PRESENCE_PORT}").parse().unwrap();
        one.inside(|_| TcpStream::connect(presence)).is_err()
    });

    // The store is that of the acknowledged messages, also when n1 is its owner again.
    two.inside(|client| {
        client.run(MoveClusterGroup {
            name: "VS1".into(),
            node: Some("n1".into()),
            wait: Some(Millis(30_000)),
        })
    })
    .unwrap();
    one.wait_for_owner("VS1", "n1");
    let to_one = session(&one, &virtual_server);
    let mut left = Vec::new();
    while let Ok(reply) = call(&one, &to_one, receive()) {
        left.push(body(reply));
    }
    let expected = ["first owner 1", "first owner 2"]
        .map(str::to_owned)
        .into_iter()
        .chain((0..3).map(|n| format!("second owner {n}")));
    assert_eq!(left, expected.collect::<Vec<_>>());
}
