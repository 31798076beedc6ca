//! `hamq node`: the agent of one node.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};

/// What `hamq node` was told.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The cluster's name.
    pub cluster: String,
    /// The node's name.
    pub name: String,
    /// The address of its own.
    pub listen: IpAddr,
    /// Its data folder.
    pub data: PathBuf,
    /// The quorum disk.
    pub database: PathBuf,
    /// Whether the end of standard input means that it shall stop at once.
    pub supervised: bool,
    /// How to start this program in another role.
    pub program: Vec<PathBuf>,
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// Why it could not start or end in order.
pub fn run_node(options: &NodeOptions) -> Result<()> {
    let _ = options;
    Err(Error::new(ErrorKind::Internal, "the agent is merged later"))
}
