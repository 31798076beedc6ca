//! The fence: claims, the EPOCH file, and the check before each acknowledgement.

use std::io;
use std::sync::Arc;

use super::token::{TOKEN_BYTES, Token};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::disk::{Disk, DiskFile};

/// Asked after each sync and before each acknowledgement.
pub trait Fence: Send {
    /// Whether this process still owns the log.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`], or the file system's.
    fn check(&self) -> Result<()>;
}

/// No fence at all: the negative control of the tests that prove that the fence is needed.
pub struct NoFence;

impl Fence for NoFence {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

const EPOCH_FILE: &str = "EPOCH";
const EPOCH_BYTES: usize = 512;
const CLAIM_PREFIX: &str = "claim-";
const MAGIC: &[u8; 8] = b"HAMQEPO1";
const OWNER_BYTES_MAX: usize = 255;

/// What EPOCH holds while `token` owns the log: magic, token, owner's length and name, checksum.
fn encode(token: Token, owner: &str) -> [u8; EPOCH_BYTES] {
    let mut bytes = [0; EPOCH_BYTES];
    let owner = &owner.as_bytes()[..owner.len().min(OWNER_BYTES_MAX)];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..8 + TOKEN_BYTES].copy_from_slice(&token.encode());
    bytes[24] = u8::try_from(owner.len()).unwrap_or(0);
    bytes[25..25 + owner.len()].copy_from_slice(owner);
    let crc = crc32c::crc32c(&bytes[..EPOCH_BYTES - 4]);
    bytes[EPOCH_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Whom EPOCH names, for a message; never used to decide.
fn decode(bytes: &[u8; EPOCH_BYTES]) -> Option<(Token, String)> {
    let crc = crc32c::crc32c(&bytes[..EPOCH_BYTES - 4]);
    if &bytes[..8] != MAGIC || bytes[EPOCH_BYTES - 4..] != crc.to_le_bytes() {
        return None;
    }
    let owner = String::from_utf8_lossy(&bytes[25..25 + usize::from(bytes[24])]);
    Some((Token::decode(&bytes[8..]), owner.into_owned()))
}

/// Whom EPOCH names, for a report.
pub(super) fn owner(disk: &dyn Disk) -> Option<(Token, String)> {
    let mut bytes = [0; EPOCH_BYTES];
    disk.open(EPOCH_FILE).ok()?.read_at(0, &mut bytes).ok()?;
    decode(&bytes)
}

fn describe(bytes: &[u8; EPOCH_BYTES]) -> String {
    decode(bytes).map_or_else(
        || "an owner that cannot be read".to_owned(),
        |(token, owner)| format!("{owner} with epoch {}.{}", token.epoch, token.incarnation),
    )
}

fn fenced(by: &str) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!("the message store was taken over by {by}"),
    )
    .hint("this process must not go on; clients find the new owner by the virtual server's name")
}

/// The tokens of all claims in the folder.
pub(super) fn claims(names: &[String]) -> Vec<Token> {
    let texts = names.iter().filter_map(|n| n.strip_prefix(CLAIM_PREFIX));
    texts.filter_map(Token::parse).collect()
}

/// Holds the log for one token.
pub(super) struct EpochFence {
    file: Arc<dyn DiskFile>,
    mine: [u8; EPOCH_BYTES],
}

impl EpochFence {
    /// Takes the log over: on return EPOCH is durably `token`, no higher claim existed, and the log may be read.
    pub(super) fn take(disk: &dyn Disk, token: Token, owner: &str) -> Result<Self> {
        let trouble = |error: io::Error| Error::system("take the message store over", &error);
        // Before the claim, so that one sync makes both names durable.
        let file = Self::open_or_create(disk).map_err(trouble)?;
        disk.create(&format!("{CLAIM_PREFIX}{token}"), 0)
            .map_err(trouble)?;
        disk.sync_folder().map_err(trouble)?;
        Self::require_highest(disk, token)?;
        let mine = encode(token, owner);
        file.write_at(0, &mine).map_err(trouble)?;
        file.sync().map_err(trouble)?;
        Self::require_highest(disk, token)?;
        Ok(Self { file, mine })
    }

    fn open_or_create(disk: &dyn Disk) -> io::Result<Arc<dyn DiskFile>> {
        match disk.open(EPOCH_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        match disk.create(EPOCH_FILE, EPOCH_BYTES as u64) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => disk.open(EPOCH_FILE),
            other => other,
        }
    }

    fn require_highest(disk: &dyn Disk, token: Token) -> Result<()> {
        let names = disk
            .list()
            .map_err(|error| Error::system("list the message store", &error))?;
        match claims(&names).into_iter().filter(|t| *t > token).max() {
            None => Ok(()),
            Some(higher) => Err(fenced(&format!(
                "a process with epoch {}.{}",
                higher.epoch, higher.incarnation
            ))),
        }
    }

    /// Removes the claims below `token`: the take-over is complete, EPOCH and the own claim say all.
    pub(super) fn forget_older(disk: &dyn Disk, names: &[String], token: Token) {
        for older in claims(names).into_iter().filter(|t| *t < token) {
            // One that stays is lower for ever and harms nothing.
            drop(disk.remove(&format!("{CLAIM_PREFIX}{older}")));
        }
    }
}

impl Fence for EpochFence {
    fn check(&self) -> Result<()> {
        let mut now = [0; EPOCH_BYTES];
        self.file
            .read_at(0, &mut now)
            .map_err(|error| Error::system("read EPOCH of the message store", &error))?;
        if now == self.mine {
            Ok(())
        } else {
            Err(fenced(&describe(&now)))
        }
    }
}
