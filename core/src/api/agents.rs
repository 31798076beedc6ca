//! Commands to the node agents of a cluster: to any node that lives.
//!
//! A node that does not answer the door is passed over. A node that is lost while it runs a command is
//! only replaced when the command reads: anything else may have happened already.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::session::{Locate, Located, connect};
use super::trust::Trust;
use super::value::{Value, from_value};
use super::wire::frame::append;
use super::wire::payload::{append_command, read_command_reply};
use super::wire::{Hello, Incoming, Kind, Role, VERSION};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::Endpoint;
use crate::sys::trust::Channel;

/// How often a running command's node is asked whether it lives.
const PING_EVERY: Duration = Duration::from_millis(250);
/// How long it may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Where a node's agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAddress {
    /// The node's name, or its address where only that is known.
    pub node: String,
    /// Its agent's address.
    pub address: SocketAddr,
}

/// Whether a command may be given to another node when the first is lost while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It only reads.
    Allowed,
    /// It changes something.
    Forbidden,
}

/// The agents of one cluster.
#[derive(Clone, Debug)]
pub struct Agents {
    /// The cluster's name; empty when it is not known yet.
    pub cluster: String,
    /// Its nodes.
    pub nodes: Vec<AgentAddress>,
    /// What they are convinced by beyond loopback.
    pub trust: Trust,
}

enum Failed {
    /// Nothing was sent.
    Before(Error),
    /// It was sent, and what became of it is not known.
    While(Error),
}

impl Agents {
    /// Runs a command on the first node that answers.
    ///
    /// # Errors
    /// Those of the command; `ClusterNotFound` when no node answers; `ServiceNotAvailable` when the node was
    /// lost while it ran the command.
    pub async fn run(&self, name: &str, arguments: &Value, repeat: Repeat) -> Result<Value> {
        let mut failures = Vec::new();
        for agent in &self.nodes {
            match self.run_on(agent, name, arguments).await {
                Ok(outcome) => return outcome,
                Err(Failed::While(error)) if repeat == Repeat::Forbidden => {
                    return Err(unknown_outcome(&agent.node, name, &error));
                }
                Err(Failed::Before(error) | Failed::While(error)) => failures.push(error),
            }
        }
        Err(self.nobody_answers(&failures))
    }

    /// Runs a command on this node and no other.
    ///
    /// # Errors
    /// As [`Agents::run`].
    pub async fn run_at(
        &self,
        agent: &AgentAddress,
        name: &str,
        arguments: &Value,
    ) -> Result<Value> {
        match self.run_on(agent, name, arguments).await {
            Ok(outcome) => outcome,
            Err(Failed::Before(error) | Failed::While(error)) => Err(error),
        }
    }

    /// The name of the cluster that the first node which answers belongs to.
    ///
    /// # Errors
    /// `ClusterNotFound` when none answers.
    pub async fn greet(&self) -> Result<String> {
        let mut failures = Vec::new();
        for agent in &self.nodes {
            match self.greet_at(agent).await {
                Ok(name) => return Ok(name),
                Err(error) => failures.push(error),
            }
        }
        Err(self.nobody_answers(&failures))
    }

    /// Whether this node's agent answers; the name of its cluster.
    ///
    /// # Errors
    /// Why not.
    pub async fn greet_at(&self, agent: &AgentAddress) -> Result<String> {
        let (_, _, welcome) = connect(agent.address, &self.trust, &self.hello()).await?;
        Ok(welcome.name)
    }

    async fn run_on(
        &self,
        agent: &AgentAddress,
        name: &str,
        arguments: &Value,
    ) -> Result<Result<Value>, Failed> {
        let mut out = Vec::new();
        append_command(&mut out, 1, name, arguments).map_err(Failed::Before)?;
        let (mut stream, incoming, _) = connect(agent.address, &self.trust, &self.hello())
            .await
            .map_err(Failed::Before)?;
        let sent = match stream.write_all(&out).await {
            Ok(()) => stream.flush().await,
            failed => failed,
        };
        sent.map_err(|e| Failed::While(Error::system("send a command", &e)))?;
        outcome(stream, incoming).await.map_err(Failed::While)
    }

    fn hello(&self) -> Hello {
        Hello {
            version: VERSION,
            client: Uuid::new_v4(),
            role: Role::Commands,
            wants: self.cluster.clone(),
        }
    }

    fn nobody_answers(&self, failures: &[Error]) -> Error {
        // One that answers and refuses is no cluster that is down.
        if let Some(refused) = failures.iter().find(|e| e.kind == ErrorKind::AccessDenied) {
            return refused.clone();
        }
        let why: Vec<_> = failures
            .iter()
            .map(|error| error.message.as_str())
            .collect();
        let text = match self.cluster.as_str() {
            "" => format!("no node answers: {}", why.join("; ")),
            name => format!("no node of the cluster {name} answers: {}", why.join("; ")),
        };
        Error::new(ErrorKind::ClusterNotFound, text).hint(format!(
            "Get-Cluster shows whether it is up; Start-Cluster {} starts its nodes",
            self.cluster
        ))
    }
}

/// Waits for the outcome of the one command of this connection.
async fn outcome(mut stream: Channel, mut incoming: Incoming) -> Result<Result<Value>> {
    let mut ping = Vec::new();
    append(&mut ping, Kind::Ping, 0, |_| Ok(()))?;
    let mut heard = Instant::now();
    loop {
        while let Some(frame) = incoming.next_frame()? {
            if frame.kind == Kind::CommandReply {
                return read_command_reply(frame.payload);
            }
        }
        match tokio::time::timeout(PING_EVERY, incoming.fill(&mut stream)).await {
            Ok(Ok(true)) => heard = Instant::now(),
            Ok(Ok(false)) => return Err(silent("it closed the connection")),
            Ok(Err(e)) => return Err(Error::system("wait for a command", &e)),
            Err(_) if heard.elapsed() > SILENCE_MAX => return Err(silent("it does not answer")),
            Err(_) => {
                let sent = match stream.write_all(&ping).await {
                    Ok(()) => stream.flush().await,
                    failed => failed,
                };
                sent.map_err(|e| Error::system("wait for a command", &e))?;
            }
        }
    }
}

fn silent(why: &str) -> Error {
    Error::new(ErrorKind::ServiceNotAvailable, why)
}

fn unknown_outcome(node: &str, command: &str, error: &Error) -> Error {
    Error::new(
        ErrorKind::ServiceNotAvailable,
        format!("node {node} was lost while it ran {command}: {error}"),
    )
    .hint("it may have been done or not: look before you give the command again")
}

/// Finds a computer by asking all nodes at once: the first that knows.
pub(crate) struct Locator {
    /// The agents.
    pub(crate) agents: Arc<dyn Fn() -> Agents + Send + Sync>,
    /// The computer.
    pub(crate) computer: String,
}

impl Locate for Locator {
    fn locate(&self) -> Located {
        let (agents, computer) = ((self.agents)(), self.computer.clone());
        Box::pin(async move { resolve(&agents, &computer).await.map(Endpoint::Tcp) })
    }
}

/// Where the queue manager of `computer` listens.
///
/// # Errors
/// `ResolveAddress` when no node knows the name; `ResourceNotAvailable` when it is not online.
pub(crate) async fn resolve(agents: &Agents, computer: &str) -> Result<SocketAddr> {
    let arguments = Value::Map(vec![("Name".into(), computer.into())]);
    let mut questions = tokio::task::JoinSet::new();
    for agent in agents.nodes.clone() {
        let (agents, arguments) = (agents.clone(), arguments.clone());
        questions.spawn(async move {
            agents
                .run_at(&agent, "Resolve-MsmqComputer", &arguments)
                .await
        });
    }
    let mut refusal = None;
    let mut failures = Vec::new();
    while let Some(answer) = questions.join_next().await {
        match answer {
            Ok(Ok(value)) => match read_address(&value) {
                Ok(address) => return Ok(address),
                Err(error) => failures.push(error),
            },
            Ok(Err(error)) if error.kind == ErrorKind::ServiceNotAvailable => failures.push(error),
            Ok(Err(error)) => refusal = Some(error),
            Err(_) => {}
        }
    }
    Err(refusal.unwrap_or_else(|| agents.nobody_answers(&failures)))
}

fn read_address(value: &Value) -> Result<SocketAddr> {
    #[derive(serde::Deserialize)]
    struct Place {
        #[serde(rename = "Address")]
        address: String,
    }
    let place: Place = from_value(value)?;
    place.address.parse().map_err(|_| {
        let text = format!("{:?} is no address of a queue manager", place.address);
        Error::new(ErrorKind::ResolveAddress, text)
    })
}
