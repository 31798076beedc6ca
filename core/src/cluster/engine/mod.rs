//! The cluster policy of one node: `handle(event, now)` makes actions, and nothing else happens.
//!
//! ```text
//!   event ── absorb ──► view, suspicions, locals
//!                           │
//!            for each group, by itself:
//!              not mine  ── suspicion: suspect ► fence;  claim (guarded)
//!              mine      ── leaving: asked, drain, failback, stop ► release (guarded)
//!                           drive: offline dependents first, online providers first, timeouts
//!                           failure: restart, move, rest (counted durably first)
//!                           publish: states and decisions, in one transaction
//!            for each node that left: departure, quarantine (guarded)
//! ```
//!
//! Groups share nothing but the view: one that is pending delays no other. They are gone through by
//! priority, so that the important ones are claimed and started first.

#[cfg(test)]
mod alternatives;
mod claim;
mod departure;
mod drive;
mod event;
mod failure;
mod leaving;
mod local;
mod publish;
mod release;
mod suspicion;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::period::{Reading, Sightings};
use super::placement::{Plan, by_priority};
use super::record::{Decision, Session, encode, fold, key};
use super::view::View;
use crate::database::Write;
pub use event::{Action, Event, Evidence, FenceOutcome, Intent, Now, OnlineFacts, Outcome};
use leaving::Leaving;
use local::Local;
use suspicion::Suspicion;

/// What an engine must know about itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This node.
    pub node: String,
    /// This kernel: whose boot clock its decisions are stamped with.
    pub boot_id: String,
    /// The lease of its session.
    pub lease_ttl: Duration,
    /// How long a returned node must be up before a group fails back to it.
    pub failback_delay: Duration,
}

/// How long a commit that the database could not answer rests before it is tried again.
const COMMIT_RETRY: Duration = Duration::from_millis(200);

/// The running side of a group on this node.
#[derive(Debug, Default)]
struct Run {
    /// The epoch this node hosts it at; 0 when it does not.
    epoch: u64,
    /// It is on its way to another node.
    leaving: Option<Leaving>,
    /// A claim or a release is under way.
    changing_owner: bool,
    /// A publication is under way, with what it says.
    publishing: Option<publish::Publication>,
    /// No commit before this time.
    commit_not_before: Duration,
    /// The revision that the last change of owner was decided on.
    decided_on: u64,
    /// A commit was refused because somebody was first: the next view ends the wait for another try.
    outrun: bool,
    /// What decisions now belong to.
    episode: String,
    /// Decisions not yet stored, with their keys.
    decisions: Vec<(String, Decision)>,
    /// Those that a release under way stores.
    releasing: Vec<(String, Decision)>,
    /// Requests handled that wait for their deletion.
    handled_requests: BTreeSet<String>,
}

impl Run {
    /// Decisions that may not have been stored: they come before the newer ones.
    fn unsave(&mut self, decisions: Vec<(String, Decision)>) {
        let newer = std::mem::replace(&mut self.decisions, decisions);
        self.decisions.extend(newer);
    }
}

/// The policy of one node.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    view: View,
    /// The session this node acts in; none between two lives.
    incarnation: Option<String>,
    /// The revision its session was made at.
    session_revision: u64,
    /// When the last renewal that succeeded was sent.
    renewed: Duration,
    locals: BTreeMap<String, Local>,
    runs: BTreeMap<String, Run>,
    suspicions: BTreeMap<String, Suspicion>,
    /// Sessions seen, with when: whom to fence after the row has expired, and for how long a node is up.
    seen: BTreeMap<String, (Session, Duration)>,
    /// Since when the stamps of other kernels are known.
    sightings: Sightings,
    /// The plan for groups without an owner, of this view and of these dead nodes.
    planned: Option<(BTreeSet<String>, Plan)>,
    /// Sessions that ended and whose end is not known to be counted, by identity, with their node.
    departed: BTreeMap<String, String>,
    /// The last session of each node whose end was noted.
    noted: BTreeMap<String, String>,
    /// A departure is being written; or none is tried before this time.
    departing: bool,
    departure_not_before: Duration,
    serial: u64,
    sequence: u64,
    stopping: bool,
    all_stop: bool,
    stopped: bool,
    rejoining: bool,
    warned: bool,
    /// Half of the lease has passed: what the deadline protects goes offline in order, while there is time.
    lease_is_late: bool,
    actions: Vec<Action>,
}

impl Engine {
    /// An engine that has no session yet: it begins with [`Event::SessionStarted`].
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            view: View::default(),
            incarnation: None,
            session_revision: 0,
            renewed: Duration::ZERO,
            locals: BTreeMap::new(),
            runs: BTreeMap::new(),
            suspicions: BTreeMap::new(),
            seen: BTreeMap::new(),
            sightings: Sightings::default(),
            planned: None,
            departed: BTreeMap::new(),
            noted: BTreeMap::new(),
            departing: false,
            departure_not_before: Duration::ZERO,
            serial: 0,
            sequence: 0,
            stopping: false,
            all_stop: false,
            stopped: false,
            rejoining: false,
            warned: false,
            lease_is_late: false,
            actions: Vec::new(),
        }
    }

    /// The cluster as this node sees it.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// The resources that are not offline here, with the epoch they act at.
    pub fn running(&self) -> impl Iterator<Item = (&str, u64)> {
        let running = self.locals.iter().filter(|(_, l)| l.is_running());
        running.map(|(name, local)| (name.as_str(), local.epoch()))
    }

    /// Takes an event and answers what is to be done.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        self.absorb(event, now);
        self.enforce_deadline(now);
        self.note_deadlocks(now);
        for group in self.group_names() {
            self.advance(&group, now);
        }
        self.settle_departures(now);
        self.finish_life();
        self.check_invariants();
        std::mem::take(&mut self.actions)
    }

    fn group_names(&self) -> Vec<String> {
        let mut names = by_priority(&self.view);
        let mut gone: BTreeSet<&str> = self.runs.keys().map(String::as_str).collect();
        gone.extend(self.locals.values().map(Local::group));
        gone.retain(|name| !self.view.groups.contains_key(*name));
        names.extend(gone.into_iter().map(str::to_owned));
        names
    }

    fn absorb(&mut self, event: Event, now: Now) {
        match event {
            Event::SessionStarted {
                incarnation,
                revision,
                sent,
            } => self.begin_life(incarnation, revision, sent),
            Event::Snapshot(view) => self.replace_view(*view, now),
            Event::Renewed { sent } => self.lease_renewed(sent),
            Event::SessionLost => self.lose_session("the lease of this node has expired"),
            Event::Evidence {
                node,
                incarnation,
                evidence,
            } => self.suspect(&node, incarnation, evidence, now),
            Event::PeerAlive { node, incarnation } => self.clear_suspicion(&node, &incarnation),
            Event::Fenced {
                node,
                incarnation,
                outcome,
            } => self.fenced(&node, &incarnation, outcome, now),
            Event::Online {
                resource,
                serial,
                result,
            } => self.came_online(&resource, serial, result, now),
            Event::Offline {
                resource,
                serial,
                result,
            } => self.went_offline(&resource, serial, result, now),
            Event::Terminated { resource, serial } => self.terminated(&resource, serial, now),
            Event::Progress { resource, epoch } => self.progressed(&resource, epoch, now),
            Event::Failed {
                resource,
                serial,
                reason,
            } => self.failed(&resource, serial, &reason, now),
            Event::Committed {
                intent,
                transaction,
                outcome,
            } => self.committed(intent, &transaction, &outcome, now),
            Event::Tick => {}
            Event::Stop { all } => {
                self.stopping = true;
                self.all_stop |= all;
            }
        }
    }

    fn begin_life(&mut self, incarnation: String, revision: u64, sent: Duration) {
        self.incarnation = Some(incarnation);
        self.session_revision = revision;
        self.renewed = sent;
        self.rejoining = false;
    }

    fn replace_view(&mut self, view: View, now: Now) {
        if view.revision < self.view.revision {
            return; // read before a transaction of ours that is applied already
        }
        self.view = view;
        self.note_departures();
        for (node, session) in &self.view.sessions {
            let known = self.seen.get(node).map(|(s, _)| &s.incarnation);
            if known != Some(&session.incarnation) {
                let seen = (session.row.clone(), now.boot);
                self.seen.insert(node.clone(), seen);
                self.suspicions.remove(node);
            }
        }
        self.view_changed(now);
        let gone = self.incarnation.as_ref().is_some_and(|mine| {
            self.view.revision >= self.session_revision
                && self.view.session_of(&self.settings.node, mine).is_none()
        });
        if gone {
            self.lose_session("another node has declared this one dead, or its lease has expired");
        }
    }

    /// What is kept beside the view follows it.
    fn view_changed(&mut self, now: Now) {
        // A revision does not say what is in the view: what this node wrote itself comes out of order.
        self.planned = None;
        self.note_departures();
        for run in self.runs.values_mut().filter(|run| run.outrun) {
            run.outrun = false;
            run.commit_not_before = now.boot;
        }
        let view = &self.view;
        let departures = view.departures.values();
        let rows = view.failures.values().map(|r| &r.row);
        let rows = rows
            .chain(view.failovers.values().map(|r| &r.row))
            .chain(departures.flat_map(|d| [&d.row.counted, &d.row.quarantine]));
        self.sightings
            .update(rows, &self.settings.boot_id, boot_ms(now));
    }

    /// The clock that periods are counted on.
    fn reading(&self, now: Now) -> Reading<'_> {
        Reading {
            boot_id: &self.settings.boot_id,
            boot_ms: boot_ms(now),
            seen: &self.sightings,
        }
    }

    fn lease_renewed(&mut self, sent: Duration) {
        self.renewed = self.renewed.max(sent);
        self.warned = false;
        let until = self.renewed + self.settings.lease_ttl / 2;
        self.actions.push(Action::LeaseRenewed { until });
    }

    /// Declared dead: nothing may go on, and a new life begins when nothing does.
    fn lose_session(&mut self, why: &str) {
        if self.incarnation.take().is_none() {
            return;
        }
        self.log(
            "ERR",
            "NM",
            format!("{why}; ending all resources and joining again"),
        );
        self.rejoining = true;
        self.suspicions.clear();
    }

    fn finish_life(&mut self) {
        let quiet = !self.locals.values().any(Local::is_running);
        if self.rejoining && quiet && !self.stopping {
            self.rejoining = false;
            self.actions.push(Action::Rejoin);
        }
        let released =
            self.incarnation.is_none() || !self.view.owners.keys().any(|group| self.hosts(group));
        let rest = self.runs.values().all(|run| {
            !run.changing_owner
                && run.publishing.is_none()
                && run.leaving.as_ref().is_none_or(|l| l.target.is_none())
        });
        if self.stopping && !self.stopped && quiet && rest && (released || self.nowhere_to_go()) {
            self.stopped = true;
            self.actions.push(Action::Stopped);
        }
    }

    fn nowhere_to_go(&self) -> bool {
        let hosted = self.view.owners.keys().filter(|group| self.hosts(group));
        hosted.into_iter().all(|group| {
            let run = self.runs.get(group);
            run.and_then(|r| r.leaving.as_ref())
                .is_some_and(|l| l.target.is_none())
        })
    }

    /// Whether this node, in this life, owns a group.
    fn hosts(&self, group: &str) -> bool {
        let Some(mine) = &self.incarnation else {
            return false;
        };
        self.view.owners.get(group).is_some_and(|owner| {
            fold(&owner.node) == fold(&self.settings.node) && owner.incarnation == *mine
        })
    }

    fn advance(&mut self, group: &str, now: Now) {
        if self.hosts(group) && self.view.groups.contains_key(group) {
            self.host(group, now);
            self.publish(group, now);
        } else {
            self.abandon(group, now);
            self.consider_claim(group, now);
        }
    }

    /// D3(b): where the file system is not coherent, the owner stops before anyone else may start: in order from
    /// half of the lease on, and by force at seven tenths.
    fn enforce_deadline(&mut self, now: Now) {
        self.lease_is_late = self.incarnation.is_some() && !self.lease_is_fresh(now);
        let Some(age) = self
            .incarnation
            .as_ref()
            .map(|_| now.boot.saturating_sub(self.renewed))
        else {
            return;
        };
        let ttl = self.settings.lease_ttl;
        if self.lease_is_fresh(now) {
            return;
        }
        let bound: Vec<String> = self.running_incoherent();
        if !self.warned {
            self.warned = true;
            for resource in &bound {
                let resource = resource.clone();
                self.actions.push(Action::StopAdmitting { resource });
            }
        }
        if age >= ttl * 7 / 10 {
            for resource in bound {
                self.kill(&resource, "the lease was not renewed in time", now);
            }
        }
    }

    fn running_incoherent(&self) -> Vec<String> {
        let incoherent = |name: &String| self.is_incoherent(name);
        let running = self.locals.iter().filter(|(_, l)| l.is_acting());
        running
            .map(|(name, _)| name.clone())
            .filter(incoherent)
            .collect()
    }

    /// Less than half of the lease is over: what the deadline protects may go on, or start.
    fn lease_is_fresh(&self, now: Now) -> bool {
        now.boot < self.renewed + self.settings.lease_ttl / 2
    }

    /// Whether a resource must not go on until the lease was renewed.
    fn must_rest(&self, resource: &str) -> bool {
        self.lease_is_late && self.is_incoherent(resource)
    }

    fn is_incoherent(&self, resource: &str) -> bool {
        let config = self.view.resources.get(resource);
        config.is_some_and(|r| !super::placement::coherent(&r.parameters))
    }

    fn lease_is_valid(&self, now: Now) -> bool {
        self.incarnation.is_some() && now.boot < self.renewed + self.settings.lease_ttl
    }

    /// When the engine wants to be asked again, at the latest.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<Duration> {
        let ttl = self.settings.lease_ttl;
        let lease = self.incarnation.as_ref().and_then(|_| {
            let marks = [self.renewed + ttl / 2, self.renewed + ttl * 7 / 10];
            marks.into_iter().find(|mark| *mark > now.boot)
        });
        let locals = self.locals.values().filter_map(Local::deadline);
        let commits = self.runs.values().map(|run| run.commit_not_before);
        let returned = self
            .seen
            .values()
            .map(|(_, at)| *at + self.settings.failback_delay);
        let waiting = commits.chain(returned).filter(|at| *at > now.boot);
        let departures = self.departure_deadlines(now);
        let all = locals.chain(waiting).chain(lease).chain(departures);
        all.min()
    }

    fn log(&mut self, level: &'static str, component: &'static str, text: String) {
        self.actions.push(Action::Log {
            level,
            component,
            text,
        });
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn run(&mut self, group: &str) -> &mut Run {
        self.runs.entry(group.to_owned()).or_default()
    }

    /// What must hold after every event; a breach is a fault of this file, not of the world.
    fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        for (name, local) in &self.locals {
            if !local.is_acting() {
                continue;
            }
            assert!(
                self.hosts(local.group()),
                "{name} acts although {} is not ours",
                local.group()
            );
            let Some(config) = self.view.resources.get(name) else {
                continue;
            };
            let under = |p: &str| {
                let local = self.locals.get(p);
                local.is_some_and(|p| p.is_online() || p.is_failed() || p.is_terminating())
            };
            assert!(
                config.depends_on.holds(&mut |p| under(p)),
                "{name} acts before {}",
                config.depends_on
            );
        }
    }
}

fn boot_ms(now: Now) -> u64 {
    u64::try_from(now.boot.as_millis()).unwrap_or(u64::MAX)
}

fn put<T: serde::Serialize>(kind: &str, name: &str, row: &T) -> Write {
    Write::Put {
        key: key(kind, name),
        value: encode(row),
        lease: None,
    }
}
