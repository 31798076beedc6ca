//! A session whose connection says nothing any more, as when the machine on the other side is cut off.

use std::net::{TcpListener, TcpStream};

use hamq_core::api::wire::payload::{append_welcome, read_postcard};
use hamq_core::api::wire::{Hello, Welcome};

use super::plane::Raw;
use super::*;

/// Welcomes who comes next, as the queue manager of this epoch, and tells which client it is.
fn welcome(listener: &TcpListener, epoch: u64) -> (Raw<TcpStream>, Uuid) {
    let (stream, _) = listener.accept().unwrap();
    let mut raw = Raw::over(stream);
    let client = raw.next(|frame, _| {
        read_postcard::<Hello>("hello", frame.payload)
            .unwrap()
            .client
    });
    let welcome = Welcome {
        version: hamq_core::api::wire::VERSION,
        name: "VS1".into(),
        epoch,
    };
    let mut out = Vec::new();
    append_welcome(&mut out, &welcome).unwrap();
    raw.write(&out);
    (raw, client.unwrap())
}

/// The kernel asks the new owner of the address less and less often: without a look of its own the client would wait for that.
#[test]
fn who_answers_in_place_of_a_silent_queue_manager_is_found_and_taken() {
    let stage = Stage::new(PATIENT);
    let listener = TcpListener::bind(stage.at).unwrap();
    let session = stage.client.session(&stage.at.to_string()).unwrap();
    let ticket = session.submit(list());
    let (mut silent, client) = welcome(&listener, 1);
    let (_, looker) = welcome(&listener, 2);
    assert_ne!(
        looker, client,
        "a second connection of the client would end its session"
    );
    let (_successor, again) = welcome(&listener, 2);
    assert_eq!(again, client);
    silent.drain();
    drop(ticket);
}

#[test]
fn a_queue_manager_that_is_slow_and_lives_keeps_its_session() {
    let stage = Stage::new(PATIENT);
    let listener = TcpListener::bind(stage.at).unwrap();
    let session = stage.client.session(&stage.at.to_string()).unwrap();
    let ticket = session.submit(list());
    let (mut slow, client) = welcome(&listener, 1);
    let (_, looker) = welcome(&listener, 1);
    assert_ne!(looker, client);
    slow.answer(&Ok(Reply::Done));
    assert!(ticket.wait().is_ok(), "on the connection it has");
}
