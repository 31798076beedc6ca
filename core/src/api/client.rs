//! The client: finds the cluster, runs commands, keeps sessions with queue managers through failovers.
//!
//! It is blocking and thread-safe; inside, one small tokio runtime drives all its connections. Shell and
//! Python know nothing of nodes: a virtual server is reached by its name.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::agents::{AgentAddress, Agents, Locator, Repeat, resolve};
use super::arguments;
use super::diagnostic::{self, GetClusterDiagnosticInfo};
use super::local_cluster::{LocalClusters, rehearse};
use super::message_object::{self, NewMsmqMessage};
use super::queue_commands::{self, Asks, Managers, Sessions};
use super::registry::Registry;
use super::session::{Fixed, SessionOptions};
use super::spec::{Command, CommandSpec, REASON, Risk, RunsAt};
use super::store::{self, RepairMsmqStore, TestMsmqStore};
use super::transaction::{
    Ambient, CompleteTransaction, GetTransaction, StartTransaction, UndoTransaction,
};
use super::trust::ClientFile;
use super::value::{Value, from_value, to_value};
use super::what_if::{self, StepInfo};
use crate::drill::commands::Drill;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::request::TransactionId;
use crate::sys::network::{AGENT_PORT, Endpoint};

pub use super::session::{BodyReader, Held, HeldTicket, Session, Ticket, WrittenPart, give_up};

/// Queues whose nature is remembered; then all are forgotten.
const NATURES_MAX: usize = 10_000;

/// What a client must be told; the core reads neither environment nor home.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The user's state folder: `clusters/NAME.json` in it says where the nodes of cluster NAME are.
    pub home: PathBuf,
    /// How to start this program in another role: the program and its leading arguments.
    pub program: Vec<PathBuf>,
    /// How long a request is tried again through a failover before it fails.
    pub failover_timeout: Duration,
}

/// A connection to a cluster. Clones share it.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    options: ClientOptions,
    registry: Registry,
    runtime: Option<Runtime>,
    chosen: Mutex<Option<Chosen>>,
    sessions: Mutex<HashMap<String, Session>>,
    natures: Mutex<HashMap<String, bool>>,
    clusters: LocalClusters,
    drill: Drill,
    transaction: Ambient,
    cancelled: watch::Sender<u64>,
}

/// The cluster that commands are for.
#[derive(Clone, Debug)]
enum Chosen {
    /// One of the registry; its nodes are read again each time, because they may have changed.
    Known(String),
    /// One that was given by addresses.
    Elsewhere(Agents),
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    /// A client that has not chosen a cluster yet.
    ///
    /// # Errors
    /// When its runtime cannot start.
    pub fn new(options: ClientOptions) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("hamq-client")
            .enable_all()
            .build()
            .map_err(|e| Error::system("start the client's threads", &e))?;
        let registry = Registry::new(&options.home);
        Ok(Self(Arc::new(Inner {
            clusters: LocalClusters::new(registry.clone(), options.program.clone()),
            drill: Drill::default(),
            transaction: Ambient::default(),
            registry,
            options,
            runtime: Some(runtime),
            chosen: Mutex::default(),
            sessions: Mutex::default(),
            natures: Mutex::default(),
            cancelled: watch::Sender::new(0),
        })))
    }

    /// Chooses the cluster that later commands are for: a name known in `home`, `HOST[:PORT],…` of its nodes, or the file
    /// that `New-ClusterClientCertificate` made.
    ///
    /// # Errors
    /// `ClusterNotFound`.
    pub fn connect(&self, target: &str) -> Result<()> {
        let unknown = match self.0.registry.find(target) {
            Ok(entry) => {
                self.choose(Chosen::Known(entry.name));
                return Ok(());
            }
            Err(error) => error,
        };
        if let Some(file) = ClientFile::find(&self.0.options.home, target)? {
            let agents = file.agents();
            self.block_on(async { agents.greet().await })?;
            self.choose(Chosen::Elsewhere(agents));
            return Ok(());
        }
        let looks_like_addresses = target.contains(['.', ':', ',']);
        if !looks_like_addresses {
            return Err(unknown);
        }
        let agents = self.block_on(async {
            let mut agents = Agents {
                cluster: String::new(),
                nodes: addresses(target).await?,
                trust: ClientFile::trust_in(&self.0.options.home)?,
            };
            agents.cluster = agents.greet().await?;
            Ok(agents)
        })?;
        self.choose(Chosen::Elsewhere(agents));
        Ok(())
    }

    /// The name of the chosen cluster. Without a choice, the only one known in `home` is taken.
    #[must_use]
    pub fn cluster(&self) -> Option<String> {
        match self.chosen().ok()? {
            Chosen::Known(name) => Some(name),
            Chosen::Elsewhere(agents) => Some(agents.cluster),
        }
    }

    /// The fingerprint of the certificate that the chosen cluster is shown; none on this machine, where it wants none.
    #[must_use]
    pub fn certificate(&self) -> Option<String> {
        let agents = self.chosen().ok()?.agents(&self.0.registry).ok()?;
        let identity = agents.trust.identities().first()?;
        Some(identity.fingerprint().to_string())
    }

    /// Runs a command by name with a map of its parameters; one record or many come back as a list.
    ///
    /// # Errors
    /// Those of the command; `Usage` for an unknown one or a parameter that does not fit.
    pub fn invoke(&self, name: &str, arguments: Value) -> Result<Vec<Value>> {
        self.invoke_because(name, arguments, None)
    }

    /// The same, with a reason that the cluster's log keeps.
    ///
    /// # Errors
    /// As [`Client::invoke`].
    pub fn invoke_because(
        &self,
        name: &str,
        arguments: Value,
        reason: Option<&str>,
    ) -> Result<Vec<Value>> {
        let spec = super::find(name).ok_or_else(|| unknown_command(name))?;
        let mut arguments = arguments::check(spec, arguments)?;
        match spec.runs_at {
            RunsAt::Client => self.run_here(spec, &arguments),
            RunsAt::Agent => {
                if let (Some(reason), Value::Map(map)) = (reason, &mut arguments) {
                    map.push((REASON.into(), reason.into()));
                }
                self.run_at_agent(spec, &arguments)
            }
            RunsAt::QueueManager => queue_commands::run(self, spec.name, &arguments),
        }
    }

    /// What a command would do, step by step, decided by whoever would run it; nothing is done. No step: nothing would
    /// change. `None`: it changes nothing that is told step by step.
    ///
    /// # Errors
    /// Those of the command, as if it were meant.
    pub fn what_if(&self, name: &str, arguments: Value) -> Result<Option<Vec<StepInfo>>> {
        let spec = super::find(name).ok_or_else(|| unknown_command(name))?;
        let arguments = arguments::check(spec, arguments)?;
        if spec.risk == Risk::None {
            return Ok(None);
        }
        let steps = match spec.runs_at {
            RunsAt::Client => self.what_if_here(spec, &arguments)?,
            RunsAt::Agent => {
                let agents = self.chosen()?.agents(&self.0.registry)?;
                let commands = vec![(spec.name, arguments)];
                Some(self.block_on(rehearse(&agents, commands))?)
            }
            RunsAt::QueueManager => Some(what_if::ask(self, spec.name, &arguments)?),
        };
        Ok(steps.map(StepInfo::numbered))
    }

    fn what_if_here(&self, spec: &CommandSpec, arguments: &Value) -> Result<Option<Vec<StepInfo>>> {
        if let Some(steps) = self.0.drill.what_if(self, spec.name, arguments) {
            return steps;
        }
        if spec.name == RepairMsmqStore::SPEC.name {
            return store::what_if(&from_value(arguments)?).map(Some);
        }
        let commits = spec.name == CompleteTransaction::SPEC.name;
        if commits || spec.name == UndoTransaction::SPEC.name {
            return self.0.transaction.what_if(commits).map(Some);
        }
        let chosen = self.chosen();
        let current = chosen.as_ref().map(Chosen::name);
        let agents = self.agents_of(&chosen);
        let clusters = &self.0.clusters;
        self.block_on(clusters.what_if(spec.name, arguments, current, agents))
    }

    fn agents_of(&self, chosen: &Result<Chosen>) -> Result<Agents> {
        match chosen {
            Ok(chosen) => chosen.agents(&self.0.registry),
            Err(error) => Err(error.clone()),
        }
    }

    /// Runs a typed command.
    ///
    /// # Errors
    /// Those of the command.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a command is given, and written in place at the call"
    )]
    pub fn run<C: Command>(&self, command: C) -> Result<C::Output> {
        let values = self.invoke(C::SPEC.name, to_value(&command)?)?;
        if C::SPEC.many {
            return from_value(&Value::Array(values));
        }
        from_value(values.first().unwrap_or(&Value::Null))
    }

    /// Ends every call of this client that is waiting, with `OperationCancelled`, and every fault it has made; from
    /// any thread (Ctrl-C).
    pub fn cancel(&self) {
        self.0.cancelled.send_modify(|count| *count += 1);
        let sessions: Vec<_> = lock(&self.0.sessions).values().cloned().collect();
        for session in sessions {
            session.cancel();
        }
        self.0.drill.let_go();
    }

    /// A session with the queue manager of `computer` (a virtual server or node name, `HOST:PORT`, or `unix:PATH`).
    /// It reconnects by itself through failovers.
    ///
    /// # Errors
    /// `ResolveAddress`.
    pub fn session(&self, computer: &str) -> Result<Session> {
        let chosen = self.cluster_for(computer)?;
        let cluster = chosen.as_ref().map(Chosen::name).unwrap_or_default();
        let key = format!("{cluster}\n{}", computer.to_lowercase());
        if let Some(session) = lock(&self.0.sessions).get(&key) {
            return Ok(session.clone());
        }
        let options = self.session_options(computer, chosen.as_ref())?;
        let mut sessions = lock(&self.0.sessions);
        if let Some(session) = sessions.get(&key) {
            return Ok(session.clone());
        }
        let session = Session::start(self.runtime()?, options);
        sessions.insert(key, session.clone());
        Ok(session)
    }

    /// A session with an identity and a connection of its own, as an independent client would have.
    ///
    /// # Errors
    /// `ResolveAddress`.
    pub fn new_session(&self, computer: &str) -> Result<Session> {
        let chosen = self.cluster_for(computer)?;
        let options = self.session_options(computer, chosen.as_ref())?;
        Ok(Session::start(self.runtime()?, options))
    }

    /// How often it was cancelled: who does its work in steps looks whether the number has changed.
    pub(crate) fn cancellations(&self) -> u64 {
        *self.0.cancelled.borrow()
    }

    /// What it was told when it was made.
    pub(crate) fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    /// Ends what this client started and did not detach (the nodes of a local cluster), and waits for it.
    pub fn close(&self) {
        self.0.drill.abandon();
        lock(&self.0.sessions).clear();
        if let Ok(runtime) = self.runtime() {
            runtime.block_on(self.0.clusters.close());
        }
    }

    fn run_here(&self, spec: &CommandSpec, arguments: &Value) -> Result<Vec<Value>> {
        if let Some(output) = self.run_by_itself(spec.name, arguments) {
            return output.map(|record| vec![record]);
        }
        if let Some(output) = self.0.drill.run(self, spec.name, arguments) {
            return output;
        }
        if spec.name == GetClusterDiagnosticInfo::SPEC.name {
            return diagnostic::collect(self, &from_value(arguments)?);
        }
        let chosen = self.chosen();
        let current = chosen.as_ref().map(Chosen::name);
        let agents = self.agents_of(&chosen);
        let clusters = &self.0.clusters;
        let output = self.block_on(clusters.run(spec.name, arguments, current, agents))?;
        // Who makes or starts a cluster wants to work with it.
        if matches!(spec.name, "New-Cluster" | "Start-Cluster")
            && let Some(name) = arguments::text(arguments, "Name")
        {
            self.choose(Chosen::Known(name.to_owned()));
        }
        if spec.name == "Remove-Cluster" {
            *lock(&self.0.chosen) = None;
        }
        Ok(output)
    }

    /// What needs no cluster: a message before it is sent, and the transaction of this client.
    fn run_by_itself(&self, name: &str, arguments: &Value) -> Option<Result<Value>> {
        let transaction = &self.0.transaction;
        let info = match name {
            name if name == NewMsmqMessage::SPEC.name => {
                let made = from_value(arguments).map(message_object::make);
                return Some(made.and_then(|made| to_value(&made)));
            }
            name if name == TestMsmqStore::SPEC.name => {
                let tested = from_value(arguments).and_then(|command| store::test(&command));
                return Some(tested.and_then(|tested| to_value(&tested)));
            }
            name if name == RepairMsmqStore::SPEC.name => {
                let saved = from_value(arguments).and_then(|command| store::repair(&command));
                return Some(saved.and_then(|saved| to_value(&saved)));
            }
            name if name == StartTransaction::SPEC.name => transaction.start(),
            name if name == GetTransaction::SPEC.name => transaction.show(),
            name if name == CompleteTransaction::SPEC.name => {
                transaction.complete(self.0.options.failover_timeout)
            }
            name if name == UndoTransaction::SPEC.name => transaction.undo(),
            _ => return None,
        };
        Some(info.and_then(|info| to_value(&info)))
    }

    fn run_at_agent(&self, spec: &CommandSpec, arguments: &Value) -> Result<Vec<Value>> {
        let agents = self.chosen()?.agents(&self.0.registry)?;
        let repeat = match spec.risk {
            Risk::None => Repeat::Allowed,
            _ => Repeat::Forbidden,
        };
        let output = self.block_on(agents.run(spec.name, arguments, repeat))?;
        Ok(match output {
            Value::Array(records) => records,
            record => vec![record],
        })
    }

    /// The cluster that knows `computer`; none for an address.
    fn cluster_for(&self, computer: &str) -> Result<Option<Chosen>> {
        match computer.contains(':') {
            true => Ok(None),
            false => self.name_needs_cluster(computer).map(Some),
        }
    }

    fn session_options(&self, computer: &str, chosen: Option<&Chosen>) -> Result<SessionOptions> {
        match chosen {
            Some(chosen) => self.located(computer, chosen),
            None => self.fixed(computer),
        }
    }

    /// The session of a computer that is given by its address.
    fn fixed(&self, computer: &str) -> Result<SessionOptions> {
        let found = match Endpoint::unix_path(computer) {
            Some(path) => Endpoint::Unix(path),
            None => Endpoint::Tcp(self.block_on(async { lookup(computer).await })?),
        };
        Ok(SessionOptions {
            wants: String::new(),
            address: Some(found.clone()),
            locate: Arc::new(Fixed(found)),
            trust: ClientFile::trust_in(&self.0.options.home)?,
            failover_timeout: self.0.options.failover_timeout,
        })
    }

    /// The session of a computer that the cluster knows by name. One that is known but not online is
    /// waited for by the session.
    fn located(&self, computer: &str, chosen: &Chosen) -> Result<SessionOptions> {
        let agents = chosen.agents(&self.0.registry)?;
        let address = match self.block_on(resolve(&agents, computer)) {
            Ok(address) => Some(Endpoint::Tcp(address)),
            Err(error) if error.kind == ErrorKind::ResourceNotAvailable => None,
            Err(error) => return Err(error),
        };
        let trust = agents.trust.clone();
        let (registry, chosen) = (self.0.registry.clone(), chosen.clone());
        let agents = move || chosen.agents(&registry).unwrap_or_else(|_| agents.clone());
        Ok(SessionOptions {
            wants: computer.to_owned(),
            address,
            trust,
            locate: Arc::new(Locator {
                agents: Arc::new(agents),
                computer: computer.to_owned(),
            }),
            failover_timeout: self.0.options.failover_timeout,
        })
    }

    fn name_needs_cluster(&self, computer: &str) -> Result<Chosen> {
        if computer == "." {
            let text = "there is no queue manager in this process that . could mean";
            return Err(Error::new(ErrorKind::ResolveAddress, text)
                .hint("write the virtual server's name, as in VS1/private$/queue"));
        }
        self.chosen()
    }

    /// The chosen cluster, or the only one there is.
    fn chosen(&self) -> Result<Chosen> {
        if let Some(chosen) = lock(&self.0.chosen).as_ref() {
            return Ok(chosen.clone());
        }
        let all = self.0.registry.all()?;
        let names: Vec<_> = all.iter().map(|entry| entry.name.as_str()).collect();
        match names.as_slice() {
            [only] => Ok(Chosen::Known((*only).to_owned())),
            [] => Err(Error::new(
                ErrorKind::ClusterNotFound,
                "no cluster is known on this machine",
            )
            .hint("New-Cluster -Name lab -Node n1,n2,n3 -Local makes one")),
            names => Err(
                Error::new(ErrorKind::ClusterNotFound, "no cluster is chosen").hint(format!(
                    "Connect-Cluster chooses one of {}",
                    names.join(", ")
                )),
            ),
        }
    }

    fn choose(&self, chosen: Chosen) {
        *lock(&self.0.chosen) = Some(chosen);
    }

    fn runtime(&self) -> Result<&tokio::runtime::Handle> {
        let runtime = self.0.runtime.as_ref().map(Runtime::handle);
        runtime.ok_or_else(|| Error::new(ErrorKind::OperationCancelled, "the client was closed"))
    }

    /// Waits for `work`, unless the client is cancelled.
    fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut cancelled = self.0.cancelled.subscribe();
        self.runtime()?.block_on(async {
            tokio::select! {
                outcome = work => outcome,
                _ = cancelled.changed() => {
                    Err(Error::new(ErrorKind::OperationCancelled, "cancelled by its caller"))
                }
            }
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Sessions for Client {
    fn transaction(&self, computer: &str) -> Result<(Session, TransactionId)> {
        let session = || Self::session(self, computer);
        self.0.transaction.join(computer, session)
    }

    fn session(&self, computer: &str) -> Result<Session> {
        Self::session(self, computer)
    }

    fn nature(&self, path: &QueuePath) -> Option<bool> {
        lock(&self.0.natures).get(&self.nature_key(path)).copied()
    }
}

impl Managers for Client {
    fn manager(&self, computer: &str) -> Result<Box<dyn Asks + '_>> {
        Ok(Box::new(Self::session(self, computer)?))
    }

    fn remember(&self, path: &QueuePath, transactional: Option<bool>) {
        let key = self.nature_key(path);
        let mut natures = lock(&self.0.natures);
        if natures.len() >= NATURES_MAX {
            natures.clear();
        }
        match transactional {
            Some(transactional) => natures.insert(key, transactional),
            None => natures.remove(&key),
        };
    }
}

impl Client {
    fn nature_key(&self, path: &QueuePath) -> String {
        let cluster = self.cluster().unwrap_or_default();
        let computer = path.computer().to_lowercase();
        format!("{cluster}\n{computer}\n{}", path.queue().key())
    }
}

impl Chosen {
    fn name(&self) -> String {
        match self {
            Self::Known(name) => name.clone(),
            Self::Elsewhere(agents) => agents.cluster.clone(),
        }
    }

    fn agents(&self, registry: &Registry) -> Result<Agents> {
        match self {
            Self::Known(name) => Ok(registry.find(name)?.agents()),
            Self::Elsewhere(agents) => Ok(agents.clone()),
        }
    }
}

/// The nodes of `HOST[:PORT],…`.
async fn addresses(target: &str) -> Result<Vec<AgentAddress>> {
    let mut nodes = Vec::new();
    for part in target.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let full = match part.rsplit_once(':') {
            Some(_) => part.to_owned(),
            None => format!("{part}:{AGENT_PORT}"),
        };
        nodes.push(AgentAddress {
            node: part.to_owned(),
            address: lookup(&full).await?,
        });
    }
    Ok(nodes)
}

async fn lookup(host_and_port: &str) -> Result<SocketAddr> {
    let unknown = || {
        Error::new(
            ErrorKind::ResolveAddress,
            format!("{host_and_port} is no address"),
        )
        .hint("write HOST:PORT, as in 127.0.9.1:7801")
    };
    let found = tokio::net::lookup_host(host_and_port).await;
    found.map_err(|_| unknown())?.next().ok_or_else(unknown)
}

fn unknown_command(name: &str) -> Error {
    let known = super::COMMANDS
        .iter()
        .flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()));
    let hint = match crate::name::nearest(name, known) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "Get-Command lists all commands".to_owned(),
    };
    Error::new(ErrorKind::Usage, format!("there is no command {name}")).hint(hint)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
