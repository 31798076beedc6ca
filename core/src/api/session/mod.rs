//! A session with one queue manager, through all its failovers.
//!
//! ```text
//!  caller ─ submit ─> window ─ unsent ─> line ─ … lost … ─ line
//!  caller <─ slot  <─ window <─ replies ─ line, read by one of the callers who wait
//!                       keeper: connects, watches for silence, does what nobody waits for
//! ```
//!
//! `window` is pure: it knows what is under way and decides what becomes of each request when a reply
//! comes, a connection is lost or the caller gives up. `link` is what callers and keeper share, `line` one connection.
//! A request keeps its number when it is sent again, so that it is executed once (DESIGN.md D7).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::api::trust::Trust;
use crate::error::Result;
use crate::sys::network::Endpoint;

mod body;
mod connect;
mod handle;
mod keeper;
mod line;
mod link;
mod slot;
mod watch;
mod window;

pub use body::{BodyReader, WrittenPart, give_up};
pub(crate) use connect::connect;
pub(crate) use handle::{Fixed, Rehearsal};
pub use handle::{Held, HeldTicket, Session, Ticket};

/// The future of [`Locate::locate`].
pub(crate) type Located = Pin<Box<dyn Future<Output = Result<Endpoint>> + Send>>;

/// Finds out where a computer is now.
pub(crate) trait Locate: Send + Sync + 'static {
    /// Its queue manager's address.
    fn locate(&self) -> Located;
}

/// How to start a session.
pub(crate) struct SessionOptions {
    /// The computer's name; empty: whoever listens there.
    pub(crate) wants: String,
    /// Where it was found, if it was.
    pub(crate) address: Option<Endpoint>,
    /// Who knows where it is now.
    pub(crate) locate: Arc<dyn Locate>,
    /// What queue managers beyond this machine are convinced by.
    pub(crate) trust: Trust,
    /// How long requests are tried again.
    pub(crate) failover_timeout: Duration,
}
