//! The commands of a drill, run in the client's process.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::timeline;
use super::wait::{LOOK_AGAIN, wait_for_group};
use super::workload::{Workload, WorkloadOptions};
use super::{Verdict, input};
use crate::api::client::Client;
use crate::api::drill::{
    MeasureDrillFault, PhaseInfo, StartDrillWorkload, StopDrillWorkload, VerdictInfo, WorkloadInfo,
};
use crate::api::explain::GetClusterWhy;
use crate::api::value::{Millis, Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::sys::clock::{Clock, SystemClock};

/// Threads that one workload may have.
const THREADS_MAX: u64 = 64;
/// How many decisions a timeline is made of.
const DECISIONS_MAX: u64 = 64;

/// The drill of one client: its load, and the last fault it made.
#[derive(Default)]
pub struct Drill(Mutex<State>);

#[derive(Default)]
pub(super) struct State {
    pub(super) workload: Option<Workload>,
    pub(super) fault: Option<Fault>,
    /// Processes that were stopped and are to be let run again.
    pub(super) frozen: Vec<u32>,
}

#[derive(Clone)]
pub(super) struct Fault {
    pub(super) group: String,
    pub(super) wall_ms: u64,
    /// The epoch that the group must get beyond: a planned fault is over only then.
    pub(super) epoch: Option<u64>,
}

impl Drill {
    /// Runs the command `name` if it belongs to a drill.
    pub fn run(
        &self,
        client: &Client,
        name: &str,
        arguments: &Value,
    ) -> Option<Result<Vec<Value>>> {
        Some(match name {
            "Start-DrillWorkload" => {
                one(from_value(arguments).and_then(|command| self.start(client, &command)))
            }
            "Get-DrillWorkload" => one(self.progress()),
            "Stop-DrillWorkload" => {
                one(from_value(arguments).and_then(|command| self.stop(&command)))
            }
            "Invoke-DrillFault" => {
                one(from_value(arguments).and_then(|command| self.fault(client, &command)))
            }
            "Measure-DrillFault" => {
                let phases =
                    from_value(arguments).and_then(|command| self.measure(client, &command));
                phases.and_then(|phases| phases.iter().map(to_value).collect())
            }
            "Wait-ClusterGroup" => {
                one(from_value(arguments).and_then(|command| wait_for_group(client, &command)))
            }
            _ => return None,
        })
    }

    /// Ends a load without a verdict: the client closes.
    pub fn abandon(&self) {
        let workload = self.lock().workload.take();
        drop(workload);
    }

    /// Puts a load on a queue.
    ///
    /// # Errors
    /// `InvalidState` when one runs; those of the input and the queue's name.
    pub fn start(&self, client: &Client, command: &StartDrillWorkload) -> Result<WorkloadInfo> {
        let mut state = self.lock();
        if let Some(workload) = &state.workload {
            return Err(Error::new(
                ErrorKind::InvalidState,
                format!("a load already runs on {}", workload.queue()),
            )
            .hint("end it with Stop-DrillWorkload"));
        }
        let options = WorkloadOptions {
            queue: QueuePath::parse(&command.queue)?,
            input: input::read(Path::new(&command.messages))?,
            senders: threads("Senders", command.senders.unwrap_or(4))?,
            consumers: threads("Consumers", command.consumers.unwrap_or(1))?,
            rate: command.rate.unwrap_or(250),
            seed: command.seed.unwrap_or(0),
        };
        let workload = Workload::start(client, options)?;
        let info = describe(&workload);
        state.workload = Some(workload);
        Ok(info)
    }

    /// The counters of the load.
    ///
    /// # Errors
    /// `InvalidState` when there is none.
    pub fn progress(&self) -> Result<WorkloadInfo> {
        self.lock()
            .workload
            .as_ref()
            .map(describe)
            .ok_or_else(no_workload)
    }

    /// Ends the load and gives the verdict.
    ///
    /// # Errors
    /// `InvalidState` when there is none.
    pub fn stop(&self, command: &StopDrillWorkload) -> Result<VerdictInfo> {
        let workload = self.lock().workload.take().ok_or_else(no_workload)?;
        let seconds = workload.running().as_secs_f64();
        let timeout = command
            .timeout
            .map_or(Duration::from_secs(60), Millis::duration);
        Ok(verdict(workload.finish(timeout), seconds))
    }

    /// Waits until the load gets through again, and shows the steps.
    ///
    /// # Errors
    /// `InvalidState` without a fault or a load; `Timeout` with the steps that were taken.
    pub fn measure(&self, client: &Client, command: &MeasureDrillFault) -> Result<Vec<PhaseInfo>> {
        let timeout = command
            .timeout
            .map_or(Duration::from_secs(60), Millis::duration);
        let end = SystemClock.boot() + timeout;
        let fault = self.lock().fault.clone().ok_or_else(|| {
            Error::new(ErrorKind::InvalidState, "no fault has been made")
                .hint("make one with Invoke-DrillFault")
        })?;
        if let Some(epoch) = fault.epoch {
            self.wait_for_epoch(client, &fault.group, epoch, end)?;
        }
        let marks = loop {
            let marks = self
                .lock()
                .workload
                .as_ref()
                .map(Workload::marks)
                .ok_or_else(no_workload)?;
            if marks.recovered() {
                break marks;
            }
            if SystemClock.boot() > end {
                let why = decisions(client, &fault.group).unwrap_or_default();
                let last = why.last().map_or_else(String::new, |w| {
                    format!("; last: {} ({})", w.event, w.cause)
                });
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "{} does not serve again after {} s{last}",
                        fault.group,
                        timeout.as_secs()
                    ),
                )
                .hint(format!(
                    "Get-ClusterWhy {} tells what is in the way",
                    fault.group
                )));
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        Ok(timeline::phases(
            &marks,
            fault.wall_ms,
            &decisions(client, &fault.group)?,
        ))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one<T: serde::Serialize>(output: Result<T>) -> Result<Vec<Value>> {
    Ok(vec![to_value(&output?)?])
}

fn decisions(client: &Client, group: &str) -> Result<Vec<crate::api::explain::WhyInfo>> {
    let why = GetClusterWhy {
        name: group.to_owned(),
        last: Some(DECISIONS_MAX),
        ..GetClusterWhy::default()
    };
    let mut all = client.run(why)?;
    all.retain(|why| why.epoch.is_some()); // decisions; not what stands now
    Ok(all)
}

fn threads(what: &str, count: u64) -> Result<u32> {
    match u32::try_from(count) {
        Ok(threads) if (1..=THREADS_MAX).contains(&count) => Ok(threads),
        _ => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("-{what} {count} is out of range"),
        )
        .hint(format!("use 1 to {THREADS_MAX}"))),
    }
}

fn no_workload() -> Error {
    Error::new(ErrorKind::InvalidState, "no load is running")
        .hint("start one with Start-DrillWorkload")
}

fn describe(workload: &Workload) -> WorkloadInfo {
    let (verdict, waiting) = workload.progress();
    WorkloadInfo {
        queue: workload.queue().to_string(),
        sent: verdict.sent,
        acknowledged: verdict.acknowledged,
        received: verdict.received,
        waiting,
        unknown: verdict.unknown,
        input: u64::try_from(workload.input_count()).unwrap_or(u64::MAX),
        last_error: workload.last_error(),
    }
}

fn verdict(found: Verdict, seconds: f64) -> VerdictInfo {
    let passed = found.passed();
    VerdictInfo {
        sent: found.sent,
        acknowledged: found.acknowledged,
        received: found.received,
        lost: found.lost,
        duplicated: found.duplicated,
        out_of_order: found.out_of_order,
        altered: found.altered,
        unknown: found.unknown,
        seconds: (seconds * 10.0).round() / 10.0,
        passed,
        examples: found.examples,
    }
}
