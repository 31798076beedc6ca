//! Format names: how a program says which queue it means, and how to get there.
//!
//! ```text
//!  DIRECT=OS:VS1\private$\q[;JOURNAL | ;SUBQUEUE]      direct.rs: by address, no directory
//!  DIRECT=TCP:10.0.0.7\q    DIRECT=HTTP://h/msmq/private$/q    DIRECT=OS:VS1\SYSTEM$;DEADLETTER
//!  PUBLIC=guid[;JOURNAL]    PRIVATE=guid\0000000f[;JOURNAL]    MACHINE=guid;DEADXACT
//!  CONNECTOR=guid[;XACTONLY]    DL=guid[@domain]    MULTICAST=234.1.1.1:8001
//!  name,name,...                                       multi_element.rs: to send to all of them
//!
//!  usage.rs: what each may be used for      queue_format.rs: its numbers in the binary protocol
//! ```
//!
//! MS-MQMQ 2.1.2 to 2.1.7; case does not count. The keyword may follow `FORMATNAME:` or
//! `msmq.formatname:`, and `net.msmq://` addresses are read as direct names.

mod address;
mod direct;
mod group;
mod guid;
mod multi_element;
mod queue_format;
mod usage;

use std::fmt;

use uuid::Uuid;

pub use address::{Address, IpxAddress, Protocol, WebServer};
pub use direct::{DirectName, Visibility};
pub use group::{Domain, MulticastAddress};
pub use multi_element::{ELEMENTS_MAX, MultiElement};
pub use queue_format::{QueueFormat, QueueFormatType, QueueSuffix};
pub use usage::Use;

use super::local::SystemQueue;
use super::nearest;
use super::path::{PathName, without_prefix};
use super::piece::{Grammar, Piece, SLASHES, shown};
use crate::error::{Error, ErrorKind, Result};

/// One format name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FormatName {
    /// `DIRECT=`: by address; no directory is asked.
    Direct(DirectName),
    /// `PUBLIC=`: a queue that a directory knows.
    Public {
        /// The queue's object in the directory.
        queue: Uuid,
        /// Its journal is meant.
        journal: bool,
    },
    /// `PRIVATE=`: a private queue by its number.
    Private {
        /// The queue manager's object in the directory.
        manager: Uuid,
        /// The queue's number there.
        number: u32,
        /// Its journal is meant.
        journal: bool,
    },
    /// `MACHINE=`: one of a computer's own queues.
    Machine {
        /// The queue manager's object in the directory.
        manager: Uuid,
        /// Which of its queues.
        queue: SystemQueue,
    },
    /// `CONNECTOR=`: where messages to a foreign system wait for their connector.
    Connector {
        /// The foreign site's object in the directory.
        site: Uuid,
        /// The queue for transactional messages is meant.
        transactional: bool,
    },
    /// `DL=`: all queues of a distribution list.
    DistributionList {
        /// The list's object in the directory.
        list: Uuid,
        /// The domain to look for it in.
        domain: Option<Domain>,
    },
    /// `MULTICAST=`: all queues that listen at an address.
    Multicast(MulticastAddress),
}

const KEYWORDS: [&str; 7] = [
    "DIRECT",
    "PUBLIC",
    "PRIVATE",
    "MACHINE",
    "CONNECTOR",
    "DL",
    "MULTICAST",
];

impl FormatName {
    /// Reads one format name, in any case.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalFormatName`] with the part that is off, where it is, and what to write.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(Piece::new(text, Grammar::FormatName)?)
    }

    pub(super) fn read(piece: Piece<'_>) -> Result<Self> {
        let piece = without_prefix(piece);
        if let Some(path) = PathName::read_wcf(piece) {
            return Ok(path?.format_name());
        }
        if piece.is_empty() {
            return Err(piece.error("it is empty"));
        }
        let Some((keyword, rest)) = piece.split(&['=']) else {
            return Err(no_keyword(piece));
        };
        match keyword {
            k if k.is("DIRECT") => DirectName::read(rest).map(Self::Direct),
            k if k.is("PUBLIC") => read_public(rest),
            k if k.is("PRIVATE") => read_private(rest),
            k if k.is("MACHINE") => read_machine(rest),
            k if k.is("CONNECTOR") => read_connector(rest),
            k if k.is("DL") => read_list(rest),
            k if k.is("MULTICAST") => MulticastAddress::read(rest).map(Self::Multicast),
            _ => Err(unknown_keyword(keyword)),
        }
    }

    /// The keyword that the name begins with.
    #[must_use]
    pub const fn keyword(&self) -> &'static str {
        match self {
            Self::Direct(_) => "DIRECT",
            Self::Public { .. } => "PUBLIC",
            Self::Private { .. } => "PRIVATE",
            Self::Machine { .. } => "MACHINE",
            Self::Connector { .. } => "CONNECTOR",
            Self::DistributionList { .. } => "DL",
            Self::Multicast(_) => "MULTICAST",
        }
    }

    /// Whether only a directory can say where the queue is.
    #[must_use]
    pub const fn needs_directory(&self) -> bool {
        !matches!(self, Self::Direct(_) | Self::Multicast(_))
    }

    /// The path name of the same queue, where the format name says which computer it is on.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedFormatNameOperation`] for every other one.
    pub fn path(&self) -> Result<PathName> {
        match self {
            Self::Direct(direct) => direct.path(),
            other => {
                let text = format!("{other} has no path name: it does not say which computer");
                Err(unsupported(text, "write VIRTUALSERVER\\private$\\queue"))
            }
        }
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let journal = |meant: &bool| if *meant { ";JOURNAL" } else { "" };
        write!(f, "{}=", self.keyword())?;
        match self {
            Self::Direct(direct) => direct.fmt(f),
            Self::Public { queue, journal: j } => write!(f, "{queue}{}", journal(j)),
            Self::Private {
                manager,
                number,
                journal: j,
            } => write!(f, "{manager}\\{number:08x}{}", journal(j)),
            Self::Machine { manager, queue } => write!(f, "{manager};{}", queue.suffix()),
            Self::Connector {
                site,
                transactional,
            } => {
                let suffix = if *transactional { ";XACTONLY" } else { "" };
                write!(f, "{site}{suffix}")
            }
            Self::DistributionList { list, domain } => match domain {
                Some(domain) => write!(f, "{list}@{domain}"),
                None => list.fmt(f),
            },
            Self::Multicast(address) => address.fmt(f),
        }
    }
}

fn read_public(piece: Piece<'_>) -> Result<FormatName> {
    let (queue, suffix) = piece.split_optional(&[';']);
    Ok(FormatName::Public {
        queue: guid::read(queue)?,
        journal: read_journal(suffix)?,
    })
}

fn read_private(piece: Piece<'_>) -> Result<FormatName> {
    let Some((manager, rest)) = piece.split(&SLASHES) else {
        return Err(piece.error_with(
            "the queue's number is missing",
            "write PRIVATE=GUID\\NUMBER with the queue manager's GUID and 1 to 8 hexadecimal digits",
        ));
    };
    let (number, suffix) = rest.split_optional(&[';']);
    Ok(FormatName::Private {
        manager: guid::read(manager)?,
        number: guid::read_hexadecimal(number, "the queue's number", 1..=8)?,
        journal: read_journal(suffix)?,
    })
}

/// The only suffix of a queue that is named by a GUID.
fn read_journal(suffix: Option<Piece<'_>>) -> Result<bool> {
    match suffix {
        None => Ok(false),
        Some(suffix) if suffix.is("JOURNAL") => Ok(true),
        Some(suffix) => Err(suffix.error_with(
            "only ;JOURNAL may follow here",
            "name a subqueue directly: DIRECT=OS:VIRTUALSERVER\\private$\\queue;subqueue",
        )),
    }
}

fn read_machine(piece: Piece<'_>) -> Result<FormatName> {
    let (manager, Some(suffix)) = piece.split_optional(&[';']) else {
        return Err(piece.error_with(
            "a computer is no queue: the suffix is missing",
            "write MACHINE=GUID;JOURNAL, ;DEADLETTER or ;DEADXACT",
        ));
    };
    Ok(FormatName::Machine {
        manager: guid::read(manager)?,
        queue: SystemQueue::read_suffix(suffix)?,
    })
}

fn read_connector(piece: Piece<'_>) -> Result<FormatName> {
    let (site, suffix) = piece.split_optional(&[';']);
    let transactional = match suffix {
        None => false,
        Some(suffix) if suffix.is("XACTONLY") => true,
        Some(suffix) => {
            let hint = "write CONNECTOR=GUID or CONNECTOR=GUID;XACTONLY";
            return Err(suffix.error_with("only ;XACTONLY may follow here", hint));
        }
    };
    Ok(FormatName::Connector {
        site: guid::read(site)?,
        transactional,
    })
}

fn read_list(piece: Piece<'_>) -> Result<FormatName> {
    let (list, domain) = piece.split_optional(&['@']);
    if let Some((_, suffix)) = list.split(&[';']) {
        let hint = "write DL=GUID or DL=GUID@DOMAIN";
        return Err(suffix.error_with("a distribution list has no suffix", hint));
    }
    Ok(FormatName::DistributionList {
        list: guid::read(list)?,
        domain: domain.map(Domain::read).transpose()?,
    })
}

fn no_keyword(piece: Piece<'_>) -> Error {
    let why = "there is no '=': it begins with DIRECT=, PUBLIC=, PRIVATE= or another keyword";
    match PathName::parse(piece.text()) {
        Ok(path) => piece.error_with(why, format!("write {}", path.format_name())),
        Err(_) => piece.error(why),
    }
}

fn unknown_keyword(piece: Piece<'_>) -> Error {
    let why = format!("{} is no kind of format name", shown(piece.text()));
    let hint = match nearest(piece.text(), KEYWORDS) {
        Some(keyword) => format!("write {keyword}="),
        None => format!(
            "the kinds are {}",
            KEYWORDS.map(|k| format!("{k}=")).join(" ")
        ),
    };
    piece.error_with(why, hint)
}

fn unsupported(text: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(ErrorKind::UnsupportedFormatNameOperation, text).hint(hint)
}
