//! Links between nodes: each node dials every other one and sends heartbeats; whoever accepts watches.
//!
//! A process that ends has its connections closed by the kernel at once: that is the fast evidence. One
//! that hangs stops its heartbeats. A watcher that was itself frozen suspects nobody.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use crate::cluster::engine::{Event, Evidence};
use crate::cluster::record::{ClusterConfig, fold};
use crate::error::{Error, Result};
use crate::sys::network::PEER_PORT;

/// Longest greeting.
const HELLO_BYTES_MAX: u64 = 1024;

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

/// Accepts the links of other nodes and watches each.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener, config: ClusterConfig) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (shared, config) = (Arc::clone(&shared), config.clone());
                Arc::clone(&shared).spawn(watch(shared, stream, config));
            }
            Err(e) => {
                shared.log("ERR", "NM", &format!("accept a peer: {e}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn watch(shared: Arc<Shared>, stream: TcpStream, config: ClusterConfig) {
    let delay = Duration::from_millis(config.same_subnet_delay_ms);
    let limit = delay * u32::try_from(config.same_subnet_threshold).unwrap_or(u32::MAX);
    let mut reader = BufReader::new(stream);
    let Ok(Some(hello)) = tokio::time::timeout(limit, greeting(&mut reader)).await else {
        return;
    };
    // A node that has just joined may be here before the view that shows it.
    let mut views = shared.view.subscribe();
    let shown = views.wait_for(|view| view.nodes.contains_key(&fold(&hello.node)));
    let known = matches!(tokio::time::timeout(limit, shown).await, Ok(Ok(_)));
    if fold(&hello.cluster) != fold(&config.name) || !known {
        shared.log(
            "WARN",
            "NM",
            &format!("refused a link that claims to be {}", hello.node),
        );
        return;
    }
    // It may have been suspected when its last link broke.
    drop(shared.events.send(alive(&hello)).await);
    let mut suspected = false;
    let mut buffer = [0_u8; 64];
    loop {
        let began = shared.options.clock.boot();
        let read = tokio::time::timeout(limit, reader.read(&mut buffer)).await;
        let waited = shared.options.clock.boot().saturating_sub(began);
        let event = match read {
            Ok(Ok(1..)) if suspected => {
                suspected = false;
                alive(&hello)
            }
            Ok(Ok(1..)) => continue,
            Ok(Ok(0) | Err(_)) => {
                let event = evidence(&hello, Evidence::Closed);
                drop(shared.events.send(event).await);
                return;
            }
            Err(_) if suspected || waited > limit + delay => continue, // we hung ourselves
            Err(_) => {
                suspected = true;
                evidence(&hello, Evidence::Silent)
            }
        };
        if shared.events.send(event).await.is_err() {
            return;
        }
    }
}

async fn greeting(reader: &mut BufReader<TcpStream>) -> Option<Hello> {
    let mut line = String::new();
    let mut bounded = reader.take(HELLO_BYTES_MAX);
    bounded.read_line(&mut line).await.ok()?;
    serde_json::from_str(&line).ok()
}

fn evidence(hello: &Hello, evidence: Evidence) -> Event {
    Event::Evidence {
        node: hello.node.clone(),
        incarnation: hello.incarnation.clone(),
        evidence,
    }
}

fn alive(hello: &Hello) -> Event {
    Event::PeerAlive {
        node: hello.node.clone(),
        incarnation: hello.incarnation.clone(),
    }
}

/// Keeps a link to every other node of the cluster.
pub(super) async fn dial_all(shared: Arc<Shared>, config: ClusterConfig) {
    let mut views = shared.view.subscribe();
    let mut dialed = BTreeSet::from([fold(&shared.options.node)]);
    loop {
        let nodes: Vec<String> = views.borrow_and_update().nodes.keys().cloned().collect();
        for node in nodes {
            if dialed.insert(node.clone()) {
                let task = dial(Arc::clone(&shared), node, config.clone());
                shared.spawn(task);
            }
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}

async fn dial(shared: Arc<Shared>, node: String, config: ClusterConfig) {
    let delay = Duration::from_millis(config.same_subnet_delay_ms);
    loop {
        let address = shared
            .view
            .borrow()
            .nodes
            .get(&node)
            .map(|n| n.address.clone());
        if let Some(address) = address
            && let Ok(stream) = TcpStream::connect((address.as_str(), PEER_PORT)).await
        {
            // An error only means that the link is down: the other side notices the same.
            drop(beat(&shared, stream, &config, delay).await);
        }
        tokio::time::sleep(delay).await;
    }
}

async fn beat(
    shared: &Shared,
    mut stream: TcpStream,
    config: &ClusterConfig,
    delay: Duration,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut life = shared.incarnation.subscribe();
    let hello = Hello {
        cluster: config.name.clone(),
        node: shared.options.node.clone(),
        incarnation: life.borrow_and_update().clone(),
    };
    let mut line = serde_json::to_vec(&hello)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut interval = tokio::time::interval(delay);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut nothing = [0_u8; 1];
    let (mut reader, mut writer) = stream.split();
    loop {
        tokio::select! {
            _ = interval.tick() => writer.write_all(b".").await?,
            _ = life.changed() => return Ok(()), // a new life greets anew
            _ = reader.read(&mut nothing) => return Ok(()), // the other side never writes: it is gone
        }
    }
}
