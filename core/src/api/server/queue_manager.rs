//! The server of a queue manager: sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::connection::{SILENCE_MAX, accept, greet, welcome};
use super::outbox::{Outbox, Outcome, size};
use super::seats::{Seat, Seats};
use crate::api::wire::payload::read_request;
use crate::api::wire::{Frame, Incoming, Kind, Role};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::manager::Manager;
use crate::queue::request::{Request, RequestId, Respond};

/// How long one write to a client may take before it counts as gone.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes a reply with a message is expected to have until one was seen.
const MESSAGE_BYTES_FIRST_GUESS: usize = 64 * 1024;

/// Who executes requests: the queue manager.
pub trait RequestHost: Send + Sync + 'static {
    /// Takes a request; `respond` is called once with its outcome.
    fn submit(&self, id: RequestId, request: Request, respond: Respond);
    /// Aborts the open transactions of a client and cancels its waits.
    fn end_session(&self, client: Uuid);
}

impl RequestHost for Manager {
    fn submit(&self, id: RequestId, request: Request, respond: Respond) {
        Self::submit(self, id, request, respond);
    }

    fn end_session(&self, client: Uuid) {
        Self::end_session(self, client);
    }
}

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct ServedManager {
    /// The computer name it answers to.
    pub name: String,
    /// The epoch of its store.
    pub epoch: u64,
}

/// Serves sessions until it is dropped; every connection ends with it.
pub async fn serve_queue_manager(
    listener: TcpListener,
    host: Arc<dyn RequestHost>,
    served: ServedManager,
) {
    let served = Arc::new(served);
    let seats = Arc::new(Seats::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = accept(&listener) => {
                connections.spawn(serve(stream, Arc::clone(&host), Arc::clone(&served), Arc::clone(&seats)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    host: Arc<dyn RequestHost>,
    served: Arc<ServedManager>,
    seats: Arc<Seats>,
) {
    let mut incoming = Incoming::default();
    let Ok(hello) = greet(&mut stream, &mut incoming, Role::Session, &served.name).await else {
        return;
    };
    let seat = seats.sit(hello.client, || host.end_session(hello.client));
    // However this task ends (also by being dropped), the client's session ends with it.
    let _leave = Leave {
        seats,
        seat: Arc::clone(&seat),
        client: hello.client,
        host: Arc::clone(&host),
    };
    if welcome(&mut stream, &served.name, served.epoch)
        .await
        .is_err()
    {
        return;
    }
    let (read, write) = stream.into_split();
    let connection = Connection {
        client: hello.client,
        host,
        seat,
        outbox: Arc::new(Outbox::default()),
        message_bytes: Arc::new(AtomicUsize::new(MESSAGE_BYTES_FIRST_GUESS)),
    };
    let outbox = Arc::clone(&connection.outbox);
    tokio::select! {
        _ = connection.read(read, incoming) => {}
        _ = write_outcomes(&outbox, write) => {}
        () = connection.seat.lost() => {}
    }
    outbox.close();
}

struct Leave {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
    client: Uuid,
    host: Arc<dyn RequestHost>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let end = || self.host.end_session(self.client);
        self.seats.leave(self.client, &self.seat, end);
    }
}

struct Connection {
    client: Uuid,
    host: Arc<dyn RequestHost>,
    seat: Arc<Seat>,
    outbox: Arc<Outbox>,
    /// What the last message of this connection took: the estimate for the next ones.
    message_bytes: Arc<AtomicUsize>,
}

impl Connection {
    async fn read(&self, mut stream: OwnedReadHalf, mut incoming: Incoming) -> Result<()> {
        loop {
            while let Some(frame) = incoming.next_frame()? {
                self.take(frame)?;
                self.outbox.room().await;
            }
            let more = tokio::time::timeout(SILENCE_MAX, incoming.fill(&mut stream)).await;
            match more {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => return Ok(()),
                Ok(Err(e)) => return Err(Error::system("read from a client", &e)),
            }
        }
    }

    fn take(&self, frame: Frame<'_>) -> Result<()> {
        match frame.kind {
            Kind::Ping => {
                self.outbox.admit(0);
                self.outbox.put(frame.correlation, Outcome::Pong, 0);
                Ok(())
            }
            Kind::Request => self.submit(frame.correlation, frame.payload),
            other => Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("a client may not send {other:?}"),
            )),
        }
    }

    fn submit(&self, sequence: u64, payload: &[u8]) -> Result<()> {
        let (acknowledged, request) = read_request(payload)?;
        let expected = match &request {
            Request::Receive { .. } => self.message_bytes.load(Ordering::Relaxed),
            _ => 256,
        };
        let cost = payload.len() + expected;
        let id = RequestId {
            client: self.client,
            sequence,
            acknowledged,
        };
        let respond = self.responder(sequence, cost);
        self.outbox.admit(cost);
        self.seat
            .speak(|| self.host.submit(id, request, respond))
            .then_some(())
            .ok_or_else(|| Error::new(ErrorKind::OperationCancelled, "the connection was replaced"))
    }

    fn responder(&self, sequence: u64, cost: usize) -> Respond {
        let outbox = Arc::clone(&self.outbox);
        let message_bytes = Arc::clone(&self.message_bytes);
        Box::new(move |result| {
            let outcome = Outcome::Reply(result);
            let bytes = size(&outcome);
            if bytes > 256 {
                message_bytes.store(bytes, Ordering::Relaxed);
            }
            outbox.put(sequence, outcome, cost);
        })
    }
}

/// Writes outcomes as they come, all that are there at once.
pub(super) async fn write_outcomes(outbox: &Outbox, mut stream: OwnedWriteHalf) -> Result<()> {
    let mut out = Vec::new();
    loop {
        out.clear();
        let taken = outbox.take(&mut out).await?;
        let written = tokio::time::timeout(WRITE_TIMEOUT, stream.write_all(&out)).await;
        match written {
            Ok(Ok(())) => outbox.written(taken),
            Ok(Err(e)) => return Err(Error::system("write to a client", &e)),
            Err(_) => return Err(Error::new(ErrorKind::Timeout, "a client does not read")),
        }
        // One huge batch must not be held for the connection's life.
        out.shrink_to(1024 * 1024);
    }
}
