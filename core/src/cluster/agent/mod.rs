//! The Cluster service of one node: it feeds the engine and does what the engine asks for.
//!
//! ```text
//!   database.watch ─ snapshot ─┐                      ┌─ commit ──► database
//!   lease renewal ─ renewed ───┤                      ├─ fence ───► fencer
//!   peers ─ heartbeat, EOF ────┼─► engine.handle() ───┼─ online … ► one actor per resource
//!   actors ─ online, failed ───┤                      └─ log ─────► cluster.log
//!   operators ─ stop ──────────┘
//! ```
//!
//! Nothing here decides. Every wait is for an event; timers exist for heartbeats, leases and timeouts.

mod actor;
mod checkpoints;
mod commits;
mod fencer;
mod interfaces;
mod links;
mod main_loop;
mod maintenance;
mod membership;
mod memory_pool;
mod message_service;
mod peers;
mod rehearsal;
mod resources;
mod resume;
mod timing;
mod type_control;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::cluster_log::{AUDIT, Line};
use super::configuration::Rehearsal;
use super::engine::Event;
use super::functional_level::Build;
use super::policy::ClusterPolicy;
use super::record::{DECISION_PREFIX, Decision, decode};
use super::view::View;
use crate::database::{Commit, Database, LeaseId, Range, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::resource_types::{self, Answer, Description, Resource};
use crate::sys::clock::Clock;
use crate::sys::log_file::LogFile;
use crate::sys::network::PEER_PORT;
use crate::sys::process::ProcessIdentity;
use crate::sys::trust::{Door, Identity};
pub use fencer::{Fencer, ProcessFencer};
use links::Links;
pub use timing::Timing;

/// Makes resources of a type.
pub trait ResourceFactory: Send + Sync + 'static {
    /// A resource that is offline; `None` for an unknown type.
    fn create(&self, type_name: &str) -> Option<Box<dyn Resource>>;

    /// What this node can tell of a type whose properties are not built in.
    fn describe<'a>(&'a self, type_name: &'a str) -> Answer<'a, Description> {
        Box::pin(resource_types::describe(type_name))
    }

    /// Looks at properties that a resource shall have as only a node can.
    fn check_properties<'a>(
        &'a self,
        type_name: &'a str,
        properties: &'a BTreeMap<String, String>,
    ) -> Answer<'a, ()> {
        Box::pin(resource_types::check_properties(type_name, properties))
    }
}

/// The types of this program.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltInTypes;

impl ResourceFactory for BuiltInTypes {
    fn create(&self, type_name: &str) -> Option<Box<dyn Resource>> {
        crate::resource_types::create(type_name)
    }
}

/// What an agent must be told.
pub struct AgentOptions {
    /// The cluster's name.
    pub cluster: String,
    /// This node's name.
    pub node: String,
    /// Where it listens.
    pub address: IpAddr,
    /// What it proves itself by beyond loopback.
    pub identity: Option<Arc<Identity>>,
    /// Its data folder.
    pub data: PathBuf,
    /// The cluster database.
    pub database: Arc<dyn Database>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes resources.
    pub factory: Arc<dyn ResourceFactory>,
    /// Ends hung nodes.
    pub fencer: Arc<dyn Fencer>,
    /// How to start this program again in another role.
    pub program: Vec<PathBuf>,
    /// How this very process was started: what it becomes when it is restarted under its resources.
    pub restart: Vec<OsString>,
    /// What the program before this one has left, if there was one.
    pub resume: Option<String>,
    /// What this program is, and the functional levels it knows.
    pub build: Build,
    /// For a cluster that does not exist yet.
    pub timing: Timing,
}

/// Size of `cluster.log`, twice of which is kept.
const LOG_BYTES_MAX: u64 = 8 << 20;
/// Events that wait for the engine; senders wait beyond it.
const EVENTS_MAX: usize = 1024;
/// Tries of a change that others keep outrunning.
const CHANGE_TRIES_MAX: usize = 20;
/// How long a graceful stop may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Shared {
    pub(super) options: AgentOptions,
    pub(super) process: ProcessIdentity,
    pub(super) log: LogFile,
    /// What is written into it (Set-ClusterLog).
    pub(super) log_level: AtomicU64,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) view: watch::Sender<Arc<View>>,
    pub(super) incarnation: watch::Sender<String>,
    /// The lease of the session.
    pub(super) lease: watch::Sender<Option<LeaseId>>,
    /// Another for each start of a program.
    instance: String,
    pub(super) life: watch::Sender<Life>,
    links: Links,
    pub(super) checkpoints: checkpoints::Checkpoints,
    message_memory: memory_pool::MessageMemory,
    message_service: message_service::Slot,
    tasks: Mutex<Vec<AbortHandle>>,
}

/// How far an agent's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    GivenAway,
    Ended,
}

/// A running node agent. Clones share it; it ends with [`Agent::stop`] or when the last clone is dropped.
#[derive(Clone)]
pub struct Agent {
    shared: Arc<Shared>,
    _guard: Arc<Guard>,
    /// What is changed through this handle is only rehearsed.
    rehearsal: Option<Arc<Mutex<Rehearsal>>>,
}

/// Ends the tasks of an agent whose last handle is gone.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Agent {
    /// Joins the cluster (and makes it, if this is its first node) and begins to act.
    ///
    /// # Errors
    /// When the address is beyond loopback without an identity or its peer port is taken, when the database cannot be
    /// reached, or when the node is running already.
    pub async fn start(options: AgentOptions) -> Result<Self> {
        Door::at(
            SocketAddr::new(options.address, PEER_PORT),
            options.identity.as_ref(),
        )?;
        crate::name::check_object_name("node", &options.node)?;
        let path = options.data.join("cluster.log");
        let log = LogFile::open(&path, LOG_BYTES_MAX)
            .map_err(|e| Error::system(format_args!("open {}", path.display()), &e))?;
        let listener = peers::listen(options.address).await?;
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let shared = Arc::new(Shared {
            process: ProcessIdentity::current()?,
            log,
            log_level: AtomicU64::new(ClusterPolicy::default().log_level),
            events,
            view: watch::Sender::new(Arc::new(View::default())),
            incarnation: watch::Sender::new(String::new()),
            lease: watch::Sender::new(None),
            instance: uuid::Uuid::new_v4().to_string(),
            life: watch::Sender::new(Life::Running),
            links: Links::default(),
            checkpoints: checkpoints::Checkpoints::default(),
            message_memory: memory_pool::MessageMemory::default(),
            message_service: message_service::Slot::default(),
            tasks: Mutex::default(),
            options,
        });
        let config = membership::join(&shared).await?;
        let guard = Arc::new(Guard(Arc::clone(&shared)));
        let session = match resume::resume(&shared, &config).await? {
            Some(session) => session,
            None => membership::register(&shared, &config).await?,
        };
        shared.log("INFO", "NM", &format!("node {} joins", shared.options.node));
        let (own, owned) = watch::channel(Vec::new());
        shared.spawn(interfaces::keep_told(Arc::clone(&shared), own));
        let accepting =
            peers::accept_everywhere(Arc::clone(&shared), listener, config.clone(), owned);
        shared.spawn(accepting);
        shared.spawn(peers::dial_all(Arc::clone(&shared), config.clone()));
        shared.spawn(membership::follow(Arc::clone(&shared)));
        shared.spawn(membership::tell_notices(Arc::clone(&shared)));
        shared.spawn(checkpoints::watch(Arc::clone(&shared)));
        shared.spawn(message_service::watch(Arc::clone(&shared)));
        shared.spawn(main_loop::run(Arc::clone(&shared), inbox, config, session));
        Ok(Self {
            shared,
            _guard: guard,
            rehearsal: None,
        })
    }

    /// The cluster as this node last saw it.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.shared.view.borrow().clone()
    }

    /// A receiver of every later view.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.shared.view.subscribe()
    }

    /// The view of the database as it is now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read(&self) -> Result<View> {
        match &self.rehearsal {
            Some(rehearsal) => Ok(rehearsal::lock(rehearsal).view().clone()),
            None => Ok(View::parse(&self.range().await?)),
        }
    }

    async fn range(&self) -> Result<Range> {
        let database = &self.shared.options.database;
        database.read(super::record::STATE_PREFIX).await
    }

    /// Changes the configuration by a function of the view: decided again when somebody else was first.
    /// Answers the revision from which on views show it.
    ///
    /// # Errors
    /// Those of the function and of the database; `Timeout` when others keep changing the same.
    pub async fn change<T>(
        &self,
        decide: impl Fn(&View) -> Result<(Transaction, T)>,
    ) -> Result<(u64, T)> {
        for _ in 0..CHANGE_TRIES_MAX {
            let view = self.read().await?;
            let (transaction, extra) = decide(&view)?;
            if transaction.writes.is_empty() {
                return Ok((view.revision, extra));
            }
            if let Some(rehearsal) = &self.rehearsal {
                rehearsal::lock(rehearsal).change(&transaction);
                return Ok((view.revision, extra));
            }
            let commit = self.shared.options.database.commit(transaction);
            if let Commit::Done { revision } = commit.await? {
                return Ok((revision, extra));
            }
        }
        let text = "others kept changing the same objects";
        Err(Error::new(ErrorKind::Timeout, text).hint("try again"))
    }

    /// The stored decisions, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn decisions(&self) -> Result<Vec<Decision>> {
        let range = self.shared.options.database.read(DECISION_PREFIX).await?;
        let entries = range.entries.iter();
        Ok(entries.filter_map(|e| decode(&e.value)).collect())
    }

    /// What it was started with.
    #[must_use]
    pub fn options(&self) -> &AgentOptions {
        &self.shared.options
    }

    /// The lines of its cluster log, oldest first.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn log_lines(&self) -> Result<Vec<Line>> {
        let text = self
            .shared
            .log
            .text()
            .map_err(|e| Error::system("read cluster.log", &e))?;
        Ok(text.lines().filter_map(Line::parse).collect())
    }

    /// The folder of this node's settings: a key is a folder in it, a value a file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.shared.settings()
    }

    /// Writes a line into its cluster log.
    pub fn note(&self, level: &str, component: &str, text: &str) {
        if self.rehearsal.is_none() {
            self.shared.log(level, component, text);
        }
    }

    /// Moves the groups away, or takes them offline where there is no other node or `all` nodes stop; then
    /// ends the session.
    ///
    /// # Errors
    /// `Timeout` when a resource does not go offline in time; everything is ended all the same.
    pub async fn stop(&self, all: bool) -> Result<()> {
        let mut life = self.shared.life.subscribe();
        let _ = self.shared.events.send(Event::Stop { all }).await;
        let given = life.wait_for(|l| *l != Life::Running);
        let in_time = tokio::time::timeout(STOP_TIMEOUT, given).await.is_ok();
        message_service::stop(&self.shared).await;
        membership::leave(&self.shared).await;
        self.shared.log("INFO", "NM", "the Cluster service stops");
        self.shared.abort();
        if in_time {
            return Ok(());
        }
        let node = &self.shared.options.node;
        let text = format!("the groups of {node} did not go offline within 60 s and were ended");
        Err(Error::new(ErrorKind::Timeout, text).hint("Get-ClusterLog shows which resource hung"))
    }

    /// Turns this process into the program that was installed last, under its resources. Answers the identity of the present
    /// one as soon as nothing is in the way.
    ///
    /// # Errors
    /// `InvalidState` when a resource cannot be kept.
    pub async fn restart(&self) -> Result<String> {
        resume::restart(&self.shared).await?;
        Ok(self.shared.instance.clone())
    }

    /// Another for each start of a program.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.shared.instance
    }

    /// Waits until it has stopped.
    pub async fn stopped(&self) {
        let mut life = self.shared.life.subscribe();
        let _ = life.wait_for(|l| *l == Life::Ended).await;
    }

    /// Ends everything at once without telling anyone, as a crash would: the lease runs out by itself.
    pub fn crash(&self) {
        self.shared.abort();
    }
}

impl Shared {
    pub(super) fn settings(&self) -> PathBuf {
        self.options.data.join("settings")
    }

    pub(super) fn log(&self, level: &str, component: &str, text: &str) {
        let line = Line {
            pid: self.process.pid,
            time_ms: self.options.clock.wall_ms(),
            level: level.to_owned(),
            component: component.to_owned(),
            text: text.to_owned(),
        };
        let node = self.options.node.as_str();
        match level {
            "ERR" => tracing::error!(node, component, "{text}"),
            "WARN" => tracing::warn!(node, component, "{text}"),
            "DBG" => tracing::debug!(node, component, "{text}"),
            _ => tracing::info!(node, component, "{text}"),
        }
        let needed = match level {
            _ if component == AUDIT => 0,
            "ERR" => 1,
            "WARN" => 2,
            "DBG" => 4,
            _ => 3,
        };
        if self.log_level.load(Ordering::Relaxed) >= needed {
            // A full disk must not stop the cluster; the next line that fits tells the rest.
            drop(self.log.line(&line.format()));
        }
    }

    /// Follows what was set for the cluster's log.
    pub(super) fn set_log(&self, policy: ClusterPolicy) {
        self.log.set_bytes_max((policy.log_megabytes << 20) / 2); // there are two files
        self.log_level.store(policy.log_level, Ordering::Relaxed);
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.track(tokio::spawn(task).abort_handle());
    }

    fn track(&self, handle: AbortHandle) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|t| !t.is_finished());
        tasks.push(handle);
    }

    fn abort(&self) {
        self.life.send_replace(Life::Ended);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::resource_type::TYPES;

    #[test]
    fn every_type_that_the_policy_knows_can_be_made_and_no_other() {
        for rule in TYPES {
            assert!(BuiltInTypes.create(rule.name).is_some(), "{}", rule.name);
        }
        assert!(BuiltInTypes.create("Toaster").is_none());
    }
}
