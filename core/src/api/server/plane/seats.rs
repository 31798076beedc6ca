//! Which connection speaks for which client: the newest one.
//!
//! A client that reconnects may be faster than the end of its old connection. Then the old one is closed
//! first, the session is ended, and only then the new one is welcome: nothing that came over
//! the old connection is executed after the session's end.

use std::collections::HashMap;

use uuid::Uuid;

use super::connections::Key;

/// The connections of all clients.
#[derive(Debug, Default)]
pub(super) struct Seats(HashMap<Uuid, Key>);

impl Seats {
    /// The client's new connection sits down; gives the one that loses its seat.
    pub(super) fn sit(&mut self, client: Uuid, connection: Key) -> Option<Key> {
        self.0.insert(client, connection)
    }

    /// The connection ended; whether the client's session ends with it.
    pub(super) fn leave(&mut self, client: Uuid, connection: Key) -> bool {
        let mine = self.0.get(&client) == Some(&connection);
        if mine {
            self.0.remove(&client);
        }
        mine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_connection_speaks_and_only_its_end_is_that_of_the_session() {
        let (mut seats, client) = (Seats::default(), Uuid::from_u128(1));
        let (first, second) = (Key::from_bits(1), Key::from_bits(2));
        assert_eq!(seats.sit(client, first), None);
        assert_eq!(seats.sit(client, second), Some(first));
        assert!(!seats.leave(client, first));
        assert!(seats.leave(client, second));
        assert!(!seats.leave(client, second));
    }
}
