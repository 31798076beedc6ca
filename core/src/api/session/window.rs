//! The requests of a session that are not answered yet. Pure: no socket, no clock.
//!
//! Numbers rise by one with each request. `first` is the lowest that is not answered: everything below it
//! is acknowledged to the queue manager, which then forgets the outcomes.
//!
//! A receive that waits is asked in slices of half a second, each a request of its own. That bounds how long
//! `first` can stand still while others go on, and it lets a caller stop waiting without the risk that
//! a message is taken from the queue for nobody.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::slot::Slot;
use crate::api::wire::payload::append_request;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::{Reply, Request, Transaction, TransactionId};

/// Requests under way at the same time.
pub(super) const OUTSTANDING_MAX: usize = 1024;
/// Numbers between the lowest unanswered request and the newest.
const SPAN_MAX: usize = 64 * 1024;
/// How long one request of a waiting receive waits at the queue manager.
pub(super) const SLICE: Duration = Duration::from_millis(500);

/// Time since the session began.
pub(super) type Moment = Duration;

#[derive(Debug)]
struct Pending {
    request: Request,
    slot: Arc<Slot>,
    /// Of a receive: when its caller stops waiting. `None`: never, or it does not wait.
    deadline: Option<Moment>,
    /// Its caller does not want it any more, but its outcome must not get lost.
    cancelled: Option<Moment>,
}

/// A request that is finished: the slot to fill, with what. Filled by the caller, outside of its lock.
pub(super) type Finished = (Arc<Slot>, Result<Reply>);

/// What a reply means for the connection.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Go on.
    Fine,
    /// The queue manager is no longer one: leave it and find its successor.
    Leave(Error),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The number of `pending[0]`.
    first: u64,
    pending: VecDeque<Option<Pending>>,
    outstanding: usize,
    /// Requests from this number on were not written to the present connection.
    unsent: u64,
    /// Transactions that began on the present connection and are not known to have ended.
    begun: HashSet<TransactionId>,
}

impl Window {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            first: 1,
            unsent: 1,
            ..Self::default()
        }
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.outstanding == 0
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.outstanding < OUTSTANDING_MAX && self.pending.len() < SPAN_MAX
    }

    /// Whether something waits to be written.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent < self.next()
    }

    /// Takes a request. One that belongs to a transaction of an earlier connection is answered at once.
    pub(super) fn push(
        &mut self,
        request: Request,
        slot: Arc<Slot>,
        now: Moment,
    ) -> Option<Finished> {
        if let Some(gone) = transaction(&request).filter(|id| !self.begun.contains(id)) {
            return Some((slot, Err(dropped(gone))));
        }
        let deadline = match &request {
            Request::Receive { timeout_ms, .. } if *timeout_ms < u64::MAX => {
                Some(now.saturating_add(Duration::from_millis(*timeout_ms)))
            }
            _ => None,
        };
        self.append(Pending {
            request,
            slot,
            deadline,
            cancelled: None,
        });
        None
    }

    /// Appends the frames of unsent requests to `out`, up to `bytes_max` or a little more.
    pub(super) fn encode_unsent(
        &mut self,
        out: &mut Vec<u8>,
        bytes_max: usize,
        now: Moment,
    ) -> Vec<Finished> {
        let mut finished = Vec::new();
        while out.len() < bytes_max && self.has_unsent() {
            let number = self.unsent;
            self.unsent += 1;
            let first = self.first;
            let Some(pending) = self.at(number) else {
                continue;
            };
            let wait = pending.wait(now);
            if let Request::Receive { timeout_ms, .. } = &mut pending.request {
                *timeout_ms = millis(wait);
            }
            if let Err(error) = append_request(out, number, first, &pending.request) {
                finished.extend(self.finish(number, Err(error)));
            }
        }
        finished
    }

    /// A reply came.
    pub(super) fn answer(
        &mut self,
        number: u64,
        reply: Result<Reply>,
        now: Moment,
    ) -> (Verdict, Option<Finished>) {
        let Some(pending) = self.at(number) else {
            return (Verdict::Fine, None);
        };
        match after_reply(pending, &reply, now) {
            AfterReply::Deliver => {
                self.note(number, &reply);
                (Verdict::Fine, self.finish(number, reply))
            }
            AfterReply::WaitOn => {
                self.ask_again(number);
                (Verdict::Fine, None)
            }
            AfterReply::Cancelled => (Verdict::Fine, self.finish(number, Err(cancelled()))),
            AfterReply::Leave => match reply {
                Err(error) => (Verdict::Leave(error), None),
                Ok(_) => (Verdict::Fine, None),
            },
        }
    }

    /// The connection is lost: parts of transactions end, everything else will be sent again.
    pub(super) fn lost(&mut self) -> Vec<Finished> {
        self.begun.clear();
        self.unsent = self.first;
        self.end_where(|pending| match after_loss(&pending.request) {
            AfterLoss::SendAgain => None,
            AfterLoss::Abort(transaction) => Some(dropped(transaction)),
        })
    }

    /// The virtual server did not come back in time.
    pub(super) fn fail_all(&mut self, error: &Error) -> Vec<Finished> {
        self.end_where(|_| Some(error.clone()))
    }

    /// The caller gives up everything that is under way. A receive that may have taken a message is
    /// waited for until its slice is over.
    pub(super) fn cancel(&mut self, now: Moment) -> Vec<Finished> {
        let unsent = self.unsent;
        self.end_where_numbered(|number, pending| {
            let takes = matches!(pending.request, Request::Receive { peek: false, .. });
            if takes && number < unsent {
                pending.cancelled = Some(now);
                return None;
            }
            Some(cancelled())
        })
    }

    /// Ends cancelled receives whose slice is long over: nobody answers.
    pub(super) fn end_cancelled(&mut self, now: Moment) -> Vec<Finished> {
        self.end_where(|pending| {
            let since = pending.cancelled?;
            (now.saturating_sub(since) > SLICE * 2).then(|| {
                cancelled().hint("it is not known whether a message was taken: nobody answers")
            })
        })
    }

    /// Panics when the fields contradict each other; for tests and debug builds.
    pub(super) fn check_invariants(&self) {
        let counted = self.pending.iter().flatten().count();
        assert_eq!(counted, self.outstanding, "outstanding requests");
        assert!(
            self.pending.front().is_none_or(Option::is_some),
            "the first is unanswered"
        );
        assert!(
            self.unsent >= self.first.min(self.next()) && self.unsent <= self.next(),
            "unsent {} is outside of {}..={}",
            self.unsent,
            self.first,
            self.next()
        );
    }

    fn next(&self) -> u64 {
        self.first + self.pending.len() as u64
    }

    fn at(&mut self, number: u64) -> Option<&mut Pending> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.pending.get_mut(index)?.as_mut()
    }

    fn append(&mut self, pending: Pending) {
        self.pending.push_back(Some(pending));
        self.outstanding += 1;
    }

    fn remove(&mut self, number: u64) -> Option<Pending> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let pending = self.pending.get_mut(index)?.take()?;
        self.outstanding -= 1;
        while matches!(self.pending.front(), Some(None)) {
            self.pending.pop_front();
            self.first += 1;
        }
        self.unsent = self.unsent.max(self.first);
        Some(pending)
    }

    fn finish(&mut self, number: u64, outcome: Result<Reply>) -> Option<Finished> {
        self.remove(number).map(|pending| (pending.slot, outcome))
    }

    /// The next slice of a waiting receive.
    fn ask_again(&mut self, number: u64) {
        if let Some(pending) = self.remove(number) {
            self.append(pending);
        }
    }

    /// Remembers which transactions are open.
    fn note(&mut self, number: u64, reply: &Result<Reply>) {
        if let Ok(Reply::Began(id)) = reply {
            self.begun.insert(*id);
            return;
        }
        let request = self.at(number).map(|pending| pending.request.clone());
        if let Some(Request::Commit { transaction } | Request::Abort { transaction }) = request {
            self.begun.remove(&transaction);
        }
    }

    fn end_where(&mut self, mut error: impl FnMut(&Pending) -> Option<Error>) -> Vec<Finished> {
        self.end_where_numbered(|_, pending| error(pending))
    }

    fn end_where_numbered(
        &mut self,
        mut error: impl FnMut(u64, &mut Pending) -> Option<Error>,
    ) -> Vec<Finished> {
        let numbers = self.first..self.next();
        numbers
            .filter_map(|number| {
                let error = error(number, self.at(number)?)?;
                self.finish(number, Err(error))
            })
            .collect()
    }
}

impl Pending {
    /// How long the queue manager shall wait for a message now.
    fn wait(&self, now: Moment) -> Duration {
        match &self.request {
            Request::Receive { .. } if self.cancelled.is_some() => Duration::ZERO,
            Request::Receive { .. } => self
                .deadline
                .map_or(SLICE, |deadline| deadline.saturating_sub(now).min(SLICE)),
            _ => Duration::ZERO,
        }
    }
}

/// What becomes of a request when its reply is there.
#[derive(Debug, PartialEq, Eq)]
enum AfterReply {
    /// The caller gets it.
    Deliver,
    /// Nothing came yet, and the caller still waits.
    WaitOn,
    /// Nothing came, and the caller does not wait any more.
    Cancelled,
    /// It was not executed, and will not be here: the queue manager has lost its store.
    Leave,
}

fn after_reply(pending: &Pending, reply: &Result<Reply>, now: Moment) -> AfterReply {
    let Err(error) = reply else {
        return AfterReply::Deliver;
    };
    match error.kind {
        ErrorKind::Fenced | ErrorKind::MessageStorageFailed | ErrorKind::ServiceNotAvailable => {
            AfterReply::Leave
        }
        // The server ends waits when it believes that the session is over; this one is not.
        ErrorKind::ReceiveTimeout | ErrorKind::OperationCancelled
            if pending.cancelled.is_some() =>
        {
            AfterReply::Cancelled
        }
        ErrorKind::ReceiveTimeout
            if matches!(pending.request, Request::Receive { .. })
                && pending.deadline.is_none_or(|deadline| now < deadline) =>
        {
            AfterReply::WaitOn
        }
        _ => AfterReply::Deliver,
    }
}

/// What becomes of a request when the connection is lost before its reply.
#[derive(Debug, PartialEq, Eq)]
enum AfterLoss {
    /// It is sent again with the same number: executed once, whatever happened to it.
    SendAgain,
    /// Its transaction ended with the session.
    Abort(TransactionId),
}

fn after_loss(request: &Request) -> AfterLoss {
    match request {
        // Its outcome is remembered: sent again, it says whether it committed.
        Request::Commit { .. } => AfterLoss::SendAgain,
        other => transaction(other).map_or(AfterLoss::SendAgain, AfterLoss::Abort),
    }
}

/// The transaction that a request belongs to.
fn transaction(request: &Request) -> Option<TransactionId> {
    match request {
        Request::Send {
            transaction: Transaction::In(id),
            ..
        }
        | Request::Receive {
            transaction: Transaction::In(id),
            ..
        }
        | Request::Commit { transaction: id }
        | Request::Abort { transaction: id } => Some(*id),
        _ => None,
    }
}

fn dropped(transaction: TransactionId) -> Error {
    Error::new(
        ErrorKind::TransactionAborted,
        format!(
            "transaction {} ended when the connection to the queue manager was lost",
            transaction.0
        ),
    )
    .hint("nothing of it has happened; begin it again")
}

fn cancelled() -> Error {
    Error::new(ErrorKind::OperationCancelled, "cancelled by its caller")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::frame::parse;
    use crate::api::wire::payload::read_request;
    use crate::queue::message::{Message, MessageId};
    use crate::queue::request::Select;

    const T: TransactionId = TransactionId(4);

    fn at(ms: u64) -> Moment {
        Duration::from_millis(ms)
    }

    fn send(transaction: Transaction) -> Request {
        Request::Send {
            queue: "q".into(),
            message: Message::new("x"),
            transaction,
        }
    }

    fn receive(timeout_ms: u64, transaction: Transaction) -> Request {
        Request::Receive {
            queue: "q".into(),
            select: Select::First,
            peek: false,
            timeout_ms,
            transaction,
        }
    }

    fn sent() -> Result<Reply> {
        Ok(Reply::Sent {
            id: MessageId::NONE,
            lookup_id: 1,
        })
    }

    fn nothing() -> Result<Reply> {
        Err(Error::new(ErrorKind::ReceiveTimeout, "nothing"))
    }

    /// Numbers, acknowledged and requests of what would be written now.
    fn written(window: &mut Window, now: Moment) -> Vec<(u64, u64, Request)> {
        let mut out = Vec::new();
        assert!(window.encode_unsent(&mut out, usize::MAX, now).is_empty());
        let (mut rest, mut all) = (out.as_slice(), Vec::new());
        while let Some((frame, taken)) = parse(rest).unwrap() {
            let (acknowledged, request) = read_request(frame.payload).unwrap();
            all.push((frame.correlation, acknowledged, request));
            rest = &rest[taken..];
        }
        all
    }

    fn push(window: &mut Window, request: Request) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        assert!(
            window
                .push(request, Arc::clone(&slot), Duration::ZERO)
                .is_none()
        );
        window.check_invariants();
        slot
    }

    fn begin(window: &mut Window) {
        push(window, Request::Begin);
        let number = window.next() - 1;
        written(window, Duration::ZERO);
        window.answer(number, Ok(Reply::Began(T)), Duration::ZERO);
    }

    #[test]
    fn the_lowest_unanswered_number_is_acknowledged() {
        let mut window = Window::new();
        for _ in 0..3 {
            push(&mut window, send(Transaction::None));
        }
        let all = written(&mut window, at(0));
        assert_eq!(
            all.iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(),
            [(1, 1), (2, 1), (3, 1)]
        );
        window.answer(2, sent(), at(0));
        window.answer(1, sent(), at(0));
        window.check_invariants();
        push(&mut window, send(Transaction::None));
        let again = written(&mut window, at(0));
        assert_eq!(
            again.iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(),
            [(4, 3)]
        );
    }

    #[test]
    fn after_a_loss_unanswered_requests_are_sent_again_with_their_numbers() {
        let mut window = Window::new();
        for _ in 0..3 {
            push(&mut window, send(Transaction::None));
        }
        written(&mut window, at(0));
        window.answer(2, sent(), at(0));
        assert!(window.lost().is_empty());
        window.check_invariants();
        let numbers: Vec<_> = written(&mut window, at(0)).iter().map(|w| w.0).collect();
        assert_eq!(numbers, [1, 3]);
    }

    /// Each kind of request hits exactly one row.
    #[test]
    fn what_a_loss_does_to_each_request() {
        let inside = Transaction::In(T);
        for (request, expected) in [
            (send(Transaction::None), AfterLoss::SendAgain),
            (send(Transaction::Single), AfterLoss::SendAgain),
            (send(inside), AfterLoss::Abort(T)),
            (receive(9, Transaction::None), AfterLoss::SendAgain),
            (receive(9, Transaction::Single), AfterLoss::SendAgain),
            (receive(9, inside), AfterLoss::Abort(T)),
            (Request::Begin, AfterLoss::SendAgain),
            (Request::Commit { transaction: T }, AfterLoss::SendAgain),
            (Request::Abort { transaction: T }, AfterLoss::Abort(T)),
            (Request::ListQueues, AfterLoss::SendAgain),
        ] {
            assert_eq!(after_loss(&request), expected, "{request:?}");
        }
    }

    /// Each reply to each kind of waiting hits exactly one row.
    #[test]
    fn what_a_reply_does() {
        let pending = |deadline: Option<u64>, cancelled: bool| Pending {
            request: receive(0, Transaction::None),
            slot: Arc::default(),
            deadline: deadline.map(at),
            cancelled: cancelled.then_some(at(0)),
        };
        let fail = |kind| Err(Error::new(kind, "x"));
        for (pending, reply, expected) in [
            (
                pending(Some(50), false),
                Ok(Reply::Done),
                AfterReply::Deliver,
            ),
            (
                pending(Some(50), true),
                Ok(Reply::Done),
                AfterReply::Deliver,
            ),
            (pending(Some(500), false), nothing(), AfterReply::WaitOn),
            (pending(None, false), nothing(), AfterReply::WaitOn),
            (pending(Some(50), false), nothing(), AfterReply::Deliver),
            (pending(Some(500), true), nothing(), AfterReply::Cancelled),
            (
                pending(Some(500), false),
                fail(ErrorKind::QueueDeleted),
                AfterReply::Deliver,
            ),
            (
                pending(None, false),
                fail(ErrorKind::Fenced),
                AfterReply::Leave,
            ),
            (
                pending(None, true),
                fail(ErrorKind::Fenced),
                AfterReply::Leave,
            ),
            (
                pending(None, false),
                fail(ErrorKind::MessageStorageFailed),
                AfterReply::Leave,
            ),
        ] {
            let hit = after_reply(&pending, &reply, at(100));
            assert_eq!(hit, expected, "{pending:?} {reply:?}");
        }
    }

    #[test]
    fn a_waiting_receive_is_asked_in_slices_with_new_numbers_until_its_deadline() {
        let mut window = Window::new();
        let slot = push(&mut window, receive(800, Transaction::None));
        let timeout = |w: &mut Window, now| match &written(w, at(now))[0] {
            (number, acknowledged, Request::Receive { timeout_ms, .. }) => {
                (*number, *acknowledged, *timeout_ms)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(timeout(&mut window, 0), (1, 1, 500));
        assert!(window.answer(1, nothing(), at(500)).1.is_none());
        window.check_invariants();
        assert_eq!(timeout(&mut window, 500), (2, 2, 300));
        let (_, finished) = window.answer(2, nothing(), at(800));
        let (filled, outcome) = finished.unwrap();
        assert!(Arc::ptr_eq(&filled, &slot));
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::ReceiveTimeout);
    }

    #[test]
    fn a_receive_whose_time_ran_out_while_nobody_answered_is_still_asked_once() {
        let mut window = Window::new();
        push(&mut window, receive(100, Transaction::None));
        written(&mut window, at(0));
        window.lost();
        let again = written(&mut window, at(5000));
        assert!(matches!(
            again[0],
            (1, 1, Request::Receive { timeout_ms: 0, .. })
        ));
    }

    #[test]
    fn parts_of_a_transaction_end_with_its_connection_but_a_commit_is_asked_again() {
        let mut window = Window::new();
        begin(&mut window);
        push(&mut window, send(Transaction::In(T)));
        push(&mut window, Request::Commit { transaction: T });
        written(&mut window, at(0));
        let finished = window.lost();
        assert_eq!(finished.len(), 1);
        let error = finished[0].1.as_ref().unwrap_err();
        assert_eq!(error.kind, ErrorKind::TransactionAborted);
        assert!(matches!(
            written(&mut window, at(0))[..],
            [(3, 3, Request::Commit { .. })]
        ));
        let late = window.push(send(Transaction::In(T)), Arc::default(), at(0));
        assert_eq!(
            late.unwrap().1.unwrap_err().kind,
            ErrorKind::TransactionAborted,
            "a new connection knows nothing of the old transaction"
        );
    }

    #[test]
    fn a_fenced_queue_manager_is_left_and_the_request_kept() {
        let mut window = Window::new();
        push(&mut window, send(Transaction::None));
        written(&mut window, at(0));
        let fenced = Err(Error::new(ErrorKind::Fenced, "epoch 2"));
        let (verdict, finished) = window.answer(1, fenced, at(0));
        assert!(matches!(verdict, Verdict::Leave(_)) && finished.is_none());
        window.lost();
        assert_eq!(written(&mut window, at(0)).len(), 1);
    }

    #[test]
    fn cancelling_never_loses_a_message_that_is_on_its_way() {
        let mut window = Window::new();
        push(&mut window, receive(u64::MAX, Transaction::None));
        push(&mut window, send(Transaction::None));
        written(&mut window, at(0));
        push(&mut window, receive(u64::MAX, Transaction::None));
        let finished = window.cancel(at(10));
        assert_eq!(
            finished.len(),
            2,
            "the send and the receive that was not sent yet"
        );
        let (_, delivered) = window.answer(1, sent(), at(20));
        assert!(delivered.unwrap().1.is_ok());
        window.check_invariants();
        assert!(window.is_empty());
    }

    #[test]
    fn a_cancelled_receive_that_nobody_answers_ends_after_two_slices() {
        let mut window = Window::new();
        push(&mut window, receive(u64::MAX, Transaction::None));
        written(&mut window, at(0));
        assert!(window.cancel(at(0)).is_empty());
        assert!(window.end_cancelled(at(900)).is_empty());
        let finished = window.end_cancelled(at(1001));
        assert_eq!(
            finished[0].1.as_ref().unwrap_err().kind,
            ErrorKind::OperationCancelled
        );
    }

    #[test]
    fn the_window_has_an_end() {
        let mut window = Window::new();
        for _ in 0..OUTSTANDING_MAX {
            assert!(window.has_room());
            push(&mut window, send(Transaction::None));
        }
        assert!(!window.has_room());
        let error = Error::new(ErrorKind::RemoteMachineNotAvailable, "gone");
        assert_eq!(window.fail_all(&error).len(), OUTSTANDING_MAX);
        assert!(window.has_room());
        window.check_invariants();
    }
}
