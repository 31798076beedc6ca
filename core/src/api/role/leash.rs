//! `hamq leash`: holds a fault for the client that started it, and undoes it.

use crate::error::Result;

/// Runs a leash to its end.
///
/// # Errors
/// `Usage` when what comes in is no order.
pub fn run_leash() -> Result<()> {
    crate::drill::run_leash()
}
