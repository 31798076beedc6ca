//! Writing what the engine decided, and keeping the stored decisions bounded.

use std::sync::Arc;

use super::Shared;
use super::main_loop::MainLoop;
use crate::cluster::engine::{Event, Intent, Outcome};
use crate::cluster::record::{DECISION_PREFIX, DECISIONS_MAX};
use crate::database::{Commit, Transaction, Write};

/// After so many decisions of this node the oldest of all are removed.
const PRUNE_EVERY: usize = 256;
/// Decisions that one transaction removes: etcd takes 128 steps unless it is told otherwise.
const PRUNE_CHUNK: usize = 100;

impl MainLoop {
    pub(super) fn commit(&mut self, intent: Intent, transaction: Transaction) {
        let decided = transaction.writes.iter().filter(|w| is_decision(w));
        self.decisions += decided.count();
        if self.decisions >= PRUNE_EVERY {
            self.decisions = 0;
            self.shared.spawn(prune(Arc::clone(&self.shared)));
        }
        let shared = Arc::clone(&self.shared);
        self.shared.spawn(async move {
            let database = &shared.options.database;
            let outcome = match database.commit(transaction.clone()).await {
                Ok(Commit::Done { revision }) => Outcome::Done(revision),
                Ok(Commit::Refused) => Outcome::Refused,
                Err(e) => Outcome::Failed(e.message),
            };
            let event = Event::Committed {
                intent,
                transaction,
                outcome,
            };
            drop(shared.events.send(event).await);
        });
    }
}

fn is_decision(write: &Write) -> bool {
    matches!(write, Write::Put { key, .. } if key.starts_with(DECISION_PREFIX))
}

/// Removes the oldest decisions beyond the bound.
async fn prune(shared: Arc<Shared>) {
    let database = &shared.options.database;
    let Ok(range) = database.read(DECISION_PREFIX).await else {
        return;
    };
    let surplus = range.entries.len().saturating_sub(DECISIONS_MAX);
    let writes: Vec<Write> = range
        .entries
        .into_iter()
        .take(surplus)
        .map(|e| Write::Delete { key: e.key })
        .collect();
    for chunk in writes.chunks(PRUNE_CHUNK) {
        let (guards, writes) = (Vec::new(), chunk.to_vec());
        drop(database.commit(Transaction { guards, writes }).await);
    }
}
