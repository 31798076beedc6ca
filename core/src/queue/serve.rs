//! What a server or a thread drives: the queue manager without threads of its own at its front.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::request::{Answer, Caller, Reply, Request, RequestId};
use crate::error::Result;

/// Outcomes that may be told now.
pub type Replies = Vec<(Answer, Result<Reply>)>;

/// One queue manager, driven by one thread.
pub trait Serve {
    /// Takes a request. Its outcome comes out of a later `step`.
    fn submit(&mut self, from: &Caller, id: RequestId, request: Request, answer: Answer);

    /// Aborts the open transactions of a client and cancels its waits.
    fn end_session(&mut self, client: Uuid);

    /// Goes on as far as it can: what was submitted becomes one batch; a small one is written and synced here and
    /// now, a large one by a thread that calls the waker. Puts what is durable now into `out`.
    fn step(&mut self, out: &mut Replies);

    /// When `step` must be called although nothing was submitted (boot clock): a wait, a lease or a message runs out.
    fn wake_at(&self) -> Option<Duration>;

    /// So many clients are connected, so many of them over IP: for counters.
    fn set_sessions(&mut self, _sessions: u64, _over_ip: u64) {}

    /// Whether requests that were submitted wait for the disk: another large round should not begin yet.
    fn is_busy(&self) -> bool;

    /// What background threads call when `step` has something to do. Callable from any thread, at any time.
    fn set_waker(&mut self, wake: Arc<dyn Fn() + Send + Sync>);
}
