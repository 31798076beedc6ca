//! Resources come online, fail, are fenced and go, with a stand-in for the queue manager.

// A test that cannot run here says so.
#![expect(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::sys::process::ProcessIdentity;

mod agents;
mod devices;
mod programs;

/// Bound of a wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

struct Node {
    folder: tempfile::TempDir,
    log: Arc<Mutex<Vec<String>>>,
}

impl Node {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            log: Arc::default(),
        }
    }

    fn context(&self, resource: &str, parameters: &[(&str, &str)]) -> Context {
        let log = Arc::clone(&self.log);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Context {
            cluster: "lab".to_owned(),
            node: "n1".to_owned(),
            data: self.folder.path().to_owned(),
            resource: resource.to_owned(),
            group: "VS1".to_owned(),
            epoch: 5,
            parameters: parameters.iter().map(owned).collect::<BTreeMap<_, _>>(),
            provided: Provided::default(),
            program: Vec::new(),
            features: vec!["MSMQ-Server".to_owned()],
            fencing: Fencing::Kill,
            log: LogSink(Arc::new(move |level, text| {
                log.lock().unwrap().push(format!("{level} {text}"));
            })),
        }
    }

    fn disk(&self) -> (PathBuf, Context) {
        let path = self.folder.path().join("disk1");
        let context = self.context("Disk 1", &[("DiskPath", path.to_str().unwrap())]);
        (path, context)
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// An MSMQ resource's context whose queue manager is this shell script.
    fn queue_manager(&self, script: &str) -> Context {
        let mut context = self.context("MSMQ", &[]);
        context.program = ["sh", "-c", script, "stand-in"].map(PathBuf::from).to_vec();
        context.provided = Provided {
            disk: Some(self.folder.path().to_owned()),
            address: Some("127.0.1.9".parse().unwrap()),
            network_name: Some("VS1".to_owned()),
            queue_manager: None,
        };
        context
    }
}

fn own_address(last: u8) -> String {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{low}.{last}", 64 | (high & 63))
}

fn hold_of(folder: &Path, epoch: u64, resource: &str, holder: Option<ProcessIdentity>) {
    let hold = Hold {
        format: 1,
        cluster: "lab".to_owned(),
        group: "VS1".to_owned(),
        resource: resource.to_owned(),
        epoch,
        node: "n2".to_owned(),
        holder,
    };
    hold.write(folder).unwrap();
}

fn sleeper() -> (std::process::Child, ProcessIdentity) {
    let child = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    let identity = ProcessIdentity::of(child.id()).unwrap();
    (child, identity)
}

async fn within<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event)
        .await
        .expect("the event did not come")
}

const READY: &str = r#"echo '{"ready":{"address":"127.0.1.9:7801","report":{"epoch":5,"steps":[["replayed",1.5]]}}}'"#;

#[tokio::test]
async fn a_disk_is_held_and_released_and_its_epoch_stays() {
    let node = Node::new();
    let (path, context) = node.disk();
    let mut disk = PhysicalDisk::default();
    let report = disk.online(&context).await.unwrap();
    assert_eq!(report.provides.disk.as_deref(), Some(&*path));
    disk.is_alive().await.unwrap();
    let hold = Hold::read(&path).unwrap().unwrap();
    assert_eq!(
        (hold.epoch, hold.holder.unwrap().pid),
        (5, std::process::id())
    );
    disk.offline().await.unwrap();
    let hold = Hold::read(&path).unwrap().unwrap();
    assert_eq!((hold.epoch, hold.holder), (5, None));
    disk.looks_alive().await.unwrap_err();
}

#[tokio::test]
async fn a_disk_with_a_newer_epoch_is_refused_and_one_taken_over_is_seen() {
    let node = Node::new();
    let (path, context) = node.disk();
    std::fs::create_dir(&path).unwrap();
    hold_of(&path, 6, "Disk 1", None);
    let mut disk = PhysicalDisk::default();
    assert_eq!(
        disk.online(&context).await.unwrap_err().kind,
        ErrorKind::Fenced
    );

    hold_of(&path, 4, "Disk 1", None);
    disk.online(&context).await.unwrap();
    hold_of(&path, 6, "Disk 1", None);
    assert_eq!(
        disk.looks_alive().await.unwrap_err().kind,
        ErrorKind::Fenced
    );
    disk.offline().await.unwrap();
    let now = Hold::read(&path).unwrap().unwrap();
    assert_eq!(
        (now.epoch, now.node.as_str()),
        (6, "n2"),
        "the newer hold was overwritten"
    );
}

#[tokio::test]
async fn a_disk_of_another_resource_is_held_elsewhere_until_its_holder_ends() {
    let node = Node::new();
    let (path, context) = node.disk();
    std::fs::create_dir(&path).unwrap();
    let (mut child, holder) = sleeper();
    hold_of(&path, 1, "Disk 9", Some(holder.clone()));
    let mut disk = PhysicalDisk::default();
    let error = disk.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourceNotAvailable);
    assert!(
        error.message.contains("Disk 9") && error.message.contains("n2"),
        "{error}"
    );
    assert!(holder.is_alive(), "another's holder was ended");
    child.kill().unwrap();
    child.wait().unwrap();
    disk.online(&context).await.unwrap();
}

#[tokio::test]
async fn a_former_owner_that_hangs_is_ended_or_left_to_the_epoch() {
    let node = Node::new();
    let (path, mut context) = node.disk();
    std::fs::create_dir(&path).unwrap();
    let (mut child, holder) = sleeper();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();

    context.fencing = Fencing::Storage;
    hold_of(&path, 4, "Disk 1", Some(holder.clone()));
    PhysicalDisk::default().online(&context).await.unwrap();
    assert!(holder.is_alive());

    context.fencing = Fencing::Kill;
    hold_of(&path, 4, "Disk 1", Some(holder.clone()));
    PhysicalDisk::default().online(&context).await.unwrap();
    assert!(!holder.is_alive());
    assert!(
        node.log().contains("was ended by SIGKILL"),
        "{}",
        node.log()
    );
    child.wait().unwrap();
}

#[tokio::test]
async fn a_relative_path_and_a_missing_parent_are_refused() {
    let node = Node::new();
    let context = node.context("Disk 1", &[("DiskPath", "srv/disk")]);
    let error = PhysicalDisk::default().online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidParameter);
    let context = node.context("Disk 1", &[]);
    let error = PhysicalDisk::default().online(&context).await.unwrap_err();
    assert!(error.hint.unwrap().contains("Set-ClusterParameter"));
    let path = node.folder.path().join("no/disk");
    let context = node.context("Disk 1", &[("DiskPath", path.to_str().unwrap())]);
    PhysicalDisk::default().online(&context).await.unwrap_err();
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn an_address_is_held_once_and_free_after_offline() {
    let node = Node::new();
    let address = own_address(21);
    let context = node.context("IP", &[("Address", &address)]);
    let (mut first, mut second) = (IpAddress::default(), IpAddress::default());
    let report = first.online(&context).await.unwrap();
    assert_eq!(report.provides.address, Some(address.parse().unwrap()));
    first.is_alive().await.unwrap();
    let error = second.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AddressInUse);
    assert!(
        error
            .message
            .contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    first.offline().await.unwrap();
    second.online(&context).await.unwrap();
    second.terminate().await;
    second.looks_alive().await.unwrap_err();
}

#[tokio::test]
async fn an_address_that_is_none_of_one_machine_is_refused() {
    let node = Node::new();
    for (text, part) in [
        ("home", "cannot be \"home\""),
        ("224.0.0.1", "cannot be \"224.0.0.1\""),
        ("0.0.0.0", "cannot be \"0.0.0.0\""),
    ] {
        let context = node.context("IP", &[("address", text)]);
        let error = IpAddress::default().online(&context).await.unwrap_err();
        assert!(error.message.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_network_name_needs_an_address_and_defaults_to_the_group_s_name() {
    let node = Node::new();
    let mut context = node.context("Name", &[]);
    let error = NetworkName.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DependencyNotFound);
    context.provided.address = Some("127.0.1.9".parse().unwrap());
    let report = NetworkName.online(&context).await.unwrap();
    assert_eq!(report.provides.network_name.as_deref(), Some("VS1"));
    assert_eq!(report.provides.address, context.provided.address);
}

#[tokio::test]
async fn message_queuing_says_what_is_missing() {
    let node = Node::new();
    let mut context = node.queue_manager("exit 0");
    context.features.clear();
    let error = MessageQueuing::default()
        .online(&context)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeviceNotReady);
    assert_eq!(
        error.message,
        "device not ready: Message Queuing is not installed on node n1"
    );
    assert_eq!(error.hint.unwrap(), "Install-MsmqFeature n1");
    let mut context = node.queue_manager("exit 0");
    context.provided.disk = None;
    let error = MessageQueuing::default()
        .online(&context)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::DependencyNotFound);
}

#[tokio::test]
async fn a_queue_manager_is_started_with_all_it_needs_and_stops_when_told() {
    let node = Node::new();
    let seen = node.folder.path().join("seen");
    let script = format!(
        "echo \"$@\" > {0}; {READY}; while read l; do echo $l >> {0}; \
        [ $l = stop ] && exit 0; done",
        seen.display()
    );
    let mut context = node.queue_manager(&script);
    context
        .parameters
        .insert("Coherent".to_owned(), "0".to_owned());
    let mut resource = MessageQueuing::default();
    resource.lease_renewed(Duration::from_millis(1111));
    let report = resource.online(&context).await.unwrap();
    assert_eq!(
        report.provides.queue_manager,
        Some("127.0.1.9:7801".parse().unwrap())
    );
    let steps: Vec<_> = report.steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(steps, ["spawned", "replayed", "listening"]);
    resource.looks_alive().await.unwrap();
    resource.lease_renewed(Duration::from_millis(2222));
    resource.offline().await.unwrap();
    let store = node.folder.path().join("msmq/storage");
    assert!(store.is_dir());
    let expected = format!(
        "queue-manager --supervised --name VS1 --store {} --listen \
        127.0.1.9:7801 --epoch 5 --owner n1 --deadline 1111\nlease 2222\nstop\n",
        store.display()
    );
    assert_eq!(std::fs::read_to_string(seen).unwrap(), expected);
}

#[tokio::test]
async fn a_queue_manager_that_fails_says_why_in_its_own_words() {
    let node = Node::new();
    let fenced =
        r#"echo '{"failed":{"kind":"Fenced","message":"newer epoch 9","hint":null}}'; exit 3"#;
    let mut resource = MessageQueuing::default();
    let error = resource
        .online(&node.queue_manager(fenced))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Fenced, "newer epoch 9")
    );
    let context = node.queue_manager("echo no space >&2; exit 4");
    let error = resource.online(&context).await.unwrap_err();
    assert!(error.message.contains("exit code 4"), "{error}");

    let context = node.queue_manager(&format!("{READY}; read l; {fenced}"));
    resource.online(&context).await.unwrap();
    let failed = resource.failed();
    resource.lease_renewed(Duration::ZERO);
    assert_eq!(within(failed).await, "newer epoch 9 (Fenced)");
    resource.looks_alive().await.unwrap_err();
    resource.terminate().await;
}

#[tokio::test]
async fn a_queue_manager_that_is_killed_or_silent_has_failed() {
    let node = Node::new();
    let mut resource = MessageQueuing::default();
    let context = node.queue_manager(&format!("{READY}; kill -9 $$"));
    resource.online(&context).await.unwrap();
    let why = within(resource.failed()).await;
    assert!(why.contains("SIGKILL"), "{why}");

    let context = node.queue_manager(&format!("{READY}; kill -STOP $$"));
    let mut resource = MessageQueuing::default();
    resource.online(&context).await.unwrap();
    let why = within(resource.failed()).await;
    assert!(why.contains("hangs"), "{why}");
    resource.looks_alive().await.unwrap_err();
    within(resource.terminate()).await;
}

#[tokio::test]
async fn terminating_a_start_that_was_given_up_leaves_nothing() {
    let node = Node::new();
    let file = node.folder.path().join("pid");
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; read l", file.display());
    let context = node.queue_manager(&script);
    let mut resource = MessageQueuing::default();
    let pid_written = async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        result = resource.online(&context) => panic!("{result:?}"),
        () = within(pid_written) => {}
    }
    let pid = std::fs::read_to_string(&file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let identity = ProcessIdentity::of(pid).unwrap();
    resource.terminate().await;
    // Given up in the very moment of its start, it is killed by nobody waiting for it: it may be on its way.
    assert!(identity.ends_within(Duration::from_secs(5)));
}
