//! Clients of a queue manager beyond this machine: they prove who they are, then the event loop has one more connection.
//!
//! ```text
//!  accept ─ mutual TLS ─ who ─> event loop
//!              └─ copied to and from a socket of this process
//! ```
//!
//! So the event loop knows nothing of TLS, and clients of this machine do not pay for it.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{HELLO_TIMEOUT, accept};
use super::plane::Control;
use crate::queue::access::Access;
use crate::sys::trust::{Caller, Door, relay};

/// Connections whose other end has not proven itself yet.
const UNPROVEN_MAX: usize = 64;

/// Lets in who comes with a certificate of the cluster, until it is dropped; every connection ends with it.
pub async fn serve_guarded<E: 'static>(listener: TcpListener, door: Door, plane: Control<E>) {
    let unproven = Arc::new(Semaphore::new(UNPROVEN_MAX));
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            stream = accept(&listener) => {
                let Ok(permit) = Arc::clone(&unproven).try_acquire_owned() else {
                    continue; // a flood of those who prove nothing: closed at once
                };
                let (door, plane) = (door.clone(), plane.clone());
                guests.spawn(async move {
                    let received = tokio::time::timeout(HELLO_TIMEOUT, door.receive(stream)).await;
                    drop(permit);
                    if let Ok(Ok((channel, caller))) = received
                        && let Some(access) = access_of(&caller)
                        && let Ok((near, copying)) = relay(channel)
                    {
                        plane.let_in(near, access);
                        copying.await;
                    }
                });
            }
            Some(_) = guests.join_next() => {}
        }
    }
}

/// What a client's certificate allows: whoever has one can give the cluster any command, so queues are open to it
/// as well. Nodes have nothing to do here, and an evicted one still has its certificate.
fn access_of(caller: &Caller) -> Option<Access> {
    match caller {
        Caller::Client(name) => Some(Access::owner_of_all(name.clone())),
        Caller::Node(_) | Caller::Local | Caller::Stranger => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_s_certificate_lets_in() {
        for (caller, expected) in [
            (Caller::Client("alice".into()), Some("alice")),
            (Caller::Node("n1".into()), None),
            (Caller::Stranger, None),
            (Caller::Local, None),
        ] {
            let access = access_of(&caller);
            assert_eq!(access.as_ref().map(|a| &*a.user), expected);
            assert!(access.is_none_or(|a| a.administrator));
        }
    }
}
