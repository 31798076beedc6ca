//! What a queue promises its readers, told as stories: an engine without threads on a fake disk and a fake clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    unreachable_pub,
    reason = "a test fails where it stands"
)]

mod store;

mod chaos;
mod leases;
mod moving;
mod poison;
mod prepared;
mod purging;
mod reading;
mod restarting;
mod runs;
mod transactions;
mod waiting;
