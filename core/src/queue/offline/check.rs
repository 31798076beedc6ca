//! `hamq store check`: a report on a store, without a byte written.

use std::fmt;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::survey::Survey;
use crate::error::Result;
use crate::log::inspect::{Damage, DamageKind, Inspection};
use crate::queue::request::QueueKind;
use crate::sys::disk::Disk;

/// A queue as replay would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCount {
    /// Its local name.
    pub name: String,
    /// Its number.
    pub number: u32,
    /// What it is.
    pub kind: QueueKind,
    /// Messages in it, express ones aside.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// What is in a store.
#[derive(Clone, Debug)]
pub struct StoreReport {
    /// Its GUID; nil when no intact record or snapshot says it.
    pub id: Uuid,
    /// Files of the log.
    pub log: Inspection,
    /// Records that replay would read behind the snapshot.
    pub replayed: u64,
    /// Queues with their messages, in order of their numbers.
    pub queues: Vec<QueueCount>,
    /// Prepared transactions that wait for their coordinator.
    pub prepared: u64,
    /// Everything that is wrong, one line each; empty: sound.
    pub faults: Vec<String>,
    /// What is unusual and loses nothing.
    pub remarks: Vec<String>,
}

impl StoreReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// The report as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let queues: Vec<_> = self.queues.iter().map(|q| {
            json!({"number": q.number, "name": q.name, "kind": q.kind, "messages": q.messages, "bytes": q.bytes})
        }).collect();
        let segments = self.log.segments.iter().map(|s| {
            json!({"file": s.file, "batches": s.batches, "records": s.records, "bytes": s.bytes, "end": s.end})
        });
        let snapshots = self.log.snapshots.iter();
        let snapshots =
            snapshots.map(|s| json!({"file": s.file, "bytes": s.bytes, "valid": s.valid}));
        let owner = self.log.owner.as_ref();
        json!({
            "store": self.id,
            "format": FORMAT,
            "owner": owner.map(|(token, name)| json!({"name": name, "epoch": token.epoch})),
            "segments": segments.collect::<Vec<_>>(),
            "snapshots": snapshots.collect::<Vec<_>>(),
            "replayed": self.replayed,
            "queues": queues,
            "prepared": self.prepared,
            "remarks": self.remarks,
            "faults": self.faults,
            "sound": self.is_sound(),
        })
    }
}

/// Versions of segments, snapshots, changes and the state in them that this program writes.
const FORMAT: &str = "segment 2, snapshot 2, change 2, state 2";

/// Reports what is in a store. Reads only.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn check(disk: &Arc<dyn Disk>) -> Result<StoreReport> {
    let survey = Survey::of(disk)?;
    let (faults, remarks) = (faults(&survey), remarks(&survey));
    let picture = &survey.picture;
    let queues = picture.queues.iter().map(|(number, queue)| QueueCount {
        name: queue.name.clone(),
        number: *number,
        kind: queue.kind,
        messages: queue.messages.len() as u64,
        bytes: queue.bytes(),
    });
    Ok(StoreReport {
        id: picture.guid,
        queues: queues.collect(),
        prepared: picture.prepared.len() as u64,
        replayed: survey.replayed,
        faults,
        remarks,
        log: survey.inspection,
    })
}

/// What is wrong, the log's files first.
pub(super) fn faults(survey: &Survey) -> Vec<String> {
    let picture = &survey.picture;
    let mut faults: Vec<String> = survey.damage().iter().map(describe).collect();
    if survey.beginning_is_lost() {
        let first = survey.inspection.segments.first().map_or(0, |s| s.number);
        let why = survey.snapshot_fault.as_deref().unwrap_or("there is none");
        faults.push(format!(
            "the log begins at segment {first} and no snapshot tells what was before: {why}"
        ));
    }
    for (place, why) in &survey.strange {
        let (segment, offset) = (place.segment, place.offset);
        faults.push(format!("segment {segment} at byte {offset}: {why}"));
    }
    for number in &picture.unnamed {
        faults.push(format!(
            "queue {number}: the record of its creation is lost"
        ));
    }
    for (queue, lookup_id) in &picture.missing {
        faults.push(format!("queue {queue}: message {lookup_id:#x} is lost"));
    }
    for (queue, page) in &picture.lost_pages {
        faults.push(format!(
            "queue {queue}: a page of its index cannot be read, {} messages of it are lost",
            page.count
        ));
    }
    for (number, queue) in &picture.queues {
        for (lookup_id, kept) in &queue.messages {
            if !kept.entry.positions().all(|at| survey.intact.holds(at)) {
                faults.push(format!(
                    "queue {number} {}: the content of message {lookup_id:#x} is lost",
                    queue.name
                ));
            }
        }
    }
    faults
}

fn remarks(survey: &Survey) -> Vec<String> {
    let mut remarks = Vec::new();
    let snapshot = survey.snapshot_fault.as_ref();
    remarks.extend(snapshot.filter(|_| !survey.beginning_is_lost()).cloned());
    if let Some(last) = survey.inspection.segments.last()
        && last.torn > 0
    {
        remarks.push(format!(
            "{} ends with {} bytes of a batch that was never completed nor acknowledged",
            last.file, last.torn
        ));
    }
    if survey.refilled > 0 {
        remarks.push(format!(
            "{} messages of lost index pages are known from the records of their arrival; \
             some of them may have been received before",
            survey.refilled
        ));
    }
    remarks
}

fn describe(damage: &Damage) -> String {
    let Damage { file, offset, kind } = damage;
    match kind {
        DamageKind::Header => format!("{file} at byte {offset}: its header cannot be read"),
        DamageKind::Missing => format!("{file} is missing"),
        DamageKind::Batches { until, lost } => match lost {
            Some(lost) => {
                format!(
                    "{file} at byte {offset}: {lost} batches cannot be read, up to byte {until}"
                )
            }
            None => format!("{file} at byte {offset}: nothing can be read up to byte {until}"),
        },
        DamageKind::Unreadable(why) => format!("{file} at byte {offset}: {why}"),
    }
}

impl fmt::Display for StoreReport {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "store      {}", self.id)?;
        writeln!(to, "format     this program writes {FORMAT}")?;
        match &self.log.owner {
            Some((token, name)) => writeln!(to, "owner      {name}, epoch {}", token.epoch)?,
            None => writeln!(to, "owner      none that can be read")?,
        }
        for s in &self.log.segments {
            writeln!(
                to,
                "segment    {}: {} batches, {} records, {} bytes, ends at {}",
                s.file, s.batches, s.records, s.bytes, s.end
            )?;
        }
        for s in &self.log.snapshots {
            let state = if s.valid { "valid" } else { "cannot be read" };
            writeln!(to, "snapshot   {}: {} bytes, {state}", s.file, s.bytes)?;
        }
        for other in &self.log.others {
            writeln!(to, "not in use {other}")?;
        }
        writeln!(to, "replayed   {} records", self.replayed)?;
        for q in &self.queues {
            writeln!(
                to,
                "queue      {} {}: {} messages, {} bytes",
                q.number, q.name, q.messages, q.bytes
            )?;
        }
        writeln!(to, "prepared   {} transactions", self.prepared)?;
        for remark in &self.remarks {
            writeln!(to, "remark     {remark}")?;
        }
        for fault in &self.faults {
            writeln!(to, "DAMAGED    {fault}")?;
        }
        match self.faults.len() {
            0 => write!(to, "sound"),
            count => write!(to, "{count} faults"),
        }
    }
}
