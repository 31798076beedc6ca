//! Which message to receive and what becomes of it, as `hamq.queue` passes it.

use hamq_core::queue::message::MessageId;
use hamq_core::queue::request::{Select, Take};
use hamq_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;

/// `("Place", place, id, lease)`: the word says which of the others counts.
#[derive(FromPyObject)]
pub(crate) struct Choice(String, u64, String, Option<u32>);

impl Choice {
    /// Which message.
    ///
    /// # Errors
    /// `InvalidParameter` for an unknown word, `IllegalPropertyValue` for an id that is none.
    pub(crate) fn select(&self) -> Result<Select> {
        let Self(word, place, id, _) = self;
        Ok(match word.as_str() {
            "first" => Select::First,
            "last" => Select::Last,
            "after" => Select::After(*place),
            "before" => Select::Before(*place),
            "lookup_id" => Select::LookupId(*place),
            "id" => Select::Id(MessageId::parse(id)?),
            "correlation_id" => Select::Correlation(MessageId::parse(id)?),
            other => {
                let text = format!("{other:?} selects no message");
                return Err(Error::new(ErrorKind::InvalidParameter, text)
                    .hint("use first, last, after, before, lookup_id, id or correlation_id"));
            }
        })
    }

    /// What becomes of it: no lease means that it leaves, one of nothing that it stays.
    pub(crate) const fn take(&self) -> Take {
        match self.3 {
            None => Take::Remove,
            Some(0) => Take::Peek,
            Some(ms) => Take::Lease(ms),
        }
    }
}
