//! One pass over a store: what it holds, what is intact, what is lost.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::fold::fold;
use super::picture::Picture;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Position;
use crate::log::inspect::{self, Damage, Inspection, Salvaged};
use crate::queue::change::{Change, Content, Effect};
use crate::queue::checkpoint::is_page;
use crate::queue::entry::Entry;
use crate::queue::execute::places;
use crate::queue::index::Pages;
use crate::queue::state::State;
use crate::sys::disk::{Disk, DiskFile};

/// Files that are kept open.
const FILES_MAX: usize = 64;
/// Faults that are told one by one at most.
const FAULTS_MAX: usize = 1000;

/// A snapshot's picture, and where the log goes on behind it.
type Behind = (Position, Picture);

/// What lies at a place of a segment; whether it is believed is up to its own checksum or to [`Intact`].
pub(super) struct Contents {
    disk: Arc<dyn Disk>,
    names: BTreeMap<u32, String>,
    files: RefCell<BTreeMap<u32, Arc<dyn DiskFile>>>,
}

impl Contents {
    fn new(disk: &Arc<dyn Disk>, inspection: &Inspection) -> Self {
        let names = inspection.segments.iter();
        Self {
            disk: Arc::clone(disk),
            names: names.map(|s| (s.number, s.file.clone())).collect(),
            files: RefCell::default(),
        }
    }

    fn file(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.borrow_mut();
        if let Some(file) = files.get(&number) {
            return Ok(Arc::clone(file));
        }
        let name = self.names.get(&number);
        let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let file = self.disk.open(name)?;
        if files.len() >= FILES_MAX {
            files.pop_first();
        }
        files.insert(number, Arc::clone(&file));
        Ok(file)
    }

    fn try_read(&self, at: Position) -> io::Result<Bytes> {
        let file = self.file(at.segment)?;
        let end = u64::from(at.offset) + u64::from(at.length);
        if end > file.length()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; at.length as usize];
        match file.read_at(at.offset.into(), &mut bytes)? {
            count if count == bytes.len() => Ok(bytes.into()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Pages for Contents {
    fn read(&self, at: Position) -> Result<Bytes> {
        self.try_read(at).map_err(|error| {
            let (segment, offset) = (at.segment, at.offset);
            let text = format!("segment {segment} at byte {offset}: {error}");
            Error::new(ErrorKind::StoreDamaged, text)
        })
    }
}

/// The stretches of the log whose checksums fit.
#[derive(Default)]
pub(super) struct Intact {
    /// By segment: from, to.
    stretches: BTreeMap<u32, Vec<(u32, u32)>>,
    interrupted: bool,
}

impl Intact {
    fn add(&mut self, at: Position) {
        let end = at.offset.saturating_add(at.length);
        let stretches = self.stretches.entry(at.segment).or_default();
        match stretches.last_mut() {
            Some(last) if !self.interrupted => last.1 = end,
            _ => stretches.push((at.offset, end)),
        }
        self.interrupted = false;
    }

    /// Whether these bytes were read with a checksum that fits.
    pub(super) fn holds(&self, at: Position) -> bool {
        let Some(stretches) = self.stretches.get(&at.segment) else {
            return false;
        };
        let end = at.offset.saturating_add(at.length);
        let behind = stretches.partition_point(|stretch| stretch.0 <= at.offset);
        let stretch = behind.checked_sub(1).and_then(|i| stretches.get(i));
        stretch.is_some_and(|stretch| end <= stretch.1)
    }
}

/// See the module.
pub(super) struct Survey {
    pub(super) inspection: Inspection,
    pub(super) picture: Picture,
    pub(super) intact: Intact,
    pub(super) contents: Contents,
    /// Records behind the snapshot.
    pub(super) replayed: u64,
    /// Records whose checksum fits and that make no sense: where, and why.
    pub(super) strange: Vec<(Position, String)>,
    /// Messages that only the log, not the index, still tells of.
    pub(super) refilled: u64,
    /// What is wrong with the snapshots.
    pub(super) snapshot_fault: Option<String>,
    pub(super) has_snapshot: bool,
}

impl Survey {
    /// Reads all of a store.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub(super) fn of(disk: &Arc<dyn Disk>) -> Result<Self> {
        let inspection = inspect::inspect(disk)?;
        let contents = Contents::new(disk, &inspection);
        let (snapshot, snapshot_fault) = newest_state(disk, &inspection, &contents)?;
        let mut survey = Self {
            inspection,
            picture: Picture::empty(),
            intact: Intact::default(),
            contents,
            replayed: 0,
            strange: Vec::new(),
            refilled: 0,
            snapshot_fault,
            has_snapshot: snapshot.is_some(),
        };
        survey.walk(disk, snapshot)?;
        survey.picture.settle();
        survey.mend(disk)?;
        Ok(survey)
    }

    /// Contents that are lost where they should lie may lie elsewhere too: where they were before their segment was
    /// cleaned, or after.
    fn mend(&mut self, disk: &Arc<dyn Disk>) -> Result<()> {
        let mut broken = BTreeSet::new();
        for queue in self.picture.queues.values() {
            let lost = |entry: &Entry| !entry.positions().all(|at| self.intact.holds(at));
            let lost = queue.messages.iter().filter(|m| lost(&m.1.entry));
            broken.extend(lost.map(|message| *message.0));
        }
        if broken.is_empty() {
            return Ok(());
        }
        for item in inspect::salvage(disk)? {
            if let Salvaged::Record(place, bytes) = item
                && !is_page(&bytes)
                && let Ok((change, parts)) = decode(&self.picture.clients, &bytes)
            {
                let mut places = places(place, &parts).into_iter();
                for effect in &change.effects {
                    self.mend_by(effect, &mut places, &broken);
                }
            }
        }
        Ok(())
    }

    fn mend_by(
        &mut self,
        effect: &Effect,
        places: &mut dyn Iterator<Item = Position>,
        broken: &BTreeSet<u64>,
    ) {
        let (lookup_id, part, place) = match effect {
            Effect::Arrive(arrival) if matches!(arrival.content, Content::New(_)) => {
                (arrival.lookup_id, 0, places.next())
            }
            Effect::Relocate {
                lookup_id, part, ..
            } => (*lookup_id, *part, places.next()),
            Effect::Part { .. } => {
                places.next();
                return;
            }
            Effect::Prepare { effects, .. } => {
                return effects.iter().for_each(|e| self.mend_by(e, places, broken));
            }
            // Nobody but the coordinator knows of it.
            _ => return,
        };
        let Some(place) = place.filter(|_| broken.contains(&lookup_id)) else {
            return;
        };
        for queue in self.picture.queues.values_mut() {
            let Some(kept) = queue.messages.get_mut(&lookup_id) else {
                continue;
            };
            let slot = kept.entry.place_mut(part);
            if let Some(slot) = slot.filter(|slot| !self.intact.holds(**slot)) {
                *slot = place;
            }
        }
    }

    fn walk(&mut self, disk: &Arc<dyn Disk>, snapshot: Option<Behind>) -> Result<()> {
        // What lies before the snapshot is of interest only where the snapshot's index has holes.
        let holes = snapshot.as_ref().is_none_or(|s| !s.1.lost_pages.is_empty());
        let mut snapshot = snapshot;
        for item in inspect::salvage(disk)? {
            let Salvaged::Record(place, bytes) = item else {
                self.intact.interrupted = true;
                continue;
            };
            self.intact.add(place);
            if let Some((at, _)) = &snapshot
                && (place.segment, place.offset) >= (at.segment, at.offset)
            {
                self.begin_behind(snapshot.take());
            }
            if (snapshot.is_none() || holes) && !is_page(&bytes) {
                self.record(place, &bytes, snapshot.is_none());
            }
        }
        self.begin_behind(snapshot);
        Ok(())
    }

    /// The snapshot's picture takes the place of the one of all records before it.
    fn begin_behind(&mut self, snapshot: Option<Behind>) {
        if let Some((_, picture)) = snapshot {
            let earlier = std::mem::replace(&mut self.picture, picture);
            self.refilled = self.picture.fill_from(&earlier);
        }
    }

    fn record(&mut self, place: Position, bytes: &Bytes, counts: bool) {
        self.replayed += u64::from(counts);
        match decode(&self.picture.clients, bytes) {
            Ok((change, parts)) => fold(&mut self.picture, &change, &places(place, &parts)),
            Err(error) if self.strange.len() < FAULTS_MAX => {
                self.strange.push((place, error.message));
            }
            Err(_) => {}
        }
    }

    /// Everything that is wrong with the log's files.
    pub(super) fn damage(&self) -> &[Damage] {
        &self.inspection.damage
    }

    /// Whether the log begins behind its beginning and no snapshot says what was before.
    pub(super) fn beginning_is_lost(&self) -> bool {
        let first = self.inspection.segments.first();
        !self.has_snapshot && first.is_some_and(|segment| segment.number > 1)
    }
}

/// The change in a record. A client whose name is lost is nobody.
pub(super) fn decode(
    clients: &BTreeMap<u32, Uuid>,
    bytes: &[u8],
) -> Result<(Change, Vec<crate::queue::change::Part>)> {
    let client = |number| Some(clients.get(&number).copied().unwrap_or_default());
    Change::decode(bytes, &client)
}

/// The newest snapshot that can be read and understood, and what is wrong with it or newer ones.
fn newest_state(
    disk: &Arc<dyn Disk>,
    inspection: &Inspection,
    contents: &Contents,
) -> Result<(Option<Behind>, Option<String>)> {
    let invalid = inspection.snapshots.iter().find(|s| !s.valid);
    let mut fault = invalid.map(|s| format!("{} cannot be read", s.file));
    let Some((at, payload)) = inspect::newest_snapshot(disk)? else {
        return Ok((None, fault));
    };
    match State::decode(&payload) {
        Ok(state) => {
            let clients = state.outcomes.clients();
            let clients = clients.map(|(id, client)| (client.number, *id)).collect();
            let picture = Picture::of(&state, &clients, contents);
            Ok((Some((at, picture)), fault))
        }
        Err(error) => {
            fault = Some(format!(
                "the newest snapshot makes no sense: {}",
                error.message
            ));
            Ok((None, fault))
        }
    }
}
