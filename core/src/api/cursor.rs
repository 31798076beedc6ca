//! A cursor: a place in a queue from which a reader goes forward (msmq.md 3.8).
//!
//! Pure: it says what to ask the queue manager for, and learns from the answer. The table, for the action and the
//! state in which it is asked for:
//!
//! ```text
//!               Unread (behind P)               Read (at P)
//!  PeekCurrent  peek the first behind P         peek P; gone: MessageAlreadyReceived
//!  PeekNext     IllegalCursorAction             peek the first behind P
//!  Receive      take the first behind P         take P; gone: MessageAlreadyReceived
//!
//!  peeked M     Read at M                       Read at M
//!  received M   Unread behind M                 Unread behind M
//!  failed       as it was                       as it was
//! ```
//!
//! It goes forward only: what arrives before its place, for its higher priority, is not seen.

use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::Select;

/// What a reader wants of a cursor (MQ_ACTION_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// MQ_ACTION_PEEK_CURRENT: the message at the cursor, which stays.
    PeekCurrent,
    /// MQ_ACTION_PEEK_NEXT: the one behind it, which stays.
    PeekNext,
    /// MQ_ACTION_RECEIVE: the message at the cursor, which leaves.
    Receive,
}

/// Where a cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Behind this place, 0 at the start: the message there, if any, is none of its own.
    Unread(u64),
    /// At the message with this lookup id, which it has peeked.
    Read(u64),
}

/// A cursor at the start of a queue, until it is moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    state: State,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            state: State::Unread(0),
        }
    }
}

impl Cursor {
    /// Which message to ask for.
    ///
    /// # Errors
    /// `IllegalCursorAction` for the next one before the current one was peeked.
    pub fn select(&self, action: Action) -> Result<Select> {
        match (action, self.state) {
            (Action::PeekNext, State::Unread(_)) => Err(Error::new(
                ErrorKind::IllegalCursorAction,
                "the cursor is at no message yet, so there is none behind it",
            )
            .hint("peek the current message first")),
            (Action::PeekCurrent | Action::Receive, State::Unread(0)) => Ok(Select::First),
            (_, State::Unread(place)) | (Action::PeekNext, State::Read(place)) => {
                Ok(Select::After(place))
            }
            (Action::PeekCurrent | Action::Receive, State::Read(place)) => {
                Ok(Select::LookupId(place))
            }
        }
    }

    /// The queue manager has handed out the message at `lookup_id` for the action.
    pub fn found(&mut self, action: Action, lookup_id: u64) {
        self.state = match action {
            Action::PeekCurrent | Action::PeekNext => State::Read(lookup_id),
            Action::Receive => State::Unread(lookup_id),
        };
    }

    /// The error as it is meant for a cursor: a current message that is not there was taken by somebody else.
    #[must_use]
    pub fn failed(&self, action: Action, error: Error) -> Error {
        let at_message = matches!(self.state, State::Read(_)) && action != Action::PeekNext;
        if !at_message || error.kind != ErrorKind::MessageNotFound {
            return error;
        }
        Error::new(
            ErrorKind::MessageAlreadyReceived,
            "the message at the cursor was received by somebody else",
        )
        .hint("peek the next one to go on")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: State) -> Cursor {
        Cursor { state }
    }

    #[test]
    fn each_action_in_each_state_has_one_row_of_the_table() {
        use Action::{PeekCurrent, PeekNext, Receive};
        use State::{Read, Unread};
        let table = [
            (PeekCurrent, Unread(0), Some(Select::First)),
            (PeekCurrent, Unread(7), Some(Select::After(7))),
            (PeekCurrent, Read(7), Some(Select::LookupId(7))),
            (PeekNext, Unread(0), None),
            (PeekNext, Unread(7), None),
            (PeekNext, Read(7), Some(Select::After(7))),
            (Receive, Unread(0), Some(Select::First)),
            (Receive, Unread(7), Some(Select::After(7))),
            (Receive, Read(7), Some(Select::LookupId(7))),
        ];
        for (action, state, expected) in table {
            let selected = at(state).select(action);
            match (selected, expected) {
                (Ok(select), Some(expected)) => {
                    assert_eq!(select, expected, "{action:?} {state:?}");
                }
                (Err(error), None) => assert_eq!(error.kind, ErrorKind::IllegalCursorAction),
                (selected, _) => panic!("{action:?} in {state:?}: {selected:?}"),
            }
        }
    }

    #[test]
    fn a_reader_that_takes_every_second_message_goes_forward_only() {
        let mut cursor = Cursor::default();
        cursor.found(Action::PeekCurrent, 1);
        cursor.found(Action::PeekNext, 2);
        assert_eq!(cursor.select(Action::Receive).unwrap(), Select::LookupId(2));
        cursor.found(Action::Receive, 2);
        assert_eq!(
            cursor.select(Action::PeekNext).unwrap_err().kind,
            ErrorKind::IllegalCursorAction
        );
        assert_eq!(
            cursor.select(Action::PeekCurrent).unwrap(),
            Select::After(2)
        );
    }

    #[test]
    fn a_current_message_that_is_gone_was_taken_by_somebody_else() {
        let gone = || Error::new(ErrorKind::MessageNotFound, "no message");
        let cursor = at(State::Read(7));
        let kind = |action| cursor.failed(action, gone()).kind;
        assert_eq!(kind(Action::PeekCurrent), ErrorKind::MessageAlreadyReceived);
        assert_eq!(kind(Action::Receive), ErrorKind::MessageAlreadyReceived);
        assert_eq!(kind(Action::PeekNext), ErrorKind::MessageNotFound);
        let fresh = Cursor::default();
        let kind = fresh.failed(Action::Receive, gone()).kind;
        assert_eq!(kind, ErrorKind::MessageNotFound);
    }
}
