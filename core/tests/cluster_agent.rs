//! Three node agents in one process, a database in memory, resources that do as they are told.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test may panic; a table of actions is one function"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hamq_core::api::host::CommandHost;
use hamq_core::api::value::Value;
use hamq_core::cluster::agent::{Agent, AgentOptions, Fencer, ResourceFactory, Timing};
use hamq_core::cluster::engine::{Evidence, FenceOutcome};
use hamq_core::cluster::record::{FencingMode, Session};
use hamq_core::database::Database;
use hamq_core::database::memory::MemoryDatabase;
use hamq_core::resource_types::{Answer, Context, OnlineReport, Provided, Resource};
use hamq_core::sys::clock::SystemClock;
use hamq_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

/// What all fake resources of a test write down and obey.
#[derive(Default)]
struct Script {
    log: Mutex<Vec<String>>,
    refuse_on: Mutex<BTreeSet<String>>,
}

struct FakeTypes {
    script: Arc<Script>,
}

impl ResourceFactory for FakeTypes {
    fn create(&self, type_name: &str) -> Option<Box<dyn Resource>> {
        Some(Box::new(Fake {
            script: Arc::clone(&self.script),
            kind: type_name.to_owned(),
            place: String::new(),
            broken: watch::Sender::new(false),
        }))
    }
}

struct Fake {
    script: Arc<Script>,
    kind: String,
    place: String,
    broken: watch::Sender<bool>,
}

impl Fake {
    fn note(&self, what: &str) {
        let line = format!("{what} {}", self.place);
        self.script.log.lock().unwrap().push(line);
    }
}

impl Resource for Fake {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(async move {
            self.place = format!("{}@{}", context.resource, context.node);
            if self.script.refuse_on.lock().unwrap().contains(&self.place) {
                let text = format!("{} refuses", self.place);
                return Err(Error::new(ErrorKind::ResourceNotAvailable, text));
            }
            self.note("online");
            let mut provides = Provided::default();
            if self.kind == "MSMQ" {
                provides.queue_manager = Some("127.0.9.1:7801".parse().unwrap());
            }
            let steps = vec![("replayed".to_owned(), 1.0), ("listening".to_owned(), 0.5)];
            Ok(OnlineReport { provides, steps })
        })
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        self.note("offline");
        Box::pin(async { Ok(()) })
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.note("terminate");
        Box::pin(async {})
    }

    fn failed(&mut self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        let mut broken = self.broken.subscribe();
        Box::pin(async move {
            let _ = broken.wait_for(|b| *b).await;
            "it broke".to_owned()
        })
    }
}

/// All agents of a test are one process: what is suspected here is dead.
struct SaysDead;

impl Fencer for SaysDead {
    fn fence(&self, session: &Session, _: Evidence, _: FencingMode) -> FenceOutcome {
        FenceOutcome::Dead(format!("{} has ended", session.node))
    }
}

struct Lab {
    folder: tempfile::TempDir,
    database: Arc<dyn Database>,
    script: Arc<Script>,
    net: (u8, u8),
}

static LABS: AtomicU32 = AtomicU32::new(0);

impl Lab {
    fn new() -> Self {
        let lab = u8::try_from(LABS.fetch_add(1, Ordering::Relaxed)).unwrap();
        let process = std::process::id();
        Self {
            folder: tempfile::tempdir().unwrap(),
            database: Arc::new(MemoryDatabase::new(Arc::new(SystemClock))),
            script: Arc::default(),
            net: (100 + u8::try_from(process % 100).unwrap(), lab),
        }
    }

    async fn start(&self, number: u8) -> Agent {
        self.try_start(number).await.unwrap()
    }

    async fn try_start(&self, number: u8) -> Result<Agent> {
        Agent::start(AgentOptions {
            cluster: "lab".to_owned(),
            node: format!("n{number}"),
            address: IpAddr::from([127, self.net.0, self.net.1, number]),
            identity: None,
            data: self.folder.path().join(format!("n{number}")),
            database: Arc::clone(&self.database),
            clock: Arc::new(SystemClock),
            factory: Arc::new(FakeTypes {
                script: Arc::clone(&self.script),
            }),
            fencer: Arc::new(SaysDead),
            program: Vec::new(),
            restart: Vec::new(),
            resume: None,
            build: hamq_core::cluster::functional_level::Build::current(),
            timing: Timing {
                failback_delay: Duration::from_millis(50),
                ..Timing::default()
            },
        })
        .await
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.script.log.lock().unwrap())
    }
}

async fn run(agent: &Agent, name: &str, arguments: &[(&str, Value)]) -> Result<Value> {
    let map = arguments
        .iter()
        .map(|(k, v)| (Value::from(*k), v.clone()))
        .collect();
    agent.run(name.to_owned(), Value::Map(map)).await
}

async fn ok(agent: &Agent, name: &str, arguments: &[(&str, Value)]) -> Value {
    run(agent, name, arguments)
        .await
        .unwrap_or_else(|e| panic!("{name}: {e} ({:?})", e.hint))
}

fn list(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|i| Value::from(*i)).collect())
}

fn field<'a>(record: &'a Value, name: &str) -> &'a str {
    let map = record.as_map().unwrap();
    let found = map.iter().find(|(k, _)| k.as_text() == Some(name)).unwrap();
    found.1.as_text().unwrap_or("")
}

/// A virtual server VS1 that prefers n1, with disk, address, name and queue manager, online.
async fn virtual_server(agent: &Agent) {
    ok(agent, "Install-MsmqFeature", &[]).await;
    let group = [
        ("Name", "VS1".into()),
        ("PreferredOwners", list(&["n1", "n2"])),
        ("AutoFailbackType", 1.into()),
    ];
    ok(agent, "Add-ClusterGroup", &group).await;
    for (name, kind, parameters, providers) in [
        (
            "VS1-Disk",
            "Physical Disk",
            vec!["DiskPath=/srv/vs1"],
            vec![],
        ),
        ("VS1-IP", "IP Address", vec!["Address=127.0.9.1"], vec![]),
        ("VS1-Name", "Network Name", vec![], vec!["VS1-IP"]),
        ("VS1-MSMQ", "MSMQ", vec![], vec!["VS1-Disk", "VS1-Name"]),
    ] {
        let resource = [
            ("Name", name.into()),
            ("Group", "VS1".into()),
            ("ResourceType", kind.into()),
            ("Parameters", list(&parameters)),
            ("DependsOn", list(&providers)),
            ("RestartThreshold", 1.into()),
            ("RestartDelay", 0.into()),
        ];
        ok(agent, "Add-ClusterResource", &resource).await;
    }
    let started = ok(agent, "Start-ClusterGroup", &[("Name", "VS1".into())]).await;
    assert_eq!(field(&started, "State"), "Online");
}

/// Waits until the group is online on a node.
async fn online_on(agent: &Agent, node: &str) {
    let mut views = agent.views();
    let there = views.wait_for(|view| {
        let owner = view.live_owner("VS1");
        owner.is_some_and(|o| o.node == node)
            && hamq_core::cluster::group::GroupState::published(view, "VS1").number() == 0
    });
    tokio::time::timeout(Duration::from_secs(20), there)
        .await
        .unwrap_or_else(|_| panic!("VS1 did not come online on {node}"))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_survives_its_node_and_goes_back_to_it() {
    let lab = Lab::new();
    let (n1, n2, n3) = (lab.start(1).await, lab.start(2).await, lab.start(3).await);
    virtual_server(&n2).await;
    let log = lab.log();
    let at = |line: &str| log.iter().position(|l| l == line).unwrap();
    assert!(at("online VS1-IP@n1") < at("online VS1-Name@n1"));
    assert!(at("online VS1-Name@n1") < at("online VS1-MSMQ@n1"));
    assert!(at("online VS1-Disk@n1") < at("online VS1-MSMQ@n1"));

    let place = ok(&n3, "Resolve-MsmqComputer", &[("Name", "vs1".into())]).await;
    assert_eq!(field(&place, "Address"), "127.0.9.1:7801");

    n1.crash();
    online_on(&n2, "n2").await;
    let why = ok(&n3, "Get-ClusterWhy", &[("Name", "VS1".into())]).await;
    let events: Vec<_> = why
        .as_array()
        .unwrap()
        .iter()
        .map(|w| field(w, "Event"))
        .collect();
    for event in [
        "detected", "fenced", "claimed", "disk", "address", "name", "ready",
    ] {
        assert!(events.contains(&event), "{event} is not among {events:?}");
    }

    lab.log();
    let again = lab.start(1).await;
    online_on(&n3, "n1").await;
    let log = lab.log();
    let at = |line: &str| log.iter().position(|l| l == line).unwrap();
    assert!(at("offline VS1-MSMQ@n2") < at("offline VS1-Name@n2"));
    assert!(at("offline VS1-Name@n2") < at("offline VS1-IP@n2"));
    assert!(at("offline VS1-IP@n2") < at("online VS1-IP@n1"));

    let moved = [("Name", "VS1".into()), ("Node", "n3".into())];
    let group = ok(&again, "Move-ClusterGroup", &moved).await;
    assert_eq!(
        (field(&group, "OwnerNode"), field(&group, "State")),
        ("n3", "Online")
    );

    n3.stop(false).await.unwrap();
    online_on(&n2, "n1").await;
    again.stop(true).await.unwrap();
    n2.stop(true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_restarted_once_and_then_the_group_moves() {
    let lab = Lab::new();
    let (n1, n2) = (lab.start(1).await, lab.start(2).await);
    virtual_server(&n1).await;
    let fail = [("Name", "VS1-MSMQ".into())];
    ok(&n2, "Test-ClusterResourceFailure", &fail).await;
    ok(&n2, "Start-ClusterResource", &fail).await;
    online_on(&n1, "n1").await;
    let resource = ok(&n1, "Get-ClusterResource", &fail).await;
    let count = resource.as_array().unwrap()[0].as_map().unwrap().iter();
    let count = count
        .clone()
        .find(|(k, _)| k.as_text() == Some("RestartCount"));
    assert_eq!(count.unwrap().1, Value::from(1));

    ok(&n1, "Test-ClusterResourceFailure", &fail).await;
    online_on(&n1, "n2").await;
    let stopped = ok(&n1, "Stop-ClusterGroup", &[("Name", "VS1".into())]).await;
    assert_eq!(field(&stopped, "State"), "Offline");
    let removed = [("Name", "VS1".into()), ("RemoveResources", true.into())];
    ok(&n1, "Remove-ClusterGroup", &removed).await;
    assert!(n2.read().await.unwrap().resources.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_cannot_come_online_says_where_and_why() {
    let lab = Lab::new();
    let n1 = lab.start(1).await;
    lab.script
        .refuse_on
        .lock()
        .unwrap()
        .insert("App@n1".to_owned());
    ok(&n1, "Add-ClusterGroup", &[("Name", "G".into())]).await;
    let app = [
        ("Name", "App".into()),
        ("Group", "G".into()),
        ("ResourceType", "Generic Application".into()),
        ("Parameters", list(&["CommandLine=sleep 1"])),
        ("RestartDelay", 0.into()),
    ];
    ok(&n1, "Add-ClusterResource", &app).await;
    let error = run(&n1, "Start-ClusterResource", &[("Name", "App".into())])
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourceOnlineFailed);
    assert!(
        error.message.contains("App@n1 refuses"),
        "{}",
        error.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_runs_cannot_be_started_twice() {
    let lab = Lab::new();
    let _n1 = lab.start(1).await;
    let error = lab.try_start(1).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::AddressInUse);
    assert!(error.hint.is_some());
}

fn records(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_pause_drain_resume_and_are_told_why() {
    let lab = Lab::new();
    let (n1, n2) = (lab.start(1).await, lab.start(2).await);
    virtual_server(&n1).await;
    let drain = [("Name", "n1".into()), ("Drain", true.into())];
    let node = ok(&n2, "Suspend-ClusterNode", &drain).await;
    assert_eq!(field(&node, "State"), "Paused");
    assert_eq!(field(&node, "StatusInformation"), "paused; drained");
    online_on(&n1, "n2").await;
    let back = [("Name", "VS1".into()), ("Node", "n1".into())];
    let error = run(&n2, "Move-ClusterGroup", &back).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NodePaused);

    // Nothing is brought online on a paused node by request.
    ok(&n2, "Suspend-ClusterNode", &[("Name", "n2".into())]).await;
    ok(&n1, "Stop-ClusterGroup", &[("Name", "VS1".into())]).await;
    for (command, name) in [
        ("Start-ClusterGroup", "VS1"),
        ("Start-ClusterResource", "VS1-IP"),
    ] {
        let error = run(&n1, command, &[("Name", name.into())])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::NodePaused, "{command}");
        assert!(
            error
                .hint
                .is_some_and(|h| h.contains("Resume-ClusterNode n2"))
        );
    }
    let why = ok(&n1, "Get-ClusterWhy", &[("Name", "VS1".into())]).await;
    let told = |event: &str, cause: &str| {
        let mut all = records(&why).iter();
        all.any(|w| field(w, "Event") == event && field(w, "Cause").contains(cause))
    };
    assert!(told("is here", "n1 is drained"), "{why:?}");
    assert!(
        told("not started", "VS1-MSMQ: it is meant to be offline"),
        "{why:?}"
    );

    ok(&n1, "Resume-ClusterNode", &[("Name", "n2".into())]).await;
    ok(&n1, "Start-ClusterGroup", &[("Name", "VS1".into())]).await;
    let resume = [("Name", "n1".into()), ("Failback", "policy".into())];
    ok(&n1, "Resume-ClusterNode", &resume).await;
    online_on(&n1, "n1").await;
    let error = run(&n1, "Resume-ClusterNode", &resume).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NodeNotPaused);

    // A node that is evicted is in no list any more.
    n2.stop(false).await.unwrap();
    ok(&n1, "Remove-Node", &[("Name", "n2".into())]).await;
    let owners = ok(&n1, "Get-ClusterOwnerNode", &[("Group", "VS1".into())]).await;
    let owners = records(&owners)[0].as_map().unwrap();
    let owners = owners
        .iter()
        .find(|(k, _)| k.as_text() == Some("OwnerNodes"));
    assert_eq!(owners.unwrap().1, list(&["n1"]));
    let error = run(&n1, "Remove-Node", &[("Name", "n1".into())])
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidState);
    let replay = [("Name", "VS1".into()), ("Replay", true.into())];
    let replayed = ok(&n1, "Get-ClusterWhy", &replay).await;
    assert!(!records(&replayed).is_empty());
    for again in records(&replayed) {
        assert_eq!(field(again, "Event"), "same plan", "{again:?}");
    }
}

/// A command, the object, and what is set.
type Change<'a> = (&'a str, &'a str, &'a [(&'a str, Value)]);

#[tokio::test(flavor = "multi_thread")]
async fn each_policy_is_set_within_its_range_and_shown() {
    let lab = Lab::new();
    let (n1, _n2) = (lab.start(1).await, lab.start(2).await);
    virtual_server(&n1).await;
    let never = Value::from(4_294_967_295_u64);
    let refused: &[Change<'_>] = &[
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("RestartAction", 3.into())],
        ),
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("PendingTimeout", 9.into())],
        ),
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("DeadlockTimeout", 999.into())],
        ),
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("RetryPeriodOnFailure", 899_999.into())],
        ),
        ("Set-ClusterGroup", "VS1", &[("AutoFailbackType", 2.into())]),
        (
            "Set-ClusterGroup",
            "VS1",
            &[("FailoverPeriod", 1194.into())],
        ),
        ("Set-ClusterGroup", "VS1", &[("Priority", 1.into())]),
        (
            "Set-ClusterGroup",
            "VS1",
            &[("FailbackWindowStart", 22.into())],
        ),
        (
            "Set-ClusterGroup",
            "VS1",
            &[
                ("FailbackWindowStart", 24.into()),
                ("FailbackWindowEnd", 1.into()),
            ],
        ),
        (
            "Set-ClusterGroup",
            "VS1",
            &[
                ("FailbackWindowStart", 5.into()),
                ("FailbackWindowEnd", 5.into()),
            ],
        ),
    ];
    for (command, name, change) in refused {
        let mut arguments = change.to_vec();
        arguments.push(("Name", (*name).into()));
        let error = run(&n1, command, &arguments).await.unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::InvalidParameter,
            "{command} {change:?}"
        );
        assert!(error.hint.is_some(), "{command} {change:?}");
    }
    let accepted: &[Change<'_>] = &[
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("RestartAction", 1.into()), ("PendingTimeout", 10.into())],
        ),
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("DeadlockTimeout", 1000.into())],
        ),
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("RetryPeriodOnFailure", 900_000.into())],
        ),
        (
            "Set-ClusterResource",
            "VS1-IP",
            &[("RetryPeriodOnFailure", never.clone())],
        ),
        (
            "Set-ClusterGroup",
            "VS1",
            &[("FailoverPeriod", 1193.into()), ("Priority", 3000.into())],
        ),
        (
            "Set-ClusterGroup",
            "VS1",
            &[("AntiAffinityClassNames", list(&["queues"]))],
        ),
        ("Set-ClusterGroup", "VS1", &[("DefaultOwner", "N1".into())]),
        (
            "Set-ClusterGroup",
            "VS1",
            &[
                ("FailbackWindowStart", 22.into()),
                ("FailbackWindowEnd", 6.into()),
            ],
        ),
    ];
    for (command, name, change) in accepted {
        let mut arguments = change.to_vec();
        arguments.push(("Name", (*name).into()));
        ok(&n1, command, &arguments).await;
    }
    let group = ok(&n1, "Get-ClusterGroup", &[("Name", "VS1".into())]).await;
    let group = &records(&group)[0];
    assert_eq!(field(group, "FailbackWindow"), "22-6");
    assert_eq!(field(group, "DefaultOwner"), "n1");
    let gone = [("Name", "VS1".into()), ("FailbackWindowStart", never)];
    let group = ok(&n1, "Set-ClusterGroup", &gone).await;
    assert_eq!(field(&group, "FailbackWindow"), "");
    let cluster = ok(&n1, "Set-Cluster", &[("QuarantineThreshold", 0.into())]).await;
    let threshold = cluster.as_map().unwrap().iter();
    let threshold = threshold
        .clone()
        .find(|(k, _)| k.as_text() == Some("QuarantineThreshold"));
    assert_eq!(threshold.unwrap().1, Value::from(0));
}
