//! The index against a plain ordered map: whatever is done to it, and wherever its leaves are.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::queue::codec::malformed;
use crate::queue::entry::{Extra, Wishes};

const MANAGER: Uuid = Uuid::from_u128(1);

/// Pages that a test keeps, and that cannot be read at times.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) pages: RefCell<HashMap<Position, Vec<u8>>>,
    fails: Cell<bool>,
    pub(super) reads: Cell<usize>,
}

impl Kept {
    fn write(&self, bytes: &[u8]) -> Position {
        let mut pages = self.pages.borrow_mut();
        let number = u32::try_from(pages.len()).unwrap();
        let position = Position {
            segment: 100 + number % 5,
            offset: number,
            length: u32::try_from(bytes.len()).unwrap(),
        };
        pages.insert(position, bytes.to_vec());
        position
    }

    pub(super) fn write_all(&self, index: &mut Index) -> usize {
        let before = self.pages.borrow().len();
        index
            .write_pages(&mut |bytes| Ok(self.write(bytes)))
            .unwrap();
        self.pages.borrow().len() - before
    }

    pub(super) fn bytes(&self) -> usize {
        self.pages.borrow().values().map(Vec::len).sum()
    }
}

impl Pages for Kept {
    fn read(&self, position: Position) -> Result<Bytes> {
        self.reads.set(self.reads.get() + 1);
        let pages = self.pages.borrow();
        let page = pages.get(&position).filter(|_| !self.fails.get());
        page.map(|bytes| Bytes::from(bytes.clone()))
            .ok_or_else(|| malformed("the test's disk fails"))
    }
}

#[derive(Clone, Debug)]
enum Do {
    Insert(u64, Entry),
    /// So many behind all others of a priority.
    Append(u64, u8, Entry),
    Remove(u64),
    TakeFirst(u8),
    /// Takes so many and brings them back a little changed.
    Abort(u8),
    Look(u64),
    FindCorrelation(u32, u64),
    FindId(u128, u32),
    Told,
    Expire(u64, usize),
    Clear,
    WritePages,
    Shrink(u64),
    MovePages(u32),
    Restart,
}

pub(super) fn message_id(manager: u128, ordinal: u32) -> MessageId {
    MessageId {
        manager: Uuid::from_u128(manager),
        ordinal,
    }
}

/// Few ids, so that they meet: three priorities, two times 2^32.
fn any_id() -> impl Strategy<Value = u64> {
    (0_u64..3, 0_u64..2, 1_u64..80).prop_map(|(band, era, low)| band << 56 | era << 32 | low)
}

prop_compose! {
    fn any_extra()(
        segments in prop::collection::vec(1_u32..4, 0..3),
        id in prop::option::weighted(0.2, 1_u32..20),
        expires_ms in prop_oneof![Just(0_u64), 1_u64..50],
        correlation in prop::option::weighted(0.3, 1_u32..5),
    ) -> Extra {
        Extra {
            parts: segments.iter().map(|segment| place(*segment, 7)).collect(),
            id: id.map(|ordinal| message_id(1 + u128::from(ordinal % 2), ordinal)),
            expires_ms,
            correlation_id: correlation.map(|ordinal| message_id(9, ordinal)),
            ..Extra::default()
        }
    }
}

fn place(segment: u32, offset: u32) -> Position {
    Position {
        segment,
        offset,
        length: 50,
    }
}

prop_compose! {
    fn any_entry()(
        segment in 1_u32..4,
        offset: u32,
        body_bytes in 0_u64..100,
        arrived_ms in 0_u64..1000,
        express in prop::bool::weighted(0.1),
        wishes in prop_oneof![3 => Just(0_u8), 1 => 0_u8..64],
        extra in prop::option::weighted(0.3, any_extra()),
    ) -> Entry {
        Entry {
            position: place(segment, offset),
            body_bytes,
            arrived_ms,
            express,
            wishes: Wishes(wishes),
            extra: extra.map(Box::new),
            ..Entry::default()
        }
    }
}

fn any_step() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => (any_id(), any_entry()).prop_map(|(id, entry)| Do::Insert(id, entry)),
        4 => (0_u64..3, 1_u8..60, any_entry()).prop_map(|(band, count, entry)| Do::Append(band, count, entry)),
        4 => any_id().prop_map(Do::Remove),
        3 => (1_u8..40).prop_map(Do::TakeFirst),
        2 => (1_u8..10).prop_map(Do::Abort),
        4 => any_id().prop_map(Do::Look),
        2 => (1_u32..5, any_id()).prop_map(|(ordinal, after)| Do::FindCorrelation(ordinal, after)),
        2 => (1_u128..4, 1_u32..80).prop_map(|(of, ordinal)| Do::FindId(of, ordinal)),
        1 => Just(Do::Told),
        2 => (0_u64..60, 0_usize..20).prop_map(|(now, max)| Do::Expire(now, max)),
        1 => Just(Do::Clear),
        4 => Just(Do::WritePages),
        4 => (0_u64..60).prop_map(Do::Shrink),
        1 => (100_u32..105).prop_map(Do::MovePages),
        3 => Just(Do::Restart),
    ]
}

pub(super) struct Pair {
    pub(super) index: Index,
    model: BTreeMap<u64, Entry>,
    pub(super) pages: Kept,
}

impl Pair {
    pub(super) fn new(slots_max: usize) -> Self {
        Self {
            index: Index::over(Top::new(slots_max)),
            model: BTreeMap::new(),
            pages: Kept::default(),
        }
    }

    /// An error is no harm where the disk fails, and none anywhere else.
    fn step(&mut self, step: Do) {
        let result = self.act(step);
        assert!(result.is_ok() || self.pages.fails.get(), "{result:?}");
        self.compare_counts();
    }

    fn act(&mut self, step: Do) -> Result<()> {
        match step {
            Do::Insert(id, entry) => self.insert(id, entry)?,
            Do::Append(band, count, entry) => self.append(band, count, &entry)?,
            Do::Remove(id) => {
                let gone = self.index.remove(&self.pages, id)?;
                assert_eq!(gone, self.model.remove(&id));
            }
            Do::TakeFirst(count) => {
                for _ in 0..count {
                    self.take_first()?;
                }
            }
            Do::Abort(count) => self.abort(count)?,
            Do::Look(id) => self.look(id)?,
            Do::FindCorrelation(ordinal, after) => {
                let id = message_id(9, ordinal);
                let found = self.index.find_correlation(&self.pages, id, after)?;
                assert_eq!(
                    found,
                    self.first_behind(after, |e| e.1.correlation_id() == Some(id))
                );
            }
            Do::FindId(of, ordinal) => self.find_id(message_id(of, ordinal))?,
            Do::Told => {
                let told = |at: &(&u64, &Entry)| at.1.wishes.0 & 8 != 0;
                let told = self.model.iter().filter(told);
                let expected: Vec<_> = told.map(|(id, entry)| (*id, entry.clone())).collect();
                assert_eq!(self.index.told(&self.pages)?, expected);
            }
            Do::Expire(now_ms, count_max) => self.expire(now_ms, count_max)?,
            Do::Clear => {
                assert_eq!(self.index.clear(), uses(&self.model));
                self.model.clear();
            }
            Do::WritePages => {
                self.pages.write_all(&mut self.index);
                assert_eq!(
                    self.pages.write_all(&mut self.index),
                    0,
                    "a page is written once"
                );
            }
            Do::Shrink(entries_max) => self.index.shrink(entries_max),
            Do::MovePages(segment) => {
                self.index.move_pages(&self.pages, &|at| at == segment)?;
                assert!(self.index.pages().all(|page| page.segment != segment));
            }
            Do::Restart => self.restart(),
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, id: u64, entry: Entry) -> Result<()> {
        let before = self.index.insert(&self.pages, id, entry.clone())?;
        assert_eq!(before, self.model.insert(id, entry));
        Ok(())
    }

    fn append(&mut self, band: u64, count: u8, entry: &Entry) -> Result<()> {
        for _ in 0..count {
            let last = self.model.range(band << 56..(band + 1) << 56).next_back();
            let id = last.map_or(band << 56, |last| *last.0) + 1;
            self.insert(id, entry.clone())?;
        }
        Ok(())
    }

    pub(super) fn take_first(&mut self) -> Result<Option<(u64, Entry)>> {
        let first = self.index.at_or_after(&self.pages, 0)?.map(|at| at.0);
        assert_eq!(first, self.model.keys().next().copied());
        let Some(id) = first else { return Ok(None) };
        let gone = self.index.remove(&self.pages, id)?;
        assert_eq!(gone, self.model.remove(&id));
        Ok(gone.map(|entry| (id, entry)))
    }

    fn abort(&mut self, count: u8) -> Result<()> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.extend(self.take_first()?);
        }
        for (id, mut entry) in taken {
            entry.extra_mut().abort_count += 1;
            self.insert(id, entry)?;
        }
        Ok(())
    }

    fn look(&mut self, id: u64) -> Result<()> {
        let pages = &self.pages;
        assert_eq!(self.index.get(pages, id)?, self.model.get(&id));
        let next = self.model.range(id..).next().map(|(id, e)| (*id, e));
        assert_eq!(self.index.at_or_after(pages, id)?, next);
        let previous = self.model.range(..=id).next_back().map(|(id, e)| (*id, e));
        assert_eq!(self.index.at_or_before(pages, id)?, previous);
        Ok(())
    }

    fn first_behind(&self, after: u64, is_it: impl Fn(&(&u64, &Entry)) -> bool) -> Option<u64> {
        let mut behind = self.model.range(after + 1..);
        behind.find(|at| is_it(at)).map(|at| *at.0)
    }

    fn find_id(&mut self, id: MessageId) -> Result<()> {
        let ordinal = if id.manager == MANAGER { id.ordinal } else { 0 };
        let found = self.index.find_id(&self.pages, ordinal, id)?;
        let has_it = |(key, entry): &(&u64, &Entry)| match entry.own_id() {
            Some(own) => own == id,
            None => id.manager == MANAGER && **key & 0xffff_ffff == u64::from(id.ordinal),
        };
        assert_eq!(found, self.first_behind(0, has_it));
        Ok(())
    }

    fn expire(&mut self, now_ms: u64, count_max: usize) -> Result<()> {
        let dead = |entry: &Entry| entry.expires_ms().is_some_and(|at| at <= now_ms);
        let earliest = self.model.values().filter_map(Entry::expires_ms).min();
        let bound = self.index.next_expiry_ms();
        assert_eq!(
            earlier(earliest, bound),
            bound,
            "a message expires unnoticed"
        );
        let expired = self.index.expired(&self.pages, now_ms, count_max)?;
        assert!(expired.iter().all(|id| dead(&self.model[id])) && expired.is_sorted());
        let distinct: BTreeSet<_> = expired.iter().collect();
        let all = self.model.values().filter(|entry| dead(entry)).count();
        assert_eq!(
            (distinct.len(), expired.len()),
            (all.min(count_max), all.min(count_max))
        );
        if all == 0 && count_max > 0 {
            assert!(
                self.index.next_expiry_ms().is_none_or(|at| at > now_ms),
                "no progress"
            );
        }
        Ok(())
    }

    /// Express messages are lost.
    pub(super) fn restart(&mut self) {
        let mut bytes = Vec::new();
        self.index.encode(&mut Encoder(&mut bytes));
        let slots_max = self.index.top.slots_max;
        let mut from = Decoder::new(&bytes);
        self.index = Index::decode(&mut from).unwrap();
        assert!(from.is_empty());
        self.index.top.slots_max = slots_max;
        self.model.retain(|_, entry| !entry.express);
        for cut in (0..bytes.len()).step_by(7) {
            assert!(Index::decode(&mut Decoder::new(&bytes[..cut])).is_err());
        }
    }

    pub(super) fn compare_counts(&self) {
        self.index.check_invariants();
        assert_eq!(self.index.len(), self.model.len() as u64);
        let bytes: u64 = self.model.values().map(|entry| entry.body_bytes).sum();
        assert_eq!(self.index.bytes(), bytes);
        assert_eq!(self.index.uses(), uses(&self.model));
    }

    pub(super) fn compare_all(&mut self) {
        let mut next = 0;
        for (id, entry) in &self.model {
            assert_eq!(
                self.index.at_or_after(&self.pages, next).unwrap(),
                Some((*id, entry))
            );
            next = id + 1;
        }
        assert_eq!(self.index.at_or_after(&self.pages, next).unwrap(), None);
        self.index.check_invariants();
    }
}

fn uses(model: &BTreeMap<u64, Entry>) -> BTreeMap<u32, u64> {
    let mut uses = BTreeMap::new();
    for position in model.values().flat_map(Entry::positions) {
        *uses.entry(position.segment).or_default() += 1;
    }
    uses
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_is_an_ordered_map_wherever_its_leaves_are(
        slots_max in prop_oneof![Just(2_usize), Just(8), Just(64)],
        steps in prop::collection::vec((any_step(), prop::bool::weighted(0.15)), 1..80),
    ) {
        let mut pair = Pair::new(slots_max);
        for (step, fails) in steps {
            pair.pages.fails.set(fails);
            pair.step(step);
            pair.pages.fails.set(false);
            if fails {
                pair.compare_all();
            }
        }
        pair.compare_all();
    }

    #[test]
    fn any_bytes_of_a_snapshot_or_a_page_are_survived(
        noise: Vec<u8>,
        changed_root in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        changed_pages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let _ = Index::decode(&mut Decoder::new(&noise));
        let _ = page::decode(&noise);
        let pair = spoilt(changed_root, &changed_pages);
        if let Some(mut index) = pair.0 {
            use_all(&mut index, &pair.1);
        }
    }
}

type Change = (prop::sample::Index, u8);

/// An index some bytes of whose root and pages are others, with checksums that fit.
fn spoilt(root_change: Option<Change>, page_changes: &[Change]) -> (Option<Index>, Kept) {
    let mut pair = paged_out(640);
    for id in 60..70 {
        pair.index.remove(&pair.pages, id).unwrap();
    }
    let places: Vec<Position> = pair.index.pages().collect();
    for ((at, value), place) in page_changes.iter().zip(places) {
        let mut pages = pair.pages.pages.borrow_mut();
        let page = pages.get_mut(&place).unwrap();
        let at = 4 + at.index(page.len() - 4);
        page[at] = *value;
        let crc = crc32c::crc32c(&page[4..]);
        page[..4].copy_from_slice(&crc.to_le_bytes());
    }
    let mut root = Vec::new();
    pair.index.encode(&mut Encoder(&mut root));
    if let Some((at, value)) = root_change {
        let at = at.index(root.len());
        root[at] = value;
    }
    (Index::decode(&mut Decoder::new(&root)).ok(), pair.pages)
}

/// Does everything there is to do, whatever comes of it.
fn use_all(index: &mut Index, pages: &Kept) {
    let _ = index.told(pages);
    let _ = index.find_id(pages, 300, message_id(1, 300));
    let _ = index.find_correlation(pages, message_id(9, 1), 0);
    let _ = index.expired(pages, u64::MAX, 5);
    let _ = index.at_or_before(pages, u64::MAX);
    for id in 1..=640 {
        let _ = index.remove(pages, id);
        let _ = index.insert(pages, id, plain(id));
    }
    let _ = index.move_pages(pages, &|segment| segment == 101);
    pages.write_all(index);
    let _ = index.uses();
    while let Ok(Some(first)) = index.at_or_after(pages, 0).map(|at| at.map(|at| at.0)) {
        if index.remove(pages, first).is_err() {
            break;
        }
    }
    index.clear();
}

pub(super) fn plain(id: u64) -> Entry {
    Entry {
        position: place(1, u32::try_from(id & 0xff_ffff).unwrap()),
        body_bytes: 40,
        ..Entry::default()
    }
}

/// A queue of `count` messages, written and out of memory as far as that goes.
pub(super) fn paged_out(count: u64) -> Pair {
    let mut pair = Pair::new(64);
    for id in 1..=count {
        pair.insert(id, plain(id)).unwrap();
    }
    pair.pages.write_all(&mut pair.index);
    pair.index.shrink(0);
    pair
}
