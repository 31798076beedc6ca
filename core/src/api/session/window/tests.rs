//! The stories of the window.

use super::*;
use crate::api::wire::frame::parse;
use crate::api::wire::payload::read_request;
use crate::error::ErrorKind;
use crate::queue::message::{Message, MessageId};
use crate::queue::request::{Select, Take, Transaction};

const T: TransactionId = TransactionId(4);

fn at(ms: u64) -> Moment {
    Duration::from_millis(ms)
}

fn send(transaction: Transaction) -> Request {
    Request::Send {
        queue: "q".into(),
        message: Message::new("x").encode(),
        transaction,
        body: None,
    }
}

fn receive(timeout_ms: u64, transaction: Transaction) -> Request {
    Request::Receive {
        queue: "q".into(),
        select: Select::First,
        take: Take::Remove,
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
    let whole = bytes::Bytes::from(out);
    let (mut at, mut all) = (0, Vec::new());
    while let Some((frame, taken)) = parse(&whole[at..]).unwrap() {
        let (acknowledged, request) = read_request(&frame, &whole).unwrap();
        all.push((frame.correlation, acknowledged, request));
        at += taken;
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
    push(window, Request::Begin { transaction: T });
    let number = window.next() - 1;
    written(window, Duration::ZERO);
    window.answer(number, Ok(Reply::Done), Duration::ZERO);
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
        (Request::Begin { transaction: T }, AfterLoss::Abort(T)),
        (Request::Commit { transaction: T }, AfterLoss::SendAgain),
        (Request::Abort { transaction: T }, AfterLoss::Abort(T)),
        (Request::Counters, AfterLoss::SendAgain),
    ] {
        assert_eq!(after_loss(&request), expected, "{request:?}");
    }
}

/// Each reply to each kind of waiting hits exactly one row.
#[test]
fn what_a_reply_does() {
    let pending = |deadline: Option<u64>, cancelled: bool| Pending {
        request: receive(0, Transaction::None),
        bytes: 0,
        slot: Some(Arc::default()),
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
fn a_commit_that_was_given_up_is_the_same_one_when_it_is_asked_for_again() {
    let away = Error::new(ErrorKind::RemoteMachineNotAvailable, "it did not come back");
    let commit = || Request::Commit { transaction: T };
    let given_up = |window: &mut Window| {
        begin(window);
        push(window, commit());
        written(window, at(0));
        window.lost();
        let finished = window.fail_all(&away);
        assert_eq!(finished.len(), 1, "its caller is told");
        assert!(window.is_empty(), "nobody waits");
        assert!(window.fail_all(&away).is_empty() && window.cancel(at(0)).is_empty());
        window.check_invariants();
    };

    // It had been executed: whoever asks while it is under way again gets what the store remembers.
    let mut window = Window::new();
    given_up(&mut window);
    let slot = push(&mut window, commit());
    assert!(!window.is_empty());
    assert!(matches!(
        written(&mut window, at(0))[..],
        [(2, 2, Request::Commit { .. })]
    ));
    let (filled, outcome) = window.answer(2, Ok(Reply::Done), at(0)).1.unwrap();
    assert!(Arc::ptr_eq(&filled, &slot) && outcome.is_ok());
    window.check_invariants();

    // The outcome came before anybody asked, with the next request's connection.
    let mut window = Window::new();
    given_up(&mut window);
    push(&mut window, send(Transaction::None));
    assert_eq!(written(&mut window, at(0)).len(), 2);
    assert!(window.answer(2, Ok(Reply::Done), at(0)).1.is_none());
    for _ in 0..2 {
        let (_, outcome) = window.push(commit(), Arc::default(), at(0)).unwrap();
        assert!(outcome.is_ok());
    }
    window.check_invariants();
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
        assert!(window.has_room(&Request::Counters));
        push(&mut window, send(Transaction::None));
    }
    assert!(!window.has_room(&Request::Counters));
    let error = Error::new(ErrorKind::RemoteMachineNotAvailable, "gone");
    assert_eq!(window.fail_all(&error).len(), OUTSTANDING_MAX);
    assert!(window.has_room(&Request::Counters));
    window.check_invariants();
}

#[test]
fn what_was_never_sent_of_a_transaction_survives_the_loss() {
    let mut window = Window::new();
    push(&mut window, send(Transaction::None));
    written(&mut window, at(0));
    push(&mut window, Request::Begin { transaction: T });
    push(&mut window, send(Transaction::In(T)));
    assert!(window.lost().is_empty());
    push(&mut window, Request::Commit { transaction: T });
    let numbers: Vec<_> = written(&mut window, at(0)).iter().map(|w| w.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let finished = window.lost();
    assert_eq!(
        finished.len(),
        2,
        "now its beginning and its send are lost, the commit is asked for again"
    );
    window.check_invariants();
}

#[test]
fn a_held_outcome_is_not_acknowledged_and_bounds_what_can_be_asked_beside_it() {
    let mut window = Window::new();
    let slot = Arc::new(Slot::holding());
    assert!(
        window
            .push(receive(0, Transaction::None), Arc::clone(&slot), at(0))
            .is_none()
    );
    written(&mut window, at(0));
    window.answer(1, Ok(Reply::Done), at(0));
    let held = slot.give_up().unwrap();
    for number in 2..2 + SPAN_MAX as u64 - 1 {
        assert!(window.has_room(&Request::Counters));
        push(&mut window, Request::Counters);
        let asked = written(&mut window, at(0));
        assert_eq!((asked[0].0, asked[0].1), (number, 1));
        window.answer(number, Ok(Reply::Done), at(0));
    }
    assert!(
        !window.has_room(&Request::Counters),
        "the queue manager remembers all of them"
    );
    let source = crate::queue::request::BodySource::Received(held);
    let part = Request::ReadBody {
        source,
        offset: 0,
        length: 1,
    };
    assert!(
        window.has_room(&part),
        "or the body could never be read to its end"
    );
    window.release(held);
    assert!(window.has_room(&Request::Counters));
    push(&mut window, Request::Counters);
    let asked = written(&mut window, at(0));
    assert_eq!(asked[0].0, asked[0].1);
}

#[test]
fn unsent_bytes_are_those_of_what_is_not_sent() {
    let mut window = Window::new();
    for _ in 0..3 {
        push(&mut window, send(Transaction::None));
    }
    let all = window.unsent_bytes();
    assert!(all > 0);
    written(&mut window, at(0));
    assert_eq!(window.unsent_bytes(), 0);
    window.answer(2, sent(), at(0));
    window.lost();
    assert_eq!(window.unsent_bytes(), all / 3 * 2);
    window.cancel(at(0));
    assert_eq!((window.unsent_bytes(), window.is_empty()), (0, true));
}
