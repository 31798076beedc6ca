//! How a handle hears of changes: one stream of events, resumed wherever it breaks.
//!
//! ```text
//!           ┌── everything: leases read, watchers told ──┐
//!  start ───┤                                            ├──> stream from the next revision on ──> events
//!           └── the next revision is known ──────────────┘          │
//!                    ▲  broken, silent, behind: another member      │
//!                    └───────── compacted: everything ◄─────────────┘
//! ```
//!
//! An event is a hint: it says that there is something to read, and how long a lease has been silent. Nothing
//! is decided by it, so that one that comes twice or late (etcd before 3.4.24 and 3.4.36) does no harm, and
//! for one that never comes everything is read again now and then.
//!
//! A stream is given up when a member does not answer a request for a sign of life, when it loses its leader
//! (it says so: `hasleader`), and when it does not show in time what this handle has written itself: renewals
//! are such writes, so that a member that is cut off from the others is left within a second.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::endpoints::Endpoints;
use super::grpc::{Failure, Requests};
use super::keys::{Kind, Renewal};
use super::message::{self, WatchReply, method};
use super::session::Session;

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// How often a sign of life is asked for.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// Longest silence of a member that was asked.
const SILENCE_MAX: Duration = Duration::from_millis(1500);
/// Within what time our own writes must show.
const BEHIND_MAX: Duration = Duration::from_secs(1);
/// A stream that lived so long was healthy.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// How often everything is read again though nothing was missed.
const REREAD_INTERVAL: Duration = Duration::from_secs(30);

struct Watcher {
    session: Arc<Session>,
    endpoints: Endpoints,
    began: Instant,
    /// The last revision whose events have come; `None`: everything must be read.
    resume: Option<u64>,
}

/// Runs until it is aborted.
pub(super) async fn run(session: Arc<Session>) {
    let count = session.client.location.members.len();
    let first = usize::try_from(uuid::Uuid::new_v4().as_u128() % 64).unwrap_or(0);
    let mut watcher = Watcher {
        session,
        endpoints: Endpoints::new(count, first),
        began: Instant::now(),
        resume: None,
    };
    loop {
        let (index, wait) = watcher.endpoints.choose(watcher.began.elapsed());
        tokio::time::sleep(wait).await;
        let since = Instant::now();
        let Err(failure) = watcher.follow(index).await;
        tracing::debug!(member = index, %failure, "the watch of etcd is resumed");
        watcher.session.client.refused(&failure);
        if since.elapsed() > HEALTHY_AFTER {
            watcher.endpoints.answered(index);
        }
        let now = watcher.began.elapsed();
        watcher.endpoints.failed(index, now);
    }
}

enum Never {}

impl Watcher {
    /// Follows the changes at one member until that fails.
    async fn follow(&mut self, index: usize) -> Result<Never, Failure> {
        let resume = match self.resume {
            Some(revision) => revision,
            None => self.read_everything().await?,
        };
        let opening = async {
            let dedicated = self.session.client.dedicated(index, CONNECT_MAX);
            let (connection, token) = dedicated.await?;
            let streams = connection.stream(method::WATCH, token.as_deref()).await?;
            Ok((connection, streams))
        };
        let opened = timeout(CONNECT_MAX, opening).await;
        let (_connection, (mut requests, mut replies)) =
            opened.unwrap_or_else(|_| Err(silent()))?;
        let (from, to) = self.session.keys.all();
        requests.send(&message::watch_create(&from, &to, resume + 1))?;
        let mut probes = interval(PROBE_INTERVAL);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut life = Life::new();
        loop {
            tokio::select! {
                reply = replies.next() => {
                    life.heard();
                    self.take(reply?)?;
                }
                _ = probes.tick() => {
                    self.probe(&mut life, &mut requests)?;
                    if life.wants_reread() {
                        self.read_everything().await?;
                    }
                }
            }
        }
    }

    /// Everything may have changed: leases are learnt, and watchers read again.
    async fn read_everything(&mut self) -> Result<u64, Failure> {
        let read = self.session.refresh().await;
        let revision = read.map_err(|error| Failure::Broken(error.message))?;
        // While a stream is open its own events say how far it is.
        Ok(*self.resume.get_or_insert(revision))
    }

    fn take(&mut self, reply: Option<Bytes>) -> Result<(), Failure> {
        let broken = |why: &str| Failure::Broken(why.to_owned());
        let reply = reply.ok_or_else(|| broken("the member has ended the watch"))?;
        let reply = WatchReply::decode(reply).map_err(|e| broken(&e.to_string()))?;
        if reply.compacted > 0 {
            self.resume = None;
            return Err(broken("the revision to resume from is compacted"));
        }
        if reply.canceled {
            return Err(broken(&reply.reason));
        }
        self.events(reply);
        Ok(())
    }

    fn events(&mut self, reply: WatchReply) {
        let now = self.session.clock.boot();
        let mut news = false;
        let mut last = 0;
        for event in reply.events {
            let revision = event.row.revision;
            last = last.max(revision);
            match self.session.keys.kind(&event.row.key) {
                Kind::Entry => news = true,
                Kind::Other => {}
                Kind::Lease(lease) if event.deleted => self.session.leases().gone(lease, revision),
                Kind::Lease(lease) => {
                    if let Some(renewal) = Renewal::parse(&event.row.value) {
                        self.session.leases().observe(lease, renewal, revision, now);
                    }
                }
            }
        }
        if last > 0 {
            self.resume = Some(self.resume.unwrap_or(0).max(last));
            self.session.saw(last, news);
        }
    }

    fn probe(&self, life: &mut Life, requests: &mut Requests) -> Result<(), Failure> {
        if life.heard.elapsed() > SILENCE_MAX {
            return Err(silent());
        }
        let (written, seen) = (self.session.written(), self.resume.unwrap_or(0));
        if life.is_behind(written, seen) {
            let text = format!("the watch is at revision {seen}, but {written} was written");
            return Err(Failure::Broken(text));
        }
        requests.send(&message::watch_progress())
    }
}

fn silent() -> Failure {
    Failure::Broken("the member is silent".to_owned())
}

/// What tells a healthy stream from one that only looks so.
struct Life {
    heard: Instant,
    /// Since when a revision of our own is missing, and which.
    missing: Option<(Instant, u64)>,
    read: Instant,
}

impl Life {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            missing: None,
            read: now,
        }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    fn is_behind(&mut self, written: u64, seen: u64) -> bool {
        if self.missing.is_some_and(|(_, missing)| seen >= missing) {
            self.missing = None;
        }
        if written > seen && self.missing.is_none() {
            self.missing = Some((Instant::now(), written));
        }
        self.missing
            .is_some_and(|(since, _)| since.elapsed() > BEHIND_MAX)
    }

    fn wants_reread(&mut self) -> bool {
        let wants = self.read.elapsed() > REREAD_INTERVAL;
        if wants {
            self.read = Instant::now();
        }
        wants
    }
}
