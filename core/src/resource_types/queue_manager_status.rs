//! What a supervised queue manager says on its standard output, one JSON object a line.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::error::{Error, ErrorKind};

/// One status line.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It serves clients.
    Ready(Ready),
    /// It makes progress; the number rises.
    Alive(u64),
    /// It has given up and will exit.
    Failed(Failed),
}

/// It serves clients.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Ready {
    /// Where.
    pub(super) address: SocketAddr,
    /// What opening the store found.
    #[serde(default)]
    pub(super) report: Report,
}

/// What opening the store found and took.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    pub(super) epoch: u64,
    pub(super) records_replayed: u64,
    pub(super) bytes_cut: u64,
    pub(super) queues: u64,
    pub(super) messages: u64,
    pub(super) steps: Vec<(String, f64)>,
}

/// Why it has given up.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Failed {
    kind: String,
    message: String,
    hint: Option<String>,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let kind = ErrorKind::from_name(&failed.kind).unwrap_or(ErrorKind::ResourceFailed);
        Self {
            kind,
            message: failed.message,
            hint: failed.hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_understood_and_nonsense_is_not() {
        let read = serde_json::from_str::<Status>;
        let line = r#"{"ready":{"address":"127.0.1.9:7801","report":{"epoch":3,"records_replayed":5,
            "bytes_cut":1,"queues":1,"messages":4,"steps":[["replayed",1.5]]}}}"#;
        let Status::Ready(ready) = read(line).unwrap() else {
            panic!("not ready");
        };
        assert_eq!(ready.report.steps, [("replayed".to_owned(), 1.5)]);
        assert_eq!(read(r#"{"alive":7}"#).unwrap(), Status::Alive(7));
        let line = r#"{"failed":{"kind":"Fenced","message":"m","hint":null}}"#;
        let Status::Failed(failed) = read(line).unwrap() else {
            panic!("not failed");
        };
        assert_eq!(Error::from(failed).kind, ErrorKind::Fenced);
        for nonsense in ["", "{}", "ready", r#"{"ready":{"address":"here"}}"#] {
            read(nonsense).unwrap_err();
        }
    }
}
