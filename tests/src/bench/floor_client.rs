//! The floor's client: blocking, one write for all that was handed in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use super::load::Sender;

/// What is gathered before it is written without being asked for.
const WRITE_BYTES: usize = 256 * 1024;
/// How long a reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the floor may take to write its file.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection with the floor.
pub struct FloorSender {
    stream: TcpStream,
    out: Vec<u8>,
    under_way: usize,
}

impl FloorSender {
    /// Connects; waits while the floor is getting ready.
    ///
    /// # Errors
    /// When it is not there within a minute.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let end = Instant::now() + READY_TIMEOUT;
        let failed = |e: &std::io::Error| Error::system(format_args!("connect to {address}"), e);
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= end => return Err(failed(&error)),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(REPLY_TIMEOUT)))
            .and_then(|()| stream.set_write_timeout(Some(REPLY_TIMEOUT)))
            .map_err(|e| failed(&e))?;
        Ok(Self {
            stream,
            out: Vec::new(),
            under_way: 0,
        })
    }

    fn flush(&mut self) -> Result<()> {
        let written = self.stream.write_all(&self.out);
        self.out.clear();
        written.map_err(|e| Error::system("write to the floor", &e))
    }

    /// Reads the counts that have come; waits for one.
    fn read_counts(&mut self) -> Result<()> {
        let mut counts = [0; 4];
        let read = self.stream.read_exact(&mut counts);
        read.map_err(|e| Error::system("read from the floor", &e))?;
        let confirmed = u32::from_le_bytes(counts) as usize;
        match self.under_way.checked_sub(confirmed) {
            Some(left) => self.under_way = left,
            None => {
                let text = format!("the floor confirmed {confirmed} of {}", self.under_way);
                return Err(Error::new(ErrorKind::Internal, text));
            }
        }
        Ok(())
    }
}

impl Sender for FloorSender {
    fn send(&mut self, body: &[u8]) -> Result<()> {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(body);
        self.under_way += 1;
        match self.out.len() < WRITE_BYTES {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn settle(&mut self, left: usize) -> Result<()> {
        self.flush()?;
        while self.under_way > left {
            self.read_counts()?;
        }
        Ok(())
    }
}
