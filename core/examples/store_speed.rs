//! Prints what the store does on a real disk: `cargo run --release -p hamq-core --example store_speed -- FOLDER [MESSAGES]`.

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

/// What the disk itself does: writes of a message's size, each followed by a sync.
fn bare(folder: &Path, count: u32) -> Result<()> {
    let trouble = |error: std::io::Error| hamq_core::Error::system(folder.display(), &error);
    let disk = hamq_core::sys::disk::real(folder).map_err(trouble)?;
    let name = format!("bare-{}", Uuid::new_v4());
    let file = disk
        .create(&name, u64::from(count) * 1536)
        .map_err(trouble)?;
    let began = Instant::now();
    for n in 0..count {
        let written = file.write_at(u64::from(n) * 1536, &[b'x'; 1200]);
        written.and_then(|()| file.sync()).map_err(trouble)?;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    println!("bare disk, 1200 bytes and a sync, one at a time: {rate:.0}/s");
    disk.remove(&name).map_err(trouble)
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
    let count: u64 = std::env::args()
        .nth(2)
        .and_then(|n| n.parse().ok())
        .unwrap_or(500_000);
    let single = (count / 50).max(100);
    for _ in 0..3 {
        bare(&folder, 300)?;
        let what = "one sender, one at a time, 1 KiB";
        pipelined(&manager, what, single, 1, send);
    }
    let what = "one sender, 1000 under way, 1 KiB";
    pipelined(&manager, what, count, 1000, send);
    let closing = Instant::now();
    manager.close()?;
    drop(manager);
    println!("closed in {:.1} ms", closing.elapsed().as_secs_f64() * 1e3);
    let manager = open(&folder)?;
    let what = "one receiver, 1000 under way, 1 KiB";
    pipelined(&manager, what, count + 3 * single, 1000, receive);
    manager.close()
}
