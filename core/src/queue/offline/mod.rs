//! Looking at a store that nobody serves, however damaged: what is in it, each record, and a new store of what is left.
//!
//! ```text
//!  log::inspect (batches, gaps) -> Survey -> Picture (queues and messages as far as intact records tell)
//!                                     |-> check: a report        dump: a JSON line per record
//!                                     '-> salvage: a new store, read back by the ordinary engine
//! ```
//!
//! The source is opened for reading alone. A record is believed when its batch's checksum fits; a message is kept when the
//! record of its arrival (or the index that has it) and its content are intact and no intact record says that it left.

mod check;
mod dump;
mod fold;
mod history;
mod picture;
mod survey;
mod target;

pub use check::{QueueCount, StoreReport, check};
pub use dump::dump;
pub use history::trace;
pub use target::{Rescued, salvage};
