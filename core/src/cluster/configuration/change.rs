//! A transaction in the making.

use serde::Serialize;

use crate::cluster::policy::ClusterPolicy;
use crate::cluster::record::{POLICY_KEY, RETIRED_KEY, Retired, encode, key};
use crate::cluster::view::{Table, Versioned, View};
use crate::database::{Guard, Transaction, Write};

/// Writes with the guards that what they were decided on still holds.
#[derive(Clone, Debug, Default)]
pub struct Change {
    transaction: Transaction,
}

impl Change {
    /// Requires that a row is still as the view shows it.
    #[must_use]
    pub fn guard<T>(mut self, view: &View, kind: &str, table: &Table<T>, name: &str) -> Self {
        let guard = view.guard(kind, table, name);
        if !self.transaction.guards.contains(&guard) {
            self.transaction.guards.push(guard);
        }
        self
    }

    /// Sets a row.
    #[must_use]
    pub fn put<T: Serialize>(mut self, kind: &str, name: &str, row: &T) -> Self {
        self.transaction.writes.push(Write::Put {
            key: key(kind, name),
            value: encode(row),
            lease: None,
        });
        self
    }

    /// Removes a row.
    #[must_use]
    pub fn delete(mut self, kind: &str, name: &str) -> Self {
        let key = key(kind, name);
        self.transaction.writes.push(Write::Delete { key });
        self
    }

    /// Writes a group's row as it is: what else changes the group's structure now is refused.
    #[must_use]
    pub fn touch_group(self, view: &View, group: &str) -> Self {
        let guarded = self.guard(view, "group", &view.groups, group);
        match view.groups.get(&crate::cluster::record::fold(group)) {
            Some(row) => guarded.put("group", group, &row.row),
            None => guarded,
        }
    }

    /// A group that waits for an operator (Priority 0) waits no longer.
    #[must_use]
    pub fn let_start(self, view: &View, group: &str) -> Self {
        match view.held.contains_key(&crate::cluster::record::fold(group)) {
            true => self.delete("held", group),
            false => self,
        }
    }

    /// Sets the policy of the cluster, unless it was changed meanwhile. Also written, as it is, by whoever changes which
    /// groups keep apart: where a group goes is decided by both.
    #[must_use]
    pub(super) fn put_policy(mut self, view: &View, row: &ClusterPolicy) -> Self {
        self.transaction.guards.push(view.policy_guard());
        self.transaction.writes.push(Write::Put {
            key: POLICY_KEY.to_owned(),
            value: encode(row),
            lease: None,
        });
        self
    }

    /// Sets the row of a key, unless it was changed meanwhile.
    #[must_use]
    pub fn put_row<T: Serialize>(
        mut self,
        key: &str,
        known: Option<&Versioned<T>>,
        row: &T,
    ) -> Self {
        self.transaction.guards.push(Guard {
            key: key.to_owned(),
            version: known.map_or(0, |k| k.version),
        });
        self.transaction.writes.push(Write::Put {
            key: key.to_owned(),
            value: encode(row),
            lease: None,
        });
        self
    }

    /// Removes the row of a key, unless it was changed meanwhile.
    #[must_use]
    pub fn delete_row<T>(mut self, key: &str, known: &Versioned<T>) -> Self {
        self.transaction.guards.push(Guard {
            key: key.to_owned(),
            version: known.version,
        });
        self.delete_key(key.to_owned())
    }

    /// Removes what lies at a key.
    #[must_use]
    pub fn delete_key(mut self, key: String) -> Self {
        self.transaction.writes.push(Write::Delete { key });
        self
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transaction.writes.is_empty()
    }

    /// The change of a transaction that was put together.
    pub(super) const fn from_transaction(transaction: Transaction) -> Self {
        Self { transaction }
    }

    /// The transaction.
    #[must_use]
    pub fn into_transaction(self) -> Transaction {
        self.transaction
    }
}

impl Change {
    /// Demands that nothing was retired meanwhile.
    #[must_use]
    pub(super) fn guard_retired(mut self, view: &View) -> Self {
        let guard = Guard {
            key: RETIRED_KEY.to_owned(),
            version: view.retired.as_ref().map_or(0, |r| r.version),
        };
        if !self.transaction.guards.contains(&guard) {
            self.transaction.guards.push(guard);
        }
        self
    }

    /// Keeps the epoch that what is removed has seen.
    #[must_use]
    pub(super) fn put_retired(self, view: &View, row: Retired) -> Self {
        let mut guarded = self.guard_retired(view);
        guarded.transaction.writes.push(Write::Put {
            key: RETIRED_KEY.to_owned(),
            value: encode(&row),
            lease: None,
        });
        guarded
    }
}
