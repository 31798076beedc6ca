//! Where things listen.

/// A node agent's port for commands.
pub const AGENT_PORT: u16 = 7800;
/// A queue manager's port for clients.
pub const QUEUE_MANAGER_PORT: u16 = 7801;
/// A node agent's port for the other nodes' heartbeats.
pub const PEER_PORT: u16 = 7802;
