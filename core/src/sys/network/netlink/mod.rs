//! The kernel's interfaces and addresses, by its routing socket (rtnetlink(7)).
//!
//! ```text
//!  message ─ bytes <─> headers and attributes      socket ─ one request and its answer
//!  link ─ interfaces, default routes               address ─ list, put (with a lifetime), remove
//!  monitor ─ tells that something changed
//! ```
//!
//! Everything here asks or acts at once; a request takes the kernel some ten microseconds.

mod address;
mod link;
mod message;
mod monitor;
mod socket;

pub use address::{LinkAddress, Placement, addresses, put_address, remove_address};
pub use link::{Link, default_route_links, links};
pub use monitor::Monitor;
