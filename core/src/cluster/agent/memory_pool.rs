//! The pool of message memory of this node: who has a share of it now.

use super::main_loop::MainLoop;
use crate::cluster::configuration::memory_pool_mb;
use crate::cluster::resource_type;

impl MainLoop {
    /// Gives a resource that is about to come online its share; answers why not, if the pool is full.
    pub(super) fn take_message_memory(
        &mut self,
        name: &str,
        type_name: &str,
    ) -> Result<(), String> {
        let share = resource_type::find(type_name).map_or(0, |t| t.message_memory_mb);
        let node = &self.shared.options.node;
        let pool = memory_pool_mb(self.engine.view(), node);
        let others = self
            .message_memory
            .iter()
            .filter(|(other, _)| *other != name);
        let used: u32 = others.map(|(_, share)| share).sum();
        if share == 0 || used.saturating_add(share) <= pool {
            self.message_memory.insert(name.to_owned(), share);
            return Ok(());
        }
        let enough = used.saturating_add(share);
        Err(format!(
            "the pool of message memory of {node} is full: {used} of {pool} MB are taken by {} other queue \
             managers; Set-MsmqMemoryPool {node} {enough}, on each node where so many may meet",
            used / share
        ))
    }

    /// A resource is down: its share is free.
    pub(super) fn free_message_memory(&mut self, name: &str) {
        self.message_memory.remove(name);
    }
}
