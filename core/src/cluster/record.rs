//! The rows of the cluster database: one struct per kind, CBOR values, lower-case keys.
//!
//! ```text
//!  /cluster            ClusterConfig      /owner/<g>      Owner           who may act, and its epoch
//!  /node/<n>           NodeConfig         /state/<r>      ResourceStatus  published by the owner
//!  /session/<n>        Session (leased)   /failures/<r>   Failures        restarts counted
//!  /group/<g>          GroupConfig        /failovers/<g>  Failures        failovers counted
//!  /resource/<r>       ResourceConfig     /move/<g>       MoveRequest
//!  /retired            Retired            /fail/<r>       FailRequest
//!  /policy             ClusterPolicy      /pause/<n>      Pause           paused by an operator
//!  /departures/<n>     Departures         /drained/<g>    Drained         left a node that is drained
//!                                         /held/<g>       Held            not started by itself
//!  /interfaces/<n>     NodeInterfaces     /network/<w>    NetworkConfig
//!  /token/<id>         JoinToken          /checkpoint/<r>/<path>  Checkpoint; its images: checkpoint/<r>/<path>@<version>
//!  /service/<n>        MessageService (leased)  the node's own queue manager   /uninstalled/<n>  Uninstalled
//!  /level              Level              /version/<n>    Build
//!  /access/<client>    ClientAccess       /expelled/<n>   Expelled        (leased) ended before its lease was over
//!  decision/<time>…    Decision           not under `/`, so that a view does not read thousands of them
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::basis::Basis;
pub use super::period::{Failure, Failures};
use super::policy::PRIORITY_DEFAULT;
pub use super::policy::RestartPolicy;
use crate::database::LeaseId;

/// What a view reads.
pub const STATE_PREFIX: &str = "/";
/// The explain log.
pub const DECISION_PREFIX: &str = "decision/";
/// Decisions kept.
pub const DECISIONS_MAX: usize = 4000;
/// The key of [`ClusterConfig`].
pub const CLUSTER_KEY: &str = "/cluster";
/// The key of [`super::policy::ClusterPolicy`].
pub const POLICY_KEY: &str = "/policy";
/// The key of [`Retired`].
pub const RETIRED_KEY: &str = "/retired";

/// The key of the object `name` of a kind: names compare without case.
#[must_use]
pub fn key(kind: &str, name: &str) -> String {
    format!("/{kind}/{}", fold(name))
}

/// The form of a name to compare and index by.
#[must_use]
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// A row as the bytes of its value.
#[must_use]
pub fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(row, &mut bytes);
    debug_assert!(written.is_ok(), "rows are plain data");
    bytes
}

/// The row that bytes hold; `None` when they hold something else.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    ciborium::from_reader(bytes).ok()
}

/// How a former owner that hangs on the same machine is treated before its groups are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FencingMode {
    /// Ended by SIGKILL, as by a power switch.
    #[default]
    Kill,
    /// Left to the epoch in the store.
    Storage,
}

impl FencingMode {
    /// As the property spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "Kill",
            Self::Storage => "Storage",
        }
    }
}

/// The cluster's own properties; written by the first node, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterConfig {
    /// Its name.
    pub name: String,
    /// Heartbeat interval, in milliseconds.
    pub same_subnet_delay_ms: u64,
    /// Missed heartbeats until a node is suspected.
    pub same_subnet_threshold: u64,
    /// The lease of a node's session, in milliseconds.
    pub lease_ttl_ms: u64,
    /// How a hung owner is fenced.
    pub fencing: FencingMode,
    /// Wall-clock time of its creation.
    pub created_ms: u64,
}

/// A node's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeConfig {
    /// As it was spelled.
    pub name: String,
    /// Its number, given when it joined.
    pub id: u64,
    /// Where its agent listens.
    pub address: String,
    /// Hosts nothing new while it is set (by a version without [`Pause`]).
    pub paused: bool,
    /// Installed subcomponents of Message Queuing.
    pub features: BTreeSet<String>,
}

/// A process, so exactly that a recycled number is never taken for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its start in clock ticks since boot.
    pub start_time: u64,
    /// Of the kernel it runs on.
    pub boot_id: String,
    /// The inode of its process-number namespace.
    pub pid_namespace: u64,
}

/// A running agent; lives by the agent's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The node.
    pub node: String,
    /// Unique for each start of an agent and each rejoin.
    pub incarnation: String,
    /// The agent.
    pub process: Process,
    /// Where it listens.
    pub address: String,
    /// Since when, by the wall clock.
    pub since_ms: u64,
    /// The lease it lives by.
    #[serde(default)]
    pub lease: Option<LeaseId>,
}

/// The life of an agent whose session was ended on evidence that is no proof, before its lease was over. The row lives by
/// that lease: as long as it is there, what the storage does not protect may still run where it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expelled {
    /// The life.
    pub incarnation: String,
}

/// A node's own queue manager while it runs. The row lives by the lease of the node's session, and counts only with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageService {
    /// The life of the agent that runs it.
    pub incarnation: String,
    /// Where it listens.
    pub endpoint: String,
    /// The rule that chose its address.
    pub rule: String,
    /// The address for multicast messages.
    pub multicast: String,
    /// Since when it runs, by the wall clock.
    pub since_ms: u64,
}

/// Message Queuing was uninstalled from a node, which has not yet deleted the queues of its own queue manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uninstalled {}

/// A node's pool of message memory, where it is not the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPool {
    /// Each queue manager takes 4 of them.
    pub megabytes: u32,
}

/// An interface of a node with one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// `eth0`.
    pub name: String,
    /// Its address.
    pub address: String,
    /// The address's subnet: `10.0.0.0/24`.
    pub subnet: String,
    /// It is switched on and has a carrier.
    pub up: bool,
    /// A default route leads over it.
    pub default_route: bool,
}

/// What a node has and hears of networks; written by its own agent when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInterfaces {
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Whom it hears where: node and subnet. `None` where there is only loopback.
    pub hears: Option<BTreeSet<(String, String)>>,
}

/// A network of the cluster: a subnet that nodes have interfaces in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// As it was spelled.
    pub name: String,
    /// `10.0.0.0/24`.
    pub subnet: String,
    /// 0 none, 1 the cluster's own traffic, 3 that and clients.
    pub role: u64,
}

/// A permission to join, to be used once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// SHA-256 of its secret.
    pub secret_hash: String,
    /// By the wall clock.
    pub expires_ms: u64,
}

/// What a client's certificate allows (Grant-, Block-ClusterAccess); without a row everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAccess {
    /// The client, as it was spelled.
    pub name: String,
    /// What it may do.
    pub right: AccessRight,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessRight {
    /// Everything.
    Full,
    /// What changes nothing.
    ReadOnly,
    /// Nothing: its certificate is worth nothing any more.
    Blocked,
}

impl AccessRight {
    /// As the property spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "Full",
            Self::ReadOnly => "ReadOnly",
            Self::Blocked => "Blocked",
        }
    }
}

/// A group's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupConfig {
    /// As it was spelled.
    pub name: String,
    /// In order of preference.
    pub preferred_owners: Vec<String>,
    /// AutoFailbackType 1.
    pub auto_failback: bool,
    /// Failovers allowed in the period; `None` is the number of nodes less one.
    pub failover_threshold: Option<u64>,
    /// Hours.
    pub failover_period_hours: u64,
    /// Whether it is meant to be online.
    pub persistent_online: bool,
    /// FailbackWindowStart and FailbackWindowEnd, in hours of the local day; none is any time.
    #[serde(default)]
    pub failback_window: Option<(u8, u8)>,
    /// Priority: 0, 1000, 2000 or 3000.
    #[serde(default = "medium")]
    pub priority: u64,
    /// AntiAffinityClassNames: groups that share one keep apart.
    #[serde(default)]
    pub anti_affinity: BTreeSet<String>,
    /// DefaultOwner: the node it was last moved to on purpose; it comes after the preferred owners.
    #[serde(default)]
    pub default_owner: Option<String>,
}

const fn medium() -> u64 {
    PRIORITY_DEFAULT
}

impl GroupConfig {
    /// A group with the defaults of every property.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            preferred_owners: Vec::new(),
            auto_failback: false,
            failover_threshold: None,
            failover_period_hours: 6,
            persistent_online: false,
            failback_window: None,
            priority: PRIORITY_DEFAULT,
            anti_affinity: BTreeSet::new(),
            default_owner: None,
        }
    }
}

/// A resource's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceConfig {
    /// As it was spelled.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its type, as the type spells itself.
    pub resource_type: String,
    /// Private properties.
    pub parameters: BTreeMap<String, String>,
    /// The resources it needs.
    pub depends_on: super::dependency::Expression,
    /// The only nodes that may own it; empty means all.
    pub possible_owners: Vec<String>,
    /// What happens when it fails.
    pub policy: RestartPolicy,
    /// Whether it is meant to be online (persistent state 1).
    pub persistent_online: bool,
    /// In maintenance: its health is not checked, and what happens to it is no failure.
    #[serde(default)]
    pub maintenance: bool,
}

/// Who may act on a group. Only a guarded transaction changes it, and each change raises the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The node.
    pub node: String,
    /// The session of the node that owns it; a restarted agent owns nothing of its former life.
    pub incarnation: String,
    /// The fencing token.
    pub epoch: u64,
    /// Why it is there.
    pub cause: String,
    /// Nodes the group has left on purpose or by failure, with the session it left: it fails back to a
    /// node only in a later session, so that it never moves to and fro.
    pub left: BTreeMap<String, String>,
}

/// What the owner says about a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStatus {
    /// The numeric state of MS-CMRP 3.1.4.2.13.
    pub state: u32,
    /// The owner that says it.
    pub node: String,
    /// Its epoch; a row of another epoch counts as offline.
    pub epoch: u64,
    /// Why.
    pub cause: String,
    /// Since when, by the wall clock.
    pub since_ms: u64,
    /// Where clients find it: `127.0.9.1:7801` of a queue manager.
    pub endpoint: Option<String>,
    /// The network name it provides.
    pub network_name: Option<String>,
    /// It failed, and nothing is tried for a long time or for ever.
    #[serde(default)]
    pub resting: bool,
}

/// A node that an operator paused; the row is there as long as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Unique for each pause.
    pub id: String,
    /// Its groups move away.
    pub drain: bool,
    /// Those that may own no other node are taken offline.
    pub force: bool,
    /// Where they go, if an operator said so and it can be.
    pub target: Option<String>,
}

/// A group that a drain moved away: `Resume-ClusterNode -Failback` brings it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// The node it left.
    pub node: String,
    /// The pause it left in.
    pub pause: String,
}

/// A group of priority 0 that came to a new owner because the former was lost: it stays offline until an
/// operator starts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Why.
    pub cause: String,
}

/// An operator asked for a move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveRequest {
    /// The target node.
    pub target: String,
    /// Holds for this epoch only, so that no move outlives what it was asked about.
    pub epoch: u64,
    /// Who asked.
    pub cause: String,
}

/// An operator asked for a failure (Test-ClusterResourceFailure).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailRequest {
    /// Unique.
    pub id: String,
    /// Holds for this epoch only.
    pub epoch: u64,
}

/// The highest epoch of any group or storage that was removed: where they come back, they start above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// That epoch.
    pub epoch: u64,
}

/// A decision with its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Wall clock, in milliseconds since 1970.
    pub wall_ms: u64,
    /// Boot clock, in nanoseconds: what differences are taken of.
    pub boot_ns: u64,
    /// Of the kernel whose boot clock it is.
    pub boot_id: String,
    /// Who decided.
    pub node: String,
    /// About which group.
    pub group: String,
    /// About which resource.
    pub resource: Option<String>,
    /// `detected`, `fenced`, `claimed`, `disk`, `address`, `name`, `replayed`, `ready`, `moved` …
    pub event: String,
    /// Why.
    pub cause: String,
    /// The group's epoch after it.
    pub epoch: u64,
    /// What belongs together: one failover, one restart.
    pub episode: String,
    /// What it was decided on, so that it can be decided again.
    #[serde(default)]
    pub basis: Option<Basis>,
}
