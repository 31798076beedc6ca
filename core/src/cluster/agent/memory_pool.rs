//! The pool of message memory of this node: who has a share of it now.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Shared;
use crate::cluster::configuration::memory_pool_mb;
use crate::cluster::resource_type;
use crate::cluster::view::View;

/// Megabytes by who has them.
pub(super) type MessageMemory = Mutex<BTreeMap<String, u32>>;

impl Shared {
    /// Gives a queue manager that is about to start its share; answers why not, if the pool is full.
    pub(super) fn take_message_memory(
        &self,
        view: &View,
        name: &str,
        type_name: &str,
    ) -> Result<(), String> {
        let share = resource_type::find(type_name).map_or(0, |t| t.message_memory_mb);
        let node = &self.options.node;
        let pool = memory_pool_mb(view, node);
        let mut shares = self
            .message_memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let others = shares.iter().filter(|(other, _)| *other != name);
        let used: u32 = others.map(|(_, share)| share).sum();
        if share == 0 || used.saturating_add(share) <= pool {
            shares.insert(name.to_owned(), share);
            return Ok(());
        }
        let enough = used.saturating_add(share);
        Err(format!(
            "the pool of message memory of {node} is full: {used} of {pool} MB are taken by {} other queue \
             managers; Set-MsmqMemoryPool {node} {enough}, on each node where so many may meet",
            used / share
        ))
    }

    /// It is down: its share is free.
    pub(super) fn free_message_memory(&self, name: &str) {
        let mut shares = self
            .message_memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shares.remove(name);
    }
}
