//! Path names: a computer and a queue on it.
//!
//! ```text
//!  VS1\private$\orders          VS1\private$\orders;retry      VS1\private$\orders;JOURNAL
//!  VS1\system$;DEADLETTER       VS1\orders                     (a public queue)
//!
//!  also read: / for \           VS1\private$\orders\Journal$   VS1\Journal$  VS1\XactDeadletter$
//!             FORMATNAME:...    msmq.formatname:...            net.msmq://VS1/private/orders
//!             DIRECT=OS:...     DIRECT=TCP:...
//! ```

use std::fmt;

use super::computer::Computer;
use super::format_name::{Address, DirectName, FormatName, Visibility};
use super::local::{LocalName, SystemQueue};
use super::piece::{Grammar, Piece, SLASHES};
use crate::error::{Error, ErrorKind, Result};

/// What stands before a format name in the places where paths are typed.
pub(super) const PREFIXES: [&str; 2] = ["FORMATNAME:", "msmq.formatname:"];
/// The addresses of Windows Communication Foundation.
const WCF_SCHEME: &str = "net.msmq://";

/// The path name of a private queue, of a part of one, or of a system queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueuePath {
    computer: Computer,
    local: LocalName,
}

impl QueuePath {
    /// Reads the path name of a queue that its computer knows without a directory.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalQueuePathName`] or, for a format name, [`ErrorKind::IllegalFormatName`],
    /// with the part that is off; [`ErrorKind::NoDirectory`] for a public queue;
    /// [`ErrorKind::UnsupportedFormatNameOperation`] for a format name that is no path.
    pub fn parse(text: &str) -> Result<Self> {
        match PathName::parse(text)? {
            PathName::Queue(path) => Ok(path),
            PathName::Public(path) => Err(path.needs_directory()),
        }
    }

    /// The path of `queue` on `computer`.
    #[must_use]
    pub fn new(computer: impl Into<String>, queue: impl Into<LocalName>) -> Self {
        Self::on(Computer::unchecked(computer), queue.into())
    }

    /// The path of a queue on a computer.
    #[must_use]
    pub const fn on(computer: Computer, local: LocalName) -> Self {
        Self { computer, local }
    }

    /// The virtual server or node, as it was spelled; `.` is the local one.
    #[must_use]
    pub fn computer(&self) -> &str {
        self.computer.as_str()
    }

    /// Whether the queue is on the computer that the path is used on.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.computer.is_local()
    }

    /// The queue on its computer: what requests to a queue manager carry.
    #[must_use]
    pub const fn queue(&self) -> &LocalName {
        &self.local
    }

    /// The direct format name of the same queue.
    #[must_use]
    pub fn format_name(&self) -> FormatName {
        direct(&self.computer, Visibility::Private, &self.local)
    }
}

impl fmt::Display for QueuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = if self.local.is_system() {
            ""
        } else {
            "private$\\"
        };
        write!(f, "{}\\{folder}{}", self.computer, self.local)
    }
}

/// The path name of a public queue or of a part of one; only a directory knows where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicPath {
    computer: Computer,
    local: LocalName,
}

impl PublicPath {
    /// The computer, as it was spelled.
    #[must_use]
    pub const fn computer(&self) -> &Computer {
        &self.computer
    }

    /// The queue on its computer.
    #[must_use]
    pub const fn queue(&self) -> &LocalName {
        &self.local
    }

    /// The direct format name, which needs no directory to be sent to.
    #[must_use]
    pub fn format_name(&self) -> FormatName {
        direct(&self.computer, Visibility::Public, &self.local)
    }

    /// The error of an operation that is given a public queue where there is no directory.
    #[must_use]
    pub fn needs_directory(&self) -> Error {
        let text = format!("{self} is a public queue: public queues need a directory");
        let private = QueuePath::on(self.computer.clone(), self.local.clone());
        Error::new(ErrorKind::NoDirectory, text)
            .hint(format!("if the private queue is meant: {private}"))
    }
}

impl fmt::Display for PublicPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\{}", self.computer, self.local)
    }
}

/// Any path name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathName {
    /// Known to its computer.
    Queue(QueuePath),
    /// Known to a directory.
    Public(PublicPath),
}

impl PathName {
    /// Reads a path name, or a format name that is as good as one.
    ///
    /// # Errors
    /// Like [`QueuePath::parse`], public queues aside.
    pub fn parse(text: &str) -> Result<Self> {
        let piece = without_prefix(Piece::new(text, Grammar::Path)?);
        if let Some(path) = Self::read_wcf(piece) {
            return path;
        }
        // No path name has this sign before its first slash, and every format name has.
        let (head, _) = piece.split_optional(&SLASHES);
        if head.text().contains('=') {
            return FormatName::read(piece.read_as(Grammar::FormatName))?.path();
        }
        Self::read(piece, &["private$"])
    }

    /// Reads `net.msmq://VS1/private/orders`, if it begins like that.
    pub(super) fn read_wcf(piece: Piece<'_>) -> Option<Result<Self>> {
        let rest = piece.after(WCF_SCHEME)?;
        Some(Self::read(rest, &["private", "private$"]))
    }

    fn read(piece: Piece<'_>, private: &[&str]) -> Result<Self> {
        let Some((computer, rest)) = piece.split(&SLASHES) else {
            return Err(piece.error("it needs three parts: computer, private$ and queue"));
        };
        let computer = Computer::read(computer)?;
        if let Some(system) = read_system(rest)? {
            return Ok(Self::new(computer, Visibility::Private, system));
        }
        let (folder, queue) = rest.split_optional(&SLASHES);
        let is_private = private.iter().any(|word| folder.is(word));
        match queue {
            Some(queue) if is_private => {
                let local = read_queue(queue)?;
                Ok(Self::new(computer, Visibility::Private, local))
            }
            None if is_private => Err(rest.error("the queue's name is missing")),
            Some(tail) if !tail.is("Journal$") => Err(folder.error("the middle part is private$")),
            _ => Ok(Self::new(computer, Visibility::Public, read_queue(rest)?)),
        }
    }

    pub(super) fn new(computer: Computer, visibility: Visibility, local: LocalName) -> Self {
        match visibility {
            Visibility::Private => Self::Queue(QueuePath { computer, local }),
            Visibility::Public => Self::Public(PublicPath { computer, local }),
        }
    }

    /// The direct format name of the same queue.
    #[must_use]
    pub fn format_name(&self) -> FormatName {
        match self {
            Self::Queue(path) => path.format_name(),
            Self::Public(path) => path.format_name(),
        }
    }
}

impl fmt::Display for PathName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(path) => path.fmt(f),
            Self::Public(path) => path.fmt(f),
        }
    }
}

/// Takes one prefix away that says that a format name follows.
pub(super) fn without_prefix(piece: Piece<'_>) -> Piece<'_> {
    let after = |prefix| piece.after(prefix);
    PREFIXES.into_iter().find_map(after).unwrap_or(piece)
}

/// `system$;DEADLETTER`, or as System.Messaging spells it, `Deadletter$`.
fn read_system(piece: Piece<'_>) -> Result<Option<LocalName>> {
    let queue = if let Some(suffix) = piece.after("system$;") {
        SystemQueue::read_suffix(suffix)?
    } else if piece.is("Journal$") {
        SystemQueue::Journal
    } else if piece.is("Deadletter$") {
        SystemQueue::DeadLetter
    } else if piece.is("XactDeadletter$") {
        SystemQueue::TransactionalDeadLetter
    } else {
        return Ok(None);
    };
    Ok(Some(LocalName::system(queue)))
}

/// `orders`, a part of it, or as System.Messaging spells its journal, `orders\Journal$`.
fn read_queue(piece: Piece<'_>) -> Result<LocalName> {
    match piece.split(&SLASHES) {
        Some((queue, tail)) if tail.is("Journal$") => LocalName::read_journal_of(queue),
        Some((_, tail)) => Err(tail.error("only Journal$ may follow the queue's name")),
        None => LocalName::read_queue(piece),
    }
}

fn direct(computer: &Computer, visibility: Visibility, local: &LocalName) -> FormatName {
    let address = match computer.address() {
        Some(address) => Address::Tcp(address),
        None => Address::Os(computer.clone()),
    };
    FormatName::Direct(DirectName::new(address, visibility, local.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_case_and_the_direct_form_name_the_same_queue() {
        let paths = [
            "VS1\\private$\\orders",
            "vs1/PRIVATE$/Orders",
            "direct=os:VS1\\private$\\orders",
            "FormatName:VS1/private$/orders",
            "formatname:Direct=OS:vs1/private$/orders",
            "net.msmq://vs1/private/orders",
            "msmq.formatname:DIRECT=OS:VS1\\PRIVATE$\\ORDERS",
        ];
        let parsed: Vec<_> = paths.iter().map(|p| QueuePath::parse(p).unwrap()).collect();
        assert!(parsed.windows(2).all(|w| w[0] == w[1]));
        assert_eq!(parsed[0].to_string(), "VS1\\private$\\orders");
    }

    #[test]
    fn every_spelling_of_a_part_or_a_system_queue_has_one_canonical_form() {
        for (text, canonical) in [
            ("VS1/private$/q;retry", "VS1\\private$\\q;retry"),
            ("VS1/private$/q\\journal$", "VS1\\private$\\q;JOURNAL"),
            ("VS1/private$/q;Journal", "VS1\\private$\\q;JOURNAL"),
            ("VS1/private$/Journal$", "VS1\\private$\\Journal$"),
            ("VS1\\JOURNAL$", "VS1\\system$;JOURNAL"),
            ("VS1\\Deadletter$", "VS1\\system$;DEADLETTER"),
            ("VS1\\XactDeadletter$", "VS1\\system$;DEADXACT"),
            ("VS1/System$;DeadXact", "VS1\\system$;DEADXACT"),
            ("net.msmq://h/system$;DeadXact", "h\\system$;DEADXACT"),
            ("net.msmq://h/private/q;poison", "h\\private$\\q;poison"),
            ("DIRECT=TCP:10.0.0.7\\private$\\q", "10.0.0.7\\private$\\q"),
        ] {
            assert_eq!(QueuePath::parse(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_off_is_said() {
        for (text, part) in [
            ("orders", "three parts"),
            ("a b/private$/q", "computer"),
            ("vs1/public/q", "private$"),
            ("vs1/private$/a;b;c", "';'"),
            ("vs1/private$/", "1 to 124"),
            ("vs1/private$", "missing"),
            ("vs1/private$/q/r", "Journal$"),
            ("vs1/private$/system$;DEADLETTER", "own queues"),
            ("vs1/system$;retry", "no such queue"),
            ("FORMATNAME:FORMATNAME:vs1/private$/q", "prefix"),
        ] {
            let error = QueuePath::parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::IllegalQueuePathName);
            assert!(error.message.contains(part), "{}: {}", text, error.message);
        }
    }

    #[test]
    fn a_public_queue_is_a_path_name_that_needs_a_directory() {
        for text in ["VS1\\q", "net.msmq://VS1/q", "DIRECT=OS:VS1\\q"] {
            assert_eq!(PathName::parse(text).unwrap().to_string(), "VS1\\q");
        }
        let error = QueuePath::parse("VS1/q/Journal$").unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoDirectory);
        assert!(error.hint.unwrap().ends_with("VS1\\private$\\q;JOURNAL"));
    }
}
