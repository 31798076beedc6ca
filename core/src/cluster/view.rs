//! The cluster as one node sees it: the parsed rows of one revision.
//!
//! A view is replaced by a newer snapshot, or brought forward by a transaction of one's own that was
//! committed ([`View::apply`]), so that the owner need not read back what it has just written.

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoint::Checkpoint;
use super::functional_level::{Build, LEVEL_KEY, Level};
use super::policy::ClusterPolicy;
use super::quarantine::Departures;
use super::record::{
    CLUSTER_KEY, ClientAccess, ClusterConfig, Drained, Expelled, FailRequest, Failures,
    GroupConfig, Held, JoinToken, MemoryPool, MessageService, MoveRequest, NetworkConfig,
    NodeConfig, NodeInterfaces, Owner, POLICY_KEY, Pause, RETIRED_KEY, ResourceConfig,
    ResourceStatus, Retired, Session, Uninstalled, decode, fold, key,
};
use crate::database::{Guard, Range, Transaction, Write};

/// A row with the version that guards name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The row.
    pub row: T,
    /// The revision that wrote it.
    pub version: u64,
}

impl<T> std::ops::Deref for Versioned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.row
    }
}

/// Rows of one kind, by lower-case name.
pub type Table<T> = BTreeMap<String, Versioned<T>>;

/// All rows of one revision.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The revision.
    pub revision: u64,
    /// The cluster's own properties.
    pub cluster: Option<Versioned<ClusterConfig>>,
    /// Nodes.
    pub nodes: Table<NodeConfig>,
    /// Pools of message memory of nodes that have not the default.
    pub memory_pools: Table<MemoryPool>,
    /// Nodes' own queue managers: [`View::message_service`] knows which run.
    pub services: Table<MessageService>,
    /// Nodes that have yet to delete the queues of their own.
    pub uninstalled: Table<Uninstalled>,
    /// Running agents.
    pub sessions: Table<Session>,
    /// Lives that were ended before their lease was over.
    pub expelled: Table<Expelled>,
    /// Groups.
    pub groups: Table<GroupConfig>,
    /// Resources.
    pub resources: Table<ResourceConfig>,
    /// Owners of groups.
    pub owners: Table<Owner>,
    /// Published states of resources.
    pub states: Table<ResourceStatus>,
    /// Counted restarts of resources.
    pub failures: Table<Failures>,
    /// Counted failovers of groups.
    pub failovers: Table<Failures>,
    /// Moves asked for.
    pub moves: Table<MoveRequest>,
    /// Failures asked for.
    pub fail_requests: Table<FailRequest>,
    /// Paused nodes.
    pub pauses: Table<Pause>,
    /// Departures of nodes.
    pub departures: Table<Departures>,
    /// Groups that were drained away.
    pub drained: Table<Drained>,
    /// Groups that wait for an operator.
    pub held: Table<Held>,
    /// The cluster's policy, where it is not the default.
    pub policy: Option<Versioned<ClusterPolicy>>,
    /// The resources of each group: what [`View::resources_of`] walks.
    members: BTreeMap<String, BTreeSet<String>>,
    /// Interfaces of nodes.
    pub interfaces: Table<NodeInterfaces>,
    /// Networks.
    pub networks: Table<NetworkConfig>,
    /// Permissions to join.
    pub tokens: Table<JoinToken>,
    /// What clients may do, where it is not everything or was said.
    pub access: Table<ClientAccess>,
    /// The functional level, where it was ever set.
    pub level: Option<Versioned<Level>>,
    /// The programs of nodes.
    pub builds: Table<Build>,
    /// Checkpoints, by resource and path.
    pub checkpoints: Table<Checkpoint>,
    /// Epochs of removed groups.
    pub retired: Option<Versioned<Retired>>,
    /// Keys whose value cannot be read; they are left alone.
    pub damaged: Vec<String>,
}

impl View {
    /// The name of a group as it was given; what is not known is as it is asked for.
    #[must_use]
    pub fn group_name(&self, group: &str) -> String {
        let known = self.groups.get(&fold(group));
        known.map_or_else(|| group.to_owned(), |g| g.name.clone())
    }

    /// The same of a resource.
    #[must_use]
    pub fn resource_name(&self, resource: &str) -> String {
        let known = self.resources.get(&fold(resource));
        known.map_or_else(|| resource.to_owned(), |r| r.name.clone())
    }

    /// The same of a node.
    #[must_use]
    pub fn node_name(&self, node: &str) -> String {
        let known = self.nodes.get(&fold(node));
        known.map_or_else(|| node.to_owned(), |n| n.name.clone())
    }

    /// The view of a snapshot of `/`.
    #[must_use]
    pub fn parse(range: &Range) -> Self {
        let mut view = Self {
            revision: range.revision,
            ..Self::default()
        };
        for entry in &range.entries {
            view.put(&entry.key, &entry.value, entry.version);
        }
        view
    }

    /// Brings the view forward by a transaction that was committed at `revision`.
    pub fn apply(&mut self, transaction: &Transaction, revision: u64) {
        for write in &transaction.writes {
            match write {
                Write::Put { key, value, .. } => self.put(key, value, revision),
                Write::Delete { key } => self.remove(key),
            }
        }
        self.revision = self.revision.max(revision);
    }

    fn put(&mut self, key: &str, value: &[u8], version: u64) {
        if !key.starts_with('/') {
            return; // a decision, stored by the same transaction
        }
        if key == CLUSTER_KEY {
            self.cluster = decode(value).map(|row| Versioned { row, version });
            return;
        }
        if key == RETIRED_KEY {
            self.retired = decode(value).map(|row| Versioned { row, version });
            return;
        }
        if key == LEVEL_KEY {
            self.level = decode(value).map(|row| Versioned { row, version });
            return;
        }
        if key == POLICY_KEY {
            self.policy = decode(value).map(|row| Versioned { row, version });
            return;
        }
        let Some((kind, name)) = split(key) else {
            return;
        };
        if kind == "resource" {
            self.forget_member(name);
        }
        let known = match kind {
            "node" => insert(&mut self.nodes, name, value, version),
            "memorypool" => insert(&mut self.memory_pools, name, value, version),
            "service" => insert(&mut self.services, name, value, version),
            "uninstalled" => insert(&mut self.uninstalled, name, value, version),
            "session" => insert(&mut self.sessions, name, value, version),
            "expelled" => insert(&mut self.expelled, name, value, version),
            "group" => insert(&mut self.groups, name, value, version),
            "resource" => insert(&mut self.resources, name, value, version),
            "owner" => insert(&mut self.owners, name, value, version),
            "state" => insert(&mut self.states, name, value, version),
            "failures" => insert(&mut self.failures, name, value, version),
            "failovers" => insert(&mut self.failovers, name, value, version),
            "move" => insert(&mut self.moves, name, value, version),
            "fail" => insert(&mut self.fail_requests, name, value, version),
            "pause" => insert(&mut self.pauses, name, value, version),
            "departures" => insert(&mut self.departures, name, value, version),
            "drained" => insert(&mut self.drained, name, value, version),
            "held" => insert(&mut self.held, name, value, version),
            "interfaces" => insert(&mut self.interfaces, name, value, version),
            "network" => insert(&mut self.networks, name, value, version),
            "token" => insert(&mut self.tokens, name, value, version),
            "version" => insert(&mut self.builds, name, value, version),
            "checkpoint" => insert(&mut self.checkpoints, name, value, version),
            "access" => insert(&mut self.access, name, value, version),
            _ => false,
        };
        if kind == "resource"
            && let Some(config) = self.resources.get(name)
        {
            let members = self.members.entry(fold(&config.group)).or_default();
            members.insert(name.to_owned());
        }
        if !known {
            self.damaged.push(key.to_owned());
        }
    }

    /// After a test has written into the tables.
    #[cfg(test)]
    pub(super) fn index_members(&mut self) {
        self.members.clear();
        for (name, config) in &self.resources {
            let members = self.members.entry(fold(&config.row.group)).or_default();
            members.insert(name.clone());
        }
    }

    fn forget_member(&mut self, name: &str) {
        let Some(config) = self.resources.get(name) else {
            return;
        };
        if let Some(members) = self.members.get_mut(&fold(&config.group)) {
            members.remove(name);
        }
    }

    fn remove(&mut self, key: &str) {
        if key == POLICY_KEY {
            self.policy = None;
            return;
        }
        let Some((kind, name)) = split(key) else {
            return;
        };
        if kind == "resource" {
            self.forget_member(name);
        }
        match kind {
            "node" => drop(self.nodes.remove(name)),
            "memorypool" => drop(self.memory_pools.remove(name)),
            "service" => drop(self.services.remove(name)),
            "uninstalled" => drop(self.uninstalled.remove(name)),
            "session" => drop(self.sessions.remove(name)),
            "expelled" => drop(self.expelled.remove(name)),
            "group" => drop(self.groups.remove(name)),
            "resource" => drop(self.resources.remove(name)),
            "owner" => drop(self.owners.remove(name)),
            "state" => drop(self.states.remove(name)),
            "failures" => drop(self.failures.remove(name)),
            "failovers" => drop(self.failovers.remove(name)),
            "move" => drop(self.moves.remove(name)),
            "fail" => drop(self.fail_requests.remove(name)),
            "pause" => drop(self.pauses.remove(name)),
            "departures" => drop(self.departures.remove(name)),
            "drained" => drop(self.drained.remove(name)),
            "held" => drop(self.held.remove(name)),
            "interfaces" => drop(self.interfaces.remove(name)),
            "network" => drop(self.networks.remove(name)),
            "token" => drop(self.tokens.remove(name)),
            "version" => drop(self.builds.remove(name)),
            "checkpoint" => drop(self.checkpoints.remove(name)),
            "access" => drop(self.access.remove(name)),
            _ => {}
        }
    }

    /// The resources of a group, by lower-case name.
    pub fn resources_of<'a>(
        &'a self,
        group: &str,
    ) -> impl Iterator<Item = (&'a String, &'a ResourceConfig)> + use<'a> {
        let members = self.members.get(&fold(group)).into_iter().flatten();
        members.filter_map(|name| {
            let (name, config) = self.resources.get_key_value(name)?;
            Some((name, &config.row))
        })
    }

    /// The checkpoints of a resource.
    pub fn checkpoints_of<'a>(
        &'a self,
        resource: &str,
    ) -> impl Iterator<Item = &'a Versioned<Checkpoint>> + use<'a> {
        let prefix = format!("{}/", fold(resource));
        let from = self.checkpoints.range(prefix.clone()..);
        from.take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(_, row)| row)
    }

    /// The node's own queue manager, if it runs.
    #[must_use]
    pub fn message_service(&self, node: &str) -> Option<&MessageService> {
        let row = self.services.get(&fold(node))?;
        self.session_of(node, &row.incarnation).map(|_| &row.row)
    }

    /// The policy that holds.
    #[must_use]
    pub fn policy(&self) -> ClusterPolicy {
        self.policy.as_ref().map(|p| p.row).unwrap_or_default()
    }

    /// Requires that the policy, and which groups keep apart, is still as this view shows it.
    #[must_use]
    pub fn policy_guard(&self) -> Guard {
        Guard {
            key: POLICY_KEY.to_owned(),
            version: self.policy.as_ref().map_or(0, |row| row.version),
        }
    }

    /// Whether a node is paused.
    #[must_use]
    pub fn is_paused(&self, node: &str) -> bool {
        let node = fold(node);
        self.pauses.contains_key(&node) || self.nodes.get(&node).is_some_and(|n| n.paused)
    }

    /// Whether a node is quarantined.
    #[must_use]
    pub fn is_quarantined(&self, node: &str) -> bool {
        let departures = self.departures.get(&fold(node));
        departures.is_some_and(|d| d.is_quarantined())
    }

    /// The owner of a group, if its session still is the one that owns it.
    #[must_use]
    pub fn live_owner(&self, group: &str) -> Option<&Versioned<Owner>> {
        let owner = self.owners.get(&fold(group))?;
        self.session_of(&owner.node, &owner.incarnation)?;
        Some(owner)
    }

    /// Whether the lease of an owner may be running still: it has a session, or lost it to others before its lease was over
    /// and has not joined again (an agent ends everything before it does).
    #[must_use]
    pub fn lease_may_run(&self, owner: &Owner) -> bool {
        let node = fold(&owner.node);
        let expelled = self.expelled.get(&node);
        self.session_of(&node, &owner.incarnation).is_some()
            || (expelled.is_some_and(|row| row.incarnation == owner.incarnation)
                && !self.sessions.contains_key(&node))
    }

    /// The session of a node, if it is of that incarnation.
    #[must_use]
    pub fn session_of(&self, node: &str, incarnation: &str) -> Option<&Versioned<Session>> {
        self.sessions
            .get(&fold(node))
            .filter(|s| s.incarnation == incarnation)
    }

    /// The epoch the next owner of a group gets: above every epoch that its storage may have seen, in this group or before.
    #[must_use]
    pub fn next_epoch(&self, group: &str) -> u64 {
        let own = self.owners.get(&fold(group)).map_or(0, |o| o.epoch);
        own.max(self.retired.as_ref().map_or(0, |r| r.epoch)) + 1
    }

    /// A guard that the row of a kind is as this view sees it (0 where it does not exist).
    #[must_use]
    pub fn guard<T>(&self, kind: &str, table: &Table<T>, name: &str) -> Guard {
        Guard {
            key: key(kind, name),
            version: table.get(&fold(name)).map_or(0, |row| row.version),
        }
    }
}

fn split(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix('/')?.split_once('/')
}

fn insert<T: serde::de::DeserializeOwned>(
    table: &mut Table<T>,
    name: &str,
    value: &[u8],
    version: u64,
) -> bool {
    decode(value)
        .map(|row| table.insert(name.to_owned(), Versioned { row, version }))
        .is_some()
}
