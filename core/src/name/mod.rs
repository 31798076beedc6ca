//! Names of queues and of the objects of a cluster.
//!
//! A queue is addressed by a path name, `COMPUTER\private$\queue` (MS-MQMQ 2.1.1), where COMPUTER is
//! a virtual server, a node or `.`. `/` is accepted wherever `\` is, because a backslash is an
//! escape in most languages people will type these in. Comparison ignores case; the spelling that
//! was given is kept for display.

mod nearest;
mod pattern;

use std::fmt;

pub use nearest::nearest;
pub use pattern::{fits, is_pattern};

use crate::error::{Error, ErrorKind, Result};

/// Longest queue name, in characters (MS-MQMQ 2.1.1).
pub const QUEUE_NAME_CHARS_MAX: usize = 124;

/// A parsed path name of a private queue.
#[derive(Clone, Debug)]
pub struct QueuePath {
    computer: String,
    queue: QueueName,
}

impl QueuePath {
    /// Reads `COMPUTER\private$\queue`, `COMPUTER/private$/queue` or `DIRECT=OS:COMPUTER\private$\queue`.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalQueuePathName`] with the part that is off.
    pub fn parse(text: &str) -> Result<Self> {
        let path = strip_prefix_ignore_case(text, "FORMATNAME:").unwrap_or(text);
        let path = strip_prefix_ignore_case(path, "DIRECT=OS:").unwrap_or(path);
        let unified = path.replace('/', "\\");
        let mut parts = unified.splitn(3, '\\');
        let (Some(computer), Some(middle), Some(queue)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(illegal(text, "it needs three parts"));
        };
        if computer.is_empty() || !computer.chars().all(|c| ('\x21'..='\x7e').contains(&c)) {
            return Err(illegal(
                text,
                "the computer name is empty or has a blank in it",
            ));
        }
        if !middle.eq_ignore_ascii_case("private$") {
            return Err(illegal(
                text,
                "only private queues are supported: the middle part is private$",
            ));
        }
        Ok(Self {
            computer: computer.to_owned(),
            queue: QueueName::parse(queue)?,
        })
    }

    /// The path of `queue` on `computer`.
    #[must_use]
    pub fn new(computer: impl Into<String>, queue: QueueName) -> Self {
        Self {
            computer: computer.into(),
            queue,
        }
    }

    /// The virtual server or node, as it was spelled; `.` is the local one.
    #[must_use]
    pub fn computer(&self) -> &str {
        &self.computer
    }

    /// The queue's own name.
    #[must_use]
    pub const fn queue(&self) -> &QueueName {
        &self.queue
    }
}

impl fmt::Display for QueuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\private$\\{}", self.computer, self.queue)
    }
}

impl PartialEq for QueuePath {
    fn eq(&self, other: &Self) -> bool {
        self.computer.eq_ignore_ascii_case(&other.computer) && self.queue == other.queue
    }
}

impl Eq for QueuePath {}

/// The name of a private queue on its queue manager, without computer and `private$`.
#[derive(Clone, Debug)]
pub struct QueueName(String);

impl QueueName {
    /// Checks a name: 1 to 124 characters of U+0021 to U+007F without `\ / ; + , "`.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalQueuePathName`].
    pub fn parse(text: &str) -> Result<Self> {
        let count = text.chars().count();
        if count == 0 || count > QUEUE_NAME_CHARS_MAX {
            return Err(illegal(text, "a queue name has 1 to 124 characters"));
        }
        if let Some(bad) = text
            .chars()
            .find(|c| !('\x21'..='\x7e').contains(c) || "\\/;+,\"".contains(*c))
        {
            return Err(illegal(
                text,
                &format!("a queue name may not contain {bad:?}"),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form to compare and index by.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for QueueName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for QueueName {}

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

fn illegal(text: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::IllegalQueuePathName,
        format!("{text:?} is no queue path name: {why}"),
    )
    .hint("write VIRTUALSERVER\\private$\\queue or VIRTUALSERVER/private$/queue")
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
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
        ];
        let parsed: Vec<_> = paths.iter().map(|p| QueuePath::parse(p).unwrap()).collect();
        assert!(parsed.windows(2).all(|w| w[0] == w[1]));
        assert_eq!(parsed[0].to_string(), "VS1\\private$\\orders");
    }

    #[test]
    fn what_is_off_is_said() {
        for (text, part) in [
            ("orders", "three parts"),
            ("a b/private$/q", "computer"),
            ("vs1/public/q", "private$"),
            ("vs1/private$/a;b", "';'"),
            ("vs1/private$/", "1 to 124"),
        ] {
            let error = QueuePath::parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::IllegalQueuePathName);
            assert!(error.message.contains(part), "{}: {}", text, error.message);
        }
    }
}
