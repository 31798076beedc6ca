//! Clients of a queue manager beyond this machine: they prove who they are, then the event loop has one more connection.
//!
//! ```text
//!  accept ─ mutual TLS ─ who ─> event loop
//!              └─ copied to and from a socket of this process
//! ```
//!
//! So the event loop knows nothing of TLS, and clients of this machine do not pay for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use super::connection::{HELLO_TIMEOUT, accept};
use super::plane::Control;
use crate::queue::access::Access;
use crate::sys::trust::{Caller, Door, GuestRight, Guests, read_guests, relay};

/// Connections whose other end has not proven itself yet.
const UNPROVEN_MAX: usize = 64;
/// How often it is looked whether somebody may not stay.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A connection of a client that is let in.
struct Guest {
    name: String,
    right: GuestRight,
    connection: AbortHandle,
}

/// Who is here, and what is known of who may be.
struct Guarded {
    folder: Option<PathBuf>,
    /// Nothing as long as it could not be read: then it may be anybody who is blocked.
    known: Option<Guests>,
    here: Vec<Guest>,
}

impl Guarded {
    /// What cannot be read leaves it as it was: a full table of open files lets nobody in who may not.
    fn look(&mut self) {
        if let Some(folder) = &self.folder
            && let Ok(known) = read_guests(folder)
        {
            self.known = Some(known);
        }
    }

    fn right(&self, name: &str) -> GuestRight {
        match &self.known {
            Some(known) => known.get(name).copied().unwrap_or(GuestRight::Full),
            None => GuestRight::Blocked,
        }
    }

    /// Ends the connections of those whose right is another now: they come again with that, if at all.
    fn part(&mut self) {
        self.look();
        for guest in &self.here {
            if self.right(&guest.name) != guest.right {
                guest.connection.abort();
            }
        }
        self.here.retain(|guest| !guest.connection.is_finished());
    }
}

/// Lets in who comes with a certificate of the cluster, until it is dropped; every connection ends with it. In `folder`
/// the node's agent says who may not.
pub async fn serve_guarded<E: 'static>(
    listener: TcpListener,
    door: Door,
    plane: Control<E>,
    folder: Option<PathBuf>,
) {
    let unproven = Arc::new(Semaphore::new(UNPROVEN_MAX));
    let mut proving = JoinSet::new();
    let mut guests = JoinSet::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let mut guarded = Guarded {
        // Without an agent nobody says who may not.
        known: folder.is_none().then(Guests::new),
        folder,
        here: Vec::new(),
    };
    loop {
        tokio::select! {
            stream = accept(&listener) => {
                let Ok(permit) = Arc::clone(&unproven).try_acquire_owned() else {
                    continue; // a flood of those who prove nothing: closed at once
                };
                let door = door.clone();
                proving.spawn(async move {
                    let received = tokio::time::timeout(HELLO_TIMEOUT, door.receive(stream)).await;
                    drop(permit);
                    received.ok()?.ok()
                });
            }
            Some(proven) = proving.join_next() => {
                guarded.look();
                if let Ok(Some((channel, Caller::Client(name)))) = proven
                    && let right = guarded.right(&name)
                    && let Some(access) = access_of(&name, right)
                    && let Ok((near, copying)) = relay(channel)
                {
                    plane.let_in(near, access);
                    let connection = guests.spawn(copying);
                    guarded.here.push(Guest { name, right, connection });
                }
            }
            Some(_) = guests.join_next() => {}
            _ = ticks.tick() => guarded.part(),
        }
    }
}

/// What a client's certificate allows: whoever may give the cluster any command, to him queues are open as well. Nodes
/// have nothing to do here, and an evicted one still has its certificate.
fn access_of(name: &str, right: GuestRight) -> Option<Access> {
    match right {
        GuestRight::Full => Some(Access::owner_of_all(name)),
        GuestRight::ReadOnly => Some(Access {
            user: name.to_owned(),
            ..Access::anonymous()
        }),
        GuestRight::Blocked => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_let_in_before_it_is_known_who_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access");
        std::fs::create_dir(&file).unwrap(); // no file: it cannot be read
        let mut guarded = Guarded {
            folder: Some(folder.path().to_owned()),
            known: None,
            here: Vec::new(),
        };
        guarded.look();
        assert_eq!(guarded.right("alice"), GuestRight::Blocked);
        std::fs::remove_dir(&file).unwrap();
        std::fs::write(&file, "blocked mallory\n").unwrap();
        guarded.look();
        assert_eq!(guarded.right("alice"), GuestRight::Full);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        guarded.look();
        assert_eq!(guarded.right("mallory"), GuestRight::Blocked, "as it was");
    }

    #[test]
    fn a_client_is_an_administrator_a_user_or_nobody() {
        let may = |right| access_of("alice", right).map(|access| access.administrator);
        assert_eq!(may(GuestRight::Full), Some(true));
        assert_eq!(may(GuestRight::ReadOnly), Some(false));
        assert_eq!(may(GuestRight::Blocked), None);
    }
}
