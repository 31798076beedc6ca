//! Calls that find a member to answer them: rotation, deadlines, the user's token.
//!
//! A call is tried on one member after the other until one answers, or its time is over. It is the caller's
//! business that a call which was executed without an answer may be executed again: `session` says why each
//! of ours may.

use std::pin::pin;
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
/// An answer is late after so many times what is usual, and not before this.
const LATE_FACTOR: u32 = 5;
const LATE_MIN: Duration = Duration::from_millis(40);
/// What is usual is the mean of about so many answers.
const USUAL_OF: u32 = 16;
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
    /// How long answers take.
    usual: Mutex<Usual>,
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
            usual: Mutex::default(),
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

    /// Tries until one member's reply is fit, or until `within` is over. `build` makes each copy of the call.
    pub(super) async fn call<T>(
        &self,
        path: &str,
        within: Duration,
        build: impl Fn() -> Bytes,
        judge: impl Fn(Bytes) -> Verdict<T>,
    ) -> Result<T> {
        let end = Instant::now() + within;
        let mut last = String::new();
        for attempt in 0.. {
            let (index, wait) = self.state().endpoints.choose(self.now());
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || (attempt > 0 && wait >= left) {
                break;
            }
            tokio::time::sleep(wait.min(left)).await;
            let patience = self
                .patience(attempt, within)
                .min(left)
                .max(Duration::from_millis(1));
            for (index, answer) in self.ask(index, path, &build, &judge, patience).await {
                match answer {
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
        }
        Err(self.nobody_answers(within, &last))
    }

    /// Asks a member, and another one beside it when that takes much longer than usual: it may be gone, and the machine it
    /// ran on is the one whose work waits to be taken over. What one says that fits is the only answer.
    async fn ask<T>(
        &self,
        index: usize,
        path: &str,
        build: &impl Fn() -> Bytes,
        judge: &impl Fn(Bytes) -> Verdict<T>,
        patience: Duration,
    ) -> Vec<Answer<T>> {
        let asked = async |index: usize| {
            let began = Instant::now();
            let reply = self.attempt(index, path, &build(), patience).await;
            let verdict = reply.map(|reply| self.judge(reply, judge));
            if matches!(verdict, Ok(Verdict::Fit(_))) {
                self.usual().took(began.elapsed());
            }
            (index, verdict)
        };
        if path != method::TXN {
            return vec![asked(index).await]; // no guard keeps a second copy from being executed later
        }
        let late = tokio::time::sleep(self.usual().late());
        let other = async {
            late.await;
            self.state().endpoints.beside(index, self.now())
        };
        let answers = beside(asked(index), other, asked).await;
        let fits = |answer: &Answer<T>| matches!(answer.1, Ok(Verdict::Fit(_)));
        if let [(winner, _)] = &answers[..]
            && *winner != index
            && answers.iter().any(fits)
        {
            self.passed_over(index);
        }
        answers
    }

    /// Another member has answered in its place. That is no outage: nobody was kept waiting for long.
    fn passed_over(&self, index: usize) {
        let now = self.now();
        let mut state = self.state();
        state.connections[index] = None;
        state.endpoints.failed(index, now);
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

    fn usual(&self) -> MutexGuard<'_, Usual> {
        self.usual.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time for rests: of the process, not of the leases.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer of a member.
type Answer<T> = (usize, Result<Verdict<T>, Failure>);

/// The first answer, or both where the one that came first does not fit: `second` is given whom `other` finds, if anybody,
/// unless `first` was quicker.
async fn beside<T, S: Future<Output = Answer<T>>>(
    first: impl Future<Output = Answer<T>>,
    other: impl Future<Output = Option<usize>>,
    second: impl FnOnce(usize) -> S,
) -> Vec<Answer<T>> {
    let fits = |answer: &Answer<T>| matches!(answer.1, Ok(Verdict::Fit(_)));
    let mut first = pin!(first);
    let other = tokio::select! {
        biased;
        answer = &mut first => return vec![answer],
        other = other => other,
    };
    let Some(other) = other else {
        return vec![first.await];
    };
    let mut second = pin!(second(other));
    tokio::select! {
        biased;
        answer = &mut first => match fits(&answer) {
            true => vec![answer],
            false => answers(answer, second.await),
        },
        answer = &mut second => match fits(&answer) {
            true => vec![answer],
            false => answers(answer, first.await),
        },
    }
}

/// Of two answers the one that fits, if one does; else both, as they came.
fn answers<T>(one: Answer<T>, other: Answer<T>) -> Vec<Answer<T>> {
    match &other.1 {
        Ok(Verdict::Fit(_)) => vec![other],
        _ => vec![one, other],
    }
}

/// How long answers take, so that it is known when one is late: a slow disk under every member is not a member that is gone.
#[derive(Clone, Copy, Debug)]
struct Usual(Duration);

impl Default for Usual {
    fn default() -> Self {
        Self(LATE_MIN / LATE_FACTOR)
    }
}

impl Usual {
    fn took(&mut self, time: Duration) {
        self.0 = (self.0 * (USUAL_OF - 1) + time) / USUAL_OF;
    }

    fn late(self) -> Duration {
        (self.0 * LATE_FACTOR).clamp(LATE_MIN, ATTEMPT_MIN)
    }
}

/// The token has expired, or the users have changed since it was given.
fn is_token_refused(failure: &Failure) -> bool {
    matches!(failure, Failure::Status { code, message }
        if *code == code::UNAUTHENTICATED || message.contains("revision of auth store is old"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    fn fit(index: usize) -> Answer<u8> {
        (index, Ok(Verdict::Fit(7)))
    }

    fn broken(index: usize) -> Answer<u8> {
        (index, Err(Failure::Broken("gone".to_owned())))
    }

    /// Who answered, and whether it fits.
    fn told(answers: &[Answer<u8>]) -> Vec<(usize, bool)> {
        let one = |(index, answer): &Answer<u8>| (*index, matches!(answer, Ok(Verdict::Fit(_))));
        answers.iter().map(one).collect()
    }

    #[tokio::test]
    async fn the_one_that_answers_counts_and_the_other_only_where_it_does_not() {
        let late = || ready(Some(1));
        let never = |_| -> std::future::Ready<Answer<u8>> { panic!("nobody else is asked") };
        let of = beside(ready(fit(0)), pending(), never).await;
        assert_eq!(told(&of), [(0, true)], "in time");
        let of = beside(ready(broken(0)), pending(), never).await;
        assert_eq!(
            told(&of),
            [(0, false)],
            "it fails in time: the next is chosen"
        );
        let of = beside(pending(), late(), |other| ready(fit(other))).await;
        assert_eq!(told(&of), [(1, true)], "the first never answers");
        let slow = async {
            tokio::task::yield_now().await;
            fit(0)
        };
        let of = beside(slow, late(), |other| ready(broken(other))).await;
        assert_eq!(told(&of), [(0, true)], "the second fails");
        let slow = async {
            tokio::task::yield_now().await;
            broken(0)
        };
        let of = beside(slow, late(), |other| ready(broken(other))).await;
        assert_eq!(told(&of), [(0, false), (1, false)], "both fail");
        let slow = async {
            tokio::task::yield_now().await;
            fit(0)
        };
        let of = beside(slow, ready(None), never).await;
        assert_eq!(told(&of), [(0, true)], "there is nobody else");
    }

    #[test]
    fn late_is_what_takes_much_longer_than_usual() {
        let mut usual = Usual::default();
        assert_eq!(usual.late(), LATE_MIN);
        for _ in 0..100 {
            usual.took(Duration::from_millis(1));
        }
        assert_eq!(usual.late(), LATE_MIN, "a fast disk makes nobody impatient");
        for _ in 0..100 {
            usual.took(Duration::from_millis(30));
        }
        let late = usual.late();
        assert!((140..=150).contains(&late.as_millis()), "{late:?}");
        for _ in 0..100 {
            usual.took(Duration::from_secs(1));
        }
        assert_eq!(usual.late(), ATTEMPT_MIN);
    }
}
