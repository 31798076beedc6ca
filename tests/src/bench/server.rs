//! The processes under load: started, ended whatever happens, restarted over the same store.
//!
//! Each child ends when its standard input does, so it does not outlive this process however that ends.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

/// The first port; each server takes the next one.
const FIRST_PORT: u16 = 17_800;
/// How often it is looked whether a server listens already.
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// How much of a child's last words is passed on.
const LAST_WORDS_BYTES: usize = 600;

/// A loopback address that no other run and no other server of this run uses.
fn address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(FIRST_PORT);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::new(IpAddr::V4(address_of(std::process::id())), port)
}

/// Each process has its own: there are fewer ids than addresses from 127.128.0.1 on whose last octet is neither 0
/// nor 255.
fn address_of(pid: u32) -> Ipv4Addr {
    const LAST_OCTETS: u32 = 254;
    let network = u32::from(Ipv4Addr::new(127, 128, 0, 0));
    Ipv4Addr::from(network + (pid / LAST_OCTETS) * 256 + 1 + pid % LAST_OCTETS)
}

/// A server in a process of its own.
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    words: PathBuf,
}

impl Server {
    /// Starts the floor; its file lies in `folder`.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn floor(folder: &Path) -> Result<Self> {
        let program = std::env::current_exe().map_err(|e| Error::system("this program", &e))?;
        let mut command = Command::new(program);
        let file = folder.join("floor");
        command.arg("floor").arg("--supervised");
        command.arg("--file").arg(&file);
        Self::start(
            command,
            folder.join("floor-file"),
            &folder.join("floor.log"),
        )
    }

    /// Starts a queue manager over the store in `folder`, as an agent would. What it says goes to a file
    /// beside the store.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn queue_manager(program: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["queue-manager", "--supervised", "--name", "BENCH"]);
        command.arg("--store").arg(folder);
        Self::start(command, folder.to_owned(), &folder.with_extension("log"))
    }

    fn start(mut command: Command, folder: PathBuf, words: &Path) -> Result<Self> {
        let address = address();
        let said = File::create(words)
            .and_then(|out| Ok((out.try_clone()?, out)))
            .map_err(|e| Error::system(words.display(), &e))?;
        command.arg("--listen").arg(address.to_string());
        command.stdin(Stdio::piped()).stdout(said.0).stderr(said.1);
        let program = command.get_program().to_owned();
        let child = command.spawn().map_err(|e| {
            Error::system(format_args!("start {}", program.display()), &e)
                .hint("build it first: cargo build --release -p hamq-shell -p hamq-tests --bins")
        })?;
        Ok(Self {
            child,
            address,
            folder,
            words: words.to_owned(),
        })
    }

    /// Waits until it listens.
    ///
    /// # Errors
    /// When it has ended, or does not listen in time.
    pub fn wait_until_it_listens(&mut self, timeout: Duration) -> Result<()> {
        let end = Instant::now() + timeout;
        while TcpStream::connect(self.address).is_err() {
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            if ended || Instant::now() >= end {
                let text = format!("nobody listens at {}", self.address);
                return Err(self.explain(Error::new(ErrorKind::ServiceNotAvailable, text)));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its data is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Adds to an error what the server said last, when it ended by itself.
    #[must_use]
    pub fn explain(&mut self, error: Error) -> Error {
        let Ok(Some(status)) = self.child.try_wait() else {
            return error;
        };
        let said = std::fs::read(&self.words).unwrap_or_default();
        let last = &said[said.len().saturating_sub(LAST_WORDS_BYTES)..];
        let last = String::from_utf8_lossy(last);
        Error::new(
            ErrorKind::ServiceNotAvailable,
            format!(
                "the server ended ({status}): {error}; its last words: {}",
                last.trim()
            ),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_were_started_one_after_the_other_have_different_addresses() {
        // 17,663, 17,664 and 17,665 end in the bytes 255, 0 and 1.
        for pid in [1, 254, 508, 17_663, 17_664, 4_194_303] {
            assert_ne!(address_of(pid), address_of(pid + 1), "{pid}");
            assert!(address_of(pid).is_loopback(), "{pid}");
        }
    }
}
