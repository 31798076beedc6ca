//! The server of a node agent: commands.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::ReadHalf;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{HELLO_TIMEOUT, SILENCE_MAX, accept, greet, welcome};
use super::outbox::{Outbox, Outcome, write_outcomes};
use crate::api::host::{CommandHost, Given};
use crate::api::spec::{REASON, changes};
use crate::api::value::Value;
use crate::api::wire::payload::read_command;
use crate::api::wire::{Incoming, Kind, Role};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::user_at;
use crate::sys::trust::{Caller, Channel, Door};

/// Commands of one connection that run at the same time.
const COMMANDS_MAX: usize = 64;
/// Connections whose other end has not proven itself yet.
const UNPROVEN_MAX: usize = 64;
/// What somebody without a certificate may ask for: a certificate, by a token.
pub(crate) const JOIN: &str = "Join-Cluster";

/// Serves the commands of the cluster `name` until it is dropped; every connection ends with it. `door` is that of the
/// listener's address.
pub async fn serve_commands(
    listener: TcpListener,
    door: Door,
    host: Arc<dyn CommandHost>,
    name: String,
) {
    let name: Arc<str> = name.into();
    let unproven = Arc::new(Semaphore::new(UNPROVEN_MAX));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = accept(&listener) => {
                let Ok(permit) = Arc::clone(&unproven).try_acquire_owned() else {
                    continue; // a flood of those who prove nothing: closed at once
                };
                let (door, host, name) = (door.clone(), Arc::clone(&host), Arc::clone(&name));
                connections.spawn(async move {
                    let received = tokio::time::timeout(HELLO_TIMEOUT, door.receive(stream)).await;
                    drop(permit);
                    if let Ok(Ok((channel, caller))) = received {
                        serve(channel, caller, host, name).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: Channel, caller: Caller, host: Arc<dyn CommandHost>, name: Arc<str>) {
    let mut incoming = Incoming::default();
    if greet(&mut stream, &mut incoming, Role::Commands, &name)
        .await
        .is_err()
        || welcome(&mut stream, &name, 0).await.is_err()
    {
        return;
    }
    let addresses = stream.addresses();
    let (read, write) = tokio::io::split(stream);
    let outbox = Arc::new(Outbox::default());
    tokio::select! {
        _ = read_commands(read, incoming, (&caller, addresses), &host, &outbox) => {}
        _ = write_outcomes(&outbox, write) => {}
    }
    outbox.close();
}

/// Reads commands and runs each in a task of its own. A command that runs goes on when its client leaves:
/// half a move would be worse than one that nobody hears of.
async fn read_commands(
    mut stream: ReadHalf<Channel>,
    mut incoming: Incoming,
    (caller, addresses): (&Caller, Addresses),
    host: &Arc<dyn CommandHost>,
    outbox: &Arc<Outbox>,
) -> Result<()> {
    let permits = Arc::new(Semaphore::new(COMMANDS_MAX));
    loop {
        while let Some(frame) = incoming.next_frame()? {
            let number = frame.correlation;
            match frame.kind {
                Kind::Ping => {
                    outbox.admit();
                    outbox.put(number, Outcome::Pong);
                }
                Kind::Command => {
                    let (name, mut arguments) = read_command(frame.payload)?;
                    let reason = take_reason(&mut arguments);
                    let permit = Arc::clone(&permits).acquire_owned().await;
                    let (host, outbox) = (Arc::clone(host), Arc::clone(outbox));
                    outbox.admit();
                    let admitted = admit(caller, &name, &*host);
                    // Who it is is known while the connection is open; the command may outlive it.
                    // A stranger is refused, and could fill the log with that.
                    let heard = *caller != Caller::Stranger || admitted.is_ok();
                    let given = (heard && changes(&name)).then(|| Given {
                        who: who(caller, addresses),
                        command: name.clone(),
                        arguments: arguments.clone(),
                        reason,
                    });
                    tokio::spawn(async move {
                        let outcome = match admitted {
                            Ok(()) => host.run(name, arguments).await,
                            Err(error) => Err(error),
                        };
                        if let Some(given) = given {
                            host.audit(&given, &outcome);
                        }
                        outbox.put(number, Outcome::Command(outcome));
                        drop(permit);
                    });
                }
                other => {
                    let text = format!("a client may not send {other:?}");
                    return Err(Error::new(ErrorKind::InvalidRequest, text));
                }
            }
            outbox.room().await;
        }
        match tokio::time::timeout(SILENCE_MAX, incoming.fill(&mut stream)).await {
            Ok(Ok(true)) => {}
            _ => return Ok(()),
        }
    }
}

type Addresses = Option<(SocketAddr, SocketAddr)>;

/// Who gives commands over a connection.
fn who(caller: &Caller, addresses: Addresses) -> String {
    let from = addresses.map_or_else(String::new, |(peer, _)| format!(" from {}", peer.ip()));
    match caller {
        Caller::Local => {
            let user = addresses.and_then(|(peer, local)| user_at(peer, local));
            user.map_or_else(|| "somebody on this machine".to_owned(), |user| user.name)
        }
        Caller::Client(name) => format!("client {name}{from}"),
        Caller::Node(name) => format!("node {name}"),
        Caller::Stranger => format!("a stranger{from}"),
    }
}

/// `-Reason` comes with the parameters and is none of them.
fn take_reason(arguments: &mut Value) -> Option<String> {
    let Value::Map(map) = arguments else {
        return None;
    };
    let place = map
        .iter()
        .position(|(key, _)| key.as_text() == Some(REASON))?;
    map.remove(place).1.into_text().ok()
}

/// Whether who is there may give this command.
fn admit(caller: &Caller, command: &str, host: &dyn CommandHost) -> Result<()> {
    match caller {
        Caller::Local => Ok(()),
        Caller::Stranger if command == JOIN => Ok(()),
        Caller::Stranger => Err(Error::new(
            ErrorKind::AccessDenied,
            format!("{command} needs a certificate of this cluster, and there is none"),
        )
        .hint("New-ClusterClientCertificate on a node of the cluster makes one")),
        Caller::Node(_) | Caller::Client(_) => host.admits(caller, command),
    }
}
