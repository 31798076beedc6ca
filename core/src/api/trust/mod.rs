//! Certificates and permissions to join, as people meet them.
//!
//! ```text
//!  New-ClusterJoinToken ─ ticket (text) ─> hamq node join ─> a node's certificate
//!  New-ClusterClientCertificate ─ client_file (text) ─> Connect-Cluster from another machine
//! ```

mod client_file;
mod command;
mod ticket;

pub use client_file::{ClientFile, Trust};
pub use command::{
    ClientCertificateInfo, JoinTokenInfo, NewClusterClientCertificate, NewClusterJoinToken,
};
pub use ticket::Ticket;
pub(crate) use ticket::from_hex;
