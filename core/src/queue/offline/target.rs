//! `hamq store salvage`: a new store with everything that is intact. The source is only read.
//!
//! ```text
//!  Picture -> records (Store, Principal, Create, Arrive with its content) -> the new log
//!          -> State by the ordinary `apply`, entries as they were         -> a snapshot on top
//! ```
//!
//! The snapshot carries what no record can say again: move counts, where a dead letter was going, idempotency keys.
//! The GUID and the lookup ids stay, so message ids do too. What requests came to is not carried over: a
//! client whose outcome is unknown must look itself.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::check::faults;
use super::picture::{Kept, Picture, Pictured};
use super::survey::Survey;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, LogOptions, Position};
use crate::queue::change::{Arrival, Change, Content, Effect, Stamp, Tell};
use crate::queue::encoded::Encoded;
use crate::queue::execute::places;
use crate::queue::index::{NoPages, Pages};
use crate::queue::request::QueueKind;
use crate::queue::state::State;
use crate::queue::transaction::PreparedTransaction;
use crate::sys::clock::Clock;
use crate::sys::disk::Disk;

/// Bytes of one batch, or a little more.
const BATCH_BYTES: usize = 1024 * 1024;
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// Who wrote the parts of bodies.
const SALVAGER: Uuid = Uuid::from_u128(0x4841_4d51_0000_4000_8000_7361_6c76_6765);

/// What was salvaged and what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Users' queues.
    pub queues: u64,
    /// Messages, in all queues.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Prepared transactions.
    pub prepared: u64,
    /// Everything that was lost or is wrong, one line each.
    pub lost: Vec<String>,
}

/// Writes a new store into `target` with everything that is intact in `source`.
///
/// # Errors
/// `InvalidParameter` when `target` is not empty; `StoreDamaged` when `source` has no log at all; those of the file system.
pub fn salvage(
    source: &Arc<dyn Disk>,
    target: &Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
) -> Result<Rescued> {
    let names = target
        .list()
        .map_err(|e| Error::system("list the target folder", &e))?;
    if let Some(name) = names.first() {
        let text = format!("the target folder is not empty: there is {name}");
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("name a new folder; nothing is ever overwritten"));
    }
    let survey = Survey::of(source)?;
    let log = &survey.inspection;
    if log.segments.is_empty() && log.snapshots.is_empty() {
        let text = "there is no message store in the source folder: neither segment nor snapshot";
        return Err(Error::new(ErrorKind::StoreDamaged, text)
            .hint("name the folder with the .seg and .snap files"));
    }
    let mut target = Target::begin(target, clock, &survey)?;
    target.machine(&survey.picture)?;
    for (number, queue) in &survey.picture.queues {
        target.queue(*number, queue)?;
    }
    for (number, queue) in &survey.picture.queues {
        for (lookup_id, kept) in &queue.messages {
            target.message(*number, *lookup_id, kept)?;
        }
        target.restore(*number, queue);
    }
    for prepared in survey.picture.prepared.values() {
        target.prepared(prepared)?;
    }
    target.finish()
}

struct Target<'a> {
    survey: &'a Survey,
    log: Log,
    state: State,
    bodies: u64,
    rescued: Rescued,
}

impl<'a> Target<'a> {
    fn begin(disk: &Arc<dyn Disk>, clock: &Arc<dyn Clock>, survey: &'a Survey) -> Result<Self> {
        let owner = survey.inspection.owner.as_ref();
        let options = LogOptions {
            epoch: Some(owner.map_or(1, |owner| owner.0.epoch.max(1))),
            owner: "salvage".to_owned(),
            segment_bytes: SEGMENT_BYTES,
            deadline: None,
            fence: None,
        };
        let (disk, clock) = (Arc::clone(disk), Arc::clone(clock));
        let (log, _) = Log::open(disk, clock, options, &mut |_, _| Ok(()))?;
        Ok(Self {
            survey,
            log,
            state: State::default(),
            bodies: 0,
            rescued: Rescued {
                lost: faults(survey),
                ..Rescued::default()
            },
        })
    }

    /// Writes a change and applies it; gives where its contents lie.
    fn record(&mut self, time_ms: u64, effects: Vec<Effect>) -> Result<Vec<Position>> {
        let change = Change {
            stamp: Stamp {
                request: None,
                time_ms,
            },
            tell: Tell::Done,
            effects,
        };
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        change.encode(&mut bytes, &mut parts, 0, &[]);
        let full = self.log.pending_bytes() >= BATCH_BYTES || !self.log.has_room(1, bytes.len());
        if self.log.has_records() && full {
            self.log.commit()?;
        }
        self.log.prepare(1, bytes.len(), false)?;
        let base = self.log.record(|out| out.extend_from_slice(&bytes));
        let places = places(base, &parts);
        self.state.apply(&NoPages, &change, &places, true)?;
        self.state.take_woken();
        Ok(places)
    }

    fn machine(&mut self, picture: &Picture) -> Result<()> {
        let guid = match picture.guid {
            guid if guid.is_nil() => Uuid::new_v4(),
            guid => guid,
        };
        self.record(0, vec![Effect::Store { guid }])?;
        let mut effects = vec![Effect::Reserve {
            counter: picture.counter,
        }];
        let names = picture.principals.iter();
        effects.extend(names.map(|(number, name)| Effect::Principal {
            number: *number,
            name: name.clone(),
        }));
        effects.push(Effect::Machine {
            properties: picture.machine,
        });
        effects.push(Effect::Permit {
            queue: 0,
            access: picture.access.clone(),
        });
        for effect in effects {
            self.record(0, vec![effect])?;
        }
        Ok(())
    }

    fn queue(&mut self, number: u32, queue: &Pictured) -> Result<()> {
        let made_already = self.state.queues.contains_key(&number);
        if !made_already && queue.kind != QueueKind::Journal {
            let create = Effect::Create {
                queue: number,
                name: queue.name.clone(),
                kind: queue.kind,
                properties: Box::new(queue.properties.clone()),
                access: queue.access.clone(),
            };
            self.record(queue.created_ms, vec![create])?;
            self.rescued.queues += u64::from(queue.kind == QueueKind::Private);
        }
        Ok(())
    }

    fn message(&mut self, number: u32, lookup_id: u64, kept: &Kept) -> Result<()> {
        let Some((content, parts)) = self.contents(kept) else {
            return Ok(()); // told among the faults
        };
        let entry = &kept.entry;
        let body = self.parts(parts, entry.arrived_ms)?;
        let extra = entry.extra.as_deref();
        let arrival = Arrival {
            queue: number,
            lookup_id,
            content: Content::New(content),
            body_bytes: entry.body_bytes,
            sender: entry.sender,
            wishes: entry.wishes,
            expires_ms: entry.expires_ms().unwrap_or(0),
            due_ms: kept.due_ms,
            correlation_id: entry.correlation_id(),
            class: extra.map_or(0, |extra| extra.class),
            parts: body.iter().flat_map(|body| body.1.clone()).collect(),
            transaction: extra.and_then(|extra| extra.transaction),
            key: Vec::new(),
            express: false,
        };
        let mut effects = vec![Effect::Arrive(Box::new(arrival))];
        effects.extend(body.map(|(body, _)| Effect::Parts {
            client: SALVAGER,
            body,
        }));
        self.record(entry.arrived_ms, effects)?;
        self.as_it_was(number, lookup_id, kept)?;
        self.rescued.messages += 1;
        self.rescued.bytes += entry.body_bytes;
        Ok(())
    }

    /// The content of a message and the parts of its body, if all of it is intact.
    fn contents(&self, kept: &Kept) -> Option<(Encoded, Vec<bytes::Bytes>)> {
        let read = |at: Position| {
            let intact = self.survey.intact.holds(at);
            intact.then(|| self.survey.contents.read(at).ok()).flatten()
        };
        let content = Encoded::trusted(read(kept.entry.position)?);
        content.verify().ok()?;
        let parts = kept
            .entry
            .extra
            .as_ref()
            .map(|extra| extra.parts.as_slice());
        let parts = parts.unwrap_or_default().iter().map(|part| read(*part));
        Some((content, parts.collect::<Option<_>>()?))
    }

    /// Writes the parts of a body; gives its number and where they lie.
    fn parts(
        &mut self,
        parts: Vec<bytes::Bytes>,
        time_ms: u64,
    ) -> Result<Option<(u64, Vec<Position>)>> {
        if parts.is_empty() {
            return Ok(None);
        }
        self.bodies += 1;
        let body = self.bodies;
        let mut positions = Vec::new();
        for bytes in parts {
            let part = Effect::Part {
                client: SALVAGER,
                body,
                bytes,
            };
            positions.extend(self.record(time_ms, vec![part])?);
        }
        Ok(Some((body, positions)))
    }

    /// What no record can say again.
    fn as_it_was(&mut self, number: u32, lookup_id: u64, kept: &Kept) -> Result<()> {
        let Some(before) = kept.entry.extra.as_deref() else {
            return Ok(());
        };
        let queue = self.state.queue_mut(number)?;
        queue.change(&NoPages, lookup_id, |entry| {
            let parts = entry
                .extra
                .take()
                .map_or_else(Vec::new, |extra| extra.parts);
            let mut extra = before.clone();
            extra.parts = parts;
            entry.extra = Some(Box::new(extra));
        })?;
        Ok(())
    }

    /// What a queue has beside its messages.
    fn restore(&mut self, number: u32, pictured: &Pictured) {
        if let Some(queue) = self.state.queues.get_mut(&number) {
            queue.access = pictured.access.clone();
            queue.properties = pictured.properties.clone();
            queue.modified_ms = pictured.modified_ms;
            queue.keys = pictured.keys.clone();
            let there = |id: &u64| pictured.messages.contains_key(id);
            queue.faulted = pictured.faulted.filter(there);
        }
    }

    /// A prepared transaction goes over whole or not at all.
    fn prepared(&mut self, prepared: &PreparedTransaction) -> Result<()> {
        let mut whole = true;
        for (number, lookup_id) in &prepared.taken {
            let queue = self.state.queues.get_mut(number);
            let there = queue.map(|queue| queue.get(&NoPages, *lookup_id).map(|e| e.is_some()));
            whole &= there.transpose()?.unwrap_or(false);
        }
        let effects: Option<Vec<Effect>> = prepared.effects.iter().map(|e| self.fresh(e)).collect();
        let Some(effects) = effects.filter(|_| whole) else {
            let branch = String::from_utf8_lossy(&prepared.branch.0).into_owned();
            self.rescued.lost.push(format!(
                "prepared transaction {branch:?}: part of it is lost, so it is aborted"
            ));
            return Ok(());
        };
        let effect = Effect::Prepare {
            branch: prepared.branch.clone(),
            taken: prepared.taken.clone(),
            effects,
        };
        let time_ms = self.survey.picture.time_ms;
        self.record(time_ms, vec![effect])?;
        self.rescued.prepared += 1;
        Ok(())
    }

    /// An effect of a prepared transaction with its content in it; none when that is lost.
    fn fresh(&self, effect: &Effect) -> Option<Effect> {
        let mut effect = effect.clone();
        if let Effect::Arrive(arrival) = &mut effect {
            if !arrival.parts.is_empty() {
                return None;
            }
            if let Content::Stored(at) = arrival.content {
                let intact = self.survey.intact.holds(at);
                let bytes = intact.then(|| self.survey.contents.read(at).ok()).flatten();
                arrival.content = Content::New(Encoded::trusted(bytes?));
            }
        }
        Some(effect)
    }

    fn finish(mut self) -> Result<Rescued> {
        self.state.finish_replay(&NoPages, 1)?;
        self.state.time_ms = self.state.time_ms.max(self.survey.picture.time_ms);
        self.state.check_invariants_in_debug();
        self.log.commit()?;
        let live = self.state.live_segments();
        self.log.snapshot(self.state.encode(), &live)?;
        Ok(self.rescued)
    }
}

impl fmt::Display for Rescued {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            to,
            "salvaged {} queues, {} messages of {} bytes, {} prepared transactions",
            self.queues, self.messages, self.bytes, self.prepared
        )?;
        for lost in &self.lost {
            writeln!(to, "LOST     {lost}")?;
        }
        match self.lost.len() {
            0 => write!(to, "nothing was lost"),
            count => write!(to, "{count} losses or faults"),
        }
    }
}
