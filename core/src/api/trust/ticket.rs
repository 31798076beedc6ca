//! The text of a join token: `hamq-join-` and the hexadecimal digits of a CBOR record.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

const PREFIX: &str = "hamq-join-";
/// Longest token that is read.
const BYTES_MAX: usize = 16 << 10;

/// What a new host must know, and the secret that it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The cluster.
    pub cluster: String,
    /// Nodes to ask, with their addresses.
    pub nodes: Vec<(String, String)>,
    /// The fingerprint of the cluster's authority.
    pub authority: String,
    /// Which token it is.
    pub id: String,
    /// The secret.
    pub secret: String,
}

impl Ticket {
    /// Its text.
    ///
    /// # Errors
    /// `Internal` when it cannot be written, which no data causes.
    pub fn text(&self) -> Result<String> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        Ok(format!("{PREFIX}{}", digits.collect::<String>()))
    }

    /// The ticket of a text.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn read(text: &str) -> Result<Self> {
        let none = || {
            Error::new(ErrorKind::InvalidParameter, "this is no join token").hint(
                "copy the whole of what New-ClusterJoinToken showed, beginning with hamq-join-",
            )
        };
        let digits = text.trim().strip_prefix(PREFIX).ok_or_else(none)?;
        if digits.len() > BYTES_MAX {
            return Err(none());
        }
        let bytes = from_hex(digits).ok_or_else(none)?;
        ciborium::from_reader(bytes.as_slice()).map_err(|_| none())
    }
}

/// Bytes of hexadecimal digits.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|v| u8::try_from(v).ok())
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_nothing_else_is_one() {
        let ticket = Ticket {
            cluster: "prod".into(),
            nodes: vec![("n1".into(), "10.0.0.1".into())],
            authority: "ab".repeat(32),
            id: "1".into(),
            secret: "2".into(),
        };
        let text = ticket.text().unwrap();
        assert_eq!(Ticket::read(&format!(" {text}\n")), Ok(ticket));
        for at in (0..text.len()).step_by(7) {
            assert!(Ticket::read(&text[..at]).is_err());
            drop(Ticket::read(&format!(
                "{}f{}",
                &text[..at],
                &text[at + 1..]
            )));
        }
        for wrong in [
            "",
            "hamq-join-",
            "hamq-join-zz",
            "hamq-join-é",
            "hamq-join-a",
        ] {
            let error = Ticket::read(wrong).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidParameter, "{wrong}");
        }
        let long = format!("{PREFIX}{}", "0".repeat(BYTES_MAX + 2));
        assert!(Ticket::read(&long).is_err());
    }
}
