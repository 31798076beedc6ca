//! The client: finds the cluster, runs commands, keeps sessions with queue managers through failovers.
//!
//! It is blocking and thread-safe; inside, one small tokio runtime drives all its connections. Shell and
//! Python know nothing of nodes: a virtual server is reached by its name.

use std::path::PathBuf;
use std::time::Duration;

use super::spec::Command;
use super::value::{Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::{Reply, Request};

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
pub struct Client {}

impl Client {
    /// A client that has not chosen a cluster yet.
    ///
    /// # Errors
    /// When its runtime cannot start.
    pub fn new(options: ClientOptions) -> Result<Self> {
        let _ = options;
        Ok(Self {})
    }

    /// Chooses the cluster that later commands are for: a name known in `home`, or `HOST[:PORT],…` of its nodes.
    ///
    /// # Errors
    /// `ClusterNotFound`.
    pub fn connect(&self, target: &str) -> Result<()> {
        let _ = target;
        Err(pending())
    }

    /// The name of the chosen cluster. Without a choice, the only one known in `home` is taken.
    #[must_use]
    pub fn cluster(&self) -> Option<String> {
        None
    }

    /// Runs a command by name with a map of its parameters; one record or many come back as a list.
    ///
    /// # Errors
    /// Those of the command; `Usage` for an unknown one or a parameter that does not fit.
    pub fn invoke(&self, name: &str, arguments: Value) -> Result<Vec<Value>> {
        let _ = (name, arguments);
        Err(pending())
    }

    /// Runs a typed command.
    ///
    /// # Errors
    /// Those of the command.
    pub fn run<C: Command>(&self, command: C) -> Result<C::Output> {
        let values = self.invoke(C::SPEC.name, to_value(&command)?)?;
        if C::SPEC.many {
            return from_value(&Value::Array(values));
        }
        from_value(values.first().unwrap_or(&Value::Null))
    }

    /// Ends every call of this client that is waiting, with `OperationCancelled`; from any thread (Ctrl-C).
    pub fn cancel(&self) {}

    /// A session with the queue manager of `computer` (a virtual server or node name, or `HOST:PORT`).
    /// It reconnects by itself through failovers.
    ///
    /// # Errors
    /// `ResolveAddress`.
    pub fn session(&self, computer: &str) -> Result<Session> {
        let _ = computer;
        Err(pending())
    }

    /// A session with an identity and a connection of its own, as an independent client would have.
    ///
    /// # Errors
    /// `ResolveAddress`.
    pub fn new_session(&self, computer: &str) -> Result<Session> {
        let _ = computer;
        Err(pending())
    }

    /// Ends what this client started and did not detach (the nodes of a local cluster), and waits for it.
    pub fn close(&self) {}
}

/// A session with one queue manager: an identity, a sequence of requests, one connection at a time.
#[derive(Clone)]
pub struct Session {}

impl Session {
    /// Asks and waits.
    ///
    /// # Errors
    /// Those of the request; `RemoteMachineNotAvailable` when the virtual server does not come back in time.
    pub fn call(&self, request: Request) -> Result<Reply> {
        self.submit(request).wait()
    }

    /// Asks without waiting; requests are executed in the order of their submission.
    /// Blocks while too many are under way.
    #[must_use]
    pub fn submit(&self, request: Request) -> Ticket {
        let _ = request;
        Ticket {}
    }
}

/// A request under way.
pub struct Ticket {}

impl Ticket {
    /// Waits for the reply.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn wait(self) -> Result<Reply> {
        Err(pending())
    }
}

fn pending() -> Error {
    Error::new(ErrorKind::Internal, "the api helper writes this")
}
