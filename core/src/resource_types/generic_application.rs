//! *Generic Application*: any command, run by `supervise` so that it cannot outlive its owner.

use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::supervised::{Supervised, describe, name};
use super::{Answer, Context, OnlineReport, Resource, blocking};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::process::{Exit, Memory, ProcessIdentity, Spawn, kill_session, split_command_line};

/// How long the command may take to end when it is asked to: a little longer than `supervise` gives it.
const STOP_MAX: Duration = Duration::from_secs(4);
/// How long `supervise` may take to end everything when its control pipe is closed.
const HANG_UP_MAX: Duration = Duration::from_secs(6);
/// How long the last status line may take after the exit.
const LAST_LINE_MAX: Duration = Duration::from_millis(500);

/// The resource; see the module.
#[derive(Debug, Default)]
pub struct GenericApplication {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Supervised,
    state: watch::Receiver<State>,
}

/// What `supervise` has said.
#[derive(Clone, Debug, Default)]
struct State {
    leader: Option<ProcessIdentity>,
    failed: Option<Error>,
    exited: Option<Exited>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Started { pid: u32 },
    Failed(Error),
    Exited(Exited),
}

#[derive(Clone, Debug, Deserialize)]
struct Exited {
    code: Option<i32>,
    signal: Option<i32>,
    last_line: String,
}

impl GenericApplication {
    async fn start(&mut self, context: &Context) -> Result<OnlineReport> {
        self.end().await;
        let started = Instant::now();
        if self.adopt(context) {
            return Ok(report(context, "adopted", started));
        }
        let spawn = spawn(context)?;
        let data = context.data.clone();
        blocking(move || folder::create_all(&data)).await?;
        let (process, lines) = Supervised::start(context, spawn).await?;
        let state = follow(lines, context.clone(), process.memory(), State::default());
        let running = self.running.insert(Running { process, state });
        if let Err(error) = running.become_started().await {
            self.end().await;
            return Err(error);
        }
        Ok(report(context, "started", started))
    }

    /// Goes on with the command that the agent's former program has left.
    fn adopt(&mut self, context: &Context) -> bool {
        let Some((process, lines, line)) = Supervised::adopt(context) else {
            return false;
        };
        let mut state = State::default();
        if let Ok(status) = serde_json::from_str(&line) {
            state.take(status);
        }
        if state.leader.is_none() {
            return false; // it was still on its way, or has ended: dropping it ends what is left
        }
        let state = follow(lines, context.clone(), process.memory(), state);
        self.running = Some(Running { process, state });
        true
    }

    /// Ends the command and everything it started, at once.
    async fn end(&mut self) {
        if let Some(running) = &mut self.running {
            running.end().await;
        }
        self.running = None;
    }
}

fn report(context: &Context, step: &str, started: Instant) -> OnlineReport {
    OnlineReport {
        provides: context.provided.clone(),
        steps: vec![(step.to_owned(), started.elapsed().as_secs_f64() * 1e3)],
    }
}

fn spawn(context: &Context) -> Result<Spawn> {
    let words = split_command_line(context.required("CommandLine")?)?;
    let mut command: Vec<OsString> = context.program.iter().map(OsString::from).collect();
    command.push("supervise".into());
    if context.number("UseNetworkName", 0)? != 0 {
        let name = context.provided.network_name.as_ref().ok_or_else(|| {
            context.lacks("Network Name").hint(format!(
                "UseNetworkName is set: make {:?} dependent on the Network Name of the group, or it \
                 would talk to the node's own queues",
                context.resource
            ))
        })?;
        command.extend(["--name".into(), name.into()]);
    }
    if let Some(directory) = context.parameter("CurrentDirectory") {
        command.extend(["--directory".into(), directory.into()]);
    }
    command.extend(["--log".into(), log_path(context).into(), "--".into()]);
    command.extend(words.into_iter().map(OsString::from));
    let queue_manager = context.provided.queue_manager.map(|at| at.to_string());
    let settings = context.data.join("settings").display().to_string();
    Ok(Spawn {
        command,
        environment: queue_manager
            .map(|at| ("HAMQ_QUEUE_MANAGER".to_owned(), at))
            .into_iter()
            .chain([("HAMQ_SETTINGS".to_owned(), settings)])
            .collect(),
        directory: None,
        keep_as: Some(name(context)),
    })
}

fn log_path(context: &Context) -> PathBuf {
    context.data.join(format!("{}.log", context.resource))
}

/// Reads the status lines in a task of their own.
fn follow(
    mut lines: mpsc::Receiver<String>,
    context: Context,
    memory: Memory,
    known: State,
) -> watch::Receiver<State> {
    let (sender, receiver) = watch::channel(known);
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            let Ok(status) = serde_json::from_str::<Status>(&line) else {
                context.note("WARN", format_args!("odd status line {line:?}"));
                continue;
            };
            if let Status::Started { .. } = status {
                memory.keep(&line);
            }
            sender.send_modify(|state| state.take(status));
        }
    });
    receiver
}

impl State {
    fn take(&mut self, status: Status) {
        match status {
            // Gone again already: then its exit is the next line.
            Status::Started { pid } => self.leader = ProcessIdentity::of(pid).ok(),
            Status::Failed(error) => self.failed = Some(error),
            Status::Exited(exited) => self.exited = Some(exited),
        }
    }
}

impl Running {
    async fn become_started(&self) -> Result<()> {
        let mut state = self.state.clone();
        let known = |s: &State| s.leader.is_some() || s.failed.is_some() || s.exited.is_some();
        let reason = reason(
            self.process.exited(),
            self.state.clone(),
            self.process.last_error(),
        );
        tokio::select! {
            biased;
            Ok(state) = state.wait_for(known) => match &state.failed {
                Some(error) => Err(error.clone()),
                None => Ok(()),
            },
            why = reason => Err(Error::new(ErrorKind::ResourceOnlineFailed, why)),
        }
    }

    async fn end(&mut self) {
        if !self.process.hang_up(HANG_UP_MAX).await {
            self.process.kill().await;
        }
        let leader = self.state.borrow().leader.clone();
        if let Some(leader) = leader {
            // Nothing is left of it, unless `supervise` itself was killed. What hangs in the kernel
            // is not waited for any longer.
            let _ = blocking(move || Ok(kill_session(&leader))).await;
        }
    }
}

/// Completes when the command has ended, with how.
async fn reason(
    exited: impl Future<Output = Exit> + Send,
    mut state: watch::Receiver<State>,
    last_error: Arc<Mutex<String>>,
) -> String {
    let exit = exited.await;
    // The line that says more may still be on its way.
    let said = tokio::time::timeout(LAST_LINE_MAX, state.wait_for(|s| s.exited.is_some())).await;
    let Ok(Ok(said)) = said else {
        return format!("its supervisor ended: {}", describe(&exit, &last_error));
    };
    let Some(Exited {
        code,
        signal,
        last_line,
    }) = said.exited.clone()
    else {
        return "the application ended".to_owned();
    };
    describe_end(&Exit { code, signal }, &last_line)
}

fn describe_end(exit: &Exit, last_line: &str) -> String {
    if last_line.is_empty() {
        format!("the application ended: {exit}")
    } else {
        format!("the application ended: {exit}, after saying: {last_line}")
    }
}

impl Resource for GenericApplication {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.start(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Some(running) = &self.running {
                running.process.stop(STOP_MAX).await;
            }
            self.end().await;
            Ok(())
        })
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.end())
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        let leader = self
            .running
            .as_ref()
            .and_then(|r| r.state.borrow().leader.clone());
        let alive = leader.is_some_and(|leader| leader.is_alive());
        Box::pin(std::future::ready(if alive {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::ResourceFailed,
                "the application is not running",
            ))
        }))
    }

    fn failed(&mut self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        let Some(running) = &self.running else {
            return Box::pin(std::future::pending());
        };
        Box::pin(reason(
            running.process.exited(),
            running.state.clone(),
            running.process.last_error(),
        ))
    }
}
