//! A loopback address: held by listening at a port that nothing else uses. Needs no rights.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::not_held;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::{self, PRESENCE_PORT};

/// How long sockets of a process that is being ended may still hold the address.
const DYING_MAX: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Loopback {
    at: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Loopback {
    pub(super) async fn hold(address: IpAddr) -> Result<Self> {
        let at = SocketAddr::new(address, PRESENCE_PORT);
        let listener = listen_patiently(at).await?;
        let task = tokio::spawn(greet(listener));
        Ok(Self { at, task })
    }

    /// Ends the listening and waits until the socket is closed: then another may bind it.
    pub(super) async fn release(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub(super) fn looks_alive(&self) -> Result<()> {
        match self.task.is_finished() {
            true => Err(not_held()),
            false => Ok(()),
        }
    }

    pub(super) async fn answers(&self) -> Result<()> {
        self.looks_alive()?;
        let connecting = tokio::net::TcpStream::connect(self.at);
        match tokio::time::timeout(DYING_MAX, connecting).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::new(
                ErrorKind::ResourceFailed,
                format!("address {} does not answer", self.at),
            )),
        }
    }
}

/// Binds; while the address is in use, a few times more: its former owner may just be dying.
async fn listen_patiently(at: SocketAddr) -> Result<TcpListener> {
    let until = Instant::now() + DYING_MAX;
    loop {
        match network::listen_unnamed(at) {
            Err(error) if error.kind == ErrorKind::AddressInUse => {}
            other => return other,
        }
        if Instant::now() > until {
            return network::listen(at);
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// Accepts and closes: whoever asks sees that the address is there.
async fn greet(listener: TcpListener) {
    loop {
        if listener.accept().await.is_err() {
            // Out of descriptors, most likely: holding the address does not need any.
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }
}
