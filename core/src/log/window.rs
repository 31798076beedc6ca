//! A window that moves over a file: what is asked for lies in memory, read in pieces.

use std::io;

use crate::sys::disk::DiskFile;

/// Bytes read at once: small enough to stay in the processor's cache while they are looked at.
const READ_BYTES: usize = 256 * 1024;

/// The bytes of a file up to `end`.
pub(super) struct Window<'a> {
    file: &'a dyn DiskFile,
    end: u64,
    /// Where the bytes that are in memory begin in the file, and how many of `buffer` they are.
    start: u64,
    length: usize,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, end: u64) -> Self {
        Self {
            file,
            end,
            start: 0,
            length: 0,
            buffer: Vec::new(),
        }
    }

    /// `length` bytes from `offset`; fewer where the file ends.
    pub(super) fn bytes(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let length = self.within(offset, length);
        if offset < self.start || offset + length as u64 > self.start + self.length as u64 {
            self.read(offset, self.within(offset, length.max(READ_BYTES)))?;
        }
        let at = usize::try_from(offset - self.start).unwrap_or(self.length);
        Ok(&self.buffer[at.min(self.length)..(at + length).min(self.length)])
    }

    /// All that is left from `offset`, a piece at a time; empty at the end.
    pub(super) fn piece(&mut self, offset: u64) -> io::Result<&[u8]> {
        self.bytes(offset, READ_BYTES)
    }

    /// How many of `length` bytes from `offset` there are.
    pub(super) fn within(&self, offset: u64, length: usize) -> usize {
        let left = self.end.saturating_sub(offset);
        length.min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Moves the window to `offset`; what of it is in memory already is not read again.
    fn read(&mut self, offset: u64, length: usize) -> io::Result<()> {
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let kept = self.keep_from(offset);
        (self.start, self.length) = (offset, kept);
        let rest = &mut self.buffer[kept..length];
        self.length += self.file.read_at(offset + kept as u64, rest)?;
        Ok(())
    }

    /// Moves what is in memory from `offset` on to the front; gives how many bytes that is.
    fn keep_from(&mut self, offset: u64) -> usize {
        let skipped = offset.checked_sub(self.start).map(usize::try_from);
        match skipped {
            Some(Ok(skipped)) if skipped < self.length => {
                self.buffer.copy_within(skipped..self.length, 0);
                self.length - skipped
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::disk::Disk;
    use crate::sys::disk_fake::FakeDisk;

    #[test]
    fn it_gives_what_the_file_has_in_any_order_and_stops_at_the_end() {
        let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
        let file = FakeDisk::new().create("a", 700_000).unwrap();
        file.write_at(0, &bytes).unwrap();
        let mut window = Window::new(file.as_ref(), 600_000);
        for (offset, length) in [
            (0, 10),
            (300_000, 280_000),
            (5, 40),
            (262_140, 9),
            (1, 599_999),
        ] {
            let expected = &bytes[offset..offset + length];
            assert_eq!(window.bytes(offset as u64, length).unwrap(), expected);
        }
        assert_eq!(window.bytes(599_990, 100).unwrap(), &bytes[599_990..]);
        assert!(window.bytes(600_000, 1).unwrap().is_empty());
        assert!(window.piece(900_000).unwrap().is_empty());
        assert_eq!(window.piece(1).unwrap().len(), READ_BYTES);
    }
}
