//! *OCF agents*: what Pacemaker can run, as a resource: `ocf:heartbeat:Filesystem`.
//!
//! ```text
//!   online   validate-all ► start ► monitor            action.rs: one call, its exit code mapped
//!   while online   a task of its own calls monitor at the agent's interval ──► failed()
//!   offline, terminate   stop                          meta_data.rs: parameters, timeouts, help
//! ```
//!
//! Parameters are the resource's private properties (`OCF_RESKEY_*`). What an agent starts is its own: it
//! outlives a node agent that dies, so the next owner waits until the lease has run out.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Answer, Context, Description, OnlineReport, Resource};
use crate::error::{Error, ErrorKind, Result};

mod action;
mod meta_data;

use action::{Agent, State};
use meta_data::MetaData;

/// OCF_ROOT as every distribution has it.
const ROOT: &str = "/usr/lib/ocf";

/// The resource; see the module.
#[derive(Debug)]
pub struct OcfAgent {
    root: PathBuf,
    provider: String,
    name: String,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    agent: Agent,
    context: Context,
    monitor: Option<Monitor>,
}

/// The task that calls `monitor`; it ends when this is dropped.
#[derive(Debug)]
struct Monitor {
    task: AbortHandle,
    failure: watch::Receiver<Option<String>>,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl OcfAgent {
    /// The agent `name` of `provider`, as the system has it.
    #[must_use]
    pub fn new(provider: &str, name: &str) -> Self {
        Self::at(ROOT.into(), provider, name)
    }

    pub(super) fn at(root: PathBuf, provider: &str, name: &str) -> Self {
        Self {
            root,
            provider: provider.to_owned(),
            name: name.to_owned(),
            running: None,
        }
    }

    async fn start(&mut self, context: &Context) -> Result<OnlineReport> {
        let agent = Agent::new(&self.root, &self.provider, &self.name, Some(context));
        let about = agent.meta_data().await?;
        about.check(&context.parameters)?;
        let started = Instant::now();
        let agent = agent.with(about);
        agent.validate().await?;
        // Known before the start, so that an end finds what was begun.
        let running = self.running.insert(Running {
            agent: agent.clone(),
            context: context.clone(),
            monitor: None,
        });
        agent.start().await?;
        match agent.monitor(0).await? {
            State::Running => {}
            State::Degraded => context.note("WARN", "the agent says that it runs degraded"),
            State::Stopped => {
                let text = format!("{} started, and is not running", agent.label());
                return Err(Error::new(ErrorKind::ResourceOnlineFailed, text));
            }
        }
        running.monitor = Some(watch_over(agent, context.clone()));
        Ok(OnlineReport {
            provides: context.provided.clone(),
            steps: vec![("started".to_owned(), started.elapsed().as_secs_f64() * 1e3)],
        })
    }

    async fn stop(&mut self) -> Result<()> {
        if let Some(running) = &mut self.running {
            running.monitor = None;
            running.agent.stop().await?;
        }
        self.running = None;
        Ok(())
    }
}

/// Calls `monitor` again and again, at each depth's own interval.
fn watch_over(agent: Agent, context: Context) -> Monitor {
    let (sender, failure) = watch::channel(None);
    let task = tokio::spawn(async move {
        let depths = agent.depths();
        let mut due: Vec<_> = depths
            .iter()
            .map(|(_, every)| Instant::now() + *every)
            .collect();
        loop {
            let Some((at, which)) = due.iter().enumerate().map(|(i, at)| (*at, i)).min() else {
                return;
            };
            tokio::time::sleep(at.saturating_duration_since(Instant::now())).await;
            let Some((depth, every)) = depths.get(which).copied() else {
                return;
            };
            match agent.monitor(depth).await {
                Ok(State::Running) => {}
                Ok(State::Degraded) => context.note("WARN", "the agent says that it runs degraded"),
                Ok(State::Stopped) => {
                    sender.send_replace(Some(format!("{} is not running", agent.label())));
                    return;
                }
                Err(error) => {
                    sender.send_replace(Some(error.message));
                    return;
                }
            }
            if let Some(slot) = due.get_mut(which) {
                *slot = Instant::now() + every;
            }
        }
    });
    Monitor {
        task: task.abort_handle(),
        failure,
    }
}

impl Resource for OcfAgent {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.start(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(self.stop())
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let context = self.running.as_ref().map(|r| r.context.clone());
            if let (Err(error), Some(context)) = (self.stop().await, context) {
                // A stop that fails leaves nobody who knows how to end it.
                let text = format!("{}; it may still be running here", error.message);
                context.note("ERR", text);
            }
            self.running = None;
        })
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        let monitor = self.running.as_ref().and_then(|r| r.monitor.as_ref());
        let alive = match monitor.map(|m| m.failure.borrow().clone()) {
            Some(None) => Ok(()),
            Some(Some(why)) => Err(Error::new(ErrorKind::ResourceFailed, why)),
            None => Err(Error::new(
                ErrorKind::InvalidState,
                "the agent is not online",
            )),
        };
        Box::pin(std::future::ready(alive))
    }

    fn failed(&mut self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        let monitor = self.running.as_ref().and_then(|r| r.monitor.as_ref());
        let Some(mut failure) = monitor.map(|m| m.failure.clone()) else {
            return Box::pin(std::future::pending());
        };
        Box::pin(async move {
            let said = failure
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|f| f.clone());
            match said {
                Some(why) => why,
                None => std::future::pending().await,
            }
        })
    }
}

/// What the agent of a type says about itself, on this node.
pub(super) async fn meta_data(provider: &str, name: &str) -> Result<MetaData> {
    Agent::new(&PathBuf::from(ROOT), provider, name, None)
        .meta_data()
        .await
}

impl From<MetaData> for Description {
    fn from(about: MetaData) -> Self {
        Self {
            properties: about.help(),
            summary: about.short,
        }
    }
}

/// How long an action may take that the agent says nothing about.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(20);
