//! An address on an interface: from asking whether somebody has it to its end.
//!
//! ```text
//!  probe ── answered ──> wait until the former owner's lifetime is over ── still answered ──> refused
//!    └── silence ──> add, lifetime = rest of the lease ──> announce ──> renew with each renewal of the lease
//!                                                                        └── or the kernel removes it
//! ```

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::placement::place;
use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::resource_types::{Context, LogSink, blocking};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::network::netlink::{
    LinkAddress, Monitor, Placement, addresses, links, put_address, remove_address,
};
use crate::sys::network::{Arp, advertise};

/// The lifetime where no lease has been heard of yet; the first renewal comes within a second.
const UNLEASED: Duration = Duration::from_secs(5);
/// The kernel counts lifetimes in seconds and removes what is over within one more.
const KERNEL_SLACK: Duration = Duration::from_secs(2);
/// Pause between two rounds of asking while somebody has the address.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long the kernel may take to find that an IPv6 address is free: two seconds by its defaults. Until then nobody can
/// use it, and renewals of the lease do not reach it yet: so that is its first lifetime.
const IPV6_CHECK_MAX: Duration = Duration::from_secs(5);
/// Announcements after the first: a switch may have been learning.
const ANNOUNCE_AGAIN: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// At most one answer to a conflict in this time (RFC 5227, DEFEND_INTERVAL).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// An address that this node has.
#[derive(Debug)]
pub(super) struct OnLink {
    lease: Arc<Mutex<Lease>>,
    monitor: Option<Monitor>,
    announcing: JoinHandle<()>,
    log: LogSink,
}

/// An address with the end of its lifetime. Whoever changes it in the kernel holds the lock.
#[derive(Debug)]
struct Lease {
    placement: Placement,
    /// By the boot clock.
    until: Duration,
    ended: bool,
}

impl Drop for OnLink {
    fn drop(&mut self) {
        self.announcing.abort();
    }
}

impl OnLink {
    pub(super) async fn bring_up(
        context: &Context,
        settings: &Settings,
        lease_until: Option<Duration>,
    ) -> Result<Self> {
        let (settings, node) = (settings.clone(), context.node.clone());
        let placement = blocking(move || {
            let links = links().map_err(|e| Error::system("list the interfaces", &e))?;
            let addresses = addresses().map_err(|e| Error::system("list the addresses", &e))?;
            place(&settings, &node, &links, &addresses)
        })
        .await?;
        if !placement.link.is_up {
            let text = format!("{} of node {} is down", placement.link.name, context.node);
            return Err(Error::new(ErrorKind::ResourceNotAvailable, text)
                .hint("switch it on and see to its cable: `ip link` shows both"));
        }
        let monitor = Monitor::open().map_err(|e| Error::system("watch the addresses", &e))?;
        let until = lease_until.unwrap_or_else(|| SystemClock.boot() + UNLEASED);
        let lease = Arc::new(Mutex::new(Lease {
            placement: placement.clone(),
            until,
            ended: false,
        }));
        match placement.address {
            IpAddr::V4(address) => {
                if placement.link.has_arp {
                    wait_until_free(context, &placement, address, until).await?;
                }
                add(&lease, Duration::from_secs(1)).await?;
            }
            IpAddr::V6(_) => add_checked(context, &lease, &monitor).await?,
        }
        let log = context.log.clone();
        let announcing = tokio::spawn(announce(placement, log.clone()));
        Ok(Self {
            lease,
            monitor: Some(monitor),
            announcing,
            log,
        })
    }

    /// Gives the address the lifetime of the renewed lease. Where the lifetime is over already, the kernel has removed the
    /// address, and somebody else may have it: then it is left alone.
    pub(super) fn renew(&self, until: Duration) {
        let (lease, log) = (Arc::clone(&self.lease), self.log.clone());
        tokio::task::spawn_blocking(move || {
            let mut lease = lock(&lease);
            if lease.ended || SystemClock.boot() >= lease.until {
                return;
            }
            match put_address(&lease.placement, lifetime_s(until)) {
                Ok(()) => lease.until = until,
                Err(e) => {
                    let text = format!(
                        "the lifetime of {} was not renewed: {e}",
                        lease.placement.address
                    );
                    (log.0)("ERR", text);
                }
            }
        });
    }

    pub(super) async fn take_down(self) -> Result<()> {
        remove(&self.lease).await
    }

    pub(super) async fn is_there(&self) -> Result<()> {
        let lease = Arc::clone(&self.lease);
        let gone = blocking(move || Ok(why_gone(&lease))).await?;
        gone.map_or(Ok(()), |why| {
            Err(Error::new(ErrorKind::ResourceFailed, why))
        })
    }

    /// Completes when the address is gone from its interface, or the interface is down. Meanwhile others that use the
    /// address are told and logged.
    pub(super) fn lost(&mut self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        let Some(monitor) = self.monitor.take() else {
            return Box::pin(std::future::pending());
        };
        let (lease, log) = (Arc::clone(&self.lease), self.log.clone());
        Box::pin(async move {
            let placement = lock(&lease).placement.clone();
            tokio::select! {
                why = until_gone(&lease, &monitor) => why,
                () = defend(&placement, &log) => until_gone(&lease, &monitor).await,
            }
        })
    }
}

fn lock(lease: &Mutex<Lease>) -> MutexGuard<'_, Lease> {
    lease.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rounded up: an address that went before its lease would interrupt a healthy group.
fn lifetime_s(until: Duration) -> u32 {
    let rest = until.saturating_sub(SystemClock.boot());
    u32::try_from(rest.as_millis().div_ceil(1000))
        .unwrap_or(u32::MAX)
        .max(1)
}

/// Asking took time: the lease has been renewed meanwhile, which is told after this, or the address goes soon.
async fn add(lease: &Arc<Mutex<Lease>>, at_least: Duration) -> Result<()> {
    let lease = Arc::clone(lease);
    blocking(move || {
        let mut lease = lock(&lease);
        lease.until = lease.until.max(SystemClock.boot() + at_least);
        let lifetime = lifetime_s(lease.until);
        put_address(&lease.placement, lifetime).map_err(|e| refused("add", &lease.placement, &e))
    })
    .await
}

async fn remove(lease: &Arc<Mutex<Lease>>) -> Result<()> {
    let lease = Arc::clone(lease);
    blocking(move || {
        let mut lease = lock(&lease);
        lease.ended = true;
        remove_address(&lease.placement).map_err(|e| refused("remove", &lease.placement, &e))
    })
    .await
}

fn refused(what: &str, placement: &Placement, error: &io::Error) -> Error {
    let (address, link) = (placement.address, &placement.link.name);
    if error.kind() != io::ErrorKind::PermissionDenied {
        return Error::system(format_args!("{what} {address} on {link}"), error);
    }
    let text = format!("the node agent may not {what} address {address} on {link}");
    Error::new(ErrorKind::AccessDenied, text).hint(
        "it needs CAP_NET_ADMIN and CAP_NET_RAW: run it as root, or with AmbientCapabilities= in its systemd unit; \
         loopback addresses (127.0.0.0/8) need no rights",
    )
}

fn in_use(placement: &Placement, holder: &str) -> Error {
    let (address, link) = (placement.address, &placement.link.name);
    let text = format!("address {address} is in use on the network of {link}{holder}");
    Error::new(ErrorKind::AddressInUse, text)
        .hint("find that machine and take the address from it, or choose another address")
}

/// Until when a former owner, whose lease is over, may still have it: as long as a lease lasts from now on.
fn patience(lease_until: Duration) -> Duration {
    lease_until.saturating_sub(SystemClock.boot()) + KERNEL_SLACK
}

async fn wait_until_free(
    context: &Context,
    placement: &Placement,
    address: Ipv4Addr,
    lease_until: Duration,
) -> Result<()> {
    let arp = Arp::open(&placement.link).map_err(|e| refused("ask for", placement, &e))?;
    let give_up = Instant::now() + patience(lease_until);
    let mut told = false;
    loop {
        let answer = arp.probe(address).await;
        let Some(holder) = answer.map_err(|e| refused("ask for", placement, &e))? else {
            return Ok(());
        };
        let holder = hardware_text(holder);
        if Instant::now() > give_up {
            return Err(in_use(placement, &format!(" by {holder}")));
        }
        if !told {
            context.note(
                "WARN",
                format!("{address} is still in use by {holder}; waiting"),
            );
            told = true;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn hardware_text(hardware: [u8; 6]) -> String {
    hardware.map(|byte| format!("{byte:02x}")).join(":")
}

/// Adds an IPv6 address and waits until the kernel has found it free; while it is not, tries again.
async fn add_checked(
    context: &Context,
    lease: &Arc<Mutex<Lease>>,
    monitor: &Monitor,
) -> Result<()> {
    let until = lock(lease).until;
    let give_up = Instant::now() + patience(until);
    let mut told = false;
    loop {
        add(lease, IPV6_CHECK_MAX).await?;
        let checked = tokio::time::timeout(IPV6_CHECK_MAX, until_checked(lease, monitor)).await;
        match checked {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => remove_for_now(lease).await?,
            Ok(Err(error)) => return undone(lease, error).await,
            Err(_) => {
                let address = lock(lease).placement.address;
                let text = format!("the kernel does not say whether {address} is free");
                return undone(lease, Error::new(ErrorKind::Timeout, text)).await;
            }
        }
        let placement = lock(lease).placement.clone();
        if Instant::now() > give_up {
            return Err(in_use(&placement, ""));
        }
        if !told {
            context.note(
                "WARN",
                format!("{} is still in use; waiting", placement.address),
            );
            told = true;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn undone(lease: &Arc<Mutex<Lease>>, error: Error) -> Result<()> {
    remove(lease).await?;
    Err(error)
}

async fn remove_for_now(lease: &Arc<Mutex<Lease>>) -> Result<()> {
    let lease = Arc::clone(lease);
    blocking(move || {
        let lease = lock(&lease);
        remove_address(&lease.placement).map_err(|e| refused("remove", &lease.placement, &e))
    })
    .await
}

/// Whether the kernel found the address free.
async fn until_checked(lease: &Arc<Mutex<Lease>>, monitor: &Monitor) -> Result<bool> {
    loop {
        let shared = Arc::clone(lease);
        match blocking(move || Ok(find(&lock(&shared).placement))).await? {
            Some(found) if found.is_duplicate => return Ok(false),
            Some(found) if !found.is_tentative => return Ok(true),
            Some(_) => {}
            None => return Ok(false), // a kernel that removes duplicates at once
        }
        let heard = monitor.changed().await;
        heard.map_err(|e| Error::system("watch the addresses", &e))?;
    }
}

fn find(placement: &Placement) -> Option<LinkAddress> {
    let all = addresses().ok()?;
    all.into_iter()
        .find(|a| a.link == placement.link.index && a.address == placement.address)
}

fn why_gone(lease: &Mutex<Lease>) -> Option<String> {
    let placement = lock(lease).placement.clone();
    let (address, name) = (placement.address, &placement.link.name);
    let Ok(links) = links() else { return None };
    match links.iter().find(|link| link.index == placement.link.index) {
        None => return Some(format!("interface {name} of address {address} is gone")),
        Some(link) if !link.is_up => {
            return Some(format!("interface {name} of address {address} is down"));
        }
        Some(_) => {}
    }
    let gone = find(&placement).is_none();
    gone.then(|| format!("address {address} is gone from {name}"))
}

async fn until_gone(lease: &Arc<Mutex<Lease>>, monitor: &Monitor) -> String {
    loop {
        let shared = Arc::clone(lease);
        let looked = tokio::task::spawn_blocking(move || why_gone(&shared)).await;
        if let Ok(Some(why)) = looked {
            return why;
        }
        if monitor.changed().await.is_err() {
            // The check by polling goes on.
            return std::future::pending().await;
        }
    }
}

/// Tells the network where the address is now.
async fn announce(placement: Placement, log: LogSink) {
    let tell = || match placement.address {
        IpAddr::V4(address) if placement.link.has_arp => {
            Arp::open(&placement.link).and_then(|arp| arp.announce(address))
        }
        IpAddr::V4(_) => Ok(()),
        IpAddr::V6(address) => advertise(&placement.link, address),
    };
    let mut pauses = ANNOUNCE_AGAIN.into_iter();
    loop {
        if let Err(e) = tell() {
            (log.0)(
                "WARN",
                format!("{} was not announced: {e}", placement.address),
            );
        }
        let Some(pause) = pauses.next() else { return };
        tokio::time::sleep(pause).await;
    }
}

/// Somebody else who uses the address is told once in a while whose it is; ends when nothing can be heard.
async fn defend(placement: &Placement, log: &LogSink) {
    let IpAddr::V4(address) = placement.address else {
        return; // the kernel defends IPv6 addresses
    };
    let Ok(arp) = Arp::open(&placement.link) else {
        return;
    };
    while let Ok(other) = arp.conflict(address).await {
        let other = hardware_text(other);
        (log.0)(
            "WARN",
            format!("{other} uses {address}, which this node owns; telling it so"),
        );
        drop(arp.announce(address));
        tokio::time::sleep(DEFEND_INTERVAL).await;
    }
}
