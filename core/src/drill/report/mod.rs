//! What a drill leaves behind: one report, in the forms that people and machines read.
//!
//! ```text
//!  Report ──┬─ text      a terminal, a mail
//!  (story)  ├─ JSON      the next drill compares itself with it
//!           ├─ junit     a build server
//!           └─ html ── picture   a page that needs nothing but itself
//! ```

mod compare;
mod html;
mod junit;
mod picture;
mod story;
mod text;

pub(super) use compare::compare;
pub(super) use story::{Check, FaultStory, Load, Report, Timeline};

use std::path::Path;

use crate::api::drill::DifferenceInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file;

/// The form of a report that a file's ending asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Junit,
    Html,
}

impl Form {
    fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        Ok(match ending.to_ascii_lowercase().as_str() {
            "txt" => Self::Text,
            "json" => Self::Json,
            "xml" => Self::Junit,
            "html" | "htm" => Self::Html,
            _ => {
                let text = format!("{} does not say which report it shall be", path.display());
                return Err(Error::new(ErrorKind::Usage, text)
                    .hint("end it with .txt, .json, .xml (JUnit) or .html"));
            }
        })
    }
}

/// Fails when one of the files could not be written: to be asked before a drill, not after it.
///
/// # Errors
/// `Usage` for an ending that is not known; `NotFound` for a folder that is not there.
pub(super) fn check_paths(paths: &[String]) -> Result<()> {
    for path in paths.iter().map(Path::new) {
        Form::of(path)?;
        if !file::has_folder(path) {
            let text = format!("there is no folder for the report {}", path.display());
            return Err(Error::new(ErrorKind::NotFound, text).hint("make the folder first"));
        }
    }
    Ok(())
}

/// Writes a report into each of the files.
///
/// # Errors
/// `Usage` for an ending that is not known; those of the file system.
pub(super) fn write(report: &Report, against: &[DifferenceInfo], paths: &[String]) -> Result<()> {
    for path in paths {
        let path = Path::new(path);
        let content = match Form::of(path)? {
            Form::Text => text::text(report, against),
            Form::Json => report.json()?,
            Form::Junit => junit::junit(report),
            Form::Html => html::html(report, against),
        };
        file::write_from(path, &mut content.as_bytes())?;
    }
    Ok(())
}

/// The report as text.
pub(super) fn text(report: &Report, against: &[DifferenceInfo]) -> String {
    text::text(report, against)
}
