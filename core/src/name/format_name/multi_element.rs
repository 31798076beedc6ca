//! Multi-element format names: several, to send one message to all of them.

use std::collections::HashSet;
use std::fmt;

use super::{FormatName, Use};
use crate::error::Result;
use crate::name::piece::{Grammar, Piece};

/// A message goes to no more queues than this at once.
pub const ELEMENTS_MAX: usize = 1000;

/// One or more format names, none of them twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MultiElement(Vec<FormatName>);

impl MultiElement {
    /// Reads format names with commas between them. A name that stands there again is left out.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalFormatName`](crate::ErrorKind::IllegalFormatName) with the element that is
    /// off.
    pub fn parse(text: &str) -> Result<Self> {
        let piece = Piece::new(text, Grammar::FormatName)?;
        let mut elements = Vec::new();
        let mut seen = HashSet::new();
        for element in piece.split_all(',') {
            if element.is_empty() && !piece.is_empty() {
                return Err(element.error_with(
                    "nothing stands on one side of the comma",
                    "take the comma away, or write a format name",
                ));
            }
            let name = FormatName::read(element)?;
            if seen.insert(name.clone()) {
                elements.push(name);
            }
            if elements.len() > ELEMENTS_MAX {
                let why = format!("there are more than {ELEMENTS_MAX} elements");
                let hint = "send in several lots, or to a distribution list";
                return Err(element.error_with(why, hint));
            }
        }
        Ok(Self(elements))
    }

    /// The elements, in the order they were written in; at least one.
    #[must_use]
    pub fn elements(&self) -> &[FormatName] {
        &self.0
    }

    /// The only element, if there is one only.
    #[must_use]
    pub fn single(&self) -> Option<&FormatName> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Checks that this may be used so: several elements can only be sent to, and each must allow it.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedFormatNameOperation`](crate::ErrorKind::UnsupportedFormatNameOperation)
    /// with the element that does not allow it.
    pub fn check(&self, usage: Use) -> Result<()> {
        if self.0.len() > 1 && usage != Use::Send {
            let why = "several queues can only be sent to";
            return Err(usage.refuse(self, why, "name one queue"));
        }
        self.0.iter().try_for_each(|element| element.check(usage))
    }
}

impl From<FormatName> for MultiElement {
    fn from(name: FormatName) -> Self {
        Self(vec![name])
    }
}

impl fmt::Display for MultiElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, element) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            element.fmt(f)?;
        }
        Ok(())
    }
}
