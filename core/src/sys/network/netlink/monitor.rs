//! Hearing that interfaces or addresses changed.

use std::io;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, recv};

use super::socket::open;
use crate::sys::network::readable::Readable;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// What is heard is not read closely: whoever hears it looks at the tables.
const BUFFER_BYTES: usize = 16 << 10;

/// See the module. It hears what happens from its opening on.
#[derive(Debug)]
pub struct Monitor(Readable);

impl Monitor {
    /// Begins to listen; on a tokio runtime.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open() -> io::Result<Self> {
        Ok(Self(Readable::new(open(GROUPS, SocketFlags::NONBLOCK)?)?))
    }

    /// Waits until something changed; changes that come together count as one.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn changed(&self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut heard = false;
        loop {
            match recv(self.0.socket(), buffer.as_mut_slice(), RecvFlags::empty()) {
                // Too much was lost to say what: that is a change as well.
                Ok(_) | Err(Errno::NOBUFS) => heard = true,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if heard => return Ok(()),
                Err(Errno::AGAIN) => self.0.ready().await?,
                Err(e) => return Err(e.into()),
            }
        }
    }
}
