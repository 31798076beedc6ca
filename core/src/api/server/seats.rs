//! Which connection speaks for which client: the newest one.
//!
//! A client that reconnects may be faster than the end of its old connection. Then the old one is
//! silenced first, the session is ended, and only then the new one is welcome: nothing that came over
//! the old connection is executed after the session's end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// A connection's right to speak for its client.
#[derive(Debug, Default)]
pub(super) struct Seat {
    lost: Mutex<bool>,
    taken_away: Notify,
}

impl Seat {
    /// Runs `act` unless the seat was taken away; it is not taken away while `act` runs.
    pub(super) fn speak(&self, act: impl FnOnce()) -> bool {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if !*lost {
            act();
        }
        !*lost
    }

    /// Completes when the seat was taken away.
    pub(super) async fn lost(&self) {
        self.taken_away.notified().await;
    }

    fn take_away(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.taken_away.notify_one();
    }
}

/// The seats of all clients that are connected.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<Uuid, Arc<Seat>>>);

impl Seats {
    /// A seat for a new connection of `client`. `end_session` runs when there was an older one.
    pub(super) fn sit(&self, client: Uuid, end_session: impl FnOnce()) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = seats.insert(client, Arc::clone(&seat)) {
            old.take_away();
            end_session();
        }
        seat
    }

    /// The connection ended. `end_session` runs unless a newer connection has taken the seat.
    pub(super) fn leave(&self, client: Uuid, seat: &Arc<Seat>, end_session: impl FnOnce()) {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seats
            .get(&client)
            .is_some_and(|mine| Arc::ptr_eq(mine, seat))
        {
            seats.remove(&client);
            seat.take_away();
            end_session();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_newest_connection_speaks_and_the_session_ends_once_for_each_that_ended() {
        let (seats, client, ended) = (Seats::default(), Uuid::from_u128(1), Cell::new(0));
        let end = || ended.set(ended.get() + 1);
        let first = seats.sit(client, end);
        assert!(first.speak(|| ()));
        let second = seats.sit(client, end);
        assert_eq!(ended.get(), 1);
        assert!(!first.speak(|| panic!("the old connection spoke")));
        seats.leave(client, &first, end);
        assert_eq!(
            ended.get(),
            1,
            "the end of the old connection ends nothing more"
        );
        assert!(second.speak(|| ()));
        seats.leave(client, &second, end);
        assert_eq!(ended.get(), 2);
    }
}
