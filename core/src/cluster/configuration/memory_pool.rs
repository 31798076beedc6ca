//! A node's pool of message memory: how many queue managers may work on it at once.
//!
//! Each instance takes 4 MB of it, and by default three instances fit, as in the original. There the
//! fourth began to fail at some moment under load; here it is refused when it comes online, with the
//! command that enlarges the pool.

use super::change::Change;
use super::lookup::find_node;
use crate::cluster::record::{MemoryPool, fold};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Three instances of 4 MB.
pub const MEMORY_POOL_DEFAULT_MB: u32 = 12;
const MB_MAX: u32 = 1_048_576;

/// The size of a node's pool.
#[must_use]
pub fn memory_pool_mb(view: &View, node: &str) -> u32 {
    let pool = view.memory_pools.get(&fold(node));
    pool.map_or(MEMORY_POOL_DEFAULT_MB, |p| p.megabytes)
}

/// Sets the size of a node's pool; it counts from the next start of a queue manager on.
///
/// # Errors
/// `NodeNotFound`, `InvalidParameter`.
pub fn set_memory_pool(view: &View, node: &str, megabytes: u64) -> Result<Change> {
    let node = &find_node(view, node)?.name;
    let fits = u32::try_from(megabytes)
        .ok()
        .filter(|mb| (4..=MB_MAX).contains(mb));
    let Some(megabytes) = fits else {
        let text = format!("the pool of message memory of {node} cannot be {megabytes} MB");
        return Err(Error::new(ErrorKind::InvalidParameter, text).hint(
            "give 4 MB for each queue manager that may work there at once, at most 1048576",
        ));
    };
    Ok(Change::default()
        .guard(view, "node", &view.nodes, node)
        .guard(view, "memorypool", &view.memory_pools, node)
        .put("memorypool", node, &MemoryPool { megabytes }))
}
