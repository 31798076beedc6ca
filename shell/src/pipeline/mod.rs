//! Running a pipeline: each command's arguments are bound, then rows are pulled from the last one.
//!
//! ```text
//!  stage + expressions ── bind ──> Bound ── run ──> Stream ──> Rows
//! ```

pub mod bind;
pub mod run;

pub use bind::Bound;
pub use run::{Failure, Stream};
