//! Who is at the other end of a connection between machines: certificates of the cluster's own authority, and TLS 1.3.
//!
//! ```text
//!  authority ─ signs ─> identity of a node or a client ─┐
//!  pin ─ the authority known by its fingerprint alone ───┴─ channel ─ plain on loopback, mutual TLS elsewhere
//! ```
//!
//! A certificate says what it is for by the names in it: `node.hamq` and `n1.node.hamq`, or `client.hamq` and
//! `alice.client.hamq`. Which cluster it belongs to is who signed it: each cluster has an authority of its own, so names
//! need not be unique in the world. Nothing is accepted beyond loopback without such a certificate (DESIGN.md D10); the one
//! exception is a new node that shows a token to get its own.
//!
//! Files, in the `tls` folder of a node's data folder, readable by its user alone:
//! `ca.pem` and `ca.key` (the authority; every node has both, so that the loss of any host loses no cluster),
//! `node.pem` and `node.key`; `access` (what clients may do, as the agent has told it).

mod authority;
mod channel;
mod digest;
mod guests;
mod identity;
mod pin;
mod relay;

pub use authority::{Authority, IssuedFor, KeyForm};
pub use channel::{Caller, Channel, Door};
pub use digest::{Fingerprint, digest, random};
pub use guests::{GuestRight, Guests, read_guests, write_guests};
pub use identity::{Identity, Pinned};
pub use relay::relay;

/// In every node's certificate.
const NODE: &str = "node.hamq";
/// In every client's.
const CLIENT: &str = "client.hamq";
