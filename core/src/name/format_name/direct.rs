//! Direct names: an address and a queue there.
//!
//! On the wire they are written without `DIRECT=`, and that is how they are displayed here.

use std::fmt;

use super::address::{Address, Protocol};
use super::unsupported;
use crate::error::Result;
use crate::name::computer::Computer;
use crate::name::local::{LocalName, SystemQueue};
use crate::name::path::PathName;
use crate::name::piece::{Grammar, Piece, SLASHES};

/// Who knows a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Visibility {
    /// Its computer alone; system queues too.
    Private,
    /// A directory.
    Public,
}

/// What follows `DIRECT=`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirectName {
    address: Address,
    visibility: Visibility,
    local: LocalName,
}

impl DirectName {
    /// A queue at an address. A system queue is never public.
    #[must_use]
    pub fn new(address: Address, visibility: Visibility, local: LocalName) -> Self {
        let visibility = if local.is_system() {
            Visibility::Private
        } else {
            visibility
        };
        Self {
            address,
            visibility,
            local,
        }
    }

    /// Reads the form of the wire, without `DIRECT=`.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalFormatName`](crate::ErrorKind::IllegalFormatName).
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(Piece::new(text, Grammar::FormatName)?)
    }

    pub(super) fn read(piece: Piece<'_>) -> Result<Self> {
        let (address, queue) = Address::read(piece)?;
        let (visibility, local) = read_queue(queue)?;
        Ok(Self::new(address, visibility, local))
    }

    /// Where the queue is.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// How it is reached.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.address.protocol()
    }

    /// Who knows it.
    #[must_use]
    pub const fn visibility(&self) -> Visibility {
        self.visibility
    }

    /// The queue on its computer: what requests to a queue manager carry.
    #[must_use]
    pub const fn queue(&self) -> &LocalName {
        &self.local
    }

    /// The path name of the same queue.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedFormatNameOperation`](crate::ErrorKind::UnsupportedFormatNameOperation)
    /// where no path can be written.
    pub fn path(&self) -> Result<PathName> {
        let computer = match &self.address {
            Address::Os(computer) => computer.clone(),
            Address::Tcp(ip) => Computer::from(*ip),
            Address::Web(_) | Address::Spx(_) => {
                let name = self.protocol().name();
                let text = format!("DIRECT={self} has no path name: it is reached over {name}");
                return Err(unsupported(text, "write DIRECT=OS: or DIRECT=TCP:"));
            }
        };
        let path = PathName::new(computer, self.visibility, self.local.clone());
        // A public queue called Journal$ would be taken for the computer's journal.
        match PathName::parse(&path.to_string()) {
            Ok(same) if same == path => Ok(path),
            _ => {
                let text = format!("DIRECT={self} has no path name: {path} is another queue");
                Err(unsupported(text, "use the format name"))
            }
        }
    }
}

impl fmt::Display for DirectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = match self.address {
            Address::Web(_) => '/',
            _ => '\\',
        };
        write!(f, "{}{slash}", self.address)?;
        if self.visibility == Visibility::Private && !self.local.is_system() {
            write!(f, "private${slash}")?;
        }
        self.local.fmt(f)
    }
}

fn read_queue(piece: Piece<'_>) -> Result<(Visibility, LocalName)> {
    if let Some(suffix) = piece.after("system$;") {
        let queue = SystemQueue::read_suffix(suffix)?;
        return Ok((Visibility::Private, LocalName::system(queue)));
    }
    let (folder, queue) = piece.split_optional(&SLASHES);
    match queue {
        None if folder.is("private$") => Err(piece.error("the queue's name is missing")),
        None => Ok((Visibility::Public, LocalName::read_queue(piece)?)),
        Some(queue) if folder.is("private$") => {
            if let Some((_, tail)) = queue.split(&SLASHES)
                && tail.is("Journal$")
            {
                let hint = "write ;JOURNAL instead of \\Journal$";
                return Err(tail.error_with("this is the journal of a path name", hint));
            }
            Ok((Visibility::Private, LocalName::read_queue(queue)?))
        }
        Some(_) => Err(folder.error("only private$ may stand before the queue's name")),
    }
}
