//! Figures of the index alone: `cargo test --release -p hamq-core index::speed -- --ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::time::Instant;

use super::model::Kept;
use super::*;

const BODY_BYTES: u32 = 1024;
const SEGMENT_MESSAGES: u64 = 15_000;

fn entry(id: u64) -> Entry {
    let number = u32::try_from(id).unwrap();
    let in_segment = u32::try_from(id % SEGMENT_MESSAGES).unwrap();
    Entry {
        position: Position {
            segment: number / u32::try_from(SEGMENT_MESSAGES).unwrap(),
            offset: in_segment * (BODY_BYTES + 60),
            length: BODY_BYTES + 8,
        },
        body_bytes: BODY_BYTES.into(),
        arrived_ms: 1_700_000_000_000 + id / 500,
        ..Entry::default()
    }
}

/// Bytes of the process in memory.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = statm.split_ascii_whitespace().nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}

fn per_second(count: u64, began: Instant) -> String {
    format!(
        "{:.1} M/s",
        count as f64 / began.elapsed().as_secs_f64() / 1e6
    )
}

fn measure(count: u64) {
    let (pages, empty) = (Kept::default(), resident_bytes());
    let mut index = Index::default();
    let began = Instant::now();
    (1..=count).for_each(|id| assert!(index.insert(&pages, id, entry(id)).unwrap().is_none()));
    println!("{count} messages: appended at {}", per_second(count, began));
    let bytes = resident_bytes().saturating_sub(empty) as f64 / count as f64;
    println!("  {bytes:.1} bytes of memory an entry, all in memory");
    let began = Instant::now();
    let written = pages.write_all(&mut index);
    let bytes = pages.bytes() as f64 / count as f64;
    println!(
        "  {written} pages, {bytes:.1} bytes an entry, written in {:.0?}",
        began.elapsed()
    );
    let began = Instant::now();
    index.shrink(100_000);
    println!(
        "  shrunk to {} in {:.0?}",
        index.resident(),
        began.elapsed()
    );
    restart_and_drain(&index, &pages, count);
}

fn restart_and_drain(index: &Index, pages: &Kept, count: u64) {
    let mut root = Vec::new();
    let began = Instant::now();
    index.encode(&mut Encoder(&mut root));
    println!(
        "  root of {} bytes, encoded in {:.0?}",
        root.len(),
        began.elapsed()
    );
    let began = Instant::now();
    let mut index = Index::decode(&mut Decoder::new(&root)).unwrap();
    println!("  decoded in {:.0?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(index.at_or_after(pages, 0).unwrap().unwrap().0, 1);
    println!("  first message after {:.0?}", began.elapsed());
    let began = Instant::now();
    for id in (1..=count).step_by(usize::try_from(count / 1000).unwrap()) {
        assert!(index.get(pages, id).unwrap().is_some());
    }
    println!(
        "  {:.1?} a look into a page that is out of memory",
        began.elapsed() / 1000
    );
    let began = Instant::now();
    while let Some((id, _)) = index.at_or_after(pages, 0).unwrap() {
        index.remove(pages, id).unwrap();
    }
    println!("  drained at {}", per_second(count, began));
}

#[test]
#[ignore = "prints figures"]
fn one_and_ten_million() {
    measure(1_000_000);
    measure(10_000_000);
}

#[test]
#[ignore = "prints figures"]
fn cost_is_flat_with_length() {
    for length in [1, 10, 1_000, 100_000, 1_000_000, 10_000_000] {
        let (pages, mut index) = (Kept::default(), Index::default());
        (1..=length).for_each(|id| drop(index.insert(&pages, id, entry(id))));
        let rounds = 2_000_000;
        let began = Instant::now();
        for round in 1..=rounds {
            index
                .insert(&pages, length + round, entry(length + round))
                .unwrap();
            let first = index.at_or_after(&pages, 0).unwrap().unwrap().0;
            assert!(index.remove(&pages, first).unwrap().is_some());
        }
        println!(
            "{length} messages: one in and one out {}",
            per_second(rounds, began)
        );
    }
}
