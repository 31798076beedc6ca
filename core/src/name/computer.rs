//! The computer that a name is on: a virtual server, a node, or `.`.

use std::fmt;
use std::net::IpAddr;

use super::piece::{Grammar, Piece};
use super::spelled::Spelled;
use crate::error::Result;

/// Longest name of a computer, in characters (MS-MQMQ 2.1.1).
pub const COMPUTER_NAME_CHARS_MAX: usize = 256;

/// MS-MQMQ excludes nothing visible; these would end the name or begin another form.
const FORBIDDEN: &str = "\\/;,\"=";

/// A computer's name: NetBIOS, DNS, an address, or `.` for the one that it is used on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Computer(Spelled);

impl Computer {
    /// Checks a name: 1 to 256 characters of U+0021 to U+007E without `\ / ; , " =`.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalQueuePathName`](crate::ErrorKind::IllegalQueuePathName).
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(Piece::new(text, Grammar::Path)?)
    }

    pub(super) fn read(piece: Piece<'_>) -> Result<Self> {
        piece.check_letters("the computer's name", COMPUTER_NAME_CHARS_MAX, FORBIDDEN)?;
        if super::path::PREFIXES
            .into_iter()
            .any(|prefix| piece.after(prefix).is_some())
        {
            return Err(piece.error("the computer's name begins with a prefix"));
        }
        Ok(Self(Spelled::new(piece.text())))
    }

    /// A name that comes from a place that has checked it.
    pub(super) fn unchecked(name: impl Into<String>) -> Self {
        Self(Spelled::new(name))
    }

    /// The name as it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The form to compare and index by.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.key()
    }

    /// Whether this is the computer that the name is used on: `.` or `localhost`.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.as_str() == "." || self.as_str().eq_ignore_ascii_case("localhost")
    }

    /// The address that the name is, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.as_str().parse().ok()
    }
}

impl fmt::Display for Computer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<IpAddr> for Computer {
    fn from(address: IpAddr) -> Self {
        Self::unchecked(address.to_string())
    }
}
