//! Running a pipeline: each command's arguments are bound, then rows are pulled from the last one.
//!
//! ```text
//!  stage + expressions ── bind ──> Bound ── run ──> Stream ─┬─> Rows
//!                                                          └─> show
//! ```

pub mod bind;
mod coerce;
pub mod run;
pub mod show;

pub use bind::Bound;
pub use run::{Failure, Stream};
