//! What an engine is told, and what it asks for.

use std::time::Duration;

use crate::cluster::record::Session;
use crate::cluster::view::View;
use crate::database::Transaction;

/// The time of an event, by both clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Boot clock: what every deadline is measured by.
    pub boot: Duration,
    /// Wall clock in milliseconds since 1970: for people only.
    pub wall_ms: u64,
    /// The hour of the local day, 0 to 23: for failback windows.
    pub hour: u8,
}

/// What speaks for a node's death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Its connection was closed: its process may have ended.
    Closed,
    /// It missed its heartbeats: it may hang.
    Silent,
}

/// What fencing a node came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceOutcome {
    /// Its agent is proven to have ended.
    Dead(String),
    /// It lives: only a connection was lost.
    Alive,
    /// It cannot be known from here.
    Unproven(String),
}

/// What an online resource offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnlineFacts {
    /// `127.0.9.1:7801` of a queue manager.
    pub endpoint: Option<String>,
    /// The name of a Network Name.
    pub network_name: Option<String>,
    /// Steps with their duration in milliseconds.
    pub steps: Vec<(String, f64)>,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A session was registered: a life begins.
    SessionStarted {
        /// Its identity.
        incarnation: String,
        /// The revision that holds it.
        revision: u64,
        /// When its lease was asked for.
        sent: Duration,
    },
    /// The database as it is.
    Snapshot(Box<View>),
    /// A renewal that was sent then has succeeded.
    Renewed {
        /// When it was sent.
        sent: Duration,
    },
    /// The lease is gone.
    SessionLost,
    /// A peer may be dead.
    Evidence {
        /// The peer.
        node: String,
        /// Its life.
        incarnation: String,
        /// What speaks for it.
        evidence: Evidence,
    },
    /// A peer was heard again.
    PeerAlive {
        /// The peer.
        node: String,
        /// Its life.
        incarnation: String,
    },
    /// [`Action::Fence`] was done.
    Fenced {
        /// The peer.
        node: String,
        /// Its life.
        incarnation: String,
        /// How it went.
        outcome: FenceOutcome,
    },
    /// [`Action::Online`] was done.
    Online {
        /// The resource.
        resource: String,
        /// Of the action.
        serial: u64,
        /// What it offers, or why it failed.
        result: Result<OnlineFacts, String>,
    },
    /// [`Action::Offline`] was done.
    Offline {
        /// The resource.
        resource: String,
        /// Of the action.
        serial: u64,
        /// Why it failed, if it did.
        result: Result<(), String>,
    },
    /// [`Action::Terminate`] was done.
    Terminated {
        /// The resource.
        resource: String,
        /// Of the action.
        serial: u64,
    },
    /// A resource on its way showed that it gets on: its PendingTimeout begins anew.
    Progress {
        /// The resource.
        resource: String,
        /// The epoch it was started at.
        epoch: u64,
    },
    /// An online resource failed by itself.
    Failed {
        /// The resource.
        resource: String,
        /// Of the action that brought it online.
        serial: u64,
        /// Why.
        reason: String,
    },
    /// [`Action::Commit`] was answered.
    Committed {
        /// Of the action.
        intent: Intent,
        /// Of the action.
        transaction: Transaction,
        /// The answer.
        outcome: Outcome,
    },
    /// Time has passed.
    Tick,
    /// This node is to stop: groups move away first, or go offline if all nodes are to stop.
    Stop {
        /// Every node is to stop.
        all: bool,
    },
}

/// What a transaction is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Become the owner of a group.
    Claim {
        /// The group.
        group: String,
    },
    /// Give a group to its next owner.
    Release {
        /// The group.
        group: String,
    },
    /// Count a failure before it is acted on.
    RecordFailure {
        /// The resource.
        resource: String,
    },
    /// Count a node's departure, or end its quarantine.
    Departure {
        /// The node.
        node: String,
    },
    /// Say what is.
    Publish {
        /// The group.
        group: String,
    },
}

/// The database's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written, at this revision.
    Done(u64),
    /// A guard did not hold.
    Refused,
    /// The database could not be asked: unknown.
    Failed(String),
}

/// Something to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Commit, then tell [`Event::Committed`].
    Commit {
        /// What it is for.
        intent: Intent,
        /// The transaction.
        transaction: Transaction,
    },
    /// Make sure that a node does no harm, then tell [`Event::Fenced`].
    Fence {
        /// Its last session.
        session: Session,
        /// Why; a node that only lost its connection is not ended.
        evidence: Evidence,
    },
    /// Bring a resource online.
    Online {
        /// The resource.
        resource: String,
        /// To be given back.
        serial: u64,
        /// The group's epoch.
        epoch: u64,
    },
    /// Take a resource offline.
    Offline {
        /// The resource.
        resource: String,
        /// To be given back.
        serial: u64,
    },
    /// End a resource at once, whatever it does.
    Terminate {
        /// The resource.
        resource: String,
        /// To be given back.
        serial: u64,
    },
    /// Tell every online resource that it may act until this time of the boot clock (half the lease).
    LeaseRenewed {
        /// That time.
        until: Duration,
    },
    /// Half of the lease is over without a renewal: a resource on an incoherent disk acknowledges nothing.
    StopAdmitting {
        /// The resource.
        resource: String,
    },
    /// Everything has ended: register a new session.
    Rejoin,
    /// Everything has been given away: this node may end.
    Stopped,
    /// A line for the cluster log.
    Log {
        /// `ERR`, `WARN`, `INFO`, `DBG`.
        level: &'static str,
        /// `NM`, `FM`, `RCM` …
        component: &'static str,
        /// The text.
        text: String,
    },
}
