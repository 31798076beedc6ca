//! Snapshots of the state, and the removal of what they replace.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::snapshot::{self, Snapshot};
use super::writer::{Log, failed};
use crate::error::{Error, ErrorKind, Result};

impl Log {
    /// Writes a snapshot of the state at the end of the log; then removes the segments that are not in
    /// `live` and the snapshots of before. Not called with a batch under way.
    ///
    /// # Errors
    /// `InsufficientResources`: it could not be written, the log goes on without. Any other is final.
    pub fn snapshot(&mut self, payload: Vec<u8>, live: &BTreeSet<u32>) -> Result<u64> {
        self.healthy()?;
        self.write_header()?;
        let current = self.current.id;
        let dead = |number: u32| number < current.number && !live.contains(&number);
        let kept = self.segments.values().filter(|id| !dead(id.number));
        let snapshot = Snapshot {
            segment: current,
            offset: self.end,
            next_batch: self.next_batch,
            live: kept.copied().filter(|id| *id != current).collect(),
            payload,
        };
        let name = snapshot.file_name(self.token);
        let bytes = self.store_snapshot(&name, &snapshot.encode())?;
        self.remove_dead(&name, &dead)?;
        Ok(bytes)
    }

    fn store_snapshot(&mut self, name: &str, bytes: &[u8]) -> Result<u64> {
        let length = bytes.len() as u64;
        if self.last_snapshot.as_deref() == Some(name) {
            return Ok(length); // nothing was written since
        }
        let mut file = self.disk.create(name, length);
        if file.is_err()
            && let Some(spare) = self.spare.take()
        {
            // Full: what is reserved is enough for a small snapshot, and that will free segments.
            self.discard(&spare);
            file = self.disk.create(name, length);
        }
        let file = file.map_err(|error| Error::system("create a snapshot", &error));
        let file = match file {
            Err(error) if error.kind == ErrorKind::InsufficientResources => return Err(error),
            other => other.map_err(|error| self.poison(error))?,
        };
        let written = file.write_at(0, bytes).and_then(|()| file.sync());
        let written = written.and_then(|()| self.disk.sync_folder());
        written.map_err(|error| self.poison(failed("write a snapshot", &error)))?;
        self.last_snapshot = Some(name.to_owned());
        Ok(length)
    }

    /// Removes what the snapshot replaces. What cannot be removed is tried again at the next one.
    ///
    /// This process may be stopped between the check and a removal, and go on when another owns the store.
    /// That is harmless: that owner began to read after the check, when the snapshot was durable, so
    /// nothing that is removed here is needed by what it read, and what it wrote bears a higher token.
    fn remove_dead(&mut self, snapshot: &str, dead: &dyn Fn(u32) -> bool) -> Result<()> {
        let names = self.disk.list().unwrap_or_default();
        self.check_owner().map_err(|error| self.poison(error))?;
        if let Some(newest) = snapshot::Name::parse(snapshot) {
            let replaced = |name: &&String| {
                snapshot::Name::parse(name).is_some_and(|name| name.is_replaced_by(newest))
            };
            for name in names.iter().filter(replaced) {
                drop(self.disk.remove(name));
            }
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, id) in &self.segments {
            if dead(*number) {
                files.remove(number);
                drop(self.disk.remove(&id.file_name()));
            }
        }
        drop(files);
        self.segments.retain(|number, _| !dead(*number));
        Ok(())
    }
}
