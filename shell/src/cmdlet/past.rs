//! What was done: lines that were typed, changes that were made, transcripts.

use std::path::Path;

use hamq_core::api::value::Time;
use hamq_core::name::fits;
use hamq_core::{Error, ErrorKind, Result};
use reedline::{History as _, SearchDirection, SearchQuery, SqliteBackedHistory};
use rhai::Dynamic;

use super::filter::{none, values};
use crate::audit;
use crate::editor::HISTORY_FILE;
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::Record;
use crate::transcript::runbook;

const LAST: usize = 50;
/// A transcript may be so long.
const TRANSCRIPT_BYTES_MAX: u64 = 256 << 20;

/// Runs one of these verbs.
pub(super) fn run<'a>(call: Call<'a>, bound: &Bound) -> std::result::Result<Stream<'a>, Failure> {
    let rows = match bound.spec.name {
        "Get-History" => home(call).and_then(|home| history(home, bound)),
        "Get-ClusterAudit" => home(call).and_then(|home| changes(home, bound)),
        "Start-Transcript" => {
            let append = bound.switch("Append") == Some(true);
            let path = path(bound);
            let started = path.and_then(|p| call.state.transcript.start(Path::new(&p), append));
            return started
                .map(|()| none())
                .map_err(|e| call.fail_about(bound, e));
        }
        "Stop-Transcript" => {
            let path = call.state.transcript.stop();
            path.map(|path| vec![path.display().to_string().into()])
        }
        _ => commands(bound),
    };
    rows.map(values).map_err(|e| call.fail_about(bound, e))
}

fn home(call: Call<'_>) -> Result<&Path> {
    let none = || Error::new(ErrorKind::InvalidState, "this session keeps no history");
    call.state.home.as_deref().ok_or_else(none)
}

fn path(bound: &Bound) -> Result<String> {
    let none = || {
        let error = Error::new(ErrorKind::Usage, format!("{} needs -Path", bound.spec.name));
        error.hint("give it the name of a file")
    };
    bound.text("Path").ok_or_else(none)
}

fn history(home: &Path, bound: &Bound) -> Result<Vec<Dynamic>> {
    let file = home.join(HISTORY_FILE);
    if !file.exists() {
        return Ok(Vec::new());
    }
    let failed = |e: reedline::ReedlineError| {
        let what = format!("the history in {} cannot be read: {e}", file.display());
        Error::new(ErrorKind::StoreDamaged, what).hint("move the file away: a new one is made")
    };
    let past = SqliteBackedHistory::with_file(file.clone(), None, None).map_err(failed)?;
    let query = SearchQuery::everything(SearchDirection::Backward, None);
    let items = past.search(query).map_err(failed)?;
    let pattern = bound.text("Pattern");
    let failed_only = bound.switch("Failed") == Some(true);
    let kept = |item: &reedline::HistoryItem| {
        let fits = pattern
            .as_deref()
            .is_none_or(|p| fits(p, &item.command_line));
        fits && (!failed_only || item.exit_status.is_some_and(|code| code != 0))
    };
    let items = items.into_iter().filter(kept);
    let mut rows: Vec<_> = items.take(last(bound)).map(|item| line(&item)).collect();
    rows.reverse();
    Ok(rows)
}

fn line(item: &reedline::HistoryItem) -> Dynamic {
    let time = item
        .start_timestamp
        .and_then(|t| u64::try_from(t.timestamp_millis()).ok());
    let took = item
        .duration
        .and_then(|d| i64::try_from(d.as_millis()).ok());
    let id = item.id.map_or(0, |id| id.0);
    Dynamic::from(Record::of(vec![
        ("Id".into(), id.into()),
        (
            "Time".into(),
            time.map_or(Dynamic::UNIT, |t| Time(t).to_string().into()),
        ),
        (
            "ExitCode".into(),
            item.exit_status.map_or(Dynamic::UNIT, Into::into),
        ),
        ("ElapsedMs".into(), took.map_or(Dynamic::UNIT, Into::into)),
        ("Command".into(), item.command_line.clone().into()),
    ]))
}

fn last(bound: &Bound) -> usize {
    bound.count("Last").unwrap_or(LAST)
}

fn changes(home: &Path, bound: &Bound) -> Result<Vec<Dynamic>> {
    let (command, user) = (bound.text("Command"), bound.text("User"));
    let fits = |pattern: Option<&str>, text: &str| pattern.is_none_or(|p| fits(p, text));
    let mut changes = audit::read(home)?;
    changes.retain(|c| fits(command.as_deref(), &c.command) && fits(user.as_deref(), &c.user));
    let skip = changes.len().saturating_sub(last(bound));
    let row = |change: audit::Change| {
        let outcome = match change.outcome.as_str() {
            "" => "Unknown: its end was not written".to_owned(),
            known => known.to_owned(),
        };
        let elapsed = change.elapsed_ms.and_then(|ms| i64::try_from(ms).ok());
        Dynamic::from(Record::of(vec![
            ("Time".into(), change.time.into()),
            ("User".into(), change.user.into()),
            ("From".into(), change.from.into()),
            ("Cluster".into(), change.cluster.into()),
            ("Certificate".into(), change.certificate.into()),
            ("Command".into(), change.command.into()),
            ("Reason".into(), change.reason.into()),
            ("Outcome".into(), outcome.into()),
            (
                "ElapsedMs".into(),
                elapsed.map_or(Dynamic::UNIT, Into::into),
            ),
        ]))
    };
    Ok(changes.into_iter().skip(skip).map(row).collect())
}

/// The lines of the runbook in a transcript.
fn commands(bound: &Bound) -> Result<Vec<Dynamic>> {
    let path = path(bound)?;
    let failed = |e| Error::system(format!("read {path}"), &e);
    let bytes = std::fs::metadata(&path).map_err(failed)?.len();
    if bytes > TRANSCRIPT_BYTES_MAX {
        let what = format!("{path} has {bytes} bytes: more than a transcript may have");
        return Err(Error::new(ErrorKind::InsufficientResources, what).hint("split it"));
    }
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    if !text.starts_with("# hamq transcript") {
        let what = format!("{path} is no transcript");
        return Err(Error::new(ErrorKind::InvalidRequest, what).hint("Start-Transcript makes one"));
    }
    Ok(runbook(&text).into_iter().map(Into::into).collect())
}
