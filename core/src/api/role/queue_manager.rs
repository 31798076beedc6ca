//! `hamq queue-manager`: one message store, served to clients; supervised by an agent, or alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::control::{self, Order};
use crate::api::server::{ServedManager, check_listen_address, serve_queue_manager};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::manager::{Manager, ManagerOptions, OpenReport};
use crate::queue::request::{Request, RequestId, TransactionId};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::network::listen;
use crate::sys::{disk, folder, process};

/// How often a supervised queue manager says that it lives.
const ALIVE_EVERY: Duration = Duration::from_millis(200);
/// How long an address may still be held by a process that is ending.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// What `hamq queue-manager` was told.
#[derive(Clone, Debug)]
pub struct QueueManagerOptions {
    /// The computer name it answers to.
    pub name: String,
    /// The folder of the message store.
    pub store: PathBuf,
    /// Where it listens for clients.
    pub listen: SocketAddr,
    /// The epoch to take the store over with.
    pub epoch: Option<u64>,
    /// Who opens it, for reports.
    pub owner: String,
    /// Stop acknowledging at this time of the boot clock unless told otherwise.
    pub deadline: Option<Duration>,
    /// Whether a supervisor reads standard output and writes standard input.
    pub supervised: bool,
}

/// Runs a queue manager until it is told to stop. A supervised one whose supervisor vanishes, or whose store
/// fails, ends the process.
///
/// # Errors
/// Why it could not start or end in order; a supervisor has been told.
pub fn run_queue_manager(options: &QueueManagerOptions) -> Result<()> {
    let outcome = start(options);
    if let (Err(error), true) = (&outcome, options.supervised) {
        let _ = control::say(&control::failed(error));
    }
    outcome
}

fn start(options: &QueueManagerOptions) -> Result<()> {
    if options.supervised {
        process::die_with_parent()?;
    }
    check_listen_address(options.listen)?;
    let orders = match options.supervised {
        true => Some(control::orders()?),
        false => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Error::system("start the server's threads", &e))?;
    runtime.block_on(serve(options, orders))
}

async fn serve(options: &QueueManagerOptions, orders: Option<mpsc::Receiver<Order>>) -> Result<()> {
    let opening = options.clone();
    let opening = tokio::task::spawn_blocking(move || open(&opening));
    let (listener, opened) = tokio::join!(bind(options.listen), opening);
    let opened = opened.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
    let (manager, report) = opened?;
    let listener = listener?;
    let address = listener
        .local_addr()
        .map_err(|e| Error::system("ask for the server's address", &e))?;
    let served = ServedManager {
        name: options.name.clone(),
        epoch: report.epoch,
    };
    let server = tokio::spawn(serve_queue_manager(
        listener,
        Arc::new(manager.clone()),
        served,
    ));
    match orders {
        Some(orders) => {
            control::say(&control::ready(address, &report))?;
            prove_life(&manager)?;
            obey(&manager, orders).await;
        }
        None => {
            announce(options, address, &report)?;
            wait_for_signal().await?;
        }
    }
    server.abort();
    let _ = server.await;
    let closing = tokio::task::spawn_blocking(move || manager.close());
    closing
        .await
        .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?
}

fn open(options: &QueueManagerOptions) -> Result<(Manager, OpenReport)> {
    folder::create_all(&options.store)?;
    let disk = disk::real(&options.store).map_err(|e| {
        Error::system(
            format_args!("open the folder {}", options.store.display()),
            &e,
        )
    })?;
    let supervised = options.supervised;
    let manager_options = ManagerOptions {
        name: options.name.clone(),
        epoch: options.epoch,
        owner: options.owner.clone(),
        deadline: options.deadline,
        on_failure: Box::new(move |error| store_failed(&error, supervised)),
    };
    Manager::open(disk, Arc::new(SystemClock), manager_options)
}

/// The store is lost to this process for good: it ends, so that every connection ends with it and clients
/// look for the next owner.
fn store_failed(error: &Error, supervised: bool) {
    let line = match supervised {
        true => control::failed(error),
        false => format!("the message store failed: {error}"),
    };
    let _ = control::say(&line);
    std::process::exit(3);
}

/// Listens; an address that a dying process still holds is waited for.
async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let began = Instant::now();
    loop {
        match listen(address) {
            Err(error)
                if error.kind == ErrorKind::AddressInUse && began.elapsed() < ADDRESS_TIMEOUT =>
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            outcome => return outcome,
        }
    }
}

/// Does what the supervisor says until it says stop.
async fn obey(manager: &Manager, mut orders: mpsc::Receiver<Order>) {
    loop {
        match orders.recv().await {
            Some(Order::Lease(until)) => manager.extend_deadline(until),
            Some(Order::Stop) => return,
            // Nobody watches any more: what is durable is durable, the next owner replays it.
            Some(Order::Gone) | None => std::process::exit(4),
        }
    }
}

/// Says again and again that the manager's thread makes progress: each line is a round trip through it.
fn prove_life(manager: &Manager) -> Result<()> {
    let manager = manager.clone();
    let client = Uuid::new_v4();
    let prove = move || {
        for count in 1.. {
            if !answers(&manager, client, count) || control::say(&control::alive(count)).is_err() {
                return;
            }
            std::thread::sleep(ALIVE_EVERY);
        }
    };
    std::thread::Builder::new()
        .name("hamq-alive".to_owned())
        .spawn(prove)
        .map(|_| ())
        .map_err(|e| Error::system("start the thread that proves life", &e))
}

/// Asks the manager something that costs and changes nothing, and waits as long as it takes.
fn answers(manager: &Manager, client: Uuid, count: u64) -> bool {
    let (sender, receiver) = sync_channel(1);
    let id = RequestId {
        client,
        sequence: count,
        acknowledged: count,
    };
    let nothing = Request::Abort {
        transaction: TransactionId(u64::MAX),
    };
    manager.submit(
        id,
        nothing,
        Box::new(move |_| {
            let _ = sender.try_send(());
        }),
    );
    loop {
        match receiver.recv_timeout(Duration::from_secs(60)) {
            Ok(()) => return true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

fn announce(options: &QueueManagerOptions, address: SocketAddr, report: &OpenReport) -> Result<()> {
    let at = SystemClock.wall_ms();
    let time = crate::api::value::Time(at);
    control::say(&format!(
        "{time} {} listens at {address}: epoch {}, {} queues, {} messages; Ctrl-C stops it",
        options.name, report.epoch, report.queues, report.messages
    ))
}

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn wait_for_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |e: std::io::Error| Error::system("wait for signals", &e);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
