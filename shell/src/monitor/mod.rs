//! Show-ClusterMonitor: the cluster on one screen.
//!
//! ```text
//!  fetch (threads) ── News ──┐
//!  keys ─────────────────────┴─> Monitor (pure) ── Effect ─> screen ─ run ─ guard ─ client
//!                                   │
//!                                 draw (pure) ─> terminal, or a buffer in tests
//! ```
//!
//! Nothing here waits for the cluster: what is asked is asked by threads beside the screen, and what is old says how
//! old it is.

mod draw;
mod fetch;
mod guard;
mod keys;
mod screen;
mod tree;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use screen::show;
