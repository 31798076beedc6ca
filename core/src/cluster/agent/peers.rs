//! Links between nodes: each node dials every other one in each network and sends heartbeats; whoever accepts watches.
//!
//! A process that ends has its connections closed by the kernel at once: that is the fast evidence. One
//! that hangs stops its heartbeats. A watcher that was itself frozen suspects nobody. Beyond loopback both
//! sides prove which node they are before a word is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::set_tcp_user_timeout;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Shared;
use crate::cluster::engine::Event;
use crate::cluster::network::heartbeat_addresses;
use crate::cluster::record::{ClusterConfig, Interface, fold};
use crate::error::{Error, Result};
use crate::sys::network::PEER_PORT;
use crate::sys::trust::{Caller, Channel, Door};

/// Longest greeting.
const HELLO_BYTES_MAX: u64 = 1024;
/// A link that was silent for so many times the limit is given up: its other end is gone without a word.
const SILENCES_MAX: u32 = 10;

/// The first line of a link.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    cluster: String,
    node: String,
    incarnation: String,
}

pub(super) async fn listen(address: IpAddr) -> Result<TcpListener> {
    TcpListener::bind((address, PEER_PORT)).await.map_err(|e| {
        Error::system(format_args!("listen on {address}:{PEER_PORT}"), &e)
            .hint("another node agent uses this address; give each node its own")
    })
}

/// Accepts links at the node's address, and at those of its other interfaces as they come and go.
pub(super) async fn accept_everywhere(
    shared: Arc<Shared>,
    first: TcpListener,
    config: ClusterConfig,
    mut own: watch::Receiver<Vec<Interface>>,
) {
    let main = shared.options.address;
    shared.spawn(accept(
        Arc::clone(&shared),
        first,
        config.clone(),
        own.clone(),
    ));
    let mut others: BTreeMap<IpAddr, AbortHandle> = BTreeMap::new();
    loop {
        let wanted: BTreeSet<IpAddr> = own
            .borrow_and_update()
            .iter()
            .filter_map(|interface| interface.address.parse().ok())
            .filter(|address| *address != main)
            .collect();
        others.retain(|address, task| {
            let stays = wanted.contains(address) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for address in wanted {
            if others.contains_key(&address) {
                continue;
            }
            match listen(address).await {
                Ok(listener) => {
                    let task = accept(Arc::clone(&shared), listener, config.clone(), own.clone());
                    let handle = tokio::spawn(task).abort_handle();
                    shared.track(handle.clone());
                    others.insert(address, handle);
                }
                Err(e) => shared.log("WARN", "NM", &format!("no heartbeats over {address}: {e}")),
            }
        }
        if own.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Accepts the links of other nodes at one address and watches each.
async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    config: ClusterConfig,
    own: watch::Receiver<Vec<Interface>>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (shared, config, own) = (Arc::clone(&shared), config.clone(), own.clone());
                Arc::clone(&shared).spawn(watch(shared, stream, config, own));
            }
            Err(e) => {
                shared.log("ERR", "NM", &format!("accept a peer: {e}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn silence_limit(config: &ClusterConfig) -> Duration {
    let delay = Duration::from_millis(config.same_subnet_delay_ms);
    delay * u32::try_from(config.same_subnet_threshold).unwrap_or(u32::MAX)
}

async fn watch(
    shared: Arc<Shared>,
    stream: TcpStream,
    config: ClusterConfig,
    own: watch::Receiver<Vec<Interface>>,
) {
    let limit = silence_limit(&config);
    let local = stream.local_addr();
    let subnet = local.as_ref().ok().and_then(|at| subnet_of(&own, at.ip()));
    let Ok(Some((mut reader, hello))) =
        tokio::time::timeout(limit, receive(&shared, stream, local)).await
    else {
        return;
    };
    // A node that has just joined may be here before the view that shows it.
    let mut views = shared.view.subscribe();
    let shown = views.wait_for(|view| view.nodes.contains_key(&fold(&hello.node)));
    let known = matches!(tokio::time::timeout(limit, shown).await, Ok(Ok(_)));
    if fold(&hello.cluster) != fold(&config.name) || !known {
        refuse(&shared, &hello.node);
        return;
    }
    let (link, event) = shared.links.open(&hello.node, &hello.incarnation, subnet);
    drop(shared.events.send(event).await);
    listen_to(&shared, &mut reader, link, limit, &config).await;
    tell(&shared, shared.links.closed(link)).await;
}

/// Until the link ends.
async fn listen_to(
    shared: &Shared,
    reader: &mut BufReader<Channel>,
    link: u64,
    limit: Duration,
    config: &ClusterConfig,
) {
    let delay = Duration::from_millis(config.same_subnet_delay_ms);
    let mut silences = 0;
    let mut buffer = [0_u8; 64];
    loop {
        let began = shared.options.clock.boot();
        let read = tokio::time::timeout(limit, reader.read(&mut buffer)).await;
        let waited = shared.options.clock.boot().saturating_sub(began);
        match read {
            Ok(Ok(1..)) if silences > 0 => {
                silences = 0;
                tell(shared, shared.links.heard(link)).await;
            }
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return,
            Err(_) if waited > limit + delay => {} // we hung ourselves
            Err(_) => {
                silences += 1;
                if silences == 1 {
                    tell(shared, shared.links.silent(link)).await;
                }
                if silences > SILENCES_MAX {
                    return;
                }
            }
        }
    }
}

async fn tell(shared: &Shared, event: Option<Event>) {
    if let Some(event) = event {
        drop(shared.events.send(event).await);
    }
}

fn refuse(shared: &Shared, claim: &str) {
    let text = format!("refused a link that claims to be {claim}");
    shared.log("WARN", "NM", &text);
}

/// Which of this node's subnets an address of its own is in.
fn subnet_of(own: &watch::Receiver<Vec<Interface>>, address: IpAddr) -> Option<String> {
    let address = address.to_canonical().to_string();
    let own = own.borrow();
    let found = own.iter().find(|interface| interface.address == address);
    found.map(|interface| interface.subnet.clone())
}

/// Proof of who it is, where one is needed, and the greeting, which must say the same.
async fn receive(
    shared: &Shared,
    stream: TcpStream,
    local: std::io::Result<SocketAddr>,
) -> Option<(BufReader<Channel>, Hello)> {
    let door = Door::at(local.ok()?, shared.options.identity.as_ref()).ok()?;
    let (channel, caller) = match door.receive(stream).await {
        Ok(received) => received,
        Err(e) => {
            shared.log("WARN", "NM", &format!("refused a link without proof: {e}"));
            return None;
        }
    };
    let mut reader = BufReader::new(channel);
    let hello = greeting(&mut reader).await?;
    let proven = match caller {
        Caller::Local => true,
        Caller::Node(name) => name == fold(&hello.node),
        Caller::Client(_) | Caller::Stranger => false,
    };
    if !proven {
        refuse(shared, &hello.node);
        return None;
    }
    Some((reader, hello))
}

async fn greeting(reader: &mut BufReader<Channel>) -> Option<Hello> {
    let mut line = String::new();
    let mut bounded = reader.take(HELLO_BYTES_MAX);
    bounded.read_line(&mut line).await.ok()?;
    serde_json::from_str(&line).ok()
}

/// Keeps a link to every other node of the cluster, over each network that is for it.
pub(super) async fn dial_all(shared: Arc<Shared>, config: ClusterConfig) {
    let mut views = shared.view.subscribe();
    let me = fold(&shared.options.node);
    let mut dialed: BTreeMap<(String, String), AbortHandle> = BTreeMap::new();
    loop {
        let view = views.borrow_and_update().clone();
        let mut wanted = BTreeSet::new();
        for node in view.nodes.keys().filter(|node| **node != me) {
            for address in heartbeat_addresses(&view, node) {
                wanted.insert((node.clone(), address));
            }
        }
        dialed.retain(|target, task| {
            let stays = wanted.contains(target);
            if !stays {
                task.abort();
            }
            stays
        });
        for (node, address) in wanted {
            let target = (node.clone(), address.clone());
            dialed.entry(target).or_insert_with(|| {
                let task = dial(Arc::clone(&shared), node, address, config.clone());
                let handle = tokio::spawn(task).abort_handle();
                shared.track(handle.clone());
                handle
            });
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}

async fn dial(shared: Arc<Shared>, node: String, address: String, config: ClusterConfig) {
    let delay = Duration::from_millis(config.same_subnet_delay_ms);
    let limit = silence_limit(&config);
    loop {
        // An error only means that the link is down: the other side notices the same.
        if let Ok(Some(channel)) =
            tokio::time::timeout(limit, connect(&shared, &node, &address, limit)).await
        {
            drop(beat(&shared, channel, &config, delay).await);
        }
        tokio::time::sleep(delay).await;
    }
}

async fn connect(shared: &Shared, node: &str, address: &str, limit: Duration) -> Option<Channel> {
    let address: IpAddr = address.parse().ok()?;
    let stream = TcpStream::connect((address, PEER_PORT)).await.ok()?;
    stream.set_nodelay(true).ok()?;
    // A cut network must not leave a connection that tries for minutes after it has healed.
    let timeout = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    set_tcp_user_timeout(&stream, timeout.saturating_mul(2)).ok()?;
    if address.is_loopback() {
        return Some(Channel::Plain(stream));
    }
    let identity = shared.options.identity.as_ref()?;
    match Channel::prove(stream, identity, Some(node)).await {
        Ok(channel) => Some(channel),
        Err(e) => {
            shared.log("WARN", "NM", &format!("no link to {node}: {e}"));
            None
        }
    }
}

async fn beat(
    shared: &Shared,
    channel: Channel,
    config: &ClusterConfig,
    delay: Duration,
) -> std::io::Result<()> {
    let mut life = shared.incarnation.subscribe();
    let hello = Hello {
        cluster: config.name.clone(),
        node: shared.options.node.clone(),
        incarnation: life.borrow_and_update().clone(),
    };
    let mut line = serde_json::to_vec(&hello)?;
    line.push(b'\n');
    let (mut reader, mut writer) = tokio::io::split(channel);
    writer.write_all(&line).await?;
    writer.flush().await?;
    let mut interval = tokio::time::interval(delay);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut nothing = [0_u8; 1];
    loop {
        tokio::select! {
            _ = interval.tick() => {
                writer.write_all(b".").await?;
                writer.flush().await?;
            }
            _ = life.changed() => return Ok(()), // a new life greets anew
            _ = reader.read(&mut nothing) => return Ok(()), // the other side never writes: it is gone
        }
    }
}
