//! The framed protocol between clients and the servers of HAMQ: node agents and queue managers.
//!
//! ```text
//!  client                                server
//!    | Hello {version, client, role, wants} |
//!    |------------------------------------->|
//!    |        Welcome {version, name, epoch}|   or Refused(Error), then the end
//!    |<-------------------------------------|
//!    | Request / Command, numbered          |   many at a time
//!    |------------------------------------->|
//!    |       Reply / CommandReply, numbered |   in any order
//!    |<-------------------------------------|
//! ```
//!
//! `frame` knows bytes and trusts none of them; `handshake`, `payload` and `data` know what is inside;
//! `buffer` and `incoming` cut a stream into frames. docs/wire.md draws every byte.

pub mod buffer;
pub mod data;
pub mod frame;
pub mod handshake;
pub mod incoming;
pub mod payload;

pub use buffer::FrameBuffer;
pub use frame::{Frame, FrameError, Kind};
pub use handshake::{Hello, Role, VERSION, Welcome};
pub use incoming::Incoming;
