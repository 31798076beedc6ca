//! Where pages come from.

use bytes::Bytes;

use super::super::codec::malformed;
use crate::error::Result;
use crate::log::Position;

/// Reads pages that a checkpoint wrote. They never change, so reading one is as pure as remembering it.
pub trait Pages {
    /// The bytes of the page at `position`.
    ///
    /// # Errors
    /// `StoreDamaged` when it cannot be read.
    fn read(&self, position: Position) -> Result<Bytes>;
}

/// No pages at all: for a state that was never read from a store.
pub struct NoPages;

impl Pages for NoPages {
    fn read(&self, _: Position) -> Result<Bytes> {
        Err(malformed("a page where there is none"))
    }
}
