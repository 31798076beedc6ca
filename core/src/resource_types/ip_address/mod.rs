//! *IP Address*: an address that one owner at a time has.
//!
//! ```text
//!  settings ─ the private properties, checked
//!     ├─ loopback ─ 127.0.0.0/8, ::1: every process of the machine could bind it, so it is held by listening
//!     └─ placement ─ which interface of this node, with which prefix
//!          └─ on_link ─ asked for first, added with a lifetime, announced, renewed with the lease, watched
//! ```
//!
//! An address of an interface is the kernel's, not the agent's: it would outlive an agent that died. So it is added with a
//! lifetime that ends with the lease (DESIGN.md D3c).

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::{Answer, Context, OnlineReport, Provided, Resource};
use crate::error::{Error, ErrorKind, Result};

mod loopback;
mod on_link;
mod placement;
mod settings;

use loopback::Loopback;
use on_link::OnLink;
use settings::Settings;

/// The resource; see the module.
#[derive(Debug, Default)]
pub struct IpAddress {
    held: Option<Held>,
    /// Until when this node may own anything, by the boot clock.
    lease_until: Option<Duration>,
}

#[derive(Debug)]
enum Held {
    Loopback(Loopback),
    OnLink(OnLink),
}

impl IpAddress {
    async fn bring_online(&mut self, context: &Context) -> Result<OnlineReport> {
        self.release().await?;
        let started = Instant::now();
        let settings = Settings::read(context)?;
        let held = match settings.address.is_loopback() {
            true => Held::Loopback(Loopback::hold(settings.address).await?),
            false => Held::OnLink(OnLink::bring_up(context, &settings, self.lease_until).await?),
        };
        self.held = Some(held);
        Ok(OnlineReport {
            provides: Provided {
                address: Some(settings.address),
                ..context.provided.clone()
            },
            steps: vec![("bound".to_owned(), started.elapsed().as_secs_f64() * 1e3)],
        })
    }

    async fn release(&mut self) -> Result<()> {
        match self.held.take() {
            None => Ok(()),
            Some(Held::Loopback(held)) => {
                held.release().await;
                Ok(())
            }
            Some(Held::OnLink(held)) => held.take_down().await,
        }
    }
}

fn not_held() -> Error {
    Error::new(ErrorKind::ResourceFailed, "the address is no longer held")
}

impl Resource for IpAddress {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.bring_online(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(self.release())
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // What cannot be removed is not renewed any more: the kernel removes it.
        Box::pin(async { drop(self.release().await) })
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        Box::pin(async {
            match &self.held {
                None => Err(not_held()),
                Some(Held::Loopback(held)) => held.looks_alive(),
                Some(Held::OnLink(held)) => held.is_there().await,
            }
        })
    }

    fn is_alive(&mut self) -> Answer<'_, ()> {
        Box::pin(async {
            match &self.held {
                None => Err(not_held()),
                Some(Held::Loopback(held)) => held.answers().await,
                Some(Held::OnLink(held)) => held.is_there().await,
            }
        })
    }

    fn failed(&mut self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        match &mut self.held {
            Some(Held::OnLink(held)) => held.lost(),
            _ => Box::pin(std::future::pending()),
        }
    }

    fn lease_renewed(&mut self, until: Duration) {
        self.lease_until = Some(until);
        if let Some(Held::OnLink(held)) = &self.held {
            held.renew(until);
        }
    }
}
