//! One task per resource: it runs the entry points one at a time, and lets an end interrupt them.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cluster::engine::{Event, OnlineFacts};
use crate::resource_types::{Context, OnlineReport, Provided, Resource};

/// How often a resource is asked for its cheap check, and every how many of those for the thorough one.
const LOOKS_ALIVE: Duration = Duration::from_millis(500);
const IS_ALIVE_EVERY: u32 = 120;
/// How long a check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// What a resource is told.
#[derive(Debug)]
pub(super) enum Order {
    Online { serial: u64, context: Box<Context> },
    Offline { serial: u64 },
    Terminate { serial: u64 },
    LeaseRenewed { until: Duration },
    Maintenance { on: bool },
}

/// What a resource says: the event, and what it provides now if that changed.
pub(super) struct Saying {
    pub(super) event: Event,
    pub(super) provides: Option<Provided>,
}

type Failure = Pin<Box<dyn Future<Output = String> + Send>>;

/// A resource with its orders.
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) resource: Box<dyn Resource>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) says: mpsc::Sender<Saying>,
    /// In maintenance: it is neither checked nor heard when it fails.
    pub(super) maintained: bool,
}

impl Actor {
    pub(super) async fn run(mut self) {
        let mut online: Option<(u64, Failure)> = None;
        let mut next: Option<Order> = None;
        let mut checks: u32 = 0;
        loop {
            let order = match next.take() {
                Some(order) => Some(order),
                None => match online.as_mut().filter(|_| !self.maintained) {
                    None => self.orders.recv().await,
                    Some((serial, failure)) => {
                        let serial = *serial;
                        tokio::select! {
                            biased;
                            order = self.orders.recv() => order,
                            reason = failure => {
                                online = None;
                                fail(&self.says, &self.name, serial, reason).await;
                                continue;
                            }
                            () = tokio::time::sleep(LOOKS_ALIVE) => {
                                checks = checks.wrapping_add(1);
                                let (stray, failed) = self.check(checks.is_multiple_of(IS_ALIVE_EVERY)).await;
                                next = stray;
                                if let Some(reason) = failed {
                                    online = None;
                                    fail(&self.says, &self.name, serial, reason).await;
                                }
                                continue;
                            }
                        }
                    }
                },
            };
            let Some(order) = order else {
                self.resource.terminate().await;
                return; // the agent is gone
            };
            match order {
                Order::LeaseRenewed { until } => self.resource.lease_renewed(until),
                Order::Maintenance { on } => self.maintained = on,
                Order::Online { serial, context } => {
                    let (stray, came) = self.online(serial, &context).await;
                    next = stray;
                    online = came.then(|| (serial, self.resource.failed()));
                }
                Order::Offline { serial } => {
                    online = None;
                    next = self.offline(serial).await;
                }
                Order::Terminate { serial } => {
                    online = None;
                    self.resource.terminate().await;
                    let resource = self.name.clone();
                    say(
                        &self.says,
                        Event::Terminated { resource, serial },
                        Some(Provided::default()),
                    )
                    .await;
                }
            }
        }
    }

    fn take_heard(&mut self, heard: Heard) {
        if let Some(until) = heard.renewed {
            self.resource.lease_renewed(until);
        }
        self.maintained = heard.maintained.unwrap_or(self.maintained);
    }

    /// Brings it online; an order that comes meanwhile (an end) interrupts.
    async fn online(&mut self, serial: u64, context: &Context) -> (Option<Order>, bool) {
        let work = self.resource.online(context);
        let (stray, heard, done) = interruptible(work, &mut self.orders).await;
        self.take_heard(heard);
        let Some(result) = done else {
            return (stray, false);
        };
        let came = result.is_ok();
        let provides = result.as_ref().ok().map(|r| r.provides.clone());
        let resource = self.name.clone();
        let result = result.map(facts).map_err(|e| match e.hint {
            Some(hint) => format!("{}; {hint}", e.message),
            None => e.message,
        });
        let event = Event::Online {
            resource,
            serial,
            result,
        };
        say(&self.says, event, provides).await;
        (stray, came)
    }

    async fn offline(&mut self, serial: u64) -> Option<Order> {
        let work = self.resource.offline();
        let (stray, heard, done) = interruptible(work, &mut self.orders).await;
        self.take_heard(heard);
        if let Some(result) = done {
            let resource = self.name.clone();
            let result = result.map_err(|e| e.message);
            let event = Event::Offline {
                resource,
                serial,
                result,
            };
            say(&self.says, event, Some(Provided::default())).await;
        }
        stray
    }

    async fn check(&mut self, thorough: bool) -> (Option<Order>, Option<String>) {
        let work = match thorough {
            true => self.resource.is_alive(),
            false => self.resource.looks_alive(),
        };
        let bounded = tokio::time::timeout(CHECK_TIMEOUT, work);
        let (stray, heard, done) = interruptible(bounded, &mut self.orders).await;
        self.take_heard(heard);
        let failed = match done {
            None | Some(Ok(Ok(()))) => None,
            Some(Ok(Err(e))) => Some(e.message),
            Some(Err(_)) => Some(format!(
                "it did not answer its check within {} s",
                CHECK_TIMEOUT.as_secs()
            )),
        };
        (stray, failed)
    }
}

async fn say(says: &mpsc::Sender<Saying>, event: Event, provides: Option<Provided>) {
    drop(says.send(Saying { event, provides }).await);
}

async fn fail(says: &mpsc::Sender<Saying>, name: &str, serial: u64, reason: String) {
    let event = Event::Failed {
        resource: name.to_owned(),
        serial,
        reason,
    };
    say(says, event, None).await;
}

fn facts(report: OnlineReport) -> OnlineFacts {
    OnlineFacts {
        endpoint: report.provides.queue_manager.map(|a| a.to_string()),
        network_name: report.provides.network_name,
        steps: report.steps,
    }
}

/// What was heard while something else was done: the last of each.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    renewed: Option<Duration>,
    maintained: Option<bool>,
}

/// Runs `work` to its end, unless an order comes first; then the work is dropped. Renewals and
/// maintenance do not interrupt: the last ones are handed back.
async fn interruptible<T>(
    work: impl Future<Output = T>,
    orders: &mut mpsc::Receiver<Order>,
) -> (Option<Order>, Heard, Option<T>) {
    let mut work = std::pin::pin!(work);
    let mut heard = Heard::default();
    loop {
        tokio::select! {
            biased;
            done = &mut work => return (None, heard, Some(done)),
            order = orders.recv() => match order {
                Some(Order::LeaseRenewed { until }) => heard.renewed = Some(until),
                Some(Order::Maintenance { on }) => heard.maintained = Some(on),
                Some(order) => return (Some(order), heard, None),
                None => return (None, heard, None),
            },
        }
    }
}
