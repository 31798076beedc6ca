//! The durable log: batches of records in segments, an epoch that fences, snapshots. Knows bytes, not messages.
//!
//! ```text
//!  take over:  claim -> highest? -> EPOCH written -> still highest? -> read the chain -> new segment seals it
//!  write:      append batch -> write -> sync -> EPOCH still mine? deadline? -> Ok
//!
//!  claim-E-I-N   1-E-I-N.seg <-prev- 2-E-I-N.seg <-prev, sealed end- 3-E'-I'-N'.seg     S-O-E-I-N.snap
//! ```
//!
//! **Why a zombie cannot acknowledge.** The newcomer writes EPOCH durably *before* it reads the log; the old
//! writer reads EPOCH *after* its batch is synced. Either the old writer sees the new EPOCH and stops, or it
//! read EPOCH before it changed: then its batch was synced before the newcomer began to read, and is read.
//! What it writes later lies beyond the sealed end that the newcomer's first segment header states, and
//! is never read by anyone.
//!
//! **Why claims beside EPOCH.** A slot in a file can be overwritten by a slower racer with a lower token. A
//! claim is a file whose name is the token: it is only ever created. Only who finds itself the highest
//! claim before *and after* writing EPOCH goes on, so a lower one that overwrote EPOCH late gives up, and the
//! higher one sees a foreign EPOCH and stops too: two may fail, never may two go on.
//!
//! **Why a thawed owner's removals harm nothing.** What its snapshot or its first segment's header replaces is
//! removed only after that is durable *and* EPOCH was still its own: whoever takes over later reads it, and needs
//! none of what it replaces. Nothing with a higher token is ever removed.
//!
//! Rejected: two alternating slots in EPOCH alone (the lost update above); `flock` during the take-over (a
//! stopped holder would block every other node).

mod batch;
mod fence;
mod recovery;
mod segment;
mod snapshot;
mod token;
mod window;
mod writer;

pub use fence::{Fence, NoFence};
pub use recovery::{Event, Found};
pub use segment::Position;
pub use token::Token;
pub use writer::{Log, LogOptions};
