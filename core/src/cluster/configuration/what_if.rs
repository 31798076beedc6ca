//! What a change would come to: the rows that change, and what the owners of groups would do about it. Pure.
//!
//! ```text
//!  view ── decide ── transaction ─┬─ rows ──────── steps: add, change, remove
//!                                 └─ settle ────── steps: take ownership, take offline, bring online
//!                                      └─► the view as it would be then: the next decision starts from it
//! ```
//!
//! So a command that decides several times, each time on what became of the last, is rehearsed by the code that runs it.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::dependency::{Expression, all_dependents, all_providers, wanted};
use crate::cluster::failback;
use crate::cluster::placement::{by_priority, drain_target, is_orphaned, obstacle, plan};
use crate::cluster::record::{
    GroupConfig, Owner, ResourceConfig, ResourceStatus, RestartPolicy, decode, encode, fold, key,
};
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::database::{Range, Transaction, Write};
use crate::difference::{changed, record, unusual};

/// One step of what would happen, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `Take offline`, `Bring online`, `Move`, `Add group`, `Change resource` …
    pub action: String,
    /// What it is done to.
    pub object: String,
    /// Where; empty where it is the cluster's.
    pub node: String,
    /// Why, or what exactly.
    pub note: String,
}

impl Step {
    fn new(action: impl Into<String>, object: &str, node: &str, note: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            object: object.to_owned(),
            node: node.to_owned(),
            note: note.into(),
        }
    }
}

/// Changes that are decided and never committed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    view: View,
    /// The rows as they are stored: what changed in them is told by the names of their fields.
    rows: BTreeMap<String, Vec<u8>>,
    hour: u8,
    steps: Vec<Step>,
    interrupted: BTreeSet<String>,
}

/// What a settled group does with its resources.
struct Turn<'a> {
    group: &'a str,
    /// Where it was.
    from: Option<String>,
    /// Where it will be.
    to: Option<String>,
    /// Why it goes there.
    why: String,
    /// Everything goes offline where it is: nobody else may have it.
    all_offline: bool,
}

impl Rehearsal {
    /// One that starts from the cluster as it is, at this hour of the local day (failback windows).
    #[must_use]
    pub fn new(range: &Range, hour: u8) -> Self {
        let rows = range.entries.iter();
        Self {
            view: View::parse(range),
            rows: rows.map(|e| (e.key.clone(), e.value.clone())).collect(),
            hour,
            steps: Vec::new(),
            interrupted: BTreeSet::new(),
        }
    }

    /// The cluster as it would be after what was rehearsed so far.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// What would happen, in its order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The groups with a resource that was online, goes offline and comes back.
    #[must_use]
    pub const fn interrupted(&self) -> &BTreeSet<String> {
        &self.interrupted
    }

    /// Rehearses one transaction.
    pub fn change(&mut self, transaction: &Transaction) {
        let before = self.view.clone();
        for write in &transaction.writes {
            self.steps.extend(row_step(&before, &self.rows, write));
            match write {
                Write::Put { key, value, .. } => self.rows.insert(key.clone(), value.clone()),
                Write::Delete { key } => self.rows.remove(key),
            };
        }
        let mut after = before.clone();
        after.apply(transaction, before.revision + 1);
        self.view = after;
        for group in by_priority(&self.view) {
            self.settle(&before, &group, transaction);
        }
    }

    fn settle(&mut self, before: &View, group: &str, transaction: &Transaction) {
        let name = self.view.group_name(group);
        let turn = self.turn(before, group);
        let moves = turn.to != turn.from;
        let touched = |resource: &str| {
            let wanted = key("resource", resource);
            transaction.writes.iter().any(|write| match write {
                Write::Put { key, .. } | Write::Delete { key } => *key == wanted,
            })
        };
        let failing: BTreeSet<String> = self.failing(before, group);
        let mut members: Vec<String> = self
            .view
            .resources_of(group)
            .map(|(n, _)| n.clone())
            .collect();
        members.sort_by_key(|m| (all_providers(&self.view, m).len(), m.clone()));
        let online = |m: &String| up(before, m);
        let wants = |m: &String| !turn.all_offline && turn.to.is_some() && wanted(&self.view, m);
        let leaves = |m: &&String| online(m) && (moves || failing.contains(*m) || !wants(m));
        let left: Vec<String> = members.iter().rev().filter(leaves).cloned().collect();
        let asked = |m: &String| moves || failing.contains(m) || !wanted(before, m) || touched(m);
        let comes = |m: &&String| wants(m) && (left.contains(*m) || (!online(m) && asked(m)));
        let come: Vec<String> = members.iter().filter(comes).cloned().collect();
        if left.iter().any(|m| come.contains(m)) {
            self.interrupted.insert(name.clone());
        }
        let from = turn.from.clone().unwrap_or_default();
        for member in &left {
            let text = format!("group {name}");
            self.step(
                "Take offline",
                &self.view.resource_name(member),
                &from,
                text,
            );
        }
        if moves {
            self.take_over(&turn, &name);
        }
        let to = turn.to.clone().unwrap_or_default();
        for member in &come {
            let text = format!("group {name}");
            self.step("Bring online", &self.view.resource_name(member), &to, text);
        }
        self.publish(group, &members, &left, &come);
    }

    fn step(&mut self, action: &str, object: &str, node: &str, note: String) {
        let node = self.view.node_name(node);
        self.steps.push(Step::new(action, object, &node, note));
    }

    /// Where a group is to be: as the engine of its owner, or of the nodes that are left, would decide.
    fn turn<'a>(&self, before: &View, group: &'a str) -> Turn<'a> {
        let view = &self.view;
        let none = BTreeSet::new();
        let here = view
            .live_owner(group)
            .map(|o| (fold(&o.node), o.row.clone()));
        let stays = |from: Option<String>| Turn {
            group,
            to: from.clone(),
            from,
            why: String::new(),
            all_offline: false,
        };
        let Some((node, owner)) = here else {
            // One that waited for an owner before waits on, unless the change lets it in somewhere.
            let places = plan(view, &none).places;
            let place = places.get(group).filter(|place| !place.is_empty());
            let waited = is_orphaned(before, &none, group)
                && before.groups.contains_key(group)
                && plan(before, &none).places.get(group) == place;
            let mut turn = stays(None);
            turn.to = place.filter(|_| !waited).cloned();
            "it is its best candidate".clone_into(&mut turn.why);
            return turn;
        };
        let mut turn = stays(Some(node.clone()));
        let asked = view.moves.get(group).filter(|m| m.epoch == owner.epoch);
        let drains = view.pauses.get(&node).filter(|p| p.drain);
        if let Some(request) = asked
            && obstacle(view, &none, group, &request.target).is_none()
        {
            turn.to = Some(fold(&request.target));
            turn.why = format!("asked for by {}", request.cause);
        } else if let Some(pause) = drains {
            let target = drain_target(view, &none, group, &node);
            turn.all_offline = target.is_none() && pause.force;
            turn.why = format!("{} is drained", view.node_name(&node));
            turn.to = target.or(turn.to);
        } else if let Some(target) =
            failback::target(view, &none, group, &owner, self.hour, |_| true)
            && before.live_owner(group).is_some_and(|o| {
                failback::target(before, &none, group, o, self.hour, |_| true).is_none()
            })
        {
            turn.why = format!("it fails back to its preferred owner {target}");
            turn.to = Some(target);
        }
        turn
    }

    /// The resources that fail by request, and what goes down and comes back with them.
    fn failing(&mut self, before: &View, group: &str) -> BTreeSet<String> {
        let new = |name: &String| {
            let old = before.fail_requests.get(name).map(|r| &r.id);
            let now = self.view.fail_requests.get(name).map(|r| &r.id);
            now.is_some() && now != old && up(before, name)
        };
        let members = self.view.resources_of(group).map(|(n, _)| n.clone());
        let failed: Vec<String> = members.filter(new).collect();
        let mut all = BTreeSet::new();
        for name in failed {
            let policy = self.view.resources.get(&name).map(|r| r.policy);
            let limit = policy.map_or(0, |p| p.threshold);
            let note = format!(
                "counts as a failure: {limit} restarts are allowed, then the group fails over"
            );
            let node = self.view.live_owner(group).map(|o| o.node.clone());
            let object = self.view.resource_name(&name);
            self.step("Fail", &object, &node.unwrap_or_default(), note);
            all.extend(all_dependents(&self.view, &name));
            all.insert(name);
        }
        all
    }

    /// The group's owner row as the new owner would write it, and the request that is served.
    fn take_over(&mut self, turn: &Turn<'_>, name: &str) {
        let Some(to) = &turn.to else {
            return;
        };
        let note = match &turn.from {
            Some(from) => format!("from {}; {}", self.view.node_name(from), turn.why),
            None => turn.why.clone(),
        };
        let action = match turn.from {
            Some(_) => "Move",
            None => "Take ownership",
        };
        self.step(action, name, to, note);
        let session = self.view.sessions.get(to);
        let owner = Owner {
            node: self.view.node_name(to),
            incarnation: session.map(|s| s.incarnation.clone()).unwrap_or_default(),
            epoch: self.view.next_epoch(turn.group),
            cause: turn.why.clone(),
            left: BTreeMap::new(),
        };
        self.write(key("owner", turn.group), encode(&owner));
        let served = Write::Delete {
            key: key("move", turn.group),
        };
        self.apply(served);
    }

    /// What the owner would say of the group's resources when all is done.
    fn publish(&mut self, group: &str, members: &[String], left: &[String], come: &[String]) {
        let Some(owner) = self.view.live_owner(group).map(|o| o.row.clone()) else {
            return;
        };
        for member in members {
            let state = match (come.contains(member), left.contains(member)) {
                (true, _) => ResourceState::Online,
                (_, true) => ResourceState::Offline,
                _ => ResourceState::published(&self.view, member),
            };
            let known = self.view.states.get(member).map(|s| s.row.clone());
            let blank = ResourceStatus {
                state: 0,
                node: String::new(),
                epoch: 0,
                cause: String::new(),
                since_ms: 0,
                endpoint: None,
                network_name: None,
                resting: false,
            };
            let status = ResourceStatus {
                state: state.number(),
                node: owner.node.clone(),
                epoch: owner.epoch,
                ..known.unwrap_or(blank)
            };
            self.write(key("state", member), encode(&status));
        }
    }

    fn write(&mut self, key: String, value: Vec<u8>) {
        self.apply(Write::Put {
            key,
            value,
            lease: None,
        });
    }

    fn apply(&mut self, write: Write) {
        let transaction = Transaction {
            guards: Vec::new(),
            writes: vec![write],
        };
        let revision = self.view.revision;
        self.view.apply(&transaction, revision);
    }
}

/// Whether a resource runs, or is on its way.
fn up(view: &View, resource: &str) -> bool {
    let state = ResourceState::published(view, resource);
    matches!(state, ResourceState::Online | ResourceState::OnlinePending)
}

/// Kinds of rows that are somebody's wish, as they are called; the others follow from them and are told as steps.
const KINDS: [(&str, &str); 10] = [
    ("access", "access of"),
    ("node", "node"),
    ("group", "group"),
    ("resource", "resource"),
    ("network", "network"),
    ("memorypool", "memory pool of"),
    ("pause", "pause of"),
    ("token", "permission to join"),
    ("checkpoint", "checkpoint"),
    ("departures", "departures of"),
];

/// Fields that only remember what was asked: the steps tell it.
const SILENT: [&str; 4] = ["persistent_online", "default_owner", "id", "name"];

fn row_step(before: &View, rows: &BTreeMap<String, Vec<u8>>, write: &Write) -> Option<Step> {
    let (key, new) = match write {
        Write::Put { key, value, .. } => (key, Some(value)),
        Write::Delete { key } => (key, None),
    };
    if let (Some(node), Some(_)) = (key.strip_prefix("/uninstalled/"), new) {
        let node = before.node_name(node);
        let note = "of its own queue manager, with their messages";
        return Some(Step::new("Delete queues", &node, &node, note));
    }
    let (kind, name) = match key.strip_prefix('/')?.split_once('/') {
        Some((kind, name)) => (KINDS.iter().find(|(k, _)| *k == kind)?.1, name),
        None => (key.strip_prefix('/')?, ""),
    };
    if kind == "retired" {
        return None; // the highest epoch of groups that are gone: nothing to see
    }
    let old = rows.get(key);
    let spelled = match new.and_then(|new| decode::<Named>(new)) {
        Some(named) => named.name,
        None => spelling(before, kind, name),
    };
    let (action, note) = match (old, new) {
        (None, None) => return None,
        (Some(_), None) => ("Remove", String::new()),
        (None, Some(new)) => ("Add", unusual(&usual(kind), &decode(new)?, &SILENT)),
        (Some(old), Some(new)) => {
            let changed = changed(&decode(old)?, &decode(new)?, &SILENT);
            if changed.is_empty() {
                return None;
            }
            ("Change", changed)
        }
    };
    Some(Step::new(format!("{action} {kind}"), &spelled, "", note))
}

/// A row that knows how its object is spelled.
#[derive(serde::Deserialize)]
struct Named {
    name: String,
}

/// What a new row is where nothing else was asked for.
fn usual(kind: &str) -> ciborium::Value {
    match kind {
        "group" => record(&GroupConfig::new("")),
        "resource" => record(&ResourceConfig {
            name: String::new(),
            group: String::new(),
            resource_type: String::new(),
            parameters: BTreeMap::new(),
            depends_on: Expression::default(),
            possible_owners: Vec::new(),
            policy: RestartPolicy::default(),
            persistent_online: false,
            maintenance: false,
        }),
        _ => ciborium::Value::Null,
    }
}

fn spelling(view: &View, kind: &str, name: &str) -> String {
    match kind {
        "group" => view.group_name(name),
        "resource" => view.resource_name(name),
        "" => "the cluster".to_owned(),
        _ if view.nodes.contains_key(name) => view.node_name(name),
        _ => name.to_owned(),
    }
}
