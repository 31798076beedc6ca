//! Opening a store: the log is taken over and replayed into the state.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::change::{Change, Effect, Stamp, Tell};
use super::checkpoint::Checkpoint;
use super::engine::{Contents, Engine, ManagerOptions, OpenReport, Tuning};
use super::execute::places;
use super::index::{NoPages, Pages};
use super::state::State;
use crate::error::Result;
use crate::log::{Event, Log, LogOptions, Position, Stored};
use crate::sys::clock::Clock;
use crate::sys::disk::Disk;

/// Reads pages while the log is replayed.
struct StoredPages<'a>(&'a Stored<'a>);

impl Pages for StoredPages<'_> {
    fn read(&self, position: Position) -> Result<Bytes> {
        self.0.read(position)
    }
}

impl Engine {
    /// Opens the store in `disk`, or creates one where there is none.
    ///
    /// # Errors
    /// `Fenced` when the store has a higher epoch; `StoreDamaged`; those of the file system.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: ManagerOptions,
        tuning: Tuning,
    ) -> Result<(Self, OpenReport)> {
        let began = clock.boot();
        let mut state = State::default();
        let log_options = LogOptions {
            epoch: options.epoch,
            owner: options.owner.clone(),
            segment_bytes: tuning.segment_bytes,
            deadline: options.deadline,
            fence: tuning.fence,
        };
        let replay =
            &mut |stored: &Stored<'_>, event: Event<'_>| replay(&mut state, stored, &event);
        let (mut log, found) = Log::open(disk, Arc::clone(&clock), log_options, replay)?;
        let opened = clock.boot();
        state.set_computer(&options.name);
        let cache = super::cache::Cache::default();
        let contents = Contents {
            log: RefCell::new(&mut log),
            cache: &cache,
        };
        // No two openings number their leases alike: an old one must not settle a new one.
        let first_lease = contents
            .log
            .borrow()
            .current_segment()
            .wrapping_mul(0x0001_0001)
            | 1;
        state.finish_replay(&contents, first_lease)?;
        let boot_ms = u64::try_from(clock.boot().as_millis()).unwrap_or(u64::MAX);
        state.await_uploaders(boot_ms);
        if state.guid().is_nil() {
            create_store(&mut state, &mut log)?;
        }
        state.check_invariants_in_debug();
        let (queues, messages) = state.counts();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let beginning = opened.saturating_sub(began + found.taken_over + found.read);
        let ready = clock.boot().saturating_sub(opened);
        let report = OpenReport {
            epoch: log.token().epoch,
            records_replayed: found.records,
            bytes_cut: found.bytes_cut,
            queues,
            messages,
            steps: vec![
                ("take over".to_owned(), milliseconds(found.taken_over)),
                ("read".to_owned(), milliseconds(found.read)),
                ("begin a segment".to_owned(), milliseconds(beginning)),
                ("get ready".to_owned(), milliseconds(ready)),
            ],
        };
        tracing::info!(
            manager = %options.name,
            epoch = report.epoch,
            queues,
            messages,
            records = report.records_replayed,
            bytes_cut = report.bytes_cut,
            steps = ?report.steps,
            "message store opened"
        );
        let mut checkpoint = Checkpoint::new(tuning.snapshot_bytes);
        // As if it had written that itself: owners that die one after the other would leave it for ever.
        checkpoint.written(dead_bytes(&state, &log));
        let engine = Self::new(state, log, clock, checkpoint, options.on_failure);
        Ok((engine, report))
    }
}

/// What segments take that the next snapshot lets go.
fn dead_bytes(state: &State, log: &Log) -> u64 {
    let live = state.live_segments();
    let segments = log.segments();
    let dead = segments
        .iter()
        .filter(|s| !s.current && !live.contains(&s.number));
    dead.map(|s| s.bytes).sum()
}

fn replay(state: &mut State, stored: &Stored<'_>, event: &Event<'_>) -> Result<()> {
    match event {
        Event::Snapshot(bytes) => *state = State::decode(bytes)?,
        // A page says nothing that other records do not say.
        Event::Record(_, bytes) if super::checkpoint::is_page(bytes) => {}
        Event::Record(position, bytes) => {
            let client = |number| state.outcomes.client_of(number);
            let (change, parts) = Change::decode(bytes, &client)?;
            let places = places(*position, &parts);
            state.apply(&StoredPages(stored), &change, &places, true)?;
            state.take_woken();
        }
    }
    Ok(())
}

/// Gives a new store its GUID, once and for ever.
fn create_store(state: &mut State, log: &mut Log) -> Result<()> {
    let change = Change::one(
        Stamp {
            request: None,
            time_ms: 0,
        },
        Tell::Done,
        Effect::Store {
            guid: Uuid::new_v4(),
        },
    );
    log.prepare(1, super::change::CHANGE_BYTES, true)?;
    state.apply(&NoPages, &change, &[], true)?;
    log.record(|out| change.encode(out, &mut Vec::new(), 0, &[]));
    log.commit().map(drop)
}
