//! The report as it is kept: everything that is shown comes from it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::api::drill::PhaseInfo;
use crate::api::value::Time;
use crate::drill::history::History;
use crate::drill::ledger::Verdict;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file;

/// What the field `Format` says.
const FORMAT: &str = "hamq-drill";
/// The version that is written; the only one that is read.
const VERSION: u64 = 1;
/// A report has a few hundred kilobytes at most.
const BYTES_MAX: usize = 16 << 20;

/// A drill from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::drill) struct Report {
    /// What it is.
    pub(in crate::drill) format: String,
    /// Raised when a reader of the former could misread it.
    pub(in crate::drill) version: u64,
    /// The drill's name.
    pub(in crate::drill) name: String,
    /// The cluster.
    pub(in crate::drill) cluster: String,
    /// The group whose owners were hit.
    pub(in crate::drill) group: String,
    /// The queue under load.
    pub(in crate::drill) queue: String,
    /// When it began.
    pub(in crate::drill) started: Time,
    /// How long the load ran.
    pub(in crate::drill) seconds: f64,
    /// The load.
    pub(in crate::drill) load: Load,
    /// What became of the messages.
    pub(in crate::drill) counts: Verdict,
    /// Half of the sends were acknowledged within this.
    pub(in crate::drill) latency_p50_ms: f64,
    /// All but one in a hundred were.
    pub(in crate::drill) latency_p99_ms: f64,
    /// The faults in order.
    pub(in crate::drill) faults: Vec<FaultStory>,
    /// What was judged.
    pub(in crate::drill) checks: Vec<Check>,
    /// Throughput and latency over time.
    pub(in crate::drill) timeline: Timeline,
}

/// What the senders and consumers did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::drill) struct Load {
    /// Senders.
    pub(in crate::drill) senders: u64,
    /// Consumers.
    pub(in crate::drill) consumers: u64,
    /// Messages a second of each sender; 0 is not paced.
    pub(in crate::drill) rate: u64,
    /// When each fault strikes.
    pub(in crate::drill) seed: u64,
    /// Where the messages are from.
    pub(in crate::drill) messages: String,
}

/// A fault and its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::drill) struct FaultStory {
    /// `Kill` …
    pub(in crate::drill) kind: String,
    /// The owner it hit.
    pub(in crate::drill) node: String,
    /// What of it.
    pub(in crate::drill) target: String,
    /// Milliseconds from the beginning of the load.
    pub(in crate::drill) at_ms: f64,
    /// How it was undone, and when; nothing for what leaves nothing to undo.
    pub(in crate::drill) undone: Option<String>,
    /// When.
    pub(in crate::drill) undone_at_ms: Option<f64>,
    /// The longest time without a successful send since the fault, while it was watched.
    pub(in crate::drill) outage_ms: Option<f64>,
    /// The steps back to service.
    pub(in crate::drill) phases: Vec<PhaseInfo>,
    /// What went wrong with it or after it.
    pub(in crate::drill) error: Option<String>,
}

/// Something that must hold, and whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::drill) struct Check {
    /// `NoLoss` …
    pub(in crate::drill) name: String,
    /// Whether it did.
    pub(in crate::drill) passed: bool,
    /// What was found.
    pub(in crate::drill) text: String,
}

/// Throughput and latency, a number for each slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::drill) struct Timeline {
    /// The width of a slot.
    pub(in crate::drill) slot_ms: u64,
    /// Sends that were acknowledged.
    pub(in crate::drill) acknowledged: Vec<u64>,
    /// Messages received.
    pub(in crate::drill) received: Vec<u64>,
    /// The longest of those sends.
    pub(in crate::drill) latency_max_ms: Vec<f64>,
}

impl Timeline {
    /// That of a history.
    pub(in crate::drill) fn of(history: &History) -> Self {
        let slots = history.slots();
        Self {
            slot_ms: history.slot_ms(),
            acknowledged: slots.iter().map(|slot| slot.acknowledged).collect(),
            received: slots.iter().map(|slot| slot.received).collect(),
            latency_max_ms: slots
                .iter()
                .map(|slot| tenths(slot.latency_max.as_secs_f64() * 1_000.0))
                .collect(),
        }
    }
}

impl Report {
    /// An empty one of the present format.
    pub(in crate::drill) fn new(name: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            name: name.to_owned(),
            cluster: String::new(),
            group: String::new(),
            queue: String::new(),
            started: Time(0),
            seconds: 0.0,
            load: Load::default(),
            counts: Verdict::default(),
            latency_p50_ms: 0.0,
            latency_p99_ms: 0.0,
            faults: Vec::new(),
            checks: Vec::new(),
            timeline: Timeline::default(),
        }
    }

    /// Whether every check passed.
    pub(in crate::drill) fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// The longest outage of all faults.
    pub(in crate::drill) fn worst_outage_ms(&self) -> f64 {
        let outages = self.faults.iter().filter_map(|fault| fault.outage_ms);
        outages.fold(0.0, f64::max)
    }

    /// As JSON.
    ///
    /// # Errors
    /// `Internal` when it cannot be written so.
    pub(in crate::drill) fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n")
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
    }

    /// One that was kept as JSON.
    ///
    /// # Errors
    /// `NotFound`; `Usage` when it is no report or of another version.
    pub(in crate::drill) fn load(path: &str) -> Result<Self> {
        let off = |why: &str| {
            Error::new(
                ErrorKind::Usage,
                format!("{path} is no report of a drill: {why}"),
            )
            .hint("Start-Drill -Report drill.json writes one")
        };
        let bytes = file::read_up_to(Path::new(path), BYTES_MAX)?;
        let bytes = bytes.ok_or_else(|| off("it is too large"))?;
        let report: Self = serde_json::from_slice(&bytes).map_err(|e| off(&e.to_string()))?;
        if report.format != FORMAT || report.version != VERSION {
            let why = format!(
                "it is {} {}, not {FORMAT} {VERSION}",
                report.format, report.version
            );
            return Err(off(&why));
        }
        if report.timeline.slot_ms == 0 {
            return Err(off("SlotMs is 0"));
        }
        Ok(report)
    }
}

/// With one decimal.
pub(in crate::drill) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
pub(super) mod sample {
    use super::*;

    fn faults() -> Vec<FaultStory> {
        let phase = |phase: &str, elapsed_ms: f64, node: &str| PhaseInfo {
            phase: phase.to_owned(),
            elapsed_ms,
            node: node.to_owned(),
            detail: "because <it> is so".to_owned(),
        };
        let fault = FaultStory {
            kind: "Kill".to_owned(),
            node: "n1".to_owned(),
            target: "process 11, process 12".to_owned(),
            at_ms: 500.0,
            undone: Some("n1 started".to_owned()),
            undone_at_ms: Some(1_200.0),
            outage_ms: Some(310.5),
            phases: vec![
                phase("detected", 1.0, "n2"),
                phase("claimed", 40.0, "n2"),
                phase("ready", 280.0, "n2"),
                phase("first send", 300.0, "client"),
                phase("outage", 310.5, "client"),
            ],
            error: None,
        };
        let late = FaultStory {
            kind: "Freeze".to_owned(),
            node: "n2".to_owned(),
            at_ms: 1_500.0,
            error: Some("VS1 does not serve again after 1 s".to_owned()),
            ..FaultStory::default()
        };
        vec![fault, late]
    }

    /// A small drill with one fault that was survived and one that was not in time.
    pub(in crate::drill::report) fn report() -> Report {
        let check = |name: &str, passed: bool, text: &str| Check {
            name: name.to_owned(),
            passed,
            text: text.to_owned(),
        };
        Report {
            cluster: "lab".to_owned(),
            group: "VS1".to_owned(),
            queue: r"VS1\private$\drill-1".to_owned(),
            started: Time(1_700_000_000_000),
            seconds: 2.5,
            load: Load {
                senders: 2,
                consumers: 1,
                rate: 50,
                seed: 7,
                messages: "made up".to_owned(),
            },
            counts: Verdict {
                sent: 60,
                acknowledged: 58,
                received: 57,
                lost: 1,
                unknown: 2,
                ..Verdict::default()
            },
            latency_p50_ms: 1.5,
            latency_p99_ms: 320.0,
            faults: faults(),
            checks: vec![
                check("NoLoss", false, "1 acknowledged message & more"),
                check("Kill", true, "310.5 ms"),
            ],
            timeline: Timeline {
                slot_ms: 500,
                acknowledged: vec![20, 8, 20, 10, 0],
                received: vec![20, 7, 20, 10, 0],
                latency_max_ms: vec![2.0, 320.0, 2.5, 3.0, 0.0],
            },
            ..Report::new("drill-1")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written_and_strangers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let name = path.to_str().unwrap();
        let report = sample::report();
        std::fs::write(&path, report.json().unwrap()).unwrap();
        assert_eq!(Report::load(name).unwrap(), report);
        assert!(!report.passed());
        let later = report
            .json()
            .unwrap()
            .replace("\"Version\": 1", "\"Version\": 2");
        for (content, why) in [
            ("{}", "missing field"),
            ("[", "EOF"),
            (later.as_str(), "drill 2"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = Report::load(name).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Usage);
            assert!(error.message.contains(why), "{error}");
        }
    }
}
