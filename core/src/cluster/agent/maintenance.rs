//! Which resources of this node are in maintenance: their tasks are told when that changes.

use std::collections::BTreeSet;

use super::actor::Order;
use super::main_loop::MainLoop;

impl MainLoop {
    /// Compares with the view, and tells the tasks of resources whose mode has changed.
    pub(super) fn follow_maintenance(&mut self) {
        let view = self.engine.view();
        let now: BTreeSet<String> = view
            .resources
            .iter()
            .filter(|(name, r)| r.maintenance && self.actors.contains_key(*name))
            .map(|(name, _)| name.clone())
            .collect();
        let changed: Vec<String> = now
            .symmetric_difference(&self.maintained)
            .cloned()
            .collect();
        for name in changed {
            let on = now.contains(&name);
            let told = self
                .actors
                .get(&name)
                .is_none_or(|r| r.orders.try_send(Order::Maintenance { on }).is_ok());
            // One whose inbox is full is told with the next view.
            if told {
                let text = match on {
                    true => "maintenance begins: its health is not checked",
                    false => "maintenance ends",
                };
                self.shared.log("INFO", "RCM", &format!("{name}: {text}"));
                match on {
                    true => drop(self.maintained.insert(name)),
                    false => drop(self.maintained.remove(&name)),
                }
            }
        }
    }
}
