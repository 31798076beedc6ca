//! The threads that ask the cluster. Each waits for nobody but what it asks; they end when nobody listens.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hamq_core::api::explain::GetClusterLog;
use hamq_core::api::group::GetClusterGroup;
use hamq_core::api::node::GetClusterNode;
use hamq_core::api::parameter::GetClusterParameter;
use hamq_core::api::queue_manager::GetMsmqCounter;
use hamq_core::api::resource::{GetClusterResource, ResourceInfo};
use hamq_core::api::spec::Command;
use hamq_core::api::value::{Millis, Value, from_value, to_value};
use hamq_core::{Error, Result};

use super::view::{ClusterNews, News, QueueNews};
use crate::session::Invoke;

/// Between two looks at the same thing.
const EVERY: Duration = Duration::from_secs(1);
/// How far back events go.
const EVENTS_BACK: Millis = Millis(15 * 60 * 1_000);
/// How soon a thread notices that it shall end.
const NOTICE: Duration = Duration::from_millis(100);
/// The counters of a queue manager's dead-letter queues, all together.
const COMPUTER_QUEUES: &str = "Computer Queues";
/// Virtual servers whose queues are shown.
const SERVERS_MAX: usize = 32;

/// Ends the threads when it is dropped; one that waits for the cluster ends when that answers.
pub(super) struct Fetch(Arc<AtomicBool>);

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What each thread has.
#[derive(Clone)]
struct Asker {
    invoke: Arc<dyn Invoke>,
    news: Sender<News>,
    end: Arc<AtomicBool>,
    servers: Arc<Mutex<BTreeSet<String>>>,
}

/// Starts asking.
///
/// # Errors
/// When a thread cannot start.
pub(super) fn start(invoke: Arc<dyn Invoke>, news: Sender<News>) -> Result<Fetch> {
    let fetch = Fetch(Arc::default());
    let asker = Asker {
        invoke,
        news,
        end: Arc::clone(&fetch.0),
        servers: Arc::default(),
    };
    asker
        .clone()
        .repeat(|asker| asker.tell(News::Cluster(asker.cluster().map_err(words))))?;
    asker
        .clone()
        .repeat(|asker| asker.tell(News::Events(asker.events().map_err(words))))?;
    asker.repeat(Asker::follow_servers)?;
    Ok(fetch)
}

impl Asker {
    /// Does `work` again and again in a thread, until it says no.
    fn repeat(self, work: impl Fn(&Self) -> bool + Send + 'static) -> Result<()> {
        let run = move || {
            while work(&self) && !self.end.load(Ordering::Relaxed) {
                let due = Instant::now() + EVERY;
                while Instant::now() < due && !self.end.load(Ordering::Relaxed) {
                    std::thread::sleep(NOTICE);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("monitor".into())
            .spawn(run);
        thread
            .map(drop)
            .map_err(|e| Error::system("start a thread", &e))
    }

    fn tell(&self, news: News) -> bool {
        self.news.send(news).is_ok()
    }

    fn ask<C: Command>(&self, command: &C) -> Result<C::Output> {
        let rows = self.invoke.invoke(C::SPEC.name, to_value(command)?)?;
        match C::SPEC.many {
            true => from_value(&Value::Array(rows)),
            false => from_value(rows.first().unwrap_or(&Value::Null)),
        }
    }

    fn cluster(&self) -> Result<ClusterNews> {
        Ok(ClusterNews {
            nodes: self.ask(&GetClusterNode::default())?,
            groups: self.ask(&GetClusterGroup::default())?,
            resources: self.ask(&GetClusterResource::default())?,
            name: self.invoke.cluster().unwrap_or_default(),
        })
    }

    fn events(&self) -> Result<Vec<hamq_core::api::explain::LogEntry>> {
        self.ask(&GetClusterLog {
            time_span: Some(EVENTS_BACK),
            ..GetClusterLog::default()
        })
    }

    /// A thread for each virtual server, so that one that is away holds up no other.
    fn follow_servers(&self) -> bool {
        let Ok(found) = self.virtual_servers() else {
            return true; // the thread of the cluster tells what is wrong
        };
        let fresh: Vec<String> = {
            let mut known = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = found
                .iter()
                .filter(|server| !known.contains(*server))
                .cloned()
                .collect();
            known.clone_from(&found);
            fresh
        };
        for server in fresh {
            let follow = move |asker: &Self| {
                let known = asker.servers.lock().unwrap_or_else(PoisonError::into_inner);
                let wanted = known.contains(&server);
                drop(known);
                wanted
                    && asker.tell(News::Queues(
                        server.clone(),
                        asker.queues(&server).map_err(words),
                    ))
            };
            if let Err(error) = self.clone().repeat(follow) {
                return self.tell(News::Cluster(Err(words(error))));
            }
        }
        self.tell(News::Servers(found.into_iter().collect()))
    }

    /// The network names of the groups that have a queue manager, online or not: what is away grows old on the screen.
    fn virtual_servers(&self) -> Result<BTreeSet<String>> {
        let resources = self.ask(&GetClusterResource::default())?;
        let serving = |group: &str| {
            let its = |r: &&ResourceInfo| r.group == group && r.resource_type == "MSMQ";
            resources.iter().any(|r| its(&r))
        };
        let names = resources
            .iter()
            .filter(|r| r.resource_type == "Network Name");
        let mut servers = BTreeSet::new();
        for name in names.filter(|r| serving(&r.group)).take(SERVERS_MAX) {
            let found = self.ask(&GetClusterParameter {
                resource: name.name.clone(),
                name: Some("Name".to_owned()),
            })?;
            servers.extend(found.into_iter().map(|parameter| parameter.value));
        }
        Ok(servers)
    }

    fn queues(&self, server: &str) -> Result<Vec<QueueNews>> {
        let counters = self.ask(&GetMsmqCounter {
            computer: server.to_owned(),
            instance: None,
            counter: Some("Messages*".to_owned()),
        })?;
        let mut queues = std::collections::BTreeMap::<String, QueueNews>::new();
        for counter in counters.into_iter().filter(|c| c.object == "MSMQ Queue") {
            let name = match counter.instance.as_str() {
                COMPUTER_QUEUES => "dead letters".to_owned(),
                _ => counter.instance,
            };
            let queue = queues.entry(name.clone()).or_default();
            queue.name = name;
            match counter.counter.as_str() {
                "Messages in Queue" => queue.depth = counter.value,
                "Messages Arrived" => queue.arrived = counter.value,
                "Messages Received" => queue.left = counter.value,
                _ => {}
            }
        }
        Ok(queues.into_values().collect())
    }
}

fn words(error: Error) -> String {
    error.message
}
