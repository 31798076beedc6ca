//! Cuts a stream of bytes into frames.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::frame::{Frame, FrameError, parse};

/// How much room is made for one read: large reads are what lets one sync serve many requests.
const READ_BYTES: usize = 128 * 1024;

/// Bytes that came in and were not taken yet. Holds at most one incomplete frame and one read.
#[derive(Debug, Default)]
pub struct Incoming {
    buffer: Vec<u8>,
    taken: usize,
}

impl Incoming {
    /// Reads what is there; `false` at the end of the stream. May be dropped while it waits.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn fill<R: AsyncRead + Unpin>(&mut self, stream: &mut R) -> io::Result<bool> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(READ_BYTES);
        Ok(stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next complete frame, if there is one.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let Some((frame, length)) = parse(&self.buffer[self.taken..])? else {
            return Ok(None);
        };
        self.taken += length;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Kind, append};
    use super::*;

    #[tokio::test]
    async fn frames_come_out_whole_however_the_stream_was_cut() {
        let mut bytes = Vec::new();
        for number in 0..50 {
            append(&mut bytes, Kind::Ping, number, |out| {
                out.extend_from_slice(&[7; 100]);
                Ok(())
            })
            .unwrap();
        }
        let (mut near, mut far) = tokio::io::duplex(33);
        let writer = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut near, &bytes)
                .await
                .unwrap();
        });
        let mut incoming = Incoming::default();
        let mut seen = Vec::new();
        while incoming.fill(&mut far).await.unwrap() {
            while let Some(frame) = incoming.next_frame().unwrap() {
                seen.push(frame.correlation);
            }
        }
        writer.await.unwrap();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    }
}
