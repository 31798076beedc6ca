//! One task per resource: it runs the entry points one at a time, and lets an end interrupt them.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::checkpoints::Keeper;
use crate::cluster::engine::{Event, OnlineFacts};
use crate::resource_types::{Context, OnlineReport, Provided, Resource};

/// How long a check may take at most, whatever the DeadlockTimeout: what hangs is not left hidden for
/// the five minutes that property allows by default.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often, and for how long, a resource is asked how it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checks {
    /// Between two cheap checks.
    pub(super) looks_alive: Duration,
    /// Between two thorough ones.
    pub(super) is_alive: Duration,
    /// An answer may take so long.
    pub(super) deadlock: Duration,
}

/// A resource that is online.
struct Watched {
    serial: u64,
    failure: Failure,
    checks: Checks,
    next_looks: Instant,
    next_is: Instant,
}

impl Watched {
    fn new(serial: u64, failure: Failure, checks: Checks) -> Self {
        let now = Instant::now();
        Self {
            serial,
            failure,
            checks,
            next_looks: now + checks.looks_alive,
            next_is: now + checks.is_alive,
        }
    }

    fn next(&self) -> Instant {
        self.next_looks.min(self.next_is)
    }

    /// Whether the check that is due is the thorough one, which stands for a cheap one as well.
    fn begin_check(&mut self) -> bool {
        let now = Instant::now();
        let thorough = self.next_is <= now;
        self.next_looks = now + self.checks.looks_alive;
        if thorough {
            self.next_is = now + self.checks.is_alive;
        }
        thorough
    }
}

/// What a resource is told.
#[derive(Debug)]
pub(super) enum Order {
    Online {
        serial: u64,
        context: Box<Context>,
        checks: Checks,
        /// Files follow it: they are restored first.
        has_checkpoints: bool,
    },
    Offline {
        serial: u64,
    },
    Terminate {
        serial: u64,
    },
    LeaseRenewed {
        until: Duration,
    },
    Maintenance {
        on: bool,
    },
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
    /// The files that follow it.
    pub(super) keeper: Keeper,
    /// In maintenance: it is neither checked nor heard when it fails.
    pub(super) maintained: bool,
}

impl Actor {
    pub(super) async fn run(mut self) {
        let mut online: Option<Watched> = None;
        let mut next: Option<Order> = None;
        loop {
            let order = match next.take() {
                Some(order) => Some(order),
                None => match online.as_mut().filter(|_| !self.maintained) {
                    None => self.orders.recv().await,
                    Some(watched) => {
                        let serial = watched.serial;
                        let due = watched.next();
                        tokio::select! {
                            biased;
                            order = self.orders.recv() => order,
                            reason = &mut watched.failure => {
                                online = None;
                                fail(&self.says, &self.name, serial, reason).await;
                                continue;
                            }
                            () = tokio::time::sleep_until(due) => {
                                let thorough = watched.begin_check();
                                let limit = watched.checks.deadlock.min(CHECK_TIMEOUT);
                                let (stray, failed) = self.check(thorough, limit).await;
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
                Order::Online {
                    serial,
                    context,
                    checks,
                    has_checkpoints,
                } => {
                    let (stray, came) = self.online(serial, &context, has_checkpoints).await;
                    next = stray;
                    online = came.then(|| Watched::new(serial, self.resource.failed(), checks));
                }
                Order::Offline { serial } => {
                    online = None;
                    next = self.offline(serial).await;
                }
                Order::Terminate { serial } => {
                    online = None;
                    self.terminate(serial).await;
                }
            }
        }
    }

    async fn terminate(&mut self, serial: u64) {
        let was_online = self.keeper.is_ending();
        self.resource.terminate().await;
        self.keeper.after_end(was_online).await;
        let resource = self.name.clone();
        let event = Event::Terminated { resource, serial };
        say(&self.says, event, Some(Provided::default())).await;
    }

    fn take_heard(&mut self, heard: Heard) {
        if let Some(until) = heard.renewed {
            self.resource.lease_renewed(until);
        }
        self.maintained = heard.maintained.unwrap_or(self.maintained);
    }

    /// Brings it online; an order that comes meanwhile (an end) interrupts.
    async fn online(
        &mut self,
        serial: u64,
        context: &Context,
        has_checkpoints: bool,
    ) -> (Option<Order>, bool) {
        let _ = self.keeper.is_ending();
        let keeper = self.keeper.clone();
        let resource = &mut self.resource;
        let work = async move {
            if has_checkpoints {
                keeper.before_online(context.epoch).await?;
            }
            resource.online(context).await
        };
        let (stray, heard, done) = interruptible(work, &mut self.orders).await;
        self.take_heard(heard);
        let Some(result) = done else {
            return (stray, false);
        };
        let came = result.is_ok();
        if came {
            self.keeper.is_online(context.epoch);
        }
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
        let was_online = self.keeper.is_ending();
        let keeper = self.keeper.clone();
        let resource = &mut self.resource;
        let work = async move {
            let result = resource.offline().await;
            keeper.after_end(was_online).await;
            result
        };
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

    async fn check(&mut self, thorough: bool, limit: Duration) -> (Option<Order>, Option<String>) {
        let work = match thorough {
            true => self.resource.is_alive(),
            false => self.resource.looks_alive(),
        };
        let bounded = tokio::time::timeout(limit, work);
        let (stray, heard, done) = interruptible(bounded, &mut self.orders).await;
        self.take_heard(heard);
        let failed = match done {
            None | Some(Ok(Ok(()))) => None,
            Some(Ok(Err(e))) => Some(e.message),
            Some(Err(_)) => Some(format!(
                "it did not answer its check within {} ms",
                limit.as_millis()
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
