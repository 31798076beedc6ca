//! The server of a node agent: commands.

use std::sync::Arc;

use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{SILENCE_MAX, accept, greet, welcome};
use super::outbox::{Outbox, Outcome, write_outcomes};
use crate::api::host::CommandHost;
use crate::api::wire::payload::read_command;
use crate::api::wire::{Incoming, Kind, Role};
use crate::error::{Error, ErrorKind, Result};

/// Commands of one connection that run at the same time.
const COMMANDS_MAX: usize = 64;

/// Serves the commands of the cluster `name` until it is dropped; every connection ends with it.
pub async fn serve_commands(listener: TcpListener, host: Arc<dyn CommandHost>, name: String) {
    let name: Arc<str> = name.into();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = accept(&listener) => {
                connections.spawn(serve(stream, Arc::clone(&host), Arc::clone(&name)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, host: Arc<dyn CommandHost>, name: Arc<str>) {
    let mut incoming = Incoming::default();
    if greet(&mut stream, &mut incoming, Role::Commands, &name)
        .await
        .is_err()
        || welcome(&mut stream, &name, 0).await.is_err()
    {
        return;
    }
    let (read, write) = stream.into_split();
    let outbox = Arc::new(Outbox::default());
    tokio::select! {
        _ = read_commands(read, incoming, &host, &outbox) => {}
        _ = write_outcomes(&outbox, write) => {}
    }
    outbox.close();
}

/// Reads commands and runs each in a task of its own. A command that runs goes on when its client leaves:
/// half a move would be worse than one that nobody hears of.
async fn read_commands(
    mut stream: OwnedReadHalf,
    mut incoming: Incoming,
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
                    let (name, arguments) = read_command(frame.payload)?;
                    let permit = Arc::clone(&permits).acquire_owned().await;
                    let (host, outbox) = (Arc::clone(host), Arc::clone(outbox));
                    outbox.admit();
                    tokio::spawn(async move {
                        let outcome = host.run(name, arguments).await;
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
