//! Every refusal, with what it says to do.

use super::*;
use crate::cluster::record::{NodeConfig, Owner, ResourceStatus, Session, encode, key};
use crate::cluster::view::View;
use crate::database::{Transaction, Write};
use crate::error::{Error, ErrorKind, Result};

/// A cluster of two nodes with the group VS1 and its four resources, without the queue manager's disk.
pub(super) struct Lab(pub(super) View);

impl Lab {
    pub(super) fn new() -> Self {
        let mut lab = Self(View::default());
        for (id, name) in [(1, "n1"), (2, "n2")] {
            let node = NodeConfig {
                name: name.to_owned(),
                id,
                address: String::new(),
                paused: false,
                features: ["MSMQ-Server".to_owned()].into(),
            };
            lab.put(key("node", name), encode(&node));
            let session = Session {
                node: name.to_owned(),
                incarnation: format!("{name}-1"),
                process: Default::default(),
                address: String::new(),
                since_ms: 0,
                lease: None,
            };
            lab.put(key("session", name), encode(&session));
        }
        for group in ["VS1", "VS2"] {
            let new = NewGroup {
                name: group.to_owned(),
                ..NewGroup::default()
            };
            lab.apply(|v| add_group(v, &new));
            lab.own(group, "n1", 1);
        }
        lab.add(
            "VS1-Disk",
            "VS1",
            "Physical Disk",
            &[("DiskPath", "/srv/vs1")],
            &[],
        );
        lab.add(
            "VS1-IP",
            "VS1",
            "IP Address",
            &[("Address", "127.0.9.1")],
            &[],
        );
        lab.add("VS1-Name", "VS1", "Network Name", &[], &["VS1-IP"]);
        lab.add("VS1-MSMQ", "VS1", "MSMQ", &[], &["VS1-Name"]);
        lab
    }

    pub(super) fn put(&mut self, key: String, value: Vec<u8>) {
        let lease = None;
        let transaction = Transaction {
            guards: Vec::new(),
            writes: vec![Write::Put { key, value, lease }],
        };
        self.0.apply(&transaction, self.0.revision + 1);
    }

    pub(super) fn own(&mut self, group: &str, node: &str, epoch: u64) {
        let owner = Owner {
            node: node.to_owned(),
            incarnation: format!("{node}-1"),
            epoch,
            cause: String::new(),
            left: Default::default(),
        };
        self.put(key("owner", group), encode(&owner));
    }

    pub(super) fn state(&mut self, resource: &str, state: u32) {
        let status = ResourceStatus {
            state,
            node: "n1".to_owned(),
            epoch: 1,
            cause: String::new(),
            since_ms: 0,
            endpoint: None,
            network_name: None,
            resting: false,
        };
        self.put(key("state", resource), encode(&status));
    }

    pub(super) fn apply(&mut self, decide: impl Fn(&View) -> Result<Change>) {
        let transaction = decide(&self.0).unwrap().into_transaction();
        self.0.apply(&transaction, self.0.revision + 1);
    }

    pub(super) fn add(
        &mut self,
        name: &str,
        group: &str,
        kind: &str,
        with: &[(&str, &str)],
        on: &[&str],
    ) {
        let new = new(name, group, kind, with, on);
        self.apply(|v| add_resource(v, &new));
    }
}

pub(super) fn new(
    name: &str,
    group: &str,
    kind: &str,
    with: &[(&str, &str)],
    on: &[&str],
) -> NewResource {
    NewResource {
        name: name.to_owned(),
        group: group.to_owned(),
        resource_type: kind.to_owned(),
        parameters: with
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        depends_on: on.iter().map(|p| (*p).to_owned()).collect(),
        ..NewResource::default()
    }
}

pub(super) fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, hint: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    let given = error.hint.clone().unwrap_or_default();
    assert!(given.contains(hint), "{error}: {given:?} lacks {hint:?}");
    error
}

#[test]
fn unknown_objects_are_met_with_the_name_that_was_meant() {
    let Lab(view) = Lab::new();
    refused(
        find_group(&view, "VS3"),
        ErrorKind::GroupNotFound,
        "did you mean VS",
    );
    refused(
        find_resource(&view, "VS1-MSQM"),
        ErrorKind::ResourceNotFound,
        "VS1-MSMQ",
    );
    refused(
        find_node(&view, "elsewhere"),
        ErrorKind::NodeNotFound,
        "Get-ClusterNode",
    );
    let install = install_feature(&view, &["n3".to_owned()], &[]);
    refused(install, ErrorKind::NodeNotFound, "did you mean n");
    let kind = add_resource(&view, &new("x", "VS1", "Phisical Disk", &[], &[]));
    refused(kind, ErrorKind::ResourceTypeNotFound, "'Physical Disk'");
}

#[test]
fn names_addresses_and_disks_are_given_once() {
    let Lab(view) = Lab::new();
    let again = NewGroup {
        name: "vs1".to_owned(),
        ..NewGroup::default()
    };
    refused(
        add_group(&view, &again),
        ErrorKind::ObjectAlreadyExists,
        "Remove-ClusterGroup",
    );
    let twice = add_resource(&view, &new("vs1-ip", "VS2", "IP Address", &[], &[]));
    refused(twice, ErrorKind::ObjectAlreadyExists, "another name");
    let address = [("Address", "127.0.9.1")];
    let used = add_resource(&view, &new("IP2", "VS2", "IP Address", &address, &[]));
    refused(used, ErrorKind::AddressInUse, "choose another");
    let disk = [("DiskPath", "/srv/vs1/")];
    let held = add_resource(&view, &new("D2", "VS2", "Physical Disk", &disk, &[]));
    refused(held, ErrorKind::ObjectAlreadyExists, "choose another");
}

#[test]
fn a_group_holds_one_queue_manager() {
    let Lab(view) = Lab::new();
    let second = add_resource(&view, &new("Q2", "VS1", "msmq", &[], &[]));
    let error = refused(second, ErrorKind::InvalidRequest, "Add-ClusterGroup");
    assert!(error.message.contains("VS1-MSMQ"));
}

#[test]
fn dependencies_stay_in_the_group_and_form_no_circle() {
    let mut lab = Lab::new();
    lab.add("D2", "VS2", "Physical Disk", &[], &[]);
    let view = &lab.0;
    let across = add_dependency(view, "VS1-MSMQ", "D2");
    refused(across, ErrorKind::InvalidParameter, "own group");
    let circle = add_dependency(view, "VS1-IP", "VS1-MSMQ");
    refused(circle, ErrorKind::CircularDependency, "");
    let itself = add_dependency(view, "VS1-IP", "VS1-IP");
    refused(itself, ErrorKind::CircularDependency, "");
    let again = add_dependency(view, "VS1-Name", "vs1-ip");
    refused(again, ErrorKind::DependencyAlreadyExists, "");
    lab.state("VS1-MSMQ", 2);
    let online = add_dependency(&lab.0, "VS1-MSMQ", "VS1-Disk");
    refused(
        online,
        ErrorKind::ResourceOnline,
        "Stop-ClusterResource VS1-MSMQ",
    );
}

#[test]
fn a_missing_dependency_is_refused_with_the_line_to_type() {
    let mut lab = Lab::new();
    let hint = "Add-ClusterResourceDependency VS1-MSMQ VS1-Disk";
    refused(
        start_resource(&lab.0, "VS1-MSMQ"),
        ErrorKind::DependencyNotFound,
        hint,
    );
    refused(
        start_group(&lab.0, "VS1"),
        ErrorKind::DependencyNotFound,
        hint,
    );
    lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
    lab.apply(|v| start_resource(v, "VS1-MSMQ"));
    let meant = lab.0.resources.values().filter(|r| r.persistent_online);
    assert_eq!(meant.count(), 4, "a resource is started with all it needs");
}

#[test]
fn properties_are_known_typed_and_some_never_change() {
    let mut lab = Lab::new();
    let unknown = set_parameter(&lab.0, "VS1-IP", "Adress", "127.0.9.2");
    refused(unknown, ErrorKind::InvalidParameter, "did you mean Address");
    let renamed = set_parameter(&lab.0, "VS1-MSMQ", "Name", "other");
    refused(renamed, ErrorKind::InvalidRequest, "remove it");
    let number = set_parameter(&lab.0, "VS1-MSMQ", "Coherent", "yes");
    refused(number, ErrorKind::InvalidParameter, "");
    set_parameter(&lab.0, "VS1-Disk", "DiskPath", "/srv/other").unwrap();
    lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
    let moved = set_parameter(&lab.0, "VS1-Disk", "DiskPath", "/srv/other");
    refused(
        moved,
        ErrorKind::InvalidRequest,
        "Remove-ClusterResource VS1-MSMQ",
    );
    lab.add("Bare", "VS2", "IP Address", &[], &[]);
    let bare = start_resource(&lab.0, "Bare");
    refused(
        bare,
        ErrorKind::InvalidParameter,
        "Set-ClusterParameter Bare Address",
    );
}

#[test]
fn removing_takes_dependents_along_and_waits_until_they_are_offline() {
    let mut lab = Lab::new();
    lab.state("VS1-MSMQ", 2);
    let online = remove_resource(&lab.0, "VS1-IP");
    refused(online, ErrorKind::ResourceOnline, "Stop-ClusterResource");
    lab.state("VS1-MSMQ", 3);
    lab.apply(|v| remove_resource(v, "VS1-IP"));
    let left: Vec<_> = lab.0.resources.keys().cloned().collect();
    assert_eq!(left, ["vs1-disk"]);
    let full = remove_group(&lab.0, "VS1");
    refused(full, ErrorKind::InvalidRequest, "-RemoveResources");
}

#[test]
fn a_group_of_an_old_name_never_gets_an_old_epoch() {
    let mut lab = Lab::new();
    lab.own("VS2", "n1", 41);
    lab.apply(|v| remove_group(v, "VS2"));
    assert_eq!(lab.0.next_epoch("VS2"), 42);
}

#[test]
fn message_queuing_stays_where_a_queue_manager_may_come_online() {
    let mut lab = Lab::new();
    lab.apply(|v| install_feature(v, &[], &[]));
    let needed = uninstall_feature(&lab.0, "n2");
    refused(needed, ErrorKind::InvalidRequest, "Set-ClusterOwnerNode");
    lab.apply(|v| set_possible_owners(v, "VS1-MSMQ", &["n1".to_owned()]));
    lab.apply(|v| uninstall_feature(v, "n2"));
    assert!(lab.0.nodes["n2"].features.is_empty());
    let unknown = install_feature(&lab.0, &[], &["MSMQ-Trigers".to_owned()]);
    refused(unknown, ErrorKind::InvalidParameter, "MSMQ-Triggers");
}

#[test]
fn moves_go_to_a_node_that_can_take_the_group() {
    let mut lab = Lab::new();
    let (change, target) = move_group(&lab.0, "VS1", None).unwrap();
    assert!(!change.is_empty() && target == "n2");
    assert!(
        move_group(&lab.0, "VS1", Some("n1")).unwrap().0.is_empty(),
        "it is there"
    );
    lab.apply(|v| set_possible_owners(v, "VS1-IP", &["n1".to_owned()]));
    let barred = move_group(&lab.0, "VS1", Some("n2"));
    refused(
        barred,
        ErrorKind::HostNodeNotAvailable,
        "Get-ClusterOwnerNode",
    );
    let nowhere = move_group(&lab.0, "VS1", None);
    refused(nowhere, ErrorKind::HostNodeNotAvailable, "Get-ClusterNode");
    lab.state("VS1-IP", 129);
    lab.apply(|v| set_possible_owners(v, "VS1-IP", &[]));
    let pending = move_group(&lab.0, "VS1", Some("n2"));
    refused(pending, ErrorKind::InvalidState, "wait");
}

#[test]
fn expressions_are_checked_for_group_circle_and_state() {
    let mut lab = Lab::new();
    lab.add("IP2", "VS1", "IP Address", &[("Address", "127.0.9.9")], &[]);
    lab.apply(|v| set_dependency(v, "VS1-Name", "[vs1-ip] or [IP2]"));
    let row = &lab.0.resources["vs1-name"];
    assert_eq!(
        row.depends_on.to_string(),
        "([VS1-IP] or [IP2])",
        "spelled as the resources are"
    );
    let circle = set_dependency(&lab.0, "IP2", "[VS1-Disk] and [VS1-MSMQ]");
    refused(circle, ErrorKind::CircularDependency, "");
    let itself = set_dependency(&lab.0, "IP2", "[IP2]");
    refused(itself, ErrorKind::CircularDependency, "");
    let unknown = set_dependency(&lab.0, "VS1-Name", "[VS1-IQ]");
    refused(unknown, ErrorKind::ResourceNotFound, "VS1-IP");
    let grammar = set_dependency(&lab.0, "VS1-Name", "[VS1-IP] or");
    refused(grammar, ErrorKind::InvalidParameter, "brackets");
    lab.state("VS1-Name", 2);
    let offline = set_dependency(&lab.0, "VS1-Name", "[VS1-IP] and [IP2]");
    refused(offline, ErrorKind::ResourceOnline, "Stop-ClusterResource");
    lab.state("IP2", 2);
    set_dependency(&lab.0, "VS1-Name", "[VS1-IP] or [IP2]").unwrap();
    lab.state("VS1-Name", 129);
    let pending = set_dependency(&lab.0, "VS1-Name", "[IP2]");
    refused(pending, ErrorKind::ResourceOnline, "");
}

#[test]
fn a_dependency_ends_alone_or_with_its_alternative_left() {
    let mut lab = Lab::new();
    lab.add("IP2", "VS1", "IP Address", &[("Address", "127.0.9.9")], &[]);
    lab.apply(|v| set_dependency(v, "VS1-Name", "[VS1-IP] or [IP2]"));
    lab.apply(|v| remove_dependency(v, "VS1-Name", "VS1-IP"));
    assert_eq!(
        lab.0.resources["vs1-name"].depends_on.to_string(),
        "([IP2])"
    );
    lab.apply(|v| set_dependency(v, "VS1-Name", ""));
    assert!(lab.0.resources["vs1-name"].depends_on.is_empty());
    let none = remove_dependency(&lab.0, "VS1-Name", "IP2");
    refused(
        none,
        ErrorKind::DependencyNotFound,
        "Get-ClusterResourceDependency",
    );
}

#[test]
fn each_alternative_must_meet_what_the_type_requires() {
    let mut lab = Lab::new();
    lab.add("IP2", "VS1", "IP Address", &[("Address", "127.0.9.9")], &[]);
    lab.apply(|v| set_dependency(v, "VS1-Name", "[VS1-IP] or [VS1-Disk]"));
    let start = start_resource(&lab.0, "VS1-Name");
    refused(
        start,
        ErrorKind::DependencyNotFound,
        "Add-ClusterResourceDependency",
    );
    lab.apply(|v| set_dependency(v, "VS1-Name", "[VS1-IP] or [IP2]"));
    lab.apply(|v| start_resource(v, "VS1-Name"));
}

#[test]
fn an_alternative_that_lacks_a_property_is_left_alone_when_another_can_start() {
    let mut lab = Lab::new();
    lab.add("Bare", "VS1", "IP Address", &[], &[]);
    lab.apply(|v| set_dependency(v, "VS1-Name", "[Bare] or [VS1-IP]"));
    lab.apply(|v| start_resource(v, "VS1-Name"));
    assert!(lab.0.resources["vs1-ip"].persistent_online);
    assert!(!lab.0.resources["bare"].persistent_online);
    lab.apply(|v| set_dependency(v, "VS1-Name", "[Bare]"));
    let start = start_resource(&lab.0, "VS1-Name");
    refused(
        start,
        ErrorKind::InvalidParameter,
        "Set-ClusterParameter Bare Address",
    );
}

#[test]
fn only_an_online_disk_goes_into_maintenance_and_only_once() {
    let mut lab = Lab::new();
    let name = set_maintenance(&lab.0, "VS1-Name", true);
    refused(name, ErrorKind::InvalidRequest, "only disks");
    let offline = set_maintenance(&lab.0, "VS1-Disk", true);
    refused(offline, ErrorKind::InvalidState, "Start-ClusterResource");
    lab.state("VS1-Disk", 2);
    lab.apply(|v| set_maintenance(v, "VS1-Disk", true));
    assert!(lab.0.resources["vs1-disk"].maintenance);
    refused(
        set_maintenance(&lab.0, "VS1-Disk", true),
        ErrorKind::InvalidState,
        "",
    );
    lab.state("VS1-Disk", 3);
    lab.apply(|v| set_maintenance(v, "VS1-Disk", false));
    refused(
        set_maintenance(&lab.0, "VS1-Disk", false),
        ErrorKind::InvalidState,
        "",
    );
}

#[test]
fn properties_of_each_type_are_checked_when_they_are_set() {
    let mut lab = Lab::new();
    lab.add("Job", "VS2", "Generic Script", &[], &[]);
    lab.add("Svc", "VS2", "Generic Service", &[], &[]);
    lab.add("Probe", "VS2", "OCF:heartbeat:Dummy", &[], &[]);
    assert_eq!(
        lab.0.resources["probe"].resource_type,
        "ocf:heartbeat:Dummy"
    );
    for (resource, name, value, hint) in [
        ("VS1-Disk", "Device", "sdb", "/dev/"),
        ("VS1-Disk", "FileSystem", "ntfs", "ext4, xfs"),
        ("VS1-Disk", "DiskRunChkDsk", "1", "0, 2, 4"),
        ("VS1-Disk", "MountOptions", "noatime,ro", "mount options"),
        ("VS1-Disk", "PersistentReservation", "yes", "0 or 1"),
        ("VS1-Disk", "DiskPath", "/srv/../etc", "without .."),
        ("VS1-Name", "Name", "a_b", "1 to 15"),
        ("VS1-MSMQ", "Coherent", "2", "0 or 1"),
        ("Job", "ScriptFilePath", "job.sh", "from the root"),
        ("Svc", "ServiceName", "a b", "unit"),
        ("Svc", "UseNetworkName", "2", "0 or 1"),
        ("Probe", "a b", "x", "letters"),
    ] {
        let set = set_parameter(&lab.0, resource, name, value);
        refused(set, ErrorKind::InvalidParameter, hint);
    }
    lab.apply(|v| set_parameter(v, "Probe", "state", "/run/x"));
    lab.apply(|v| set_parameter(v, "VS1-Disk", "ForceUnmount", "0"));
    lab.apply(|v| delete_parameter(v, "VS1-Disk", "forceunmount"));
    refused(
        delete_parameter(&lab.0, "VS1-Disk", "ForceUnmount"),
        ErrorKind::InvalidParameter,
        "Get-",
    );
    refused(
        delete_parameter(&lab.0, "VS1-Disk", "DiskPath"),
        ErrorKind::InvalidParameter,
        "Set-",
    );
    let job = start_resource(&lab.0, "Job");
    refused(
        job,
        ErrorKind::InvalidParameter,
        "Set-ClusterParameter Job ScriptFilePath",
    );
}
