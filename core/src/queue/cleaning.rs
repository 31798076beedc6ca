//! Copy-forward: what little is alive in a segment is copied to the end of the log, so that the segment can go.
//!
//! ```text
//!  choose the sparsest -> another thread reads its records -> a slice a step: is it still there? -> Relocate
//! ```
//!
//! Only where the log is much larger than what is alive in it: a queue that is consumed in order never needs it.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use super::background::Chore;
use super::change::{Change, Content, Effect, Tell};
use super::engine::{Contents, Engine};
use super::execute::places;
use crate::error::Result;
use crate::log::Position;

/// Records looked at, and bytes copied, in one step.
const STEP_RECORDS: usize = 1_000;
const STEP_BYTES: usize = 256 * 1024;
/// The log may be this many segments larger than twice what is alive.
const SLACK_SEGMENTS: u64 = 4;
/// Segments that are cleaned between two checkpoints at most.
const CLEANED_MAX: usize = 16;
/// What an entry's record takes beside its body, about.
const RECORD_BYTES: u64 = 64;

/// The segment that is being cleaned.
#[derive(Default)]
pub(super) struct Cleaning {
    segment: Option<u32>,
    records: VecDeque<(Position, Bytes)>,
    /// Segments that were cleaned since the last checkpoint.
    cleaned: usize,
    /// Cleaned, and still something in it is in use: what no queue holds cannot be copied.
    stuck: BTreeSet<u32>,
}

impl Cleaning {
    pub(super) fn begin(&mut self, number: u32, records: Result<Vec<(Position, Bytes)>>) {
        match records {
            Ok(records) => self.records = records.into(),
            // It is kept as it is: what is damaged is found, and told, by who reads it.
            Err(_) => {
                self.segment = None;
                self.stuck.insert(number);
            }
        }
    }

    pub(super) fn has_more(&self) -> bool {
        !self.records.is_empty()
    }
}

impl Engine {
    /// A checkpoint is there: is there a segment that is worth cleaning?
    pub(super) fn begin_cleaning(&mut self) {
        self.checkpoint.cleaning.cleaned = 0;
        if self.checkpoint.cleaning.segment.is_none() {
            self.choose_victim();
        }
    }

    fn choose_victim(&mut self) {
        let Some(number) = self.sparsest_segment() else {
            return;
        };
        let (Ok(job), Some(background)) = (self.log.records_job(number), &self.background) else {
            return;
        };
        match background.chore(Chore::Records(number, job)) {
            Ok(()) => {
                tracing::info!(segment = number, "cleaning a segment");
                self.checkpoint.cleaning.segment = Some(number);
            }
            Err(error) => self.failure = Some(error),
        }
    }

    fn sparsest_segment(&mut self) -> Option<u32> {
        let segments = self.log.segments();
        let size = segments.iter().map(|s| s.bytes).max().unwrap_or_default();
        let total: u64 = segments.iter().map(|s| s.bytes).sum();
        let (count, bytes) = self.state.in_use_estimate();
        let alive = bytes + count * RECORD_BYTES;
        if total <= 2 * alive + SLACK_SEGMENTS * size {
            return None;
        }
        let average = (alive / count.max(1)).max(RECORD_BYTES);
        let live = self.state.live_segments();
        let in_use = self.state.in_use();
        let stuck = &mut self.checkpoint.cleaning.stuck;
        stuck.retain(|number| live.contains(number));
        // What holds nothing at all goes with the next snapshot by itself.
        let alive_in = |number: u32| in_use.get(&number).copied().unwrap_or_default() * average;
        let sparse = segments
            .iter()
            .filter(|s| !s.current && live.contains(&s.number) && !stuck.contains(&s.number))
            .filter(|s| alive_in(s.number) < s.bytes / 2);
        sparse.min_by_key(|s| alive_in(s.number)).map(|s| s.number)
    }

    /// A slice of the cleaning that is under way.
    pub(super) fn clean_on(&mut self) {
        if !self.checkpoint.cleaning.has_more() || self.failure.is_some() || self.full.is_some() {
            return;
        }
        let mut effects = Vec::new();
        let mut bytes = 0;
        for _ in 0..STEP_RECORDS {
            let Some((place, record)) = self.checkpoint.cleaning.records.pop_front() else {
                break;
            };
            match self.still_there(place, &record) {
                Ok(found) => {
                    bytes += super::execute::size_of_all(&found);
                    effects.extend(found);
                }
                Err(error) => {
                    self.failure = Some(error);
                    return;
                }
            }
            if bytes >= STEP_BYTES {
                break;
            }
        }
        self.copy(effects);
        if !self.checkpoint.cleaning.has_more() {
            self.segment_cleaned();
        }
    }

    fn copy(&mut self, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let change = Change {
            stamp: self.state.own_stamp(self.now()),
            tell: Tell::Done,
            effects,
        };
        self.record_own(&change);
    }

    fn segment_cleaned(&mut self) {
        let Some(number) = self.checkpoint.cleaning.segment.take() else {
            return;
        };
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        if let Err(error) = self.state.move_pages(&contents, number) {
            self.failure = Some(error);
        }
        let stuck = self.state.in_use().contains_key(&number);
        tracing::info!(segment = number, stuck, "segment cleaned");
        if stuck {
            self.checkpoint.cleaning.stuck.insert(number);
        }
        self.checkpoint.cleaning.cleaned += 1;
        if self.checkpoint.cleaning.cleaned < CLEANED_MAX && self.failure.is_none() {
            self.choose_victim();
        }
    }

    /// What of a record must be copied.
    fn still_there(&mut self, place: Position, record: &Bytes) -> Result<Vec<Effect>> {
        if super::checkpoint::is_page(record) {
            return Ok(Vec::new());
        }
        let nobody = |_| Some(uuid::Uuid::nil());
        let (change, parts) = Change::decode(record, &nobody)?;
        let mut places = places(place, &parts).into_iter();
        let mut found = Vec::new();
        for effect in change.effects {
            let message = match &effect {
                Effect::Arrive(arrival) => match &arrival.content {
                    Content::New(content) => {
                        Some((arrival.queue, arrival.lookup_id, 0, content.share()))
                    }
                    Content::Stored(_) => None,
                },
                Effect::Relocate {
                    queue,
                    lookup_id,
                    part,
                    bytes,
                } => Some((*queue, *lookup_id, *part, bytes.clone())),
                Effect::Part { .. } => {
                    places.next();
                    None
                }
                // What a prepared transaction holds stays where it is until it is resolved.
                _ => None,
            };
            let Some((queue, lookup_id, part, bytes)) = message else {
                continue;
            };
            let Some(place) = places.next() else { break };
            let contents = Contents {
                log: RefCell::new(&mut self.log),
                cache: &self.cache,
            };
            let holders = self
                .state
                .holders(&contents, (queue, lookup_id), part, place)?;
            for queue in holders {
                found.push(Effect::Relocate {
                    queue,
                    lookup_id,
                    part,
                    bytes: bytes.clone(),
                });
            }
        }
        Ok(found)
    }
}
