//! Names of queues and of the objects of a cluster.
//!
//! ```text
//!              VS1\private$\orders;retry          DIRECT=OS:VS1\private$\orders;retry
//!  PathName    ~~~ ~~~~~~~~ ~~~~~~~~~~~~          ~~~~~~~~~~ as a path          FormatName
//!              |   |        LocalName: what requests to a queue manager carry
//!         Computer |        = QueueName [;SubqueueName | ;JOURNAL] | system$;...
//!                  QueuePath: private or system; PublicPath: without it
//! ```
//!
//! Names are parsed once, at the edge, into these types (MS-MQMQ 2.1). `/` is accepted wherever `\`
//! is, because a backslash is an escape in most languages people will type these in. Comparison ignores
//! case; the spelling that was given is kept for display; `Display` writes the canonical form, which
//! is read as the same name again.

pub mod format_name;

mod computer;
mod local;
mod nearest;
mod object;
mod path;
mod pattern;
mod piece;
mod queue_name;
mod spelled;

pub use computer::{COMPUTER_NAME_CHARS_MAX, Computer};
pub use format_name::{FormatName, MultiElement};
pub use local::{LocalName, Part, QueueRef, SystemQueue};
pub use nearest::nearest;
pub use object::{OBJECT_NAME_CHARS_MAX, check_object_name};
pub use path::{PathName, PublicPath, QueuePath};
pub use pattern::{fits, is_pattern};
pub use queue_name::{QUEUE_NAME_CHARS_MAX, QueueName, SUBQUEUE_NAME_CHARS_MAX, SubqueueName};
