//! The loop: an event goes into the engine, its actions come out and are done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::actor::{Order, Saying};
use super::membership::{self, Registered};
use super::resources::Running;
use super::{Life, Shared, message_service};
use crate::cluster::engine::{Action, Engine, Event, Evidence, FenceOutcome, Now, Settings};
use crate::cluster::record::{ClusterConfig, Session};
use crate::resource_types::Provided;

/// Orders that wait for a resource; more than the engine ever gives at once.
pub(super) const ORDERS_MAX: usize = 64;

pub(super) struct MainLoop {
    pub(super) shared: Arc<Shared>,
    pub(super) config: ClusterConfig,
    pub(super) engine: Engine,
    pub(super) actors: BTreeMap<String, Running>,
    pub(super) provided: BTreeMap<String, Provided>,
    pub(super) says: mpsc::Sender<Saying>,
    renewal: Option<AbortHandle>,
    lives: mpsc::Sender<Registered>,
    pub(super) decisions: usize,
    pub(super) lease_until: Option<Duration>,
    /// Resources whose tasks know that they are in maintenance.
    pub(super) maintained: BTreeSet<String>,
}

/// Runs until the agent is aborted.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut inbox: mpsc::Receiver<Event>,
    config: ClusterConfig,
    session: Registered,
) {
    let (says, mut sayings) = mpsc::channel(ORDERS_MAX);
    let (lives, mut new_lives) = mpsc::channel(1);
    let settings = Settings {
        node: shared.options.node.clone(),
        boot_id: shared.process.boot_id.clone(),
        lease_ttl: Duration::from_millis(config.lease_ttl_ms),
        failback_delay: shared.options.timing.failback_delay,
    };
    let mut main = MainLoop {
        engine: Engine::new(settings),
        actors: BTreeMap::new(),
        provided: BTreeMap::new(),
        renewal: None,
        lives,
        decisions: 0,
        lease_until: None,
        maintained: BTreeSet::new(),
        shared,
        config,
        says,
    };
    main.begin_life(session);
    loop {
        let wait = main.until_deadline();
        tokio::select! {
            biased;
            saying = sayings.recv() => main.said(saying),
            Some(session) = new_lives.recv() => main.begin_life(session),
            event = inbox.recv() => match event {
                Some(event) => main.take(event),
                None => return,
            },
            () = tokio::time::sleep(wait) => main.take(Event::Tick),
        }
    }
}

impl MainLoop {
    fn now(&self) -> Now {
        let clock = &self.shared.options.clock;
        Now {
            boot: clock.boot(),
            wall_ms: clock.wall_ms(),
            hour: local_hour(clock.wall_ms()),
        }
    }

    fn until_deadline(&self) -> Duration {
        let now = self.now();
        let longest = Duration::from_secs(1);
        self.engine
            .next_deadline(now)
            .map_or(longest, |at| at.saturating_sub(now.boot).min(longest))
    }

    fn begin_life(&mut self, session: Registered) {
        let ttl = Duration::from_millis(self.config.lease_ttl_ms);
        let task = membership::renew(Arc::clone(&self.shared), session.lease, ttl);
        if let Some(former) = self.renewal.take() {
            former.abort();
        }
        let handle = tokio::spawn(task).abort_handle();
        self.shared.track(handle.clone());
        self.renewal = Some(handle);
        self.shared
            .spawn(message_service::tell_again(Arc::clone(&self.shared)));
        self.take(Event::SessionStarted {
            incarnation: session.incarnation,
            revision: session.revision,
            sent: session.sent,
        });
    }

    pub(super) fn take(&mut self, event: Event) {
        let now = self.now();
        let before = self.engine.view().revision;
        let snapshot = matches!(event, Event::Snapshot(_));
        let actions = self.engine.handle(event, now);
        for action in actions {
            self.execute(action);
        }
        if snapshot || self.engine.view().revision != before {
            let view = Arc::new(self.engine.view().clone());
            self.shared.view.send_replace(view);
            self.follow_maintenance();
        }
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Commit {
                intent,
                transaction,
            } => self.commit(intent, transaction),
            Action::Fence { session, evidence } => self.fence(session, evidence),
            Action::Online {
                resource,
                serial,
                epoch,
            } => self.online(&resource, serial, epoch),
            Action::Offline { resource, serial } => {
                self.order(&resource, Order::Offline { serial });
            }
            Action::Terminate { resource, serial } => {
                self.order(&resource, Order::Terminate { serial });
            }
            Action::LeaseRenewed { until } => {
                self.lease_until = Some(until);
                for running in self.actors.values() {
                    // A resource that is behind gets the next one.
                    drop(running.orders.try_send(Order::LeaseRenewed { until }));
                }
            }
            Action::StopAdmitting { resource } => {
                let text = format!("{resource}: half of the lease has passed without a renewal");
                self.shared.log("WARN", "RCM", &text);
            }
            Action::Rejoin => self.rejoin(),
            Action::Stopped => {
                self.shared.life.send_replace(Life::GivenAway);
            }
            Action::Log {
                level,
                component,
                text,
            } => self.shared.log(level, component, &text),
        }
    }

    fn fence(&self, session: Session, evidence: Evidence) {
        let shared = Arc::clone(&self.shared);
        let mode = self.config.fencing;
        self.shared.spawn(async move {
            let (node, incarnation) = (session.node.clone(), session.incarnation.clone());
            let fencer = Arc::clone(&shared.options.fencer);
            let work = move || fencer.fence(&session, evidence, mode);
            let outcome = tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|e| FenceOutcome::Unproven(e.to_string()));
            let event = Event::Fenced {
                node,
                incarnation,
                outcome,
            };
            drop(shared.events.send(event).await);
        });
    }

    fn rejoin(&mut self) {
        let shared = Arc::clone(&self.shared);
        let config = self.config.clone();
        self.shared.log("INFO", "NM", "joining again");
        let lives = self.lives.clone();
        self.shared.spawn(async move {
            loop {
                match membership::register(&shared, &config).await {
                    Ok(session) => {
                        drop(lives.send(session).await);
                        return;
                    }
                    Err(e) => shared.log("ERR", "NM", &format!("could not join again: {e}")),
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
}

/// The hour of the local day; a machine without a time zone keeps UTC.
pub(super) fn local_hour(wall_ms: u64) -> u8 {
    let millis = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    let stamp = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    let hour = stamp.to_zoned(jiff::tz::TimeZone::system()).hour();
    u8::try_from(hour).unwrap_or(0)
}
