//! Start-Drill: conducts a load and its faults, puts everything back, and makes the report.

use std::path::Path;
use std::time::Duration;

use super::commands::{Drill, threads};
use super::fault::{has_remedy, start_nodes};
use super::history::History;
use super::judgement::{self, Limits};
use super::kind::FaultKind;
use super::ledger::Verdict;
use super::report::{self, FaultStory, Load, Report, Timeline};
use super::scene::Scene;
use super::throwaway::{self, Throwaway};
use super::wait::{Patience, find_group, wait_patiently};
use super::workload::{Workload, WorkloadOptions};
use super::{input, plan};
use crate::api::client::Client;
use crate::api::drill::{DifferenceInfo, DrillInfo, FaultInfo, StartDrill, WaitClusterGroup};
use crate::api::node::GetClusterNode;
use crate::api::queue::{GetMsmqQueue, NewMsmqQueue, RemoveMsmqQueue};
use crate::api::value::{Millis, Time, to_value};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::sys::clock::{Clock, SystemClock};

/// How long a fault lasts that ends by itself.
const DURATION: Millis = Millis(5_000);
/// How long the group may take to serve again.
const TIMEOUT: Millis = Millis(60_000);
/// How long the load may take until the first message is through.
const WARM_UP: Duration = Duration::from_secs(30);
/// How long the queue may take to run empty at the end.
const DRAIN: Duration = Duration::from_secs(60);
/// Steady load before a fault: at least this, and up to as much more.
const PAUSE_MS: u64 = 500;
/// Steady load behind the last fault.
const SETTLE: Duration = Duration::from_millis(1_500);
/// Different messages that are made up.
const MADE_UP: u64 = 250;
/// A leash lasts so much longer than the drill means to hold its fault.
const LEASH_SLACK_MS: u64 = 60_000;

/// Plays a drill.
///
/// # Errors
/// Those of its preparation; `OperationCancelled` when it was interrupted. A drill that was played to its end is
/// a result, also when it failed.
pub(super) fn start(drill: &Drill, client: &Client, command: &StartDrill) -> Result<DrillInfo> {
    let kinds = FaultKind::parse_all(&command.faults)?;
    report::check_paths(&command.report)?;
    let earlier = command
        .compare_with
        .as_deref()
        .map(Report::load)
        .transpose()?;
    let calm = Patience::new(client, Duration::ZERO);
    let name = format!("drill-{:06x}", uuid::Uuid::new_v4().as_u128() & 0xff_ffff);
    let report = match (command.throwaway, command.group.as_deref()) {
        (false, Some(group)) => play(drill, client, &calm, command, &kinds, &name, group)?,
        (true, None) => {
            drill.lock().step = Some("makes a cluster".to_owned());
            let throwaway = Throwaway::new(client.options(), &name)?;
            let group = throwaway::GROUP;
            play(
                drill,
                &throwaway.client,
                &calm,
                command,
                &kinds,
                &name,
                group,
            )?
        }
        _ => return Err(no_group()),
    };
    let against = earlier.map_or_else(Vec::new, |earlier| report::compare(&earlier, &report));
    drill.lock().report = Some(report.clone()); // what cannot be written now can be exported later
    report::write(&report, &against, &command.report)?;
    info(&report, &against, command.report.clone())
}

/// Start-Drill was not told on what, or twice.
pub(super) fn no_group() -> Error {
    let text = "Start-Drill needs a group, or -Throwaway, and not both";
    Error::new(ErrorKind::Usage, text)
        .hint("Get-ClusterGroup lists the groups; Start-Drill VS1 -WhatIf tells what it would hit")
}

/// A report as a record.
///
/// # Errors
/// `Internal`.
pub(super) fn info(
    report: &Report,
    against: &[DifferenceInfo],
    files: Vec<String>,
) -> Result<DrillInfo> {
    let counts = report.counts.clone();
    Ok(DrillInfo {
        name: report.name.clone(),
        cluster: report.cluster.clone(),
        group: report.group.clone(),
        queue: report.queue.clone(),
        started: report.started,
        seconds: report.seconds,
        passed: report.passed(),
        sent: counts.sent,
        acknowledged: counts.acknowledged,
        received: counts.received,
        lost: counts.lost,
        duplicated: counts.duplicated,
        out_of_order: counts.out_of_order,
        altered: counts.altered,
        unknown: counts.unknown,
        worst_outage_ms: report.worst_outage_ms(),
        latency_p50_ms: report.latency_p50_ms,
        latency_p99_ms: report.latency_p99_ms,
        faults: report.faults.iter().map(to_value).collect::<Result<_>>()?,
        checks: report.checks.iter().map(to_value).collect::<Result<_>>()?,
        text: report::text(report, against),
        files,
    })
}

/// A drill on a group, from its queue to its report. Whatever happens, everything is put back.
fn play(
    drill: &Drill,
    client: &Client,
    calm: &Patience<'_>,
    command: &StartDrill,
    kinds: &[FaultKind],
    name: &str,
    group: &str,
) -> Result<Report> {
    let scene = Scene::of(client, group)?;
    plan::check(&scene, kinds)?;
    let up_before = whole(client)?;
    let queue = queue(client, &scene, command, name)?;
    let mut rehearsal = Rehearsal {
        drill,
        client,
        calm,
        command,
        group: scene.group.clone(),
        up_before,
        faults: Vec::new(),
    };
    let played = rehearsal.play(kinds, &queue);
    drill.undo_everything();
    let load = drill.lock().workload.take();
    let left = rehearsal.put_back();
    let drain = if played.is_ok() {
        DRAIN
    } else {
        Duration::ZERO
    };
    let outcome = load.map(|load| Outcome::of(load, drain));
    if command.queue.is_none() {
        let removed = client.run(RemoveMsmqQueue {
            name: queue.clone(),
            force: true,
        });
        drop(removed); // it is empty and named after the drill: a leftover does no harm
    }
    drill.lock().step = None;
    if let Err(error) = played {
        return Err(ended_early(error, &left));
    }
    let Some(outcome) = outcome else {
        let text = "the load of the drill is gone";
        return Err(Error::new(ErrorKind::Internal, text));
    };
    drill.lock().verdict = Some((outcome.verdict.clone(), outcome.seconds));
    let report = Report {
        cluster: client.cluster().unwrap_or_default(),
        group: scene.group,
        queue,
        load: load_of(command),
        faults: rehearsal.faults,
        ..Report::new(name)
    };
    Ok(outcome.judged(report, &left, command))
}

fn ended_early(error: Error, left: &[String]) -> Error {
    let left = match left {
        [] => "everything was put back".to_owned(),
        left => left.join("; "),
    };
    Error {
        message: format!("the drill ended early: {}; {left}", error.message),
        ..error
    }
}

/// What a load came to.
struct Outcome {
    verdict: Verdict,
    history: History,
    seconds: f64,
}

impl Outcome {
    fn of(mut load: Workload, drain: Duration) -> Self {
        let seconds = load.running().as_secs_f64();
        let verdict = load.settle(drain);
        Self {
            verdict,
            history: load.history(),
            seconds,
        }
    }

    /// The report with its figures and its checks.
    fn judged(self, report: Report, left: &[String], command: &StartDrill) -> Report {
        let limits = Limits {
            outage_ms: command
                .max_outage
                .map(|limit| limit.duration().as_secs_f64() * 1_000.0),
            ordered: command.consumers.unwrap_or(1) == 1,
        };
        let ago = SystemClock.boot().saturating_sub(self.history.start());
        let ago_ms = u64::try_from(ago.as_millis()).unwrap_or(0);
        Report {
            started: Time(SystemClock.wall_ms().saturating_sub(ago_ms)),
            seconds: (self.seconds * 10.0).round() / 10.0,
            latency_p50_ms: millis(self.history.latency(50)),
            latency_p99_ms: millis(self.history.latency(99)),
            checks: judgement::judge(&self.verdict, &report.faults, left, limits),
            counts: self.verdict,
            timeline: Timeline::of(&self.history),
            ..report
        }
    }
}

struct Rehearsal<'a> {
    drill: &'a Drill,
    client: &'a Client,
    calm: &'a Patience<'a>,
    command: &'a StartDrill,
    group: String,
    up_before: Vec<String>,
    faults: Vec<FaultStory>,
}

impl Rehearsal<'_> {
    fn play(&mut self, kinds: &[FaultKind], queue: &str) -> Result<()> {
        self.step("warms up");
        let workload = Workload::start(self.client, options(self.command, queue)?)?;
        self.drill.lock().workload = Some(workload);
        self.warm_up()?;
        let mut dice = self.command.seed.unwrap_or(1);
        for (index, kind) in kinds.iter().enumerate() {
            self.step(&format!(
                "fault {} of {}: {}",
                index + 1,
                kinds.len(),
                kind.name()
            ));
            self.wait_for_service()?;
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.rest(Duration::from_millis(PAUSE_MS + (dice >> 33) % PAUSE_MS))?;
            let story = self.strike(*kind)?;
            let broken = story.error.is_some();
            self.faults.push(story);
            if broken || self.has_load_ended() {
                break; // what comes behind it would only be judged on its ruins
            }
        }
        self.step("settles");
        self.rest(SETTLE)
    }

    /// A fault, its end, and what it cost. Only a cancellation is an error: the rest is a finding.
    fn strike(&self, kind: FaultKind) -> Result<FaultStory> {
        let scene = Scene::of(self.client, &self.group)?;
        let duration = match kind {
            FaultKind::Kill if !has_remedy(self.client) => None,
            FaultKind::Kill => Some(Millis(self.timeout().0.saturating_add(LEASH_SLACK_MS))),
            // The drill ends it; the leash only in the drill's place.
            kind if kind.lasts() => Some(Millis(self.duration().0.saturating_add(LEASH_SLACK_MS))),
            _ => Some(self.duration()),
        };
        let made = match self.drill.make(self.client, &scene, kind, duration) {
            Ok(made) => made,
            Err(error) => {
                return Ok(FaultStory {
                    kind: kind.name().to_owned(),
                    node: scene.owner,
                    error: Some(format!("could not be made: {}", error.message)),
                    ..FaultStory::default()
                });
            }
        };
        let mut story = self.begin(made);
        if kind.lasts() {
            self.rest(self.duration().duration())?;
            self.end(kind, &mut story)?;
        }
        let patience = self.calm.again(self.timeout().duration());
        match self.drill.measure_until(self.client, &patience) {
            Ok(phases) => {
                let outage = phases.iter().find(|phase| phase.phase == "outage");
                story.outage_ms = outage.map(|phase| phase.elapsed_ms);
                story.phases = phases;
            }
            Err(error) if error.kind == ErrorKind::OperationCancelled => return Err(error),
            Err(error) => story.error = Some(error.message),
        }
        if !kind.lasts() {
            self.end(kind, &mut story)?;
        }
        Ok(story)
    }

    fn begin(&self, made: FaultInfo) -> FaultStory {
        let at = self
            .drill
            .lock()
            .fault
            .as_ref()
            .map_or(Duration::ZERO, |fault| fault.at);
        FaultStory {
            kind: made.kind,
            node: made.node,
            target: made.target,
            at_ms: self.since_start(at),
            ..FaultStory::default()
        }
    }

    /// Undoes a fault, and starts the nodes that it cost.
    fn end(&self, kind: FaultKind, story: &mut FaultStory) -> Result<()> {
        let mut words = Vec::new();
        if matches!(kind, FaultKind::Kill | FaultKind::Freeze) || kind.lasts() {
            match self.drill.undo(&self.group) {
                Ok(undone) if kind == FaultKind::Kill => drop(undone),
                Ok(undone) => words.push(undone.target),
                Err(error) => story.error = Some(error.message),
            }
        }
        self.calm.again(Duration::ZERO).pause()?;
        match self.start_nodes() {
            Ok(started) if started.is_empty() => {}
            Ok(started) => words.push(format!("{} started again", started.join(", "))),
            Err(error) => story.error = Some(error.message),
        }
        if !words.is_empty() {
            story.undone = Some(words.join("; "));
            story.undone_at_ms = Some(self.since_start(SystemClock.boot()));
        }
        Ok(())
    }

    /// Starts the nodes again that were up before; what could not be put back.
    fn put_back(&self) -> Vec<String> {
        let mut left = Vec::new();
        if let Err(error) = self.start_nodes() {
            left.push(error.message);
        }
        if let Err(error) = self.wait_for_service() {
            left.push(error.message);
        }
        match up(self.client) {
            Ok(up) => {
                let down = self.up_before.iter().filter(|node| !up.contains(node));
                left.extend(down.map(|node| format!("{node} is not up; Start-ClusterNode {node}")));
            }
            Err(error) => left.push(error.message),
        }
        left
    }

    fn start_nodes(&self) -> Result<Vec<String>> {
        start_nodes(self.client, |node| {
            self.up_before.iter().any(|before| before == node)
        })
    }

    fn warm_up(&self) -> Result<()> {
        let patience = self.calm.again(WARM_UP);
        loop {
            let progress = self.drill.progress()?;
            if progress.received > 0 {
                return Ok(());
            }
            if patience.is_over() {
                let why = progress.last_error.unwrap_or_default();
                let text = format!(
                    "no message got through {} within {} s: {why}",
                    self.group,
                    WARM_UP.as_secs()
                );
                return Err(Error::new(ErrorKind::Timeout, text).hint(format!(
                    "Get-ClusterWhy {} tells what is in the way",
                    self.group
                )));
            }
            patience.pause()?;
        }
    }

    fn wait_for_service(&self) -> Result<()> {
        let command = WaitClusterGroup {
            name: self.group.clone(),
            ..WaitClusterGroup::default()
        };
        // When it was cancelled the group is still waited for, so that what is said of it at the end is true.
        let patience = Patience::new(self.client, self.timeout().duration());
        wait_patiently(self.client, &command, &patience).map(drop)
    }

    fn rest(&self, time: Duration) -> Result<()> {
        self.calm.again(time).sit_out()
    }

    fn duration(&self) -> Millis {
        self.command.duration.unwrap_or(DURATION)
    }

    fn timeout(&self) -> Millis {
        self.command.timeout.unwrap_or(TIMEOUT)
    }

    fn has_load_ended(&self) -> bool {
        let state = self.drill.lock();
        state.workload.as_ref().is_none_or(Workload::has_ended)
    }

    fn since_start(&self, at: Duration) -> f64 {
        let state = self.drill.lock();
        let start = state
            .workload
            .as_ref()
            .map_or(at, |load| load.history().start());
        millis(at.saturating_sub(start))
    }

    fn step(&self, step: &str) {
        self.drill.lock().step = Some(step.to_owned());
    }
}

/// The nodes that are up.
fn up(client: &Client) -> Result<Vec<String>> {
    let nodes = client.run(GetClusterNode { name: None })?;
    let up = nodes.into_iter().filter(|node| node.state == "Up");
    Ok(up.map(|node| node.name).collect())
}

/// The nodes, all of which must be up: a drill on a cluster that is wounded already tests the wrong thing.
fn whole(client: &Client) -> Result<Vec<String>> {
    let nodes = client.run(GetClusterNode { name: None })?;
    let wounded = nodes.iter().find(|node| node.state != "Up");
    if let Some(node) = wounded {
        let text = format!(
            "node {} is {}: a drill begins with every node up",
            node.name, node.state
        );
        return Err(Error::new(ErrorKind::InvalidState, text).hint(
            "Start-ClusterNode or Resume-ClusterNode brings it back; Get-ClusterNode shows why",
        ));
    }
    Ok(nodes.into_iter().map(|node| node.name).collect())
}

/// The queue: the user's own, which must fit, or one made for the drill.
fn queue(client: &Client, scene: &Scene, command: &StartDrill, name: &str) -> Result<String> {
    if find_group(client, &scene.group)?.state != "Online" {
        let text = format!("{} is not online", scene.group);
        return Err(Error::new(ErrorKind::InvalidState, text).hint(format!(
            "Get-ClusterWhy {} tells why; Start-ClusterGroup starts it",
            scene.group
        )));
    }
    if let Some(own) = &command.queue {
        return fitting(client, own);
    }
    let server = scene.server.as_deref().unwrap_or(&scene.group);
    let made = client.run(NewMsmqQueue {
        name: format!("{server}/private$/{name}"),
        transactional: true,
        label: Some("made by Start-Drill".to_owned()),
        ..NewMsmqQueue::default()
    })?;
    Ok(made.name)
}

fn fitting(client: &Client, own: &str) -> Result<String> {
    let found = client.run(GetMsmqQueue {
        name: own.to_owned(),
        queue_type: None,
        journal: false,
        sub_queue: None,
    })?;
    let refused =
        |text: String, hint: &str| Err(Error::new(ErrorKind::InvalidState, text).hint(hint));
    match found.as_slice() {
        [queue] if !queue.transactional => refused(
            format!("{own} is not transactional: it promises neither order nor exactly once"),
            "leave -Queue out, and the drill makes a transactional one",
        ),
        [queue] if queue.message_count > 0 => refused(
            format!(
                "{own} holds {} messages, which the drill's consumer would take",
                queue.message_count
            ),
            "use an empty queue that nobody else sends to",
        ),
        [queue] => Ok(queue.name.clone()),
        [] => Err(
            Error::new(ErrorKind::QueueNotFound, format!("there is no queue {own}"))
                .hint("Get-MsmqQueue lists them"),
        ),
        _ => refused(format!("{own} means several queues"), "a drill loads one"),
    }
}

fn options(command: &StartDrill, queue: &str) -> Result<WorkloadOptions> {
    Ok(WorkloadOptions {
        queue: QueuePath::parse(queue)?,
        input: match &command.messages {
            Some(file) => input::read(Path::new(file))?,
            None => (1..=MADE_UP).map(made_up).collect(),
        },
        senders: threads("Senders", command.senders.unwrap_or(4))?,
        consumers: threads("Consumers", command.consumers.unwrap_or(1))?,
        rate: command.rate.unwrap_or(100),
        seed: command.seed.unwrap_or(1),
    })
}

fn made_up(number: u64) -> String {
    let text = "a message of a drill ".repeat(usize::try_from(number % 12).unwrap_or(0));
    format!("{{\"number\":{number},\"text\":\"{text}\"}}")
}

fn load_of(command: &StartDrill) -> Load {
    Load {
        senders: command.senders.unwrap_or(4),
        consumers: command.consumers.unwrap_or(1),
        rate: command.rate.unwrap_or(100),
        seed: command.seed.unwrap_or(1),
        messages: command
            .messages
            .clone()
            .unwrap_or_else(|| "made up".to_owned()),
    }
}

/// Milliseconds with one decimal.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
