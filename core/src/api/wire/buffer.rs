//! Cuts what was read from a socket into frames, without a copy of what is complete.

use std::io;

use bytes::Bytes;

use super::frame::{Frame, FrameError, needed, parse};
use crate::sys::network::{Filled, Stream};

/// How much is read at once: large reads are what lets one sync serve many requests.
pub const READ_BYTES: usize = 256 * 1024;
/// Reads up to this size are copied into a buffer of their own size, so that they pin no large one.
const COPY_BYTES_MAX: usize = 16 * 1024;

/// Bytes that came in and were not taken yet. An idle one holds nothing. A frame that came in part is
/// collected in a buffer that grows with what really comes, whatever its length claims.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    chunk: Bytes,
    taken: usize,
    partial: Vec<u8>,
}

impl FrameBuffer {
    /// Reads once. Only when `next_frame` has no more. `scratch` is a buffer that connections share.
    ///
    /// # Errors
    /// Those of the stream; a length that no frame has.
    pub fn fill(&mut self, stream: &Stream, scratch: &mut Vec<u8>) -> io::Result<Filled> {
        if self.partial.is_empty() {
            scratch.clear();
            scratch.reserve(READ_BYTES);
            let filled = stream.read(scratch)?;
            self.chunk = match scratch.len() {
                0 => Bytes::new(),
                small if small <= COPY_BYTES_MAX => Bytes::copy_from_slice(scratch),
                _ => std::mem::take(scratch).into(),
            };
            self.taken = 0;
            return Ok(filled);
        }
        self.partial.reserve(READ_BYTES);
        let filled = stream.read(&mut self.partial)?;
        let whole = needed(&self.partial).map_err(io::Error::other)?;
        if whole.is_some_and(|whole| self.partial.len() >= whole) {
            self.chunk = std::mem::take(&mut self.partial).into();
            self.taken = 0;
        }
        Ok(filled)
    }

    /// The next complete frame, if there is one, and the bytes that it lies in.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn next_frame(&mut self) -> Result<Option<(Frame<'_>, &Bytes)>, FrameError> {
        let rest = &self.chunk[self.taken..];
        if needed(rest)?.is_none_or(|whole| rest.len() < whole) {
            self.keep_partial();
            return Ok(None);
        }
        let Some((frame, length)) = parse(&self.chunk[self.taken..])? else {
            return Ok(None);
        };
        self.taken += length;
        Ok(Some((frame, &self.chunk)))
    }

    /// Whether bytes are here that were not looked at yet.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.taken < self.chunk.len()
    }

    /// Bytes of memory that it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.chunk.len() + self.partial.capacity()
    }

    fn keep_partial(&mut self) {
        if self.has_more() {
            self.partial.extend_from_slice(&self.chunk[self.taken..]);
        }
        self.chunk = Bytes::new();
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Kind, append};
    use super::*;

    fn frames(count: u64, payload: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0..count {
            append(&mut bytes, Kind::Request, number, |out| {
                out.resize(out.len() + payload, 7);
                Ok(())
            })
            .unwrap();
        }
        bytes
    }

    /// Writes the pieces one after the other and gives the numbers of the frames that come out.
    fn through<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u64> {
        let (near, far) = Stream::pair().unwrap();
        let (mut buffer, mut scratch, mut seen) = (FrameBuffer::default(), Vec::new(), Vec::new());
        for piece in pieces {
            let mut rest = piece;
            while !rest.is_empty() {
                rest = &rest[near.write(rest).unwrap()..];
                while let Filled::Bytes(_) = buffer.fill(&far, &mut scratch).unwrap() {
                    while let Some((frame, _)) = buffer.next_frame().unwrap() {
                        seen.push(frame.correlation);
                    }
                }
            }
        }
        assert_eq!(buffer.held_bytes(), 0, "nothing is held when all was taken");
        seen
    }

    #[test]
    fn a_frame_comes_out_whole_wherever_it_was_cut() {
        let bytes = frames(2, 40);
        for cut in 0..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(through([first, second].into_iter()), [0, 1], "cut at {cut}");
        }
        assert_eq!(through(bytes.chunks(1)), [0, 1]);
    }

    #[test]
    fn large_and_small_frames_follow_each_other() {
        let bytes = [frames(50, 100), frames(2, 3_000_000), frames(3, 20_000)].concat();
        let expected: Vec<u64> = (0..50).chain(0..2).chain(0..3).collect();
        assert_eq!(through(std::iter::once(bytes.as_slice())), expected);
    }
}
