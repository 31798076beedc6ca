//! Snapshots of the state, and what becomes of the segments that they replace.
//!
//! ```text
//!  begin_snapshot -> SnapshotJob --run()--> WrittenSnapshot -> finish_snapshot -> EPOCH still mine?
//!                    batches go on meanwhile                    -> recycle, remove (as spare jobs)
//! ```

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::pool::Dead;
use super::segment::SegmentId;
use super::snapshot::{self, Snapshot};
use super::writer::{Due, Log, Open, Sealed, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::disk::Disk;

/// Writes a snapshot, on any thread.
#[must_use = "nothing is written before it runs"]
pub struct SnapshotJob {
    disk: Arc<dyn Disk>,
    snapshot: Snapshot,
    name: String,
    /// It is there already: nothing was logged since.
    written: bool,
    /// Headers of the segments that it refers to, if they are not durable.
    due: Vec<Due>,
    /// Segments that are dead once it is durable.
    dead: Vec<u32>,
    /// On a full disk: a spare that may be given up for it.
    lent: Option<Open>,
}

/// What a [`SnapshotJob`] has done.
#[must_use = "the log waits for it"]
pub struct WrittenSnapshot {
    name: String,
    length: u64,
    due: Vec<SegmentId>,
    dead: Vec<u32>,
    lent: Option<Open>,
    /// Names of snapshots in the folder, when this one had been written.
    result: Result<Vec<String>>,
}

impl SnapshotJob {
    /// Does it.
    pub fn run(mut self) -> WrittenSnapshot {
        let result = self.write();
        WrittenSnapshot {
            length: self.snapshot.length(),
            name: self.name,
            due: self.due.iter().map(|due| due.header.id).collect(),
            dead: self.dead,
            lent: self.lent,
            result,
        }
    }

    fn write(&mut self) -> Result<Vec<String>> {
        // Each header refers to the segment before, and the snapshot to the last one.
        for due in &self.due {
            let begun = due.write();
            begun.map_err(|error| failed("begin a segment", &error))?;
        }
        if !self.written {
            self.store()?;
        }
        let names = self.disk.list();
        Ok(snapshot::names(&names.unwrap_or_default()))
    }

    fn store(&mut self) -> Result<()> {
        match self.try_to_store() {
            Err(error) if is_full(&error) => {}
            other => return other.map_err(|error| failed("write a snapshot", &error)),
        }
        if let Some(spare) = self.lent.take() {
            // What is reserved is enough for a small snapshot, and that will free segments.
            drop(self.disk.remove(&spare.id.file_name()));
            match self.try_to_store() {
                Err(error) if is_full(&error) => {}
                other => return other.map_err(|error| failed("write a snapshot", &error)),
            }
        }
        Err(Error::new(
            ErrorKind::InsufficientResources,
            format!(
                "no room for snapshot {} of {} bytes",
                self.name,
                self.snapshot.length()
            ),
        )
        .hint("free space on the disk; the log goes on, and opening takes longer"))
    }

    /// On a full disk nothing of it is left.
    fn try_to_store(&self) -> io::Result<()> {
        let file = match self.disk.create(&self.name, 0) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // An attempt of this owner that did not come to its end.
                self.disk.remove(&self.name)?;
                self.disk.create(&self.name, 0)?
            }
            other => other?,
        };
        let written = self.snapshot.write(file.as_ref());
        if written.as_ref().is_err_and(is_full) {
            drop(self.disk.remove(&self.name));
        }
        written?;
        self.disk.sync_folder()
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl Log {
    /// Writes a snapshot of the state at the end of the log; then gives up the segments that are not in
    /// `live` and the snapshots of before. Not called with a batch under way.
    ///
    /// # Errors
    /// `InsufficientResources`: it could not be written, the log goes on without. Any other is final.
    pub fn snapshot(&mut self, payload: Vec<u8>, live: &BTreeSet<u32>) -> Result<u64> {
        let payload = Bytes::from(payload);
        let written = self.begin(payload.clone(), live)?.run();
        let bytes = match self.finish_snapshot(written) {
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                let written = self.begin(payload, live)?.run();
                self.finish_snapshot(written)?
            }
            other => other?,
        };
        self.tend_spares()?;
        Ok(bytes)
    }

    /// Begins a snapshot of the state at the end of the log, in which only `live` segments, and what will be written
    /// from now on, are needed. Records may follow while it is written.
    ///
    /// # Errors
    /// Final.
    ///
    /// # Panics
    /// With a batch under way or in flight.
    pub fn begin_snapshot(
        &mut self,
        payload: Vec<u8>,
        live: &BTreeSet<u32>,
    ) -> Result<SnapshotJob> {
        self.begin(Bytes::from(payload), live)
    }

    fn begin(&mut self, payload: Bytes, live: &BTreeSet<u32>) -> Result<SnapshotJob> {
        self.healthy()?;
        assert!(
            self.batch.is_empty() && !self.in_flight,
            "a batch is under way"
        );
        let (kept, dead): (Vec<Sealed>, Vec<Sealed>) = self
            .segments
            .values()
            .partition(|s| live.contains(&s.id.number));
        let snapshot = Snapshot {
            segment: self.current.id,
            offset: self.end,
            next_batch: self.next_batch,
            live: kept.iter().map(|s| (s.id, Some(s.end))).collect(),
            payload,
        };
        let name = snapshot.file_name(self.token);
        let written = self.last_snapshot.as_ref() == Some(&name);
        // The one that is there already says which segments it needs: they go with the next one.
        let dead = if written { Vec::new() } else { dead };
        Ok(SnapshotJob {
            disk: Arc::clone(&self.disk),
            snapshot,
            written,
            name,
            due: self.due.clone(),
            dead: dead.iter().map(|s| s.id.number).collect(),
            lent: if self.pool.was_full() {
                self.pool.lend()
            } else {
                None
            },
        })
    }

    /// Takes a snapshot back; gives its bytes. What it replaces is recycled or removed, by the spare jobs that
    /// are then to be asked for.
    ///
    /// The owner may be stopped between the check of the epoch and a removal, and go on when another owns the store.
    /// That is harmless: that owner began to read after the check, when the snapshot was durable, so
    /// nothing that goes here is needed by what it read, and what it wrote bears a higher token.
    ///
    /// # Errors
    /// `InsufficientResources`: it could not be written, the log goes on without. Any other is final.
    pub fn finish_snapshot(&mut self, written: WrittenSnapshot) -> Result<u64> {
        self.healthy()?;
        if let Some(spare) = written.lent {
            self.pool.give_back(spare, self.current.id.number);
        }
        let names = match written.result {
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                self.pool.disk_is_full();
                return Err(error);
            }
            other => other.map_err(|error| self.poison(error))?,
        };
        self.due.retain(|due| !written.due.contains(&due.header.id));
        self.check()?;
        self.remove_replaced(&names, &written.name);
        self.last_snapshot = Some(written.name);
        self.meter.snapshot(written.length);
        self.give_up(&written.dead);
        self.check_invariants_in_debug();
        Ok(written.length)
    }

    fn remove_replaced(&mut self, names: &[String], written: &str) {
        let Some(newest) = snapshot::Name::parse(written) else {
            return;
        };
        for name in names {
            if snapshot::Name::parse(name).is_some_and(|name| name.is_replaced_by(newest)) {
                self.pool.remove(name.clone());
            }
        }
    }

    /// These segments hold nothing any more. What an earlier owner made is only removed: that one may be thawed
    /// and still have it open.
    fn give_up(&mut self, dead: &[u32]) {
        let mut own = Vec::new();
        for number in dead {
            let Some(sealed) = self.segments.remove(number) else {
                continue;
            };
            self.reading.forget(*number);
            let name = sealed.id.file_name();
            if sealed.id.token == self.token && sealed.length >= self.segment_bytes {
                let lives = sealed.lives;
                own.push(Dead { name, lives });
            } else {
                self.pool.remove(name);
            }
        }
        self.pool.checkpoint(own);
    }
}
