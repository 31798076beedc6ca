//! Running a pipeline: each command's arguments are bound, then rows are pulled from the last one.
//!
//! ```text
//!  stage + expressions ── bind ──> Bound ── run ──> Stream ─┬─> Rows
//!                                                          └─> show, view
//! ```

pub mod bind;
mod coerce;
mod endless;
mod keep;
mod patience;
mod row;
pub mod run;
pub mod show;
pub mod view;

pub use bind::Bound;
pub(crate) use coerce::{duration, truth};
pub use run::{Failure, Stream};
