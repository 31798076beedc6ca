//! Names of the objects of a cluster: nodes, groups, resources.

use crate::error::{Error, ErrorKind, Result};

/// Longest name of a node, group or resource, in characters.
pub const OBJECT_NAME_CHARS_MAX: usize = 64;

/// Checks the name of a cluster object (`what` says which kind, for the message).
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when it is empty, too long, or has a control character or `/ \ [ ]`.
pub fn check_object_name(what: &str, name: &str) -> Result<()> {
    let bad = name.chars().any(|c| c.is_control() || "/\\[]".contains(c));
    if name.trim().is_empty() || name.chars().count() > OBJECT_NAME_CHARS_MAX || bad {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("{name:?} is no name for a {what}"),
        )
        .hint("use 1 to 64 characters without / \\ [ ] and control characters"));
    }
    Ok(())
}
