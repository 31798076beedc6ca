//! The first exchange of a connection: who is there, and is it who was wanted?

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of the protocol. A server refuses every other one.
pub const VERSION: u16 = 3;

/// What the client says first. Postcard: version varint, 16-byte GUID with its length, role varint,
/// text with its length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u16,
    /// The identity that requests are remembered by; it outlives the connection.
    pub client: Uuid,
    /// What the connection is for.
    pub role: Role,
    /// The name of the computer or cluster that is expected here; empty: whoever it is.
    pub wants: String,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// 0: requests to a queue manager.
    Session,
    /// 1: commands to a node agent.
    Commands,
}

/// What the server answers. Postcard: version varint, text with its length, epoch varint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`VERSION`].
    pub version: u16,
    /// The name of the computer or cluster.
    pub name: String,
    /// The epoch of the message store; 0 for a node agent.
    pub epoch: u64,
}
