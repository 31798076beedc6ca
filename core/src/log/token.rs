//! Who owns the log: the cluster's epoch, a count of openings within it, and a random number.
//!
//! A restart in place on the same node has the same epoch; the incarnation tells the two processes
//! apart. Two that open at the same instant without a cluster would choose the same pair; the nonce
//! tells those apart. All three are compared in this order.

use std::fmt;

/// The identity of one opening of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Given by the cluster, raised with each change of the owner.
    pub epoch: u64,
    /// Raised with each opening in the same epoch.
    pub incarnation: u32,
    /// Random.
    pub nonce: u32,
}

/// Bytes of an encoded token.
pub(super) const TOKEN_BYTES: usize = 16;

impl Token {
    pub(super) fn encode(self) -> [u8; TOKEN_BYTES] {
        let mut bytes = [0; TOKEN_BYTES];
        bytes[..8].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.incarnation.to_le_bytes());
        bytes[12..].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        Self {
            epoch: u64_at(bytes, 0),
            incarnation: u32_at(bytes, 8),
            nonce: u32_at(bytes, 12),
        }
    }

    /// Reads what `Display` writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let token = Self {
            epoch: parts.next()?.parse().ok()?,
            incarnation: parts.next()?.parse().ok()?,
            nonce: u32::from_str_radix(parts.next()?, 16).ok()?,
        };
        parts.next().is_none().then_some(token)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:08x}", self.epoch, self.incarnation, self.nonce)
    }
}

/// The number at `at`; zero beyond the end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let part = bytes.get(at..at + 8).and_then(|b| b.try_into().ok());
    part.map_or(0, u64::from_le_bytes)
}

/// The number at `at`; zero beyond the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let part = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    part.map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_text_and_bytes_and_orders_by_epoch_first() {
        let low = Token {
            epoch: 9,
            incarnation: 7,
            nonce: 0xffff_ffff,
        };
        let high = Token {
            epoch: 10,
            ..Token::default()
        };
        assert_eq!(Token::parse(&low.to_string()), Some(low));
        assert_eq!(Token::decode(&low.encode()), low);
        assert!(low < high);
        assert_eq!(Token::parse("1-2"), None);
    }
}
