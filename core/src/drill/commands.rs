//! The commands of a drill, run in the client's process.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Held;
use super::kind::FaultKind;
use super::ledger::Verdict;
use super::report::{self, Report};
use super::scene::Scene;
use super::wait::{Patience, wait_for_group};
use super::workload::{Workload, WorkloadOptions};
use super::{input, judgement, plan, rehearsal, timeline};
use crate::api::client::Client;
use crate::api::drill::{
    CompareDrill, DifferenceInfo, DrillInfo, ExportDrillReport, GetDrillPlan, MeasureDrillFault,
    PhaseInfo, PlanInfo, StartDrillWorkload, StopDrillWorkload, VerdictInfo, WorkloadInfo,
};
use crate::api::explain::GetClusterWhy;
use crate::api::value::{Millis, Value, from_value, to_value};
use crate::api::what_if::StepInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;

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
    /// Faults that are held by leashes.
    pub(super) leashes: Vec<Held>,
    /// What Start-Drill is doing.
    pub(super) step: Option<String>,
    /// The counters of the load that ended last, and how many seconds it ran.
    pub(super) verdict: Option<(Verdict, f64)>,
    /// The last drill.
    pub(super) report: Option<Report>,
}

#[derive(Clone)]
pub(super) struct Fault {
    pub(super) group: String,
    pub(super) wall_ms: u64,
    /// On the clock since boot.
    pub(super) at: Duration,
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
        let given = arguments;
        Some(match name {
            "Start-DrillWorkload" => one(from_value(given).and_then(|c| self.start(client, &c))),
            "Get-DrillWorkload" => one(self.progress()),
            "Stop-DrillWorkload" => one(from_value(given).and_then(|c| self.stop(&c))),
            "Invoke-Fault" => one(from_value(given).and_then(|c| self.fault(client, &c))),
            "Measure-DrillFault" => many(from_value(given).and_then(|c| self.measure(client, &c))),
            "Get-DrillPlan" => many(from_value(given).and_then(|c| say_plan(client, &c))),
            "Start-Drill" => {
                one(from_value(given).and_then(|c| rehearsal::start(self, client, &c)))
            }
            "Export-DrillReport" => one(from_value(given).and_then(|c| self.export(&c))),
            "Compare-Drill" => many(from_value(given).and_then(|c| self.compare(&c))),
            "Assert-NoLoss" | "Assert-NoDuplicate" | "Assert-InOrder" => one(self.assert(name)),
            "Wait-ClusterGroup" => one(from_value(given).and_then(|c| wait_for_group(client, &c))),
            _ => return None,
        })
    }

    /// What the command `name` would do, if it belongs to a drill and changes something.
    pub fn what_if(
        &self,
        client: &Client,
        name: &str,
        arguments: &Value,
    ) -> Option<Result<Option<Vec<StepInfo>>>> {
        let steps = super::what_if::what_if(client, name, arguments)?;
        Some(steps.map(Some))
    }

    /// Ends a load without a verdict, and every fault: the client closes.
    pub fn abandon(&self) {
        self.undo_everything();
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
        let state = self.lock();
        let mut info = state
            .workload
            .as_ref()
            .map(describe)
            .ok_or_else(no_workload)?;
        info.step.clone_from(&state.step);
        Ok(info)
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
        let verdict = workload.finish(timeout);
        self.lock().verdict = Some((verdict.clone(), seconds));
        Ok(judgement::info(verdict, seconds))
    }

    /// Waits until the load gets through again, and shows the steps.
    ///
    /// # Errors
    /// `InvalidState` without a fault or a load; `Timeout` with the steps that were taken.
    pub fn measure(&self, client: &Client, command: &MeasureDrillFault) -> Result<Vec<PhaseInfo>> {
        let timeout = command
            .timeout
            .map_or(Duration::from_secs(60), Millis::duration);
        self.measure_until(client, &Patience::new(client, timeout))
    }

    /// As [`Drill::measure`], with a patience of the caller's.
    ///
    /// # Errors
    /// The same.
    pub(super) fn measure_until(
        &self,
        client: &Client,
        patience: &Patience<'_>,
    ) -> Result<Vec<PhaseInfo>> {
        let fault = self.lock().fault.clone().ok_or_else(|| {
            Error::new(ErrorKind::InvalidState, "no fault has been made")
                .hint("make one with Invoke-Fault")
        })?;
        if let Some(epoch) = fault.epoch {
            self.wait_for_epoch(client, &fault.group, epoch, patience)?;
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
            if patience.is_over() {
                let why = decisions(client, &fault.group).unwrap_or_default();
                let last = why.last().map_or_else(String::new, |w| {
                    format!("; last: {} ({})", w.event, w.cause)
                });
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "{} does not serve again after {} s{last}",
                        fault.group,
                        patience.limit().as_secs()
                    ),
                )
                .hint(format!(
                    "Get-ClusterWhy {} tells what is in the way",
                    fault.group
                )));
            }
            patience.pause()?;
        };
        Ok(timeline::phases(
            &marks,
            fault.wall_ms,
            &decisions(client, &fault.group)?,
        ))
    }

    /// Writes reports.
    fn export(&self, command: &ExportDrillReport) -> Result<DrillInfo> {
        if command.paths.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "-Path is missing")
                .hint("Export-DrillReport drill.html"));
        }
        let report = self.kept(command.from.as_deref())?;
        report::write(&report, &[], &command.paths)?;
        rehearsal::info(&report, &[], command.paths.clone())
    }

    fn compare(&self, command: &CompareDrill) -> Result<Vec<DifferenceInfo>> {
        let later = self.kept(command.difference.as_deref())?;
        Ok(report::compare(&Report::load(&command.reference)?, &later))
    }

    /// The report in a file, or else the last one of this session.
    fn kept(&self, path: Option<&str>) -> Result<Report> {
        match path {
            Some(path) => Report::load(path),
            None => self.lock().report.clone().ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidState,
                    "no drill was played in this session",
                )
                .hint("Start-Drill plays one; -From names a report kept as .json")
            }),
        }
    }

    /// Loss shows only at the end; the rest at any time.
    fn assert(&self, what: &str) -> Result<VerdictInfo> {
        let state = self.lock();
        let running = state.workload.as_ref();
        if what == "Assert-NoLoss" && running.is_some() {
            let text = "the load still runs: what has not come may be on its way";
            return Err(Error::new(ErrorKind::InvalidState, text)
                .hint("end it with Stop-DrillWorkload first"));
        }
        let running = running.map(|load| (load.progress().0, load.running().as_secs_f64()));
        let (verdict, seconds) = running
            .or_else(|| state.verdict.clone())
            .ok_or_else(no_workload)?;
        judgement::assert(what, &verdict)?;
        Ok(judgement::info(verdict, seconds))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one<T: serde::Serialize>(output: Result<T>) -> Result<Vec<Value>> {
    Ok(vec![to_value(&output?)?])
}

fn many<T: serde::Serialize>(output: Result<Vec<T>>) -> Result<Vec<Value>> {
    output?.iter().map(to_value).collect()
}

fn say_plan(client: &Client, command: &GetDrillPlan) -> Result<Vec<PlanInfo>> {
    let kinds = FaultKind::parse_all(&command.faults)?;
    Ok(plan::plan(&Scene::of(client, &command.group)?, &kinds))
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

pub(super) fn threads(what: &str, count: u64) -> Result<u32> {
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
    let (counters, waiting) = (workload.counters(), workload.waiting());
    WorkloadInfo {
        queue: workload.queue().to_string(),
        sent: counters.sent,
        acknowledged: counters.acknowledged,
        received: counters.received,
        waiting,
        unknown: counters.unknown,
        input: u64::try_from(workload.input_count()).unwrap_or(u64::MAX),
        last_error: workload.last_error(),
        step: None,
    }
}
