//! A body far larger than memory should hold is streamed through the death of its queue manager and of its node:
//! it arrives once, whole, and is read back the same way.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::{self, Read};

use hamq_core::ErrorKind;
use hamq_core::api::client::Session;
use hamq_core::queue::message::{Message, Received};
use hamq_core::queue::request::{Reply, Request, Select, Take, Transaction};
use hamq_tests::lab::Lab;
use hamq_tests::process::{queue_managers, signal};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const BODY_BYTES: u64 = 64 * 1024 * 1024;
/// What may be in memory of it: the parts under way, twice, and what they leave behind.
const MEMORY_KIB_MAX: u64 = 40 * 1024;

/// Byte `at` of the body: no part of it is like another.
fn byte(at: u64) -> u8 {
    let mixed = at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 29;
    (mixed ^ (at >> 20)) as u8
}

/// The body, with something that happens at a certain byte of it.
struct Stream<'a> {
    at: u64,
    events: Vec<(u64, Box<dyn FnMut() + 'a>)>,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((at, event)) = self.events.first_mut()
            && self.at >= *at
        {
            event();
            drop(self.events.remove(0));
        }
        let rest = usize::try_from(BODY_BYTES - self.at).unwrap();
        let count = rest.min(buffer.len());
        for (index, place) in buffer[..count].iter_mut().enumerate() {
            *place = byte(self.at + index as u64);
        }
        self.at += count as u64;
        Ok(count)
    }
}

fn take(session: &Session) -> (Box<Received>, hamq_core::api::client::Held) {
    let request = Request::Receive {
        queue: "large".into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms: 0,
        transaction: Transaction::None,
    };
    match session.submit_held(request).wait().unwrap() {
        (Reply::Message(received), held) => (received, held),
        (other, _) => panic!("{other:?}"),
    }
}

/// The most memory that this process ever had, in KiB.
fn memory_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

#[test]
fn a_streamed_body_arrives_once_and_whole_through_the_death_of_its_manager_and_of_its_node() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.new_queue("large", false).unwrap();
    let session = lab.client.session("VS1").unwrap();
    let kill_manager = || {
        let node = lab.group("VS1").unwrap().owner_node.unwrap();
        let managers = queue_managers(lab.agent(&node));
        assert_eq!(managers.len(), 1, "{managers:?}");
        signal(managers[0], Signal::KILL);
    };
    let kill_node = || signal(lab.agent("n1"), Signal::KILL);
    let before = memory_peak_kib();

    let mut body = Stream {
        at: 0,
        events: vec![
            (BODY_BYTES / 3, Box::new(kill_manager)),
            (2 * BODY_BYTES / 3, Box::new(kill_node)),
        ],
    };
    let message = Message::new([]);
    let sent = session.send_large("large", &message, &mut body, Transaction::None);
    assert!(matches!(sent, Ok(Reply::Sent { .. })), "{sent:?}");
    assert!(body.events.is_empty(), "both deaths were in its middle");
    drop(body);
    lab.wait_online("VS1", "!n1");

    let (received, held) = take(&session);
    assert_eq!(received.body_bytes, BODY_BYTES);
    let mut reader = session.read_body(held, BODY_BYTES);
    let (mut at, mut buffer) = (0, vec![0; 256 * 1024]);
    loop {
        let count = reader.read(&mut buffer).unwrap();
        let right = |(index, found): (usize, &u8)| byte(at + index as u64) == *found;
        let same = buffer[..count].iter().enumerate().all(right);
        assert!(same, "another byte behind {at}");
        if at < BODY_BYTES / 2 && at + count as u64 >= BODY_BYTES / 2 {
            kill_manager();
        }
        at += count as u64;
        if count == 0 {
            break;
        }
    }
    assert_eq!(at, BODY_BYTES);
    drop(reader);
    let grown = memory_peak_kib() - before;
    assert!(grown < MEMORY_KIB_MAX, "{grown} KiB more for one body");
    let again = session.call(Request::Receive {
        queue: "large".into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms: 0,
        transaction: Transaction::None,
    });
    assert_eq!(again.unwrap_err().kind, ErrorKind::ReceiveTimeout, "once");
}
