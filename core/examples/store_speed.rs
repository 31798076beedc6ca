//! Prints what the store does on a real disk: `cargo run --release -p hamq-core --example store_speed -- FOLDER`.

#![allow(clippy::print_stdout, reason = "an example that prints figures")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use hamq_core::Result;
use hamq_core::queue::manager::{Manager, ManagerOptions};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{QueueProperties, Request, RequestId, Select, Transaction};
use hamq_core::sys::clock::SystemClock;
use uuid::Uuid;

const BODY_BYTES: usize = 1024;

fn open(folder: &Path) -> Result<Manager> {
    let disk = hamq_core::sys::disk::real(folder)
        .map_err(|error| hamq_core::Error::system(folder.display(), &error))?;
    let options = ManagerOptions {
        name: ".".to_owned(),
        epoch: None,
        owner: "store_speed".to_owned(),
        deadline: None,
        on_failure: Box::new(|error| println!("failed: {error}")),
    };
    let (manager, report) = Manager::open(disk, Arc::new(SystemClock), options)?;
    println!("opened: {report:?}");
    Ok(manager)
}

fn send() -> Request {
    Request::Send {
        queue: "speed".to_owned(),
        message: Message::new(vec![b'x'; BODY_BYTES]),
        transaction: Transaction::None,
    }
}

fn receive() -> Request {
    Request::Receive {
        queue: "speed".to_owned(),
        select: Select::First,
        peek: false,
        timeout_ms: 0,
        transaction: Transaction::None,
    }
}

/// `count` requests with `window` of them under way.
fn pipelined(manager: &Manager, what: &str, count: u64, window: u64, request: fn() -> Request) {
    let (sender, receiver) = sync_channel(usize::try_from(window).unwrap_or(1));
    let client = Uuid::new_v4();
    let began = Instant::now();
    let mut done = 0;
    for sequence in 0..count {
        if sequence - done >= window && receiver.recv().is_ok_and(|ok| ok) {
            done += 1;
        }
        let id = RequestId {
            client,
            sequence,
            acknowledged: done,
        };
        let sender = sender.clone();
        let respond = Box::new(move |r: Result<_>| {
            // Who counts is gone only when a request failed.
            let _ = sender.send(r.is_ok());
        });
        manager.submit(id, request(), respond);
    }
    while done < count && receiver.recv().is_ok_and(|ok| ok) {
        done += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    let rate = done as f64 / seconds;
    println!("{what}: {done} of {count} in {seconds:.2} s = {rate:.0}/s");
}

fn main() -> Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let manager = open(&folder)?;
    let created = manager.call(Request::CreateQueue {
        queue: "speed".to_owned(),
        properties: QueueProperties::default(),
    });
    println!("queue: {:?}", created.map(drop));
    pipelined(
        &manager,
        "one sender, one at a time, 1 KiB",
        10_000,
        1,
        send,
    );
    pipelined(
        &manager,
        "one sender, 1000 under way, 1 KiB",
        500_000,
        1000,
        send,
    );
    manager.close()?;
    drop(manager);
    let manager = open(&folder)?;
    pipelined(
        &manager,
        "one receiver, 1000 under way, 1 KiB",
        510_000,
        1000,
        receive,
    );
    manager.close()
}
