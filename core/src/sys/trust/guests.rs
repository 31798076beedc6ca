//! What the clients of a node's queue managers may do: written by its agent beside the certificates, read by the queue
//! managers. A line each: `readonly alice`, `blocked mallory`; of whom there is none may do everything.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::sys::folder;

const FILE: &str = "access";

/// What a client may do at queue managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestRight {
    /// Everything, as an administrator.
    Full,
    /// What the access lists of queues give it.
    ReadOnly,
    /// Nothing.
    Blocked,
}

/// Clients by lower-case name.
pub type Guests = BTreeMap<String, GuestRight>;

/// Writes who may do what into the folder of certificates.
///
/// # Errors
/// What the system says.
pub fn write_guests(folder: &Path, guests: &Guests) -> Result<()> {
    let line = |(name, right): (&String, &GuestRight)| match right {
        GuestRight::Full => String::new(),
        GuestRight::ReadOnly => format!("readonly {name}\n"),
        GuestRight::Blocked => format!("blocked {name}\n"),
    };
    let text: String = guests.iter().map(line).collect();
    folder::write_durably(&folder.join(FILE), text.as_bytes())
}

/// Reads who may do what. Of a line that says something else the client is blocked: it is not known what was meant.
///
/// # Errors
/// What the system says.
pub fn read_guests(folder: &Path) -> Result<Guests> {
    let bytes = folder::read_if_there(&folder.join(FILE))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let read = lines.map(|(word, name)| {
        let right = match word {
            "readonly" => GuestRight::ReadOnly,
            _ => GuestRight::Blocked,
        };
        (name.to_owned(), right)
    });
    Ok(read.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_not_understood_is_blocked() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_guests(folder.path()).unwrap(), Guests::new());
        let guests: Guests = [
            ("alice".to_owned(), GuestRight::ReadOnly),
            ("mallory".to_owned(), GuestRight::Blocked),
        ]
        .into();
        write_guests(folder.path(), &guests).unwrap();
        assert_eq!(read_guests(folder.path()).unwrap(), guests);
        std::fs::write(folder.path().join(FILE), "perhaps bob\n").unwrap();
        assert_eq!(
            read_guests(folder.path()).unwrap()["bob"],
            GuestRight::Blocked
        );
    }
}
