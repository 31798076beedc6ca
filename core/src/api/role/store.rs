//! `hamq store check|dump|trace|salvage`: a message store that nobody serves, looked at without taking it over.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::queue::message::MessageId;
use crate::queue::offline::{self, Rescued, StoreReport};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::disk::{self, Disk};
use crate::sys::folder;

/// What `hamq store` was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreCommand {
    /// Reports what is in it.
    Check {
        /// The store.
        folder: PathBuf,
        /// A JSON object instead of lines.
        json: bool,
    },
    /// Writes its records as JSON lines.
    Dump {
        /// The store.
        folder: PathBuf,
        /// The bodies too.
        bodies: bool,
    },
    /// What its log says of one message.
    Trace {
        /// The store; a queue manager may be working on it.
        folder: PathBuf,
        /// The message: `GUID\number`.
        message: String,
    },
    /// Writes a new store with everything that is intact.
    Salvage {
        /// The damaged store; it is only read.
        folder: PathBuf,
        /// An empty or new folder.
        target: PathBuf,
    },
}

/// Runs it, with its report to `out`. Gives whether the store is sound.
///
/// # Errors
/// When a folder cannot be read or written, or the target is not empty.
pub fn run_store(command: &StoreCommand, out: &mut dyn Write) -> Result<bool> {
    let written = |e: std::io::Error| Error::system("write the report", &e);
    match command {
        StoreCommand::Check { folder, json } => {
            let report = check(folder)?;
            match json {
                true => writeln!(out, "{}", report.to_json()).map_err(written)?,
                false => writeln!(out, "{report}").map_err(written)?,
            }
            Ok(report.is_sound())
        }
        StoreCommand::Dump { folder, bodies } => {
            let mut out = std::io::BufWriter::new(out);
            offline::dump(&source(folder)?, *bodies, &mut out)?;
            Ok(true)
        }
        StoreCommand::Trace { folder, message } => {
            let id = MessageId::parse(message)?;
            for step in offline::trace(&source(folder)?, id)? {
                let time = crate::api::value::Time(step.time_ms);
                let line = format!("{time} {} {} {}", step.queue, step.what, step.detail);
                writeln!(out, "{}", line.trim_end()).map_err(written)?;
            }
            Ok(true)
        }
        StoreCommand::Salvage { folder, target } => {
            let rescued = salvage(folder, target)?;
            writeln!(out, "{rescued}").map_err(written)?;
            Ok(rescued.lost.is_empty())
        }
    }
}

/// What is in the store in a folder. Reads only.
///
/// # Errors
/// When the folder cannot be read.
pub(in crate::api) fn check(folder: &Path) -> Result<StoreReport> {
    offline::check(&source(folder)?)
}

/// Writes what is intact in `folder` into a new store in `target`.
///
/// # Errors
/// When a folder cannot be read or written, or the target is not empty.
pub(in crate::api) fn salvage(folder: &Path, target: &Path) -> Result<Rescued> {
    let source = source(folder)?;
    refuse_nesting(folder, target)?;
    let target = &folder::absolute(target)?; // a name alone has no parent that could be synced
    folder::create_all(target)?;
    let target = disk::real(target)
        .map_err(|e| Error::system(format_args!("open the folder {}", target.display()), &e))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    offline::salvage(&source, &target, &clock)
}

fn source(path: &std::path::Path) -> Result<Arc<dyn Disk>> {
    disk::read_only(path)
        .and_then(|disk| disk.list().map(|_| disk))
        .map_err(|e| Error::system(format_args!("open the folder {}", path.display()), &e))
}

/// The source is never written to, not even beside its files.
fn refuse_nesting(source: &std::path::Path, target: &std::path::Path) -> Result<()> {
    let (source, target) = (folder::absolute(source)?, folder::absolute(target)?);
    if target.starts_with(&source) {
        let text = format!("{} is inside the damaged store", target.display());
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("name a folder elsewhere: nothing is written into the source"));
    }
    Ok(())
}
