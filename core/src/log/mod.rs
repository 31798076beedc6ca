//! The durable log: batches of records in segments, an epoch that fences, snapshots. Knows bytes, not messages.
//!
//! ```text
//!  take over:  claim -> highest? -> EPOCH written -> still highest? -> read the chain -> new segment seals it
//!  write:      record* -> seal -> (write -> sync, any thread; the next batch fills meanwhile)
//!                                  -> settle: EPOCH still mine? deadline? -> Ok
//!
//!  claim-E-I-N   1-E-I-N.seg <-prev- 2-E-I-N.seg <-prev, sealed end- 3-E'-I'-N'.seg     S-O-E-I-N.snap
//!
//!  segment:    spare -> current -> sealed -> dead (a snapshot without it is durable, EPOCH still mine)
//!                ^------ renamed, if this opening made it ------------'        else removed
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
//! **Why a recycled file is never read wrongly.** A dead segment becomes a spare by its name alone; its bytes stay.
//! Its header then states another segment id than its name: not begun, until the new header is written. Old
//! batches in it bear the same token, but each batch of a token has a number of its own, they only grow, and a segment
//! is read from its first number on without a gap: an old batch is never the next one, and only a *higher* number
//! behind the end is damage. Only files of the same opening are recycled. An earlier owner that is thawed
//! may still have its own files open and write into them, so those are removed (it then writes into a file without a
//! name), never used again. The other way round, when this owner is the one that was thawed: it renames and
//! overwrites only what a snapshot made dead that was durable while EPOCH was still its own, so whoever
//! took over has that snapshot and reads none of it. The new name is durable before the file is begun;
//! after a crash in between it has the old name or the new one, and is in both cases not begun.
//!
//! **Why a batch may be filled while another is in flight.** One flush at a time: a torn batch has nothing behind it.
//! The header of a next segment states where the batch in flight will end; it goes out with the next flush, so
//! after that batch. If the flush fails, nothing more is ever written.
//!
//! Rejected: two alternating slots in EPOCH alone (the lost update above); `flock` during the take-over (a
//! stopped holder would block every other node); several flushes in flight (the device takes them side by side, but
//! a hole before a whole batch could then not be told from damage).

mod batch;
mod fence;
mod flush;
pub mod inspect;
mod meter;
mod opening;
mod pool;
mod reader;
mod reading;
mod recovery;
mod retention;
mod segment;
mod snapshot;
mod token;
mod window;
mod writer;

pub use fence::{Fence, NoFence};
pub use flush::{Flush, Flushed};
pub use meter::{BATCH_BOUNDS_BYTES, Histogram, Meter, SYNC_BOUNDS_US};
pub use opening::LogOptions;
pub use pool::{MadeSpare, SpareJob};
pub use reading::{RecordsJob, SegmentUse};
pub use recovery::{Event, Found, Stored};
pub use retention::{SnapshotJob, WrittenSnapshot};
pub use segment::Position;
pub use token::Token;
pub use writer::Log;
