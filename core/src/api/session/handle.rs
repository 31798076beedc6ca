//! What callers hold: a session and the tickets of its requests. Blocking, from any thread.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};

use super::keeper::keep;
use super::link::Link;
use super::slot::Slot;
use super::{Locate, Located, SessionOptions};
use crate::api::trust::Trust;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::{BodyId, Foreseen, Reply, Request, TransactionId};
use crate::sys::network::Endpoint;

/// A session with one queue manager: an identity, a sequence of requests, one connection at a time.
#[derive(Clone)]
pub struct Session {
    owner: Arc<Owner>,
    /// What is asked through this handle is only rehearsed.
    rehearsal: Option<Rehearsal>,
}

/// Collects what requests would come to; nothing as long as none would change anything.
pub(crate) type Rehearsal = Arc<Mutex<Option<Vec<Foreseen>>>>;

/// Ends the link's keeper with the last clone of the session.
struct Owner {
    link: Arc<Link>,
    /// The last number of a transaction or a body that was handed out.
    numbers: AtomicU64,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.link.close();
    }
}

/// A queue manager that stays where it is.
pub(crate) struct Fixed(pub(crate) Endpoint);

impl Locate for Fixed {
    fn locate(&self) -> Located {
        let address = self.0.clone();
        Box::pin(async move { Ok(address) })
    }
}

impl Session {
    /// A session with the queue manager at `address`: `HOST:PORT`, or `unix:PATH`. It connects with the first request,
    /// and tries each one again for `failover_timeout` when the queue manager is not there. No cluster is needed.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use hamq_core::api::client::Session;
    /// use hamq_core::queue::request::Request;
    ///
    /// let session = Session::open("127.0.0.1:7801", Duration::from_secs(30))?;
    /// session.call(Request::GetMachine)?;
    /// # Ok::<(), hamq_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `ResolveAddress`; `System` when no thread can be started.
    pub fn open(address: &str, failover_timeout: Duration) -> Result<Self> {
        let endpoint = match Endpoint::unix_path(address) {
            Some(path) => Endpoint::Unix(path),
            None => Endpoint::Tcp(resolve(address)?),
        };
        let options = SessionOptions {
            wants: String::new(),
            address: Some(endpoint.clone()),
            locate: Arc::new(Fixed(endpoint)),
            trust: Trust::default(),
            failover_timeout,
        };
        Ok(Self::start(&keepers()?, options))
    }

    /// Starts a session's keeper on `runtime`. It connects with the first request.
    pub(crate) fn start(runtime: &Handle, options: SessionOptions) -> Self {
        let link = Arc::new(Link::new(options));
        runtime.spawn(keep(Arc::clone(&link)));
        Self {
            owner: Arc::new(Owner {
                link,
                numbers: AtomicU64::new(0),
            }),
            rehearsal: None,
        }
    }

    /// The same session; its requests that would change something are decided and not done. The first one's outcome goes
    /// into `rehearsal` and ends the call with an error, because nothing that follows from it is there.
    pub(crate) fn rehearsing(&self, rehearsal: &Rehearsal) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            rehearsal: Some(Arc::clone(rehearsal)),
        }
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// Those of the request; `RemoteMachineNotAvailable` when the virtual server does not come back in time.
    pub fn call(&self, request: Request) -> Result<Reply> {
        self.submit(request).wait()
    }

    /// Asks without waiting; requests are executed in the order of their submission.
    /// Blocks while too many are under way. A ticket that is dropped is a request whose outcome nobody
    /// hears of: a receive whose ticket is dropped may take a message.
    #[must_use]
    pub fn submit(&self, request: Request) -> Ticket {
        self.submit_into(request, Slot::default())
    }

    /// As [`Session::submit`], and the queue manager keeps the outcome with all that belongs to it until
    /// the [`Held`] is dropped: a large body can be read meanwhile.
    #[must_use]
    pub fn submit_held(&self, request: Request) -> HeldTicket {
        HeldTicket(self.submit_into(request, Slot::holding()))
    }

    /// Begins a transaction and does not wait for it: what is asked in it next travels together with its beginning.
    #[must_use]
    pub fn begin(&self) -> TransactionId {
        let transaction = TransactionId(self.number());
        drop(self.submit(Request::Begin { transaction }));
        transaction
    }

    /// Commits, and asks again for as long as `patience` while nobody answers, until it is known what became of it.
    ///
    /// # Errors
    /// `TransactionAborted`: nothing of it has happened. Anything else: it is not known, and this may be called again.
    pub fn commit(&self, transaction: TransactionId, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        loop {
            match self.call(Request::Commit { transaction }) {
                Err(error)
                    if error.kind == ErrorKind::RemoteMachineNotAvailable
                        && Instant::now() < end => {}
                outcome => return outcome.map(drop),
            }
        }
    }

    /// A number for a body that will be written.
    #[must_use]
    pub fn new_body(&self) -> BodyId {
        BodyId(self.number())
    }

    /// Ends every call that is waiting, with `OperationCancelled`.
    pub fn cancel(&self) {
        self.owner.link.cancel();
    }

    fn submit_into(&self, request: Request, slot: Slot) -> Ticket {
        let slot = Arc::new(slot);
        let request = match &self.rehearsal {
            Some(_) if request.changes() => Request::what_if(&request),
            _ => request,
        };
        self.owner.link.submit(request, &slot);
        Ticket {
            slot,
            link: Arc::clone(&self.owner.link),
            rehearsal: self.rehearsal.clone(),
        }
    }

    fn number(&self) -> u64 {
        self.owner.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// A request under way.
pub struct Ticket {
    slot: Arc<Slot>,
    link: Arc<Link>,
    rehearsal: Option<Rehearsal>,
}

impl Ticket {
    /// Waits for the reply.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn wait(self) -> Result<Reply> {
        self.reply()
    }

    fn reply(&self) -> Result<Reply> {
        match (self.link.wait(&self.slot)?, &self.rehearsal) {
            (Reply::Foreseen(foreseen), Some(rehearsal)) => {
                let mut all = rehearsal.lock().unwrap_or_else(PoisonError::into_inner);
                all.get_or_insert_default().extend(foreseen);
                let text = "it was only rehearsed";
                Err(Error::new(ErrorKind::OperationCancelled, text))
            }
            (reply, _) => Ok(reply),
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket")
    }
}

/// A request under way whose outcome will be held.
#[derive(Debug)]
pub struct HeldTicket(Ticket);

impl HeldTicket {
    /// Waits for the reply.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn wait(self) -> Result<(Reply, Held)> {
        let reply = self.0.reply()?;
        // From here on the number is the holder's, not the ticket's.
        let number = self.0.slot.give_up().unwrap_or_default();
        let link = Arc::clone(&self.0.link);
        Ok((reply, Held { number, link }))
    }
}

impl Drop for HeldTicket {
    fn drop(&mut self) {
        // Nobody heard the outcome, so nobody holds it.
        if let Some(number) = self.0.slot.give_up() {
            self.0.link.release(number);
        }
    }
}

/// An outcome that the queue manager keeps until this is dropped.
pub struct Held {
    number: u64,
    link: Arc<Link>,
}

impl Held {
    /// The number of the request, by which [`crate::queue::request::BodySource::Received`] knows it.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.number
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.link.release(self.number);
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({})", self.number)
    }
}

/// The error of a session that was closed.
pub(super) fn closed() -> Error {
    Error::new(ErrorKind::OperationCancelled, "the session was closed")
}

/// The runtime of the keepers of all sessions that were opened by address: one thread that mostly sleeps.
fn keepers() -> Result<Handle> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, Error>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hamq-session")
            .enable_all()
            .build()
            .map_err(|e| Error::system("start the thread of the sessions", &e))
    });
    runtime
        .as_ref()
        .map(|runtime| runtime.handle().clone())
        .map_err(Clone::clone)
}

fn resolve(address: &str) -> Result<SocketAddr> {
    crate::sys::network::resolve(address).ok_or_else(|| {
        Error::new(
            ErrorKind::ResolveAddress,
            format!("{address} is no address"),
        )
        .hint("write HOST:PORT, as in 127.0.9.1:7801, or unix:PATH")
    })
}
