//! Bodies that differ, so that nobody gains by compressing or caching one of them.

/// Bodies begin at so many places of the pool.
const POOL_BYTES: usize = 1 << 20;
/// From one body's place to the next: a prime, so that all places are used.
const STEP_BYTES: usize = 4093;

/// An endless row of bodies of one size: slices of one pool of random bytes.
pub struct Bodies {
    pool: Vec<u8>,
    size: usize,
    at: usize,
}

impl Bodies {
    /// Bodies of `size` bytes.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let mut x = 0x9E37_79B9_7F4A_7C15_u64;
        let random = |_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x.to_le_bytes()[3]
        };
        Self {
            pool: (0..POOL_BYTES + size).map(random).collect(),
            size,
            at: 0,
        }
    }

    /// The next body.
    pub fn next_body(&mut self) -> &mut [u8] {
        self.at = (self.at + STEP_BYTES) % POOL_BYTES;
        &mut self.pool[self.at..self.at + self.size]
    }

    /// The next body, beginning with `stamp`; bodies of less than eight bytes have no room for one.
    pub fn next_stamped(&mut self, stamp: u64) -> &[u8] {
        let body = self.next_body();
        if let Some(head) = body.first_chunk_mut() {
            *head = stamp.to_le_bytes();
        }
        body
    }
}

/// The stamp a body begins with.
#[must_use]
pub fn stamp_of(body: &[u8]) -> Option<u64> {
    body.first_chunk().map(|head| u64::from_le_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_size_and_differ() {
        let mut bodies = Bodies::new(100);
        let first = bodies.next_body().to_vec();
        assert_eq!(first.len(), 100);
        assert_ne!(bodies.next_body(), first);
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let mut bodies = Bodies::new(16);
        assert_eq!(stamp_of(bodies.next_stamped(77)), Some(77));
        assert_eq!(stamp_of(b"short"), None);
    }
}
