//! Dependencies with alternatives, through the engine: one node, a database that always agrees, and
//! resources that do what they are told unless they are broken.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::*;
use crate::cluster::configuration::{
    Change, NewGroup, NewResource, add_group, add_resource, remove_resource, set_dependency,
    start_group, start_resource, stop_group, stop_resource,
};
use crate::cluster::record::{NodeConfig, encode, key};
use crate::cluster::resource::ResourceState;
use crate::database::{Transaction, Write};
use crate::error::Result;

struct Lab {
    engine: Engine,
    database: View,
    now: Now,
    broken: BTreeSet<String>,
    serials: BTreeMap<String, u64>,
    /// `+name` brought online, `-name` taken offline, `!name` ended.
    steps: Vec<String>,
    log: Vec<String>,
}

impl Lab {
    /// Node n1 with group G: addresses A and B, a name that needs one of them, an application on the name.
    fn new() -> Self {
        let mut lab = Self::empty("n1-1");
        lab.add("A", "IP Address", &[("Address", "127.0.9.1")], &[]);
        lab.add("B", "IP Address", &[("Address", "127.0.9.2")], &[]);
        lab.add("Name", "Network Name", &[], &["A"]);
        lab.add(
            "App",
            "Generic Application",
            &[("CommandLine", "x")],
            &["Name"],
        );
        lab.change(|v| set_dependency(v, "Name", "[A] or [B]"));
        lab
    }

    fn empty(incarnation: &str) -> Self {
        let mut lab = Self {
            engine: Engine::new(Settings {
                node: "n1".to_owned(),
                boot_id: "boot".to_owned(),
                lease_ttl: Duration::from_secs(1000),
                failback_delay: Duration::ZERO,
            }),
            database: View::default(),
            now: Now::default(),
            broken: BTreeSet::new(),
            serials: BTreeMap::new(),
            steps: Vec::new(),
            log: Vec::new(),
        };
        let node = NodeConfig {
            name: "n1".to_owned(),
            id: 1,
            address: String::new(),
            paused: false,
            features: ["MSMQ-Server".to_owned()].into(),
        };
        lab.put(key("node", "n1"), encode(&node));
        lab.begin(incarnation);
        let new = NewGroup {
            name: "G".to_owned(),
            ..NewGroup::default()
        };
        lab.change(|v| add_group(v, &new));
        lab
    }

    fn put(&mut self, key: String, value: Vec<u8>) {
        let transaction = Transaction {
            guards: Vec::new(),
            writes: vec![Write::Put {
                key,
                value,
                lease: None,
            }],
        };
        self.database
            .apply(&transaction, self.database.revision + 1);
    }

    /// A life of the node's agent begins.
    fn begin(&mut self, incarnation: &str) {
        let session = Session {
            node: "n1".to_owned(),
            incarnation: incarnation.to_owned(),
            process: Default::default(),
            address: String::new(),
            since_ms: 0,
            lease: None,
        };
        self.put(key("session", "n1"), encode(&session));
        let started = Event::SessionStarted {
            incarnation: incarnation.to_owned(),
            revision: self.database.revision,
            sent: self.now.boot,
        };
        self.send(started);
        self.send(Event::Snapshot(Box::new(self.database.clone())));
    }

    fn add(&mut self, name: &str, kind: &str, with: &[(&str, &str)], on: &[&str]) {
        let owned = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        let new = NewResource {
            name: name.to_owned(),
            group: "G".to_owned(),
            resource_type: kind.to_owned(),
            parameters: with.iter().map(owned).collect(),
            depends_on: on.iter().map(|p| (*p).to_owned()).collect(),
            ..NewResource::default()
        };
        self.change(|v| add_resource(v, &new));
    }

    fn change(&mut self, decide: impl Fn(&View) -> Result<Change>) {
        let transaction = decide(&self.database).unwrap().into_transaction();
        self.database
            .apply(&transaction, self.database.revision + 1);
        self.send(Event::Snapshot(Box::new(self.database.clone())));
    }

    fn send(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.engine.handle(event, self.now) {
                events.extend(self.execute(action));
            }
        }
    }

    fn execute(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Commit {
                intent,
                transaction,
            } => {
                let revision = self.database.revision + 1;
                self.database.apply(&transaction, revision);
                Some(Event::Committed {
                    intent,
                    transaction,
                    outcome: Outcome::Done(revision),
                })
            }
            Action::Online {
                resource, serial, ..
            } => {
                self.steps.push(format!("+{resource}"));
                self.serials.insert(resource.clone(), serial);
                let result = match self.broken.contains(&resource) {
                    true => Err("device not ready: it is broken".to_owned()),
                    false => Ok(OnlineFacts::default()),
                };
                Some(Event::Online {
                    resource,
                    serial,
                    result,
                })
            }
            Action::Offline { resource, serial } => {
                self.steps.push(format!("-{resource}"));
                let result = Ok(());
                Some(Event::Offline {
                    resource,
                    serial,
                    result,
                })
            }
            Action::Terminate { resource, serial } => {
                self.steps.push(format!("!{resource}"));
                Some(Event::Terminated { resource, serial })
            }
            Action::Log { level, text, .. } => {
                self.log.push(format!("{level} {text}"));
                None
            }
            _ => None,
        }
    }

    fn fail(&mut self, name: &str) {
        let serial = self.serials.get(name).copied().unwrap_or_default();
        self.send(Event::Failed {
            resource: name.to_owned(),
            serial,
            reason: "it broke".to_owned(),
        });
    }

    fn later(&mut self, time: Duration) {
        self.now.boot += time;
        self.send(Event::Renewed {
            sent: self.now.boot,
        });
        self.send(Event::Tick);
    }

    fn steps(&mut self) -> String {
        std::mem::take(&mut self.steps).join(" ")
    }

    fn is_online(&self, name: &str) -> bool {
        ResourceState::published(&self.database, name) == ResourceState::Online
    }
}

#[test]
fn a_start_brings_every_alternative_and_what_depends_on_one_of_them() {
    let mut lab = Lab::new();
    lab.change(|v| start_resource(v, "App"));
    assert_eq!(lab.steps(), "+a +b +name +app");
    lab.change(|v| stop_group(v, "G"));
    assert_eq!(lab.steps(), "-app -name -a -b");
}

#[test]
fn one_alternative_is_enough_where_the_other_does_not_come_online() {
    let mut lab = Lab::new();
    lab.broken.insert("a".to_owned());
    lab.change(|v| start_group(v, "G"));
    assert!(lab.is_online("Name") && lab.is_online("App") && !lab.is_online("A"));
    lab.broken.insert("b".to_owned());
    lab.fail("b");
    assert!(!lab.is_online("Name") && !lab.is_online("App"));
}

#[test]
fn what_was_given_an_address_is_restarted_on_the_other_when_it_goes() {
    let mut lab = Lab::new();
    lab.change(|v| start_group(v, "G"));
    lab.steps();
    lab.change(|v| stop_resource(v, "A"));
    let steps = lab.steps();
    assert_eq!(
        steps, "-app -name -a +name +app",
        "dependents first, then again without A"
    );
    assert!(lab.is_online("App") && !lab.is_online("A"));
    // It came online with B alone: A may come and go.
    lab.change(|v| start_resource(v, "A"));
    lab.change(|v| stop_resource(v, "A"));
    assert_eq!(lab.steps(), "+a -a");
}

/// What goes because it lost its address has dependents that were given nothing by it: they go first too.
#[test]
fn dependents_of_what_is_restarted_go_first_however_far_up() {
    let mut lab = Lab::new();
    lab.add(
        "Top",
        "Generic Application",
        &[("CommandLine", "x")],
        &["App"],
    );
    lab.change(|v| start_group(v, "G"));
    lab.steps();
    lab.change(|v| stop_resource(v, "A"));
    assert_eq!(lab.steps(), "-top -app -name -a +name +app +top");
}

#[test]
fn an_alternative_that_hands_nothing_down_comes_and_goes_unnoticed() {
    let mut lab = Lab::empty("n1-1");
    for name in ["P", "Q", "App"] {
        lab.add(name, "Generic Application", &[("CommandLine", "x")], &[]);
    }
    lab.change(|v| set_dependency(v, "App", "[P] or [Q]"));
    lab.change(|v| start_group(v, "G"));
    lab.steps();
    lab.change(|v| stop_resource(v, "P"));
    assert_eq!(lab.steps(), "-p");
    lab.change(|v| stop_resource(v, "Q"));
    assert_eq!(
        lab.steps(),
        "-app -q",
        "the last one goes after its dependent"
    );
}

#[test]
fn a_failed_alternative_restarts_what_it_carried_and_comes_back_itself() {
    let mut lab = Lab::new();
    lab.change(|v| start_group(v, "G"));
    lab.steps();
    lab.fail("a");
    assert!(lab.is_online("App"), "{:?}", lab.steps);
    let steps = lab.steps();
    assert!(steps.starts_with("-app -name"), "{steps}");
    lab.later(Duration::from_secs(1));
    assert_eq!(lab.steps(), "+a");
}

#[test]
fn nested_alternatives_carry_as_they_are_written() {
    let mut lab = Lab::empty("n1-1");
    for name in ["P", "Q", "R", "App"] {
        lab.add(name, "Generic Application", &[("CommandLine", "x")], &[]);
    }
    lab.change(|v| set_dependency(v, "App", "([P] and [Q]) or [R]"));
    lab.broken.insert("r".to_owned());
    lab.change(|v| start_group(v, "G"));
    assert!(lab.is_online("App"));
    lab.broken.insert("q".to_owned());
    lab.fail("q");
    assert!(!lab.is_online("App") && lab.is_online("P"));
}

#[test]
fn removing_one_alternative_leaves_the_dependent_on_the_other() {
    let mut lab = Lab::new();
    lab.change(|v| stop_group(v, "G"));
    lab.change(|v| remove_resource(v, "A"));
    let row = &lab.database.resources["name"];
    assert_eq!(row.depends_on.to_string(), "([B])");
    lab.change(|v| remove_resource(v, "B"));
    assert!(
        lab.database.resources.is_empty(),
        "the last provider takes all with it"
    );
}

/// The seed: "a device not ready error indicates that MSMQ was not installed on the node".
#[test]
fn device_not_ready_is_in_the_log_when_message_queuing_is_missing_on_the_node() {
    let mut lab = Lab::new();
    lab.broken.insert("app".to_owned());
    lab.change(|v| start_group(v, "G"));
    let told = lab
        .log
        .iter()
        .any(|l| l.starts_with("ERR") && l.contains("device not ready"));
    assert!(told, "{:?}", lab.log);
}

/// The seed, before step 27: the node's own service is manual; what was online in the cluster comes back.
#[test]
fn after_a_restart_the_clustered_resources_return_by_themselves_and_nothing_else_starts() {
    let mut lab = Lab::new();
    lab.change(|v| start_group(v, "G"));
    lab.change(|v| stop_resource(v, "App"));
    let mut again = Lab::empty("n1-1");
    again.database = lab.database.clone();
    again.steps();
    again.begin("n1-2");
    assert_eq!(
        again.steps(),
        "+a +b +name",
        "App was taken offline on purpose"
    );
}

#[test]
fn an_outage_of_the_database_stops_in_order_what_the_deadline_binds_and_it_returns_by_itself() {
    let mut lab = Lab::empty("n1-1");
    let device = [("DiskPath", "/mnt/x"), ("Device", "/dev/x")];
    lab.add("Disk", "Physical Disk", &device, &[]);
    let command = [("CommandLine", "x")];
    lab.add("App", "Generic Application", &command, &["Disk"]);
    lab.add("Other", "Generic Application", &command, &[]);
    lab.change(|v| start_group(v, "G"));
    lab.steps();

    // Shorter than half of the lease: nothing happens.
    lab.now.boot += Duration::from_secs(499);
    lab.send(Event::Tick);
    assert_eq!(lab.steps(), "");
    lab.later(Duration::ZERO);

    // Longer: dependents first, long before the deadline, and only what the deadline binds.
    lab.now.boot += Duration::from_secs(500);
    lab.send(Event::Tick);
    assert_eq!(lab.steps(), "-app -disk");
    assert!(lab.log.iter().any(|l| l.contains("half of the lease")));
    lab.now.boot += Duration::from_secs(300);
    lab.send(Event::Tick);
    assert_eq!(lab.steps(), "", "nothing is left to be ended");
    lab.later(Duration::ZERO);
    assert_eq!(lab.steps(), "+disk +app");
    assert!(lab.is_online("App") && lab.is_online("Other"));
}
