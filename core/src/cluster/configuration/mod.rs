//! Changes of the configuration: pure functions from a view to a guarded transaction, or a refusal.
//!
//! A structural change of a group also writes the group's own row, so that two of them never pass each
//! other unseen (two MSMQ resources added at once, a cycle closed from both ends).

mod access;
mod change;
mod checkpoint;
mod clustered_role;
mod dependency;
mod draft;
mod epoch;
mod feature;
mod group;
mod keep;
mod level;
mod lookup;
mod maintenance;
mod memory_pool;
mod node;
mod owner_node;
mod parameter;
mod policy;
mod relocation;
mod removal;
mod resource;
mod what_if;

pub use access::{check_access, remove_access, set_access};
pub use change::Change;
pub use checkpoint::{add_checkpoint, check_settings_edit, remove_checkpoint};
pub use clustered_role::{NewRole, add_role};
pub use dependency::{add_dependency, remove_dependency, set_dependency};
pub use feature::{FEATURES, install_feature, uninstall_feature};
pub use group::{
    NewGroup, add_group, check_not_paused, move_group, remove_group, start_group, stop_group,
};
pub use keep::{check_keepable, is_settled};
pub use level::update_level;
pub use lookup::{find_group, find_node, find_resource};
pub use maintenance::set_maintenance;
pub use memory_pool::{MEMORY_POOL_DEFAULT_MB, memory_pool_mb, set_memory_pool};
pub use node::{
    Failback, Suspend, clear_quarantine, evict_node, force_quorum, resume_node, suspend_node,
};
pub use owner_node::{set_possible_owners, set_preferred_owners};
pub use parameter::{delete_parameter, parse_pair, set_parameter};
pub use policy::{
    ClusterChange, GroupChange, PolicyChange, set_cluster_policy, set_group, set_restart_policy,
};
pub use relocation::move_resource;
pub use removal::{remove_resource, stop_for_removal};
pub use resource::{NewResource, add_resource, fail_resource, start_resource, stop_resource};
pub use what_if::{Rehearsal, Step};

#[cfg(test)]
mod seed_rules;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod what_if_tests;
