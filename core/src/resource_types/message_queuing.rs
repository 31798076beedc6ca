//! *MSMQ*: a queue manager process of the virtual server, with its store on the group's disk.
//!
//! ```text
//!  online ── spawn ──> queue-manager ── ready ──> online
//!                        │ alive every 200 ms ──> a gap of 1.5 s: it hangs ──┐
//!                        │ failed {kind} ───────> its own reason ────────────┼──> failed()
//!                        └ exit (pidfd) ────────> how, and its last words ───┘
//!  the agent's program was replaced ── adopted: it has not noticed anything
//!  lease ──── `lease MS` ──>   offline ── `stop` ──>   terminate ── SIGKILL ──>
//! ```

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::queue_manager_status::{Ready, Status};
use super::supervised::{Supervised, describe, name};
use super::{Answer, Context, OnlineReport, Provided, Resource, blocking};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::network::QUEUE_MANAGER_PORT;
use crate::sys::process::{Exit, Memory, Spawn};

/// The feature that a node must have.
const FEATURE: &str = "MSMQ-Server";
/// A queue manager that has said nothing for this long hangs.
const SILENCE_MAX: Duration = Duration::from_millis(1500);
/// How long it may take to write its snapshot and end.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How long its last status line may take after its exit.
const LAST_LINE_MAX: Duration = Duration::from_millis(500);

/// The resource; see the module.
#[derive(Debug, Default)]
pub struct MessageQueuing {
    running: Option<Running>,
    lease_until: Option<Duration>,
}

#[derive(Debug)]
struct Running {
    process: Supervised,
    signs: Signs,
}

/// What the status lines told, readable from several places.
#[derive(Clone, Debug)]
struct Signs {
    /// When it was last heard of.
    alive: watch::Receiver<Instant>,
    /// Why it gave up, in its own words.
    failure: watch::Receiver<Option<Error>>,
}

impl MessageQueuing {
    async fn start(&mut self, context: &Context) -> Result<OnlineReport> {
        self.end().await;
        let started = Instant::now();
        let places = Places::find(context)?;
        if let Some(ready) = self.adopt(context) {
            return Ok(places.report(context, &ready, 0.0, milliseconds(started)));
        }
        let store = places.store.clone();
        blocking(move || folder::create_all(&store)).await?;
        let spawn = self.spawn(context, &places)?;
        let (process, status) = Supervised::start(context, spawn).await?;
        let spawned = milliseconds(started);
        context.note(
            "INFO",
            format_args!("queue manager is {}", process.identity()),
        );
        let (ready, became_ready) = oneshot::channel();
        let signs = follow(status, ready, context.clone(), process.memory());
        let running = self.running.insert(Running { process, signs });
        let outcome = running.become_ready(became_ready).await;
        match outcome {
            Ok(ready) => Ok(places.report(context, &ready, spawned, milliseconds(started))),
            Err(error) => {
                self.end().await;
                Err(error)
            }
        }
    }

    /// Goes on with the queue manager that the agent's former program has left.
    fn adopt(&mut self, context: &Context) -> Option<Ready> {
        let (process, status, line) = Supervised::adopt(context)?;
        let Ok(Status::Ready(ready)) = serde_json::from_str(&line) else {
            return None; // it was still on its way: dropping it ends it
        };
        context.note(
            "INFO",
            format_args!("queue manager is {}, as before", process.identity()),
        );
        let (unused, _) = oneshot::channel();
        let signs = follow(status, unused, context.clone(), process.memory());
        if let Some(until) = self.lease_until {
            process.tell(format!("lease {}", until.as_millis()));
        }
        self.running = Some(Running { process, signs });
        Some(ready)
    }

    fn spawn(&self, context: &Context, places: &Places) -> Result<Spawn> {
        let mut command: Vec<OsString> = context.program.iter().map(OsString::from).collect();
        let listen = format!("{}:{QUEUE_MANAGER_PORT}", bracketed(places.address));
        command.extend(["queue-manager", "--supervised", "--name"].map(OsString::from));
        command.push(places.name.clone().into());
        command.push("--store".into());
        command.push(places.store.clone().into());
        command.extend(["--listen".into(), listen.into()]);
        if context.epoch != 0 {
            command.extend(["--epoch".into(), context.epoch.to_string().into()]);
        }
        command.extend(["--owner".into(), context.node.clone().into()]);
        if !places.address.is_loopback() {
            command.extend(["--tls".into(), context.data.join("tls").into()]);
        }
        let port = context.number("MetricsPort", 0)?;
        if port != 0 {
            let metrics = format!("{}:{port}", bracketed(places.counters()));
            command.extend(["--metrics".into(), metrics.into()]);
        }
        if context.number("Coherent", 1)? == 0 {
            // Without a lease that we know of it may acknowledge nothing before the first line.
            let until = self.lease_until.unwrap_or_default().as_millis();
            command.extend(["--deadline".into(), until.to_string().into()]);
        }
        Ok(Spawn {
            command,
            keep_as: Some(name(context)),
            ..Spawn::default()
        })
    }

    /// Ends the process at once, whatever it does.
    async fn end(&mut self) {
        if let Some(running) = &self.running {
            running.process.kill().await;
        }
        // Only now: had the wait been given up, the process would still be known, and be killed again.
        self.running = None;
    }
}

/// Where the queue manager's things are.
struct Places {
    store: PathBuf,
    name: String,
    address: IpAddr,
}

impl Places {
    fn find(context: &Context) -> Result<Self> {
        if !context
            .features
            .iter()
            .any(|f| f.eq_ignore_ascii_case(FEATURE))
        {
            let node = &context.node;
            return Err(Error::new(
                ErrorKind::DeviceNotReady,
                format!("device not ready: Message Queuing is not installed on node {node}"),
            )
            .hint(format!("Install-MsmqFeature {node}")));
        }
        let provided = &context.provided;
        let disk = provided
            .disk
            .as_deref()
            .ok_or_else(|| context.lacks("Physical Disk"))?;
        let name = provided
            .network_name
            .as_ref()
            .ok_or_else(|| context.lacks("Network Name"))?;
        let address = provided
            .address
            .ok_or_else(|| context.lacks("IP Address"))?;
        Ok(Self {
            store: storage(disk),
            name: name.clone(),
            address,
        })
    }

    /// Where counters are served: they are for this machine only.
    const fn counters(&self) -> IpAddr {
        match self.address.is_loopback() {
            true => self.address,
            false => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    fn report(&self, context: &Context, ready: &Ready, spawned: f64, total: f64) -> OnlineReport {
        let found = &ready.report;
        context.note(
            "INFO",
            format_args!(
                "queue manager {} is ready at {}: epoch {}, {} records replayed, {} bytes cut, \
                 {} queues, {} messages",
                self.name,
                ready.address,
                found.epoch,
                found.records_replayed,
                found.bytes_cut,
                found.queues,
                found.messages
            ),
        );
        let mut steps = vec![("spawned".to_owned(), spawned)];
        steps.extend(found.steps.iter().cloned());
        steps.push(("listening".to_owned(), total));
        OnlineReport {
            provides: Provided {
                queue_manager: Some(ready.address),
                ..context.provided.clone()
            },
            steps,
        }
    }
}

/// The store's folder on a disk.
fn storage(disk: &Path) -> PathBuf {
    disk.join("msmq").join("storage")
}

fn bracketed(address: IpAddr) -> String {
    if address.is_ipv6() {
        format!("[{address}]")
    } else {
        address.to_string()
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

impl Running {
    async fn become_ready(&self, ready: oneshot::Receiver<Ready>) -> Result<Ready> {
        let reason = reason(
            self.process.exited(),
            self.signs.failure.clone(),
            self.process.last_error(),
        );
        tokio::select! {
            biased;
            Ok(ready) = ready => Ok(ready),
            reason = reason => Err(reason),
        }
    }
}

/// Completes when the queue manager gives up or ends, with why.
async fn reason(
    exited: impl Future<Output = Exit> + Send,
    mut failure: watch::Receiver<Option<Error>>,
    last_error: Arc<Mutex<String>>,
) -> Error {
    let mut said = failure.clone();
    let exit = tokio::select! {
        biased;
        Ok(said) = said.wait_for(Option::is_some) => return or_internal(&said),
        exit = exited => exit,
    };
    // The line that says why may still be on its way.
    match tokio::time::timeout(LAST_LINE_MAX, failure.wait_for(Option::is_some)).await {
        Ok(Ok(said)) => or_internal(&said),
        _ => Error::new(
            ErrorKind::ResourceFailed,
            format!("the queue manager ended: {}", describe(&exit, &last_error)),
        ),
    }
}

fn or_internal(said: &Option<Error>) -> Error {
    said.clone()
        .unwrap_or_else(|| Error::new(ErrorKind::Internal, "a queue manager failed without reason"))
}

/// Reads the status lines in a task of their own.
fn follow(
    mut lines: mpsc::Receiver<String>,
    ready: oneshot::Sender<Ready>,
    context: Context,
    memory: Memory,
) -> Signs {
    let (alive, heard) = watch::channel(Instant::now());
    let (failure, failed) = watch::channel(None);
    let mut ready = Some(ready);
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            alive.send_replace(Instant::now());
            match serde_json::from_str(&line) {
                Ok(Status::Ready(found)) => {
                    memory.keep(&line);
                    // Nobody waits when coming online was given up.
                    let _ = ready.take().map(|ready| ready.send(found));
                }
                Ok(Status::Alive(_)) => {}
                Ok(Status::Failed(why)) => drop(failure.send_replace(Some(why.into()))),
                Err(_) => context.note("WARN", format_args!("odd status line {line:?}")),
            }
        }
    });
    Signs {
        alive: heard,
        failure: failed,
    }
}

/// Completes when nothing was heard for too long.
async fn silence(mut alive: watch::Receiver<Instant>) {
    loop {
        match tokio::time::timeout(SILENCE_MAX, alive.changed()).await {
            Ok(Ok(())) => {}
            // The lines have ended: the exit tells the rest.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => {
                // If we were frozen ourselves, its lines are waiting: let them be read first.
                let again = tokio::time::timeout(SILENCE_MAX / 10, alive.changed()).await;
                if !matches!(again, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

fn hung() -> String {
    format!(
        "the queue manager hangs: no sign of life for {} ms",
        SILENCE_MAX.as_millis()
    )
}

impl Resource for MessageQueuing {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.start(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Some(running) = &self.running {
                // One that does not stop is killed: its store recovers as after a crash.
                running.process.stop(STOP_MAX).await;
            }
            self.end().await;
            Ok(())
        })
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.end())
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        let alive = match &self.running {
            None => Err("the queue manager is not running".to_owned()),
            Some(running) => match &*running.signs.failure.borrow() {
                Some(error) => Err(error.message.clone()),
                None if running.signs.alive.borrow().elapsed() > SILENCE_MAX => Err(hung()),
                None => Ok(()),
            },
        };
        let alive = alive.map_err(|why| Error::new(ErrorKind::ResourceFailed, why));
        Box::pin(std::future::ready(alive))
    }

    fn failed(&mut self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        let Some(running) = &self.running else {
            return Box::pin(std::future::pending());
        };
        let Signs { alive, failure } = running.signs.clone();
        let reason = reason(
            running.process.exited(),
            failure,
            running.process.last_error(),
        );
        Box::pin(async move {
            tokio::select! {
                biased;
                error = reason => format!("{} ({})", error.message, error.kind),
                () = silence(alive) => hung(),
            }
        })
    }

    fn lease_renewed(&mut self, until: Duration) {
        self.lease_until = Some(until);
        if let Some(running) = &self.running {
            running.process.tell(format!("lease {}", until.as_millis()));
        }
    }
}
