//! Calls that find a member to answer them: rotation, deadlines, the user's token.
//!
//! A call is tried on one member after the other until one answers, or its time is over. It is the caller's
//! business that a call which was executed without an answer may be executed again: `session` says why each
//! of ours may.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::super::location::{EtcdLocation, member_text};
use super::endpoints::Endpoints;
use super::grpc::{Connection, Dialer, Failure, code};
use super::message::{self, method};
use super::protobuf::Malformed;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;

/// How long one member may take at first; doubled when all have failed. A request that waits for a leader that is gone
/// is lost: what is short here is what a failover loses after the election.
const ATTEMPT_MIN: Duration = Duration::from_millis(250);
const ATTEMPT_MAX: Duration = Duration::from_secs(2);
/// Members that answer no later than this after another has failed were not away: nobody was kept from renewing a lease.
const OUTAGE_MIN: Duration = Duration::from_millis(100);
/// How long a call may take in all, if it says nothing else.
pub(super) const CALL_MAX: Duration = Duration::from_secs(10);
/// So many members can be tried within a short call.
const ATTEMPTS_MIN: u32 = 3;

/// What a caller says about a reply.
pub(super) enum Verdict<T> {
    Fit(T),
    /// This member is behind, or not of our etcd; another may be better.
    Unfit(String),
}

impl<T> From<Malformed> for Verdict<T> {
    fn from(malformed: Malformed) -> Self {
        Self::Unfit(malformed.to_string())
    }
}

/// See the module.
pub(super) struct Client {
    pub(super) location: EtcdLocation,
    dialer: Dialer,
    clock: Arc<dyn Clock>,
    began: Instant,
    state: Mutex<State>,
    /// One call authenticates, the others wait for it.
    authenticating: tokio::sync::Mutex<()>,
}

struct State {
    endpoints: Endpoints,
    connections: Vec<Option<Arc<Connection>>>,
    token: Option<Arc<str>>,
    cluster: Option<u64>,
    /// When the first try since the last answer failed.
    troubled: Option<Duration>,
    back: Duration,
}

impl Client {
    pub(super) fn new(location: EtcdLocation, clock: Arc<dyn Clock>) -> Result<Self> {
        let count = location.members.len();
        // Handles begin at different members, so that they do not all hang on one.
        let first = usize::try_from(uuid::Uuid::new_v4().as_u128() % 64).unwrap_or(0);
        Ok(Self {
            dialer: Dialer::new(&location)?,
            state: Mutex::new(State {
                endpoints: Endpoints::new(count, first),
                connections: (0..count).map(|_| None).collect(),
                token: None,
                cluster: None,
                troubled: None,
                back: Duration::ZERO,
            }),
            location,
            clock,
            began: Instant::now(),
            authenticating: tokio::sync::Mutex::default(),
        })
    }

    /// When the database was last seen to come back, by the boot-time clock.
    pub(super) fn back(&self) -> Duration {
        self.state().back
    }

    /// Tries until one member's reply is fit, or until `within` is over. `build` is told how often the call
    /// may have been executed already.
    pub(super) async fn call<T>(
        &self,
        path: &str,
        within: Duration,
        build: impl Fn(u32) -> Bytes,
        judge: impl Fn(Bytes) -> Verdict<T>,
    ) -> Result<T> {
        let end = Instant::now() + within;
        let mut last = String::new();
        for attempt in 0.. {
            let now = self.now();
            let (index, wait) = self.state().endpoints.choose(now);
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || (attempt > 0 && wait >= left) {
                break;
            }
            tokio::time::sleep(wait.min(left)).await;
            let patience = self
                .patience(attempt, within)
                .min(left)
                .max(Duration::from_millis(1));
            let answer = self.attempt(index, path, &build(attempt), patience).await;
            match answer.map(|reply| self.judge(reply, &judge)) {
                Ok(Verdict::Fit(reply)) => {
                    self.answered(index);
                    return Ok(reply);
                }
                Ok(Verdict::Unfit(why)) => last = self.failed(index, &why),
                Err(failure) => {
                    if let Some(error) = self.final_error(&failure) {
                        return Err(error);
                    }
                    last = self.failed(index, &failure.to_string());
                }
            }
        }
        Err(self.nobody_answers(within, &last))
    }

    async fn attempt(
        &self,
        index: usize,
        path: &str,
        message: &Bytes,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let work = async {
            let connection = self.connection(index).await?;
            let token = self.token(&connection, patience).await?;
            connection
                .call(path, message, token.as_deref(), patience)
                .await
        };
        let over = || Failure::Broken(format!("no answer within {} ms", patience.as_millis()));
        let answer = timeout(patience, work)
            .await
            .unwrap_or_else(|_| Err(over()));
        match &answer {
            Ok(_) => {}
            Err(Failure::Broken(_)) => self.state().connections[index] = None,
            Err(failure) if is_token_refused(failure) => self.state().token = None,
            Err(Failure::Status { .. }) => {}
        }
        answer
    }

    /// The warm connection to a member, or a new one.
    async fn connection(&self, index: usize) -> Result<Arc<Connection>, Failure> {
        if let Some(connection) = &self.state().connections[index] {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.dialer.connect(&self.location.members[index]).await?);
        self.state().connections[index] = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// A connection of the caller's own, with the token to use on it.
    pub(super) async fn dedicated(
        &self,
        index: usize,
        patience: Duration,
    ) -> Result<(Connection, Option<Arc<str>>), Failure> {
        let connection = self.dialer.connect(&self.location.members[index]).await?;
        let token = self.token(&connection, patience).await?;
        Ok((connection, token))
    }

    /// A token that a member has refused is not used again.
    pub(super) fn refused(&self, failure: &Failure) {
        if is_token_refused(failure) {
            self.state().token = None;
        }
    }

    async fn token(
        &self,
        connection: &Connection,
        patience: Duration,
    ) -> Result<Option<Arc<str>>, Failure> {
        let Some((user, file)) = &self.location.user else {
            return Ok(None);
        };
        let _one = self.authenticating.lock().await;
        if let Some(token) = &self.state().token {
            return Ok(Some(Arc::clone(token)));
        }
        let unreadable = |e| Failure::Status {
            code: code::PERMISSION_DENIED,
            message: format!("the password cannot be read from {}: {e}", file.display()),
        };
        // Read each time: it may have been changed since.
        let password = crate::sys::file::read_text(file).map_err(unreadable)?;
        let request = message::authenticate(user, password.trim_end_matches(['\r', '\n']));
        let reply = connection
            .call(method::AUTHENTICATE, &request, None, patience)
            .await?;
        let token: Arc<str> = message::token(reply)
            .map_err(|e| Failure::Broken(e.to_string()))?
            .into();
        self.state().token = Some(Arc::clone(&token));
        Ok(Some(token))
    }

    /// Longer from round to round: all members may be slow, rather than one dead.
    fn patience(&self, attempt: u32, within: Duration) -> Duration {
        let round = attempt
            / u32::try_from(self.location.members.len())
                .unwrap_or(1)
                .max(1);
        (ATTEMPT_MIN.min(within / ATTEMPTS_MIN) * 2_u32.saturating_pow(round.min(8)))
            .min(ATTEMPT_MAX)
    }

    /// Every reply must come from the same etcd.
    fn judge<T>(&self, reply: Bytes, judge: &impl Fn(Bytes) -> Verdict<T>) -> Verdict<T> {
        let header = match message::header(&reply) {
            Ok(header) => header,
            Err(malformed) => return malformed.into(),
        };
        if header.cluster != 0 {
            let ours = *self.state().cluster.get_or_insert(header.cluster);
            if ours != header.cluster {
                return Verdict::Unfit("it belongs to another etcd cluster".to_owned());
            }
        }
        judge(reply)
    }

    fn answered(&self, index: usize) {
        let now = self.clock.boot();
        let mut state = self.state();
        state.endpoints.answered(index);
        let troubled = state.troubled.take();
        if troubled.is_some_and(|since| now.saturating_sub(since) >= OUTAGE_MIN) {
            state.back = now;
        }
    }

    fn failed(&self, index: usize, why: &str) -> String {
        let now = self.now();
        let failed = self.clock.boot();
        let mut state = self.state();
        state.endpoints.failed(index, now);
        state.troubled.get_or_insert(failed);
        format!("{}: {why}", member_text(&self.location.members[index]))
    }

    /// What no other member would answer differently.
    fn final_error(&self, failure: &Failure) -> Option<Error> {
        let Failure::Status { code, message } = failure else {
            return None;
        };
        if is_token_refused(failure) {
            return None;
        }
        let text = format!("etcd refused the request: {message}");
        let (kind, hint) = match *code {
            code::INVALID_ARGUMENT if message.contains("user name is empty") => (
                ErrorKind::AccessDenied,
                "etcd asks for a user: add user= and password-file= to the location",
            ),
            code::INVALID_ARGUMENT if message.contains("authentication failed") => (
                ErrorKind::AccessDenied,
                "check the user and the password file of the location",
            ),
            code::INVALID_ARGUMENT if message.contains("too many operations") => (
                ErrorKind::InvalidRequest,
                "start etcd's members with --max-txn-ops=1024",
            ),
            code::INVALID_ARGUMENT => {
                (ErrorKind::InvalidParameter, "write less in one transaction")
            }
            code::PERMISSION_DENIED => (
                ErrorKind::AccessDenied,
                "the etcd user needs a role that may read and write the prefix of the location",
            ),
            code::RESOURCE_EXHAUSTED if message.contains("space") => (
                ErrorKind::InsufficientResources,
                "etcd is full: compact and defragment it, then `etcdctl alarm disarm`",
            ),
            code::OUT_OF_RANGE | code::UNIMPLEMENTED => (
                ErrorKind::InvalidState,
                "look at the version and the log of etcd",
            ),
            _ => return None,
        };
        Some(Error::new(kind, text).hint(hint))
    }

    fn nobody_answers(&self, within: Duration, last: &str) -> Error {
        let members: Vec<_> = self.location.members.iter().map(member_text).collect();
        let text = format!(
            "no etcd member of {} has answered within {} ms; the last said: {last}",
            members.join(", "),
            within.as_millis()
        );
        Error::new(ErrorKind::Timeout, text)
            .hint("a majority of etcd's members must be up and reachable: etcdctl endpoint status")
    }

    /// Time for rests: of the process, not of the leases.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token has expired, or the users have changed since it was given.
fn is_token_refused(failure: &Failure) -> bool {
    matches!(failure, Failure::Status { code, message }
        if *code == code::UNAUTHENTICATED || message.contains("revision of auth store is old"))
}
