//! What must hold for any input: one check per fuzz target.
//!
//! Included by the targets, which feed it inputs that a fuzzer makes up, and by
//! `core/tests/fuzz_corpus.rs`, which replays the inputs that were kept.

#![allow(dead_code, reason = "each target calls one of them")]

pub(crate) mod frame_parser;
pub(crate) mod name_parser;
pub(crate) mod record_reader;

/// A check and the name of its target.
pub(crate) type Check = (&'static str, fn(&[u8]));

/// Every check there is.
pub(crate) const ALL: &[Check] = &[
    ("frame_parser", frame_parser::check),
    ("name_parser", name_parser::check),
    ("record_reader", record_reader::check),
];
