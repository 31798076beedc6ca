//! `hamq queue-manager`: one message store, served to clients; supervised by an agent, or alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::control::{self, Order};
use crate::api::metrics::serve_metrics;
use crate::api::server::plane::{Control, Limits, Plane, ServedManager};
use crate::api::server::{check_metrics_address, serve_guarded};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::counters::Counter;
use crate::queue::engine::{Engine, ManagerOptions, OpenReport, Tuning};
use crate::queue::request::{Reply, Request};
use crate::queue::serve::Replies;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::network::{Endpoint, Listener, allow_many_connections, listen};
use crate::sys::trust::{Door, Identity};
use crate::sys::{disk, event_log, folder, process};

/// How often a supervised queue manager says that it lives.
const ALIVE_EVERY: Duration = Duration::from_millis(200);
/// How long an address may still be held by a process that is ending.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);
/// How often such an address is tried.
const ADDRESS_PAUSE: Duration = Duration::from_millis(5);

/// What `hamq queue-manager` was told.
#[derive(Clone, Debug)]
pub struct QueueManagerOptions {
    /// The computer name it answers to.
    pub name: String,
    /// The folder of the message store.
    pub store: PathBuf,
    /// Where it listens for clients.
    pub listen: SocketAddr,
    /// The folder of the certificates that it proves itself by; needed beyond loopback.
    pub tls: Option<PathBuf>,
    /// The path of a Unix socket where it listens too.
    pub socket: Option<PathBuf>,
    /// Where it answers `GET /metrics`.
    pub metrics: Option<SocketAddr>,
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
    event_log::install();
    if options.supervised {
        process::die_with_parent()?;
    }
    let door = door(options)?;
    options.metrics.map_or(Ok(()), check_metrics_address)?;
    allow_many_connections();
    let orders = match options.supervised {
        true => Some(control::orders()?),
        false => None,
    };
    // For signals and the supervisor's orders; the queues have a thread of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Error::system("start the server's threads", &e))?;
    runtime.block_on(serve(options, door, orders))
}

/// How clients at the listener's address are received.
fn door(options: &QueueManagerOptions) -> Result<Door> {
    let identity = match &options.tls {
        Some(folder) => Identity::load(folder)?.map(Arc::new),
        None => None,
    };
    Door::at(options.listen, identity.as_ref())
}

async fn serve(
    options: &QueueManagerOptions,
    door: Door,
    orders: Option<mpsc::Receiver<Order>>,
) -> Result<()> {
    let (opening, binding) = (options.clone(), options.clone());
    let opening = tokio::task::spawn_blocking(move || open(&opening));
    let binding = tokio::task::spawn_blocking(move || bind_all(&binding));
    let (opened, bound) = tokio::join!(opening, binding);
    let internal = |e: tokio::task::JoinError| Error::new(ErrorKind::Internal, e.to_string());
    let (engine, report) = opened.map_err(internal)??;
    let bound = bound.map_err(internal)??;
    let (address, places) = (bound.address, bound.places()?);
    let served = ServedManager {
        name: options.name.clone(),
        epoch: report.epoch,
    };
    let (plane, control) = Plane::new(bound.listeners, engine, served, Limits::default())?;
    let running = plane.spawn()?;
    let guests = bound.guarded.map(|listener| {
        let folder = options.tls.clone();
        tokio::spawn(serve_guarded(listener, door, control.clone(), folder))
    });
    if let Some(listener) = bound.metrics {
        let asked = control.clone();
        let source = Box::new(move || counters(&asked));
        serve_metrics(listener, options.name.clone(), source)?;
    }
    match orders {
        Some(orders) => {
            control::say(&control::ready(address, &report))?;
            prove_life(control.clone())?;
            obey(&control, orders).await;
        }
        None => {
            announce(options, &places, &report)?;
            wait_for_signal().await?;
        }
    }
    guests.inspect(JoinHandle::abort);
    control.stop();
    let closing = tokio::task::spawn_blocking(move || close(running));
    closing.await.map_err(internal)?
}

/// The counters, by a round trip through the event loop.
fn counters(control: &Control<Engine>) -> Result<Vec<Counter>> {
    match control.call(Request::Counters)? {
        Reply::Counters(counters) => Ok(counters),
        other => Err(Error::new(
            ErrorKind::Internal,
            format!("not counters: {other:?}"),
        )),
    }
}

/// Waits for the event loop to end, and closes the store in order.
fn close(running: std::thread::JoinHandle<Result<Engine>>) -> Result<()> {
    let ended = running.join();
    let mut engine = ended.map_err(|_| {
        Error::new(
            ErrorKind::Internal,
            "the queue manager's thread ended with a fault",
        )
    })??;
    // Every connection is gone: nobody hears the last replies.
    engine.close(&mut Replies::new())
}

fn open(options: &QueueManagerOptions) -> Result<(Engine, OpenReport)> {
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
    Engine::open(
        disk,
        Arc::new(SystemClock),
        manager_options,
        Tuning::default(),
    )
}

/// Where clients come, and where the counters are had.
struct Bound {
    /// The event loop's own.
    listeners: Vec<Listener>,
    /// That of clients beyond this machine.
    guarded: Option<TcpListener>,
    metrics: Option<Listener>,
    /// The address that was asked for; with port 0 the system has chosen one.
    address: SocketAddr,
}

impl Bound {
    /// Where clients find it, for people.
    fn places(&self) -> Result<Vec<Endpoint>> {
        let guarded = self.guarded.iter().map(|_| Ok(Endpoint::Tcp(self.address)));
        let own = self.listeners.iter().map(Listener::endpoint);
        guarded.chain(own).collect()
    }
}

/// On a tokio runtime.
fn bind_all(options: &QueueManagerOptions) -> Result<Bound> {
    let mut bound = Bound {
        listeners: Vec::new(),
        guarded: None,
        metrics: None,
        address: options.listen,
    };
    if options.listen.ip().is_loopback() {
        let listener = patiently(|| Listener::tcp(options.listen))?;
        if let Endpoint::Tcp(address) = listener.endpoint()? {
            bound.address = address;
        }
        bound.listeners.push(listener);
    } else {
        let listener = patiently(|| listen(options.listen))?;
        let address = listener.local_addr();
        bound.address = address.map_err(|e| Error::system("listen for clients", &e))?;
        bound.guarded = Some(listener);
    }
    if let Some(path) = &options.socket {
        bound.listeners.push(patiently(|| Listener::unix(path))?);
    }
    if let Some(address) = options.metrics {
        bound.metrics = Some(patiently(|| Listener::tcp(address))?);
    }
    Ok(bound)
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
fn patiently<L>(listen: impl Fn() -> Result<L>) -> Result<L> {
    let began = Instant::now();
    loop {
        match listen() {
            Err(error)
                if error.kind == ErrorKind::AddressInUse && began.elapsed() < ADDRESS_TIMEOUT =>
            {
                std::thread::sleep(ADDRESS_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Does what the supervisor says until it says stop.
async fn obey(control: &Control<Engine>, mut orders: mpsc::Receiver<Order>) {
    loop {
        match orders.recv().await {
            Some(Order::Lease(until)) => {
                control.with(move |engine| engine.extend_deadline(until));
            }
            Some(Order::Stop) => return,
            // Nobody watches any more: what is durable is durable, the next owner replays it.
            Some(Order::Gone) | None => std::process::exit(4),
        }
    }
}

/// Says again and again that the queue manager's thread makes progress: each line is a round trip through it.
fn prove_life(control: Control<Engine>) -> Result<()> {
    let prove = move || {
        for count in 1.. {
            // It costs and changes nothing, and has no answer while the disk has none; only the end of the
            // thread is an end.
            let answer = control.call(Request::GetMachine);
            let ended = answer.is_err_and(|e| e.kind == ErrorKind::OperationCancelled);
            if ended || control::say(&control::alive(count)).is_err() {
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

fn announce(options: &QueueManagerOptions, places: &[Endpoint], report: &OpenReport) -> Result<()> {
    let places: Vec<String> = places.iter().map(Endpoint::to_string).collect();
    let places = places.join(" and ");
    let at = SystemClock.wall_ms();
    let time = crate::api::value::Time(at);
    control::say(&format!(
        "{time} {} listens at {places}: epoch {}, {} queues, {} messages; Ctrl-C stops it",
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
