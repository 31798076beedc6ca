//! The transaction of a session, as operators type it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::ErrorKind;
use hamq_core::api::message::{GetMsmqMessage, MoveMsmqMessage, ReceiveMsmqQueue, SendMsmqQueue};
use hamq_core::api::transaction::{
    CompleteTransaction, GetTransaction, StartTransaction, UndoTransaction,
};
use hamq_core::{Error, Result};
use hamq_tests::lab::Lab;
use hamq_tests::process::signal;
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const QUEUE: &str = "VS1/private$/orders";

fn send(lab: &Lab, body: &str) -> Result<()> {
    let send = SendMsmqQueue {
        name: QUEUE.into(),
        body: Some(hamq_core::api::value::Body(body.into())),
        use_transaction: true,
        ..SendMsmqQueue::default()
    };
    lab.client.run(send).map(drop)
}

fn receive(lab: &Lab) -> Result<u64> {
    let receive = ReceiveMsmqQueue {
        name: QUEUE.into(),
        use_transaction: true,
        ..ReceiveMsmqQueue::default()
    };
    lab.client
        .run(receive)
        .map(|messages| messages[0].lookup_id)
}

/// The contents of what can be received.
fn waiting(lab: &Lab) -> Vec<String> {
    let browse = GetMsmqMessage {
        name: QUEUE.into(),
        ..GetMsmqMessage::default()
    };
    let messages = lab.client.run(browse).unwrap();
    let text = |m: hamq_core::api::message::MessageInfo| String::from_utf8(m.body.0).unwrap();
    messages.into_iter().map(text).collect()
}

fn kind<T: std::fmt::Debug>(outcome: std::result::Result<T, Error>) -> ErrorKind {
    outcome.unwrap_err().kind
}

#[test]
fn what_is_done_in_a_transaction_is_done_together_or_not_at_all() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();

    assert_eq!(kind(send(&lab, "alone")), ErrorKind::InvalidState);
    assert_eq!(
        lab.client.run(StartTransaction {}).unwrap().status,
        "Active"
    );
    assert_eq!(
        kind(lab.client.run(StartTransaction {})),
        ErrorKind::InvalidState
    );
    send(&lab, "one").unwrap();
    send(&lab, "two").unwrap();
    assert_eq!(waiting(&lab), [""; 0], "nobody sees them yet");
    let info = lab.client.run(GetTransaction {}).unwrap();
    assert_eq!(
        (info.computer.as_deref(), info.operations),
        (Some("VS1"), 2)
    );
    let elsewhere = SendMsmqQueue {
        name: "127.0.0.1:1/private$/q".into(),
        use_transaction: true,
        ..SendMsmqQueue::default()
    };
    assert_eq!(kind(lab.client.run(elsewhere)), ErrorKind::TransactionUsage);
    assert_eq!(
        lab.client.run(CompleteTransaction {}).unwrap().status,
        "Committed"
    );
    assert_eq!(
        kind(lab.client.run(CompleteTransaction {})),
        ErrorKind::InvalidState
    );

    // Taken and put back, in its place; moved aside and back as well.
    lab.client.run(StartTransaction {}).unwrap();
    receive(&lab).unwrap();
    let second = receive(&lab).unwrap();
    assert_eq!(kind(receive(&lab)), ErrorKind::ReceiveTimeout);
    assert_eq!(
        lab.client.run(UndoTransaction {}).unwrap().status,
        "Aborted"
    );
    lab.client.run(StartTransaction {}).unwrap();
    let aside = MoveMsmqMessage {
        queue: QUEUE.into(),
        lookup_id: second,
        destination: format!("{QUEUE};later"),
        use_transaction: true,
        ..MoveMsmqMessage::default()
    };
    lab.client.run(aside).unwrap();
    lab.client.run(UndoTransaction {}).unwrap();
    assert_eq!(waiting(&lab), ["one", "two"]);
}

#[test]
fn a_failover_ends_a_transaction_and_says_so() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();
    lab.send("orders", "kept").unwrap();
    lab.client.run(StartTransaction {}).unwrap();
    receive(&lab).unwrap();
    send(&lab, "lost with it").unwrap();
    signal(lab.agent("n1"), Signal::KILL);
    lab.wait_online("VS1", "n2");
    let refused = lab.client.run(CompleteTransaction {}).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::TransactionAborted, "{refused}");
    assert_eq!(
        kind(lab.client.run(GetTransaction {})),
        ErrorKind::InvalidState
    );
    assert_eq!(waiting(&lab), ["kept"]);
}
