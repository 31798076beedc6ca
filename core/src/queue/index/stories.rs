//! What becomes of the leaves of a queue in its life.

use super::model::{Pair, message_id, paged_out, plain};
use crate::log::Position;

#[test]
fn a_rising_queue_leaves_full_pages_and_writes_each_once() {
    let mut pair = Pair::new(64);
    let mut written = 0;
    for id in 1..=6400 {
        pair.insert(id, plain(id)).unwrap();
        if id % 100 == 0 {
            written += pair.pages.write_all(&mut pair.index);
        }
    }
    assert_eq!((written, pair.index.top.leaves.len()), (100, 100));
    pair.index.shrink(0);
    assert_eq!(pair.index.resident(), 64, "only the head stays");
}

#[test]
fn draining_reads_each_page_once_and_ends_empty() {
    let mut pair = paged_out(6410);
    while pair.take_first().unwrap().is_some() {}
    assert_eq!(pair.pages.reads.get(), 99, "all but the head");
    assert_eq!((pair.index.resident(), pair.index.top.leaves.len()), (0, 0));
    assert_eq!(pair.index.pages().count(), 0);
}

#[test]
fn taking_from_a_page_does_not_write_it_again() {
    let mut pair = paged_out(6400);
    for id in (1..=6400).step_by(3) {
        pair.index.remove(&pair.pages, id).unwrap();
    }
    assert_eq!(pair.pages.write_all(&mut pair.index), 0);
    pair.restart();
    assert_eq!(pair.index.len(), 6400 - 2134);
    assert_eq!(pair.index.resident(), 0);
}

#[test]
fn a_message_that_comes_between_those_of_a_page_makes_it_be_written_anew() {
    let mut pair = Pair::new(64);
    for id in (2..=12_800).step_by(2) {
        pair.insert(id, plain(id)).unwrap();
    }
    // Two halves of a full leaf, which then have room.
    pair.insert(1001, plain(1001)).unwrap();
    pair.pages.write_all(&mut pair.index);
    pair.insert(1003, plain(1003)).unwrap();
    pair.insert(930, plain(931)).unwrap();
    assert_eq!(
        pair.index.pages().count(),
        99,
        "two leaves are no longer what was written"
    );
    assert_eq!(pair.pages.write_all(&mut pair.index), 2);
    pair.index.shrink(0);
    pair.compare_all();
}

#[test]
fn what_is_left_of_a_large_queue_ends_in_few_pages() {
    let mut pair = paged_out(6400);
    for id in (1..=6400).filter(|id| id % 16 != 0) {
        pair.index.remove(&pair.pages, id).unwrap();
    }
    pair.pages.write_all(&mut pair.index);
    assert_eq!(pair.index.len(), 400);
    assert!(
        pair.index.top.leaves.len() <= 8,
        "{} leaves",
        pair.index.top.leaves.len()
    );
}

#[test]
fn correlation_ids_are_found_without_reading_pages_that_have_none() {
    let mut pair = paged_out(6400);
    let mut entry = plain(3);
    entry.extra_mut().correlation_id = Some(message_id(9, 1));
    pair.insert(3, entry).unwrap();
    pair.pages.write_all(&mut pair.index);
    pair.index.shrink(0);
    let before = pair.pages.reads.get();
    for after in [0, 3] {
        let found = pair
            .index
            .find_correlation(&pair.pages, message_id(9, 1), after)
            .unwrap();
        assert_eq!(found, Some(3).filter(|id| *id > after));
    }
    assert!(pair.pages.reads.get() <= before + 1);
}

#[test]
fn a_page_that_is_another_one_is_refused() {
    let mut pair = paged_out(6400);
    let pages: Vec<Position> = pair.index.pages().collect();
    let other = pair.pages.pages.borrow()[&pages[7]].clone();
    pair.pages.pages.borrow_mut().insert(pages[5], other);
    let torn = pair.pages.pages.borrow()[&pages[9]][..40].to_vec();
    pair.pages.pages.borrow_mut().insert(pages[9], torn);
    for leaf in [5, 9] {
        let id = leaf * 64 + 10;
        assert!(pair.index.get(&pair.pages, id).is_err());
        assert!(pair.index.remove(&pair.pages, id).is_err());
    }
    pair.compare_counts();
}
