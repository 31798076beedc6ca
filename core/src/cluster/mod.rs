//! The failover cluster: pure policy, and the agent that acts on it.
//!
//! ```text
//!  database rows ── view ──┐
//!  peers, resources ─ events ─ engine ─ actions ─ agent ── database, resources, fencing
//!                          │
//!      placement · failover · failback · dependency  (pure functions of the view)
//! ```
//!
//! Everything but [`agent`] is pure: no file, socket, clock, thread or lock. A change of the
//! configuration is a function from the view to a guarded transaction ([`configuration`]); a change of
//! ownership is a guarded transaction of the [`engine`]. That is what makes it simulable.

pub mod period;
pub mod policy;
pub mod record;
pub mod view;

pub mod functional_level;
pub mod group;
pub mod messaging_address;
pub mod network;
pub mod node;
pub mod resource;
pub mod resource_type;

pub mod affinity;
pub mod dependency;
pub mod failback;
pub mod failover;
pub mod placement;
pub mod quarantine;

pub mod basis;
pub mod checkpoint;
pub mod configuration;
pub mod engine;
pub mod explain;
pub mod restoration;
pub mod validation;

pub mod agent;
pub mod cluster_log;
