//! Sockets: where things listen, streams that never block, who is at their other end.
//!
//! ```text
//!  listen, holder ─ TCP listeners of the asynchronous servers
//!  endpoint ─ TCP or Unix address    listener ─ accepts ─> stream <─ connects
//!  poller ─ which of many is ready, and a waker      peer ─ which user is there
//!
//!  subnet ─ address/bits      netlink ─ interfaces and their addresses
//!  arp, neighbor ─ who has an address on a link, and telling who has it now
//! ```

mod arp;
mod endpoint;
mod holder;
mod listen;
mod listener;
mod neighbor;
pub mod netlink;
mod peer;
mod poller;
mod readable;
mod stream;
mod subnet;

pub use arp::Arp;
pub use endpoint::{Endpoint, resolve};
pub use holder::holder;
pub use listen::{listen, listen_unnamed};
pub use listener::{Listener, allow_many_connections};
pub use neighbor::advertise;
pub use peer::{Peers, User, own_user, user_at};

pub use poller::{Event, Poller, Waker, wait_for};
pub use stream::{Filled, Stream};
pub use subnet::{Subnet, bits};

/// A node agent's port for commands.
pub const AGENT_PORT: u16 = 7800;
/// A queue manager's port for clients.
pub const QUEUE_MANAGER_PORT: u16 = 7801;
/// A node agent's port for the other nodes' heartbeats.
pub const PEER_PORT: u16 = 7802;
/// The port by which an IP Address resource holds its address.
pub const PRESENCE_PORT: u16 = 7803;
