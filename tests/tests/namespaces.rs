//! The thawed zombie on machines of their own: each node in a network namespace, where nothing but the
//! epoch in the store stands between two owners with the same address.
//!
//! Needs root, `unshare` and `ip`; says so and passes where they are not to be had.

use std::process::Command;

use hamq_core::sys::processes;
use hamq_tests::process::{mentioning, queue_managers, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn namespaces_can_be_made() -> bool {
    let tried = Command::new("unshare")
        .args(["--net", "ip", "link", "set", "lo", "up"])
        .status();
    tried.is_ok_and(|status| status.success())
}
