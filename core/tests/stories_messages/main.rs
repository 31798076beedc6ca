//! Stories about messages and queues beside plain sending and receiving.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "a test fails where it stands"
)]

mod acknowledgments;
mod arrivals;
mod endings;
mod ends;
mod held_purges;
mod queues;
mod quotas;
mod world;
