//! Digests and random numbers, and how people pass them on.

use std::fmt;
use std::str::FromStr;

use ring::digest::SHA256;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, ErrorKind, Result};

/// SHA-256 of something: 64 hexadecimal digits in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// SHA-256.
#[must_use]
pub fn digest(bytes: &[u8]) -> Fingerprint {
    let digest = ring::digest::digest(&SHA256, bytes);
    let mut found = [0; 32];
    found.copy_from_slice(digest.as_ref());
    Fingerprint(found)
}

/// Random bytes that nobody can guess.
///
/// # Errors
/// When the system has none.
pub fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))?;
    Ok(bytes)
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut found = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(());
        }
        for (at, byte) in found.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| ())?;
        }
        Ok(Self(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let of_nothing = digest(b"");
        let text = of_nothing.to_string();
        assert!(text.starts_with("e3b0c44298fc1c14"), "{text}");
        assert_eq!(text.parse(), Ok(of_nothing));
        let multibyte = "é".repeat(32);
        for wrong in [
            "",
            "e3",
            &text[1..],
            &format!("{}zz", &text[2..]),
            multibyte.as_str(),
        ] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(()), "{wrong}");
        }
        assert_ne!(random().unwrap(), random().unwrap());
    }
}
