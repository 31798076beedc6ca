//! *IP Address*: an address that one owner at a time has.
//!
//! In this version a loopback address, which every process of the machine could bind; so the resource
//! holds it by listening at a port that nothing else uses. Other addresses come with a later version.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Answer, Context, OnlineReport, Provided, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::{self, PRESENCE_PORT};

/// How long sockets of a process that is being ended may still hold the address.
const DYING_MAX: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// The resource; see the module.
#[derive(Debug, Default)]
pub struct IpAddress {
    guard: Option<Guard>,
}

#[derive(Debug)]
struct Guard {
    at: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl IpAddress {
    async fn bind(&mut self, context: &Context) -> Result<OnlineReport> {
        self.release().await;
        let started = Instant::now();
        let address = address(context)?;
        let at = SocketAddr::new(address, PRESENCE_PORT);
        let listener = listen_patiently(at).await?;
        let task = tokio::spawn(greet(listener));
        self.guard = Some(Guard { at, task });
        Ok(OnlineReport {
            provides: Provided {
                address: Some(address),
                ..context.provided.clone()
            },
            steps: vec![("bound".to_owned(), started.elapsed().as_secs_f64() * 1e3)],
        })
    }

    /// Ends the listening and waits until the socket is closed: then another may bind it.
    async fn release(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            guard.task.abort();
            let _ = (&mut guard.task).await;
        }
    }
}

fn address(context: &Context) -> Result<IpAddr> {
    let text = context.required("Address")?;
    let invalid = |why: &str| {
        Error::new(
            ErrorKind::InvalidParameter,
            format!("address {text:?} of resource {:?} {why}", context.resource),
        )
        .hint("give a loopback address of its own, for example 127.0.1.100")
    };
    let address: IpAddr = text
        .trim()
        .parse()
        .map_err(|_| invalid("is no IP address"))?;
    if !address.is_loopback() {
        return Err(invalid(
            "is not a loopback address; other addresses come with a later version",
        ));
    }
    Ok(address)
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

impl Resource for IpAddress {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.bind(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.release().await;
            Ok(())
        })
    }

    fn terminate(&mut self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.release())
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        let alive = self
            .guard
            .as_ref()
            .is_some_and(|guard| !guard.task.is_finished());
        Box::pin(std::future::ready(if alive {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::ResourceFailed,
                "the address is no longer held",
            ))
        }))
    }

    fn is_alive(&mut self) -> Answer<'_, ()> {
        let at = self.guard.as_ref().map(|guard| guard.at);
        Box::pin(async move {
            self.looks_alive().await?;
            let Some(at) = at else { return Ok(()) };
            let answers = tokio::time::timeout(DYING_MAX, tokio::net::TcpStream::connect(at)).await;
            match answers {
                Ok(Ok(_)) => Ok(()),
                _ => Err(Error::new(
                    ErrorKind::ResourceFailed,
                    format!("address {at} does not answer"),
                )),
            }
        })
    }
}
