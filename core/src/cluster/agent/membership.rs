//! Being a member: the node's row, its session, its lease, and following the database.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::fencer::identity;
use super::{Life, Shared};
use crate::cluster::engine::Event;
use crate::cluster::functional_level::{LEVEL_KEY, Level, level_to_join};
use crate::cluster::record::{
    AccessRight, CLUSTER_KEY, ClusterConfig, NodeConfig, Process, STATE_PREFIX, Session, encode,
    fold, key,
};
use crate::cluster::view::View;
use crate::database::backup::check_whole;
use crate::database::{Commit, Guard, LeaseId, Transaction, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::process::{Presence, ProcessIdentity};
use crate::sys::trust::{GuestRight, Guests, write_guests};

/// Tries of a transaction that others keep outrunning.
const TRIES_MAX: usize = 50;
/// Tries to end a session in order.
const LEAVE_TRIES_MAX: usize = 3;

/// A session that was registered.
pub(super) struct Registered {
    pub(super) incarnation: String,
    pub(super) lease: LeaseId,
    pub(super) revision: u64,
    pub(super) sent: Duration,
}

/// Writes the rows of the cluster and of this node, where they are missing or out of date.
pub(super) async fn join(shared: &Shared) -> Result<ClusterConfig> {
    let database = &shared.options.database;
    for _ in 0..TRIES_MAX {
        let found = database.read(STATE_PREFIX).await?;
        check_whole(&found, &database.location())?;
        let view = View::parse(&found);
        let config = match &view.cluster {
            Some(config) => config.row.clone(),
            None => new_cluster(shared),
        };
        if fold(&config.name) != fold(&shared.options.cluster) {
            return Err(other_cluster(shared, &config));
        }
        let level = level_to_join(&view, &shared.options.node, &shared.options.build)?;
        let Some(transaction) = joining(shared, &view, &config, level) else {
            return Ok(config);
        };
        if let Commit::Done { .. } = database.commit(transaction).await? {
            return Ok(config);
        }
    }
    Err(outrun("join the cluster"))
}

fn new_cluster(shared: &Shared) -> ClusterConfig {
    let timing = shared.options.timing;
    let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    ClusterConfig {
        name: shared.options.cluster.clone(),
        same_subnet_delay_ms: millis(timing.same_subnet_delay).max(1),
        same_subnet_threshold: timing.same_subnet_threshold.max(1),
        lease_ttl_ms: millis(timing.lease_ttl).max(100),
        fencing: timing.fencing,
        created_ms: shared.options.clock.wall_ms(),
    }
}

/// The cluster's row is written with each new node, so that two nodes never get the same number.
fn joining(
    shared: &Shared,
    view: &View,
    config: &ClusterConfig,
    level: u64,
) -> Option<Transaction> {
    let (name, address) = (&shared.options.node, shared.options.address.to_string());
    let known = view.nodes.get(&fold(name));
    let build = &shared.options.build;
    let told = view
        .builds
        .get(&fold(name))
        .is_some_and(|b| b.row == *build)
        && view.functional_level() == level;
    if view.cluster.is_some() && known.is_some_and(|n| n.address == address) && told {
        return None;
    }
    let next = view.nodes.values().map(|n| n.id).max().unwrap_or(0) + 1;
    let row = match known {
        Some(node) => NodeConfig {
            address,
            ..node.row.clone()
        },
        None => NodeConfig {
            name: name.clone(),
            id: next,
            address,
            paused: false,
            features: Default::default(),
        },
    };
    let cluster = Guard {
        key: CLUSTER_KEY.to_owned(),
        version: view.cluster.as_ref().map_or(0, |c| c.version),
    };
    let level_row = Guard {
        key: LEVEL_KEY.to_owned(),
        version: view.level.as_ref().map_or(0, |row| row.version),
    };
    let mut writes = vec![
        put(CLUSTER_KEY.to_owned(), encode(config), None),
        put(key("node", name), encode(&row), None),
        put(key("version", name), encode(build), None),
    ];
    if view.functional_level() != level {
        writes.push(put(LEVEL_KEY.to_owned(), encode(&Level { level }), None));
    }
    Some(Transaction {
        guards: vec![
            cluster,
            view.guard("node", &view.nodes, name),
            view.guard("version", &view.builds, name),
            level_row,
        ],
        writes,
    })
}

/// Registers a session under a new lease; an earlier one of this node is replaced once its agent is
/// proven to have ended, or its lease has run out.
pub(super) async fn register(shared: &Shared, config: &ClusterConfig) -> Result<Registered> {
    let database = &shared.options.database;
    let ttl = Duration::from_millis(config.lease_ttl_ms);
    let give_up = shared.options.clock.boot() + ttl * 4;
    loop {
        let found = database.read(STATE_PREFIX).await?;
        check_whole(&found, &database.location())?;
        let view = View::parse(&found);
        if let Some(session) = view.sessions.get(&fold(&shared.options.node))
            && !replaceable(shared, session)?
        {
            if shared.options.clock.boot() > give_up {
                return Err(running_already(shared, session));
            }
            let mut changes = database.watch();
            drop(tokio::time::timeout(ttl / 4, changes.changed()).await);
            continue;
        }
        let sent = shared.options.clock.boot();
        let lease = database.grant(ttl).await?;
        let incarnation = Uuid::new_v4().to_string();
        let transaction = session_row(shared, &view, &incarnation, lease);
        match database.commit(transaction).await? {
            Commit::Refused => database.revoke(lease).await?,
            Commit::Done { revision } => {
                shared.incarnation.send_replace(incarnation.clone());
                shared.lease.send_replace(Some(lease));
                return Ok(Registered {
                    incarnation,
                    lease,
                    revision,
                    sent,
                });
            }
        }
    }
}

fn session_row(shared: &Shared, view: &View, incarnation: &str, lease: LeaseId) -> Transaction {
    let options = &shared.options;
    let session = Session {
        node: options.node.clone(),
        incarnation: incarnation.to_owned(),
        process: process(&shared.process),
        address: options.address.to_string(),
        since_ms: options.clock.wall_ms(),
        lease: Some(lease),
    };
    let key = key("session", &options.node);
    Transaction {
        guards: vec![view.guard("session", &view.sessions, &options.node)],
        writes: vec![put(key, encode(&session), Some(lease))],
    }
}

pub(super) fn process(identity: &ProcessIdentity) -> Process {
    Process {
        pid: identity.pid,
        start_time: identity.start_time,
        boot_id: identity.boot_id.clone(),
        pid_namespace: identity.pid_namespace,
    }
}

fn replaceable(shared: &Shared, session: &Session) -> Result<bool> {
    let former = identity(&session.process);
    if former == shared.process {
        return Ok(*shared.incarnation.borrow() == session.incarnation);
    }
    if former.boot_id != shared.process.boot_id {
        return Ok(false); // perhaps another machine: its lease decides
    }
    match former.presence() {
        Presence::Gone => Ok(true),
        Presence::Alive => Err(running_already(shared, session)),
        Presence::Elsewhere => Ok(false),
    }
}

/// Renews the lease until it is gone.
pub(super) async fn renew(shared: Arc<Shared>, lease: LeaseId, ttl: Duration) {
    let mut interval = tokio::time::interval(ttl / 4);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let sent = shared.options.clock.boot();
        let event = match shared.options.database.renew(lease).await {
            Ok(true) => Event::Renewed { sent },
            Ok(false) => Event::SessionLost,
            Err(e) => {
                shared.log("ERR", "DB", &format!("the lease was not renewed: {e}"));
                continue;
            }
        };
        let over = matches!(event, Event::SessionLost);
        if shared.events.send(event).await.is_err() || over {
            return;
        }
    }
}

/// Follows the database: each change becomes a snapshot.
pub(super) async fn follow(shared: Arc<Shared>) {
    let database = &shared.options.database;
    let mut changes = database.watch();
    let mut told = None;
    loop {
        changes.borrow_and_update();
        match database.read(STATE_PREFIX).await {
            Ok(range) => {
                let view = Box::new(View::parse(&range));
                tell_guests(&shared, &view, &mut told);
                shared.set_log(view.policy());
                if shared.events.send(Event::Snapshot(view)).await.is_err() {
                    return;
                }
            }
            Err(e) => {
                shared.log("ERR", "DB", &format!("the database cannot be read: {e}"));
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Writes down for the queue managers of this node what clients may do, when it has changed.
fn tell_guests(shared: &Shared, view: &View, told: &mut Option<Guests>) {
    if shared.options.identity.is_none() {
        return; // only this machine's own users come here
    }
    let guests = view.access.iter().map(|(name, row)| {
        let right = match row.right {
            AccessRight::Full => GuestRight::Full,
            AccessRight::ReadOnly => GuestRight::ReadOnly,
            AccessRight::Blocked => GuestRight::Blocked,
        };
        (name.clone(), right)
    });
    let guests: Guests = guests.collect();
    if told.as_ref() == Some(&guests) {
        return;
    }
    match write_guests(&shared.options.data.join("tls"), &guests) {
        Ok(()) => *told = Some(guests),
        Err(e) => shared.log(
            "ERR",
            "NM",
            &format!("what clients may do is not written: {e}"),
        ),
    }
}

/// Writes into the log what an operator should know about the database.
pub(super) async fn tell_notices(shared: Arc<Shared>) {
    let notices = shared.options.database.notices().await;
    for notice in notices.unwrap_or_default() {
        shared.log("WARN", "DB", &notice);
    }
}

/// Ends the session: its row is removed, so that others know at once.
pub(super) async fn leave(shared: &Shared) {
    let database = &shared.options.database;
    for _ in 0..LEAVE_TRIES_MAX {
        let Ok(range) = database.read(STATE_PREFIX).await else {
            break; // the lease runs out by itself
        };
        let view = View::parse(&range);
        let Some(transaction) = leaving(shared, &view) else {
            break;
        };
        if let Ok(Commit::Done { .. }) = database.commit(transaction).await {
            break;
        }
    }
    shared.life.send_replace(Life::Ended);
}

/// The end of a session in order: this departure is not counted towards a quarantine.
fn leaving(shared: &Shared, view: &View) -> Option<Transaction> {
    let (node, incarnation) = (&shared.options.node, shared.incarnation.borrow().clone());
    view.session_of(node, &incarnation)?;
    let departures = view.departures.get(&fold(node)).map(|d| d.row.clone());
    let row = departures.unwrap_or_default().left_in_order(&incarnation);
    let ended = Write::Delete {
        key: key("session", node),
    };
    Some(Transaction {
        guards: vec![
            view.guard("session", &view.sessions, node),
            view.guard("departures", &view.departures, node),
        ],
        writes: vec![ended, put(key("departures", node), encode(&row), None)],
    })
}

fn put(key: String, value: Vec<u8>, lease: Option<LeaseId>) -> Write {
    Write::Put { key, value, lease }
}

fn other_cluster(shared: &Shared, config: &ClusterConfig) -> Error {
    let (here, asked) = (&config.name, &shared.options.cluster);
    let place = shared.options.database.location();
    let text = format!("{place} holds the cluster {here}, not {asked}");
    Error::new(ErrorKind::ClusterNotFound, text).hint("give each cluster a database of its own")
}

fn running_already(shared: &Shared, session: &Session) -> Error {
    let (node, pid) = (&shared.options.node, session.process.pid);
    let text = format!("node {node} is running already as process {pid}");
    Error::new(ErrorKind::ObjectAlreadyExists, text).hint("stop it first, or use another name")
}

fn outrun(what: &str) -> Error {
    let text = format!("could not {what}: others kept changing the database");
    Error::new(ErrorKind::Timeout, text).hint("try again")
}
