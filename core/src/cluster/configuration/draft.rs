//! Several changes as one transaction: each is decided on what the ones before it would leave.

use std::collections::BTreeSet;

use super::change::Change;
use crate::cluster::view::View;
use crate::database::{Transaction, Write};
use crate::error::Result;

/// Changes that happen together or not at all.
pub(super) struct Draft {
    view: View,
    written: BTreeSet<String>,
    all: Transaction,
}

impl Draft {
    pub(super) fn new(view: &View) -> Self {
        Self {
            view: view.clone(),
            written: BTreeSet::new(),
            all: Transaction::default(),
        }
    }

    /// The cluster as it would be.
    pub(super) const fn view(&self) -> &View {
        &self.view
    }

    /// Decides one more.
    pub(super) fn step(&mut self, decide: impl FnOnce(&View) -> Result<Change>) -> Result<()> {
        let more = decide(&self.view)?.into_transaction();
        self.view.apply(&more, self.view.revision);
        for guard in more.guards {
            // What this transaction has written itself is as it left it.
            if !self.written.contains(&guard.key) && !self.all.guards.contains(&guard) {
                self.all.guards.push(guard);
            }
        }
        for write in more.writes {
            let key = key_of(&write).to_owned();
            self.all.writes.retain(|known| key_of(known) != key);
            self.all.writes.push(write);
            self.written.insert(key);
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn done(self) -> Change {
        Change::from_transaction(self.all)
    }
}

fn key_of(write: &Write) -> &str {
    match write {
        Write::Put { key, .. } | Write::Delete { key } => key,
    }
}
