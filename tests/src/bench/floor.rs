//! The floor: the least that a durable server must do. TCP, parse, checksum, one write into a file whose
//! blocks were written before, one fdatasync for all that has arrived, one reply to each connection.
//! There is no queue and no delivery: what a plain blocking design gets on this machine and no more.
//!
//! ```text
//!  length (4) body ... ─>  poll ─ read all ─ append to the file ─ fdatasync  ─> number of messages (4)
//! ```

use std::fs::File;
use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hamq_core::{Error, Result};
use rustix::event::{PollFd, PollFlags, poll};

/// The file's size; the end is followed by the beginning.
const FILE_BYTES: u64 = 256 << 20;
/// What one turn takes from its connections at most, about.
const TURN_BYTES_MAX: usize = 4 << 20;
/// The longest body; a sender of more is not heard any longer.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Room that is made for a read.
const READ_BYTES: usize = 1 << 20;
/// Connections at most; more are turned away.
const CONNECTIONS_MAX: usize = 1024;

/// What `hamq-bench floor` was told.
#[derive(Clone, Debug)]
pub struct FloorOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file it appends to.
    pub file: PathBuf,
    /// Whether it ends when standard input does.
    pub supervised: bool,
}

/// A connection and what it has sent of a message that is not whole yet.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What became of reading from a connection.
struct Taken {
    messages: u32,
    ended: bool,
}

struct Floor {
    file: File,
    offset: u64,
    turn: Vec<u8>,
    connections: Vec<Connection>,
}

/// Serves until the process is ended, or standard input ends when it is supervised.
///
/// # Errors
/// Those of the file and of the listener.
pub fn serve(options: &FloorOptions) -> Result<()> {
    let file = prewritten(&options.file).map_err(|e| Error::system(options.file.display(), &e))?;
    let listener = TcpListener::bind(options.listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|e| Error::system(format_args!("listen at {}", options.listen), &e))?;
    let mut floor = Floor {
        file,
        offset: 0,
        turn: Vec::with_capacity(2 * TURN_BYTES_MAX),
        connections: Vec::new(),
    };
    let stdin = std::io::stdin();
    let supervisor = options.supervised.then(|| stdin.as_fd());
    loop {
        let ready = floor.wait(&listener, supervisor)?;
        if ready.supervisor_gone {
            return Ok(());
        }
        floor.turn(&ready.connections)?;
        if ready.listener {
            floor.accept(&listener);
        }
    }
}

/// A file of [`FILE_BYTES`] whose every block has been written and synced.
fn prewritten(path: &Path) -> std::io::Result<File> {
    let mut file = File::create(path)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES >> 20 {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// Who has something to say.
struct Ready {
    listener: bool,
    supervisor_gone: bool,
    connections: Vec<usize>,
}

impl Floor {
    fn wait(&self, listener: &TcpListener, supervisor: Option<BorrowedFd<'_>>) -> Result<Ready> {
        let mut waited = vec![PollFd::new(listener, PollFlags::IN)];
        let streams = self.connections.iter().map(|c| &c.stream);
        waited.extend(streams.map(|stream| PollFd::new(stream, PollFlags::IN)));
        waited.extend(supervisor.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut waited, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Error::system("wait for connections", &error.into())),
        }
        let heard: Vec<bool> = waited.iter().map(|fd| !fd.revents().is_empty()).collect();
        let connections = (0..self.connections.len()).filter(|index| heard[index + 1]);
        Ok(Ready {
            listener: heard[0],
            connections: connections.collect(),
            supervisor_gone: supervisor.is_some() && heard.last() == Some(&true),
        })
    }

    /// Takes what has come, makes it durable, and says so.
    fn turn(&mut self, ready: &[usize]) -> Result<()> {
        self.turn.clear();
        let (mut owed, mut ended) = (Vec::new(), Vec::new());
        for &index in ready {
            let taken = self.connections[index].take(&mut self.turn);
            if taken.messages > 0 {
                owed.push((index, taken.messages));
            }
            if taken.ended {
                ended.push(index);
            }
        }
        self.append()
            .map_err(|e| Error::system("append to the file", &e))?;
        for (index, messages) in owed {
            let reply = messages.to_le_bytes();
            if self.connections[index].stream.write_all(&reply).is_err() {
                ended.push(index);
            }
        }
        ended.sort_unstable();
        ended.dedup();
        for index in ended.into_iter().rev() {
            self.connections.swap_remove(index);
        }
        Ok(())
    }

    fn append(&mut self) -> std::io::Result<()> {
        if self.turn.is_empty() {
            return Ok(());
        }
        let length = self.turn.len() as u64;
        if self.offset + length > FILE_BYTES {
            self.offset = 0;
        }
        self.file.write_all_at(&self.turn, self.offset)?;
        self.offset += length;
        self.file.sync_data()
    }

    fn accept(&mut self, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            let set = stream.set_nonblocking(true).and(stream.set_nodelay(true));
            if set.is_ok() && self.connections.len() < CONNECTIONS_MAX {
                self.connections.push(Connection {
                    stream,
                    buffer: Vec::new(),
                    filled: 0,
                });
            }
        }
    }
}

impl Connection {
    /// Reads all there is, to a bound, and appends the whole messages to `turn`.
    fn take(&mut self, turn: &mut Vec<u8>) -> Taken {
        let mut messages = 0;
        while turn.len() < TURN_BYTES_MAX {
            if self.buffer.len() - self.filled < READ_BYTES {
                self.buffer.resize(self.filled + READ_BYTES, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    return Taken {
                        messages,
                        ended: true,
                    };
                }
                Ok(count) => self.filled += count,
                Err(e) if e.kind() == IoKind::WouldBlock => break,
                Err(e) if e.kind() == IoKind::Interrupted => continue,
                Err(_) => {
                    return Taken {
                        messages,
                        ended: true,
                    };
                }
            }
            let Some((count, used)) = append_messages(&self.buffer[..self.filled], turn) else {
                return Taken {
                    messages,
                    ended: true,
                };
            };
            messages += count;
            self.buffer.copy_within(used..self.filled, 0);
            self.filled -= used;
        }
        Taken {
            messages,
            ended: false,
        }
    }
}

/// Appends every whole message with its length and checksum; gives their number and bytes. `None`: one is too long.
fn append_messages(mut bytes: &[u8], turn: &mut Vec<u8>) -> Option<(u32, usize)> {
    let (mut count, before) = (0, bytes.len());
    while let Some((head, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*head) as usize;
        if length > BODY_BYTES_MAX {
            return None;
        }
        let Some((body, rest)) = rest.split_at_checked(length) else {
            break;
        };
        turn.extend_from_slice(head);
        turn.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
        turn.extend_from_slice(&[0; 8]);
        turn.extend_from_slice(body);
        count += 1;
        bytes = rest;
    }
    Some((count, before - bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_messages_are_taken_and_a_part_is_left() {
        let mut turn = Vec::new();
        let bytes = b"\x03\0\0\0one\x03\0\0\0two\x05\0\0\0thr";
        assert_eq!(append_messages(bytes, &mut turn), Some((2, 14)));
        assert_eq!(turn.len(), 2 * (16 + 3));
        assert_eq!(turn[4..8], crc32c::crc32c(b"one").to_le_bytes());
        assert_eq!(append_messages(&[255; 8], &mut turn), None);
    }
}
