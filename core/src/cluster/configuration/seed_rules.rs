//! The rules of "Deploying Message Queuing in a Server Cluster", each a test that is named after the step
//! (or the passage) that states it. [`TABLE`] lists all of them, also those that live elsewhere because they
//! need processes; a test makes sure that each is there.

use super::tests::{Lab, new, refused};
use super::*;
use crate::cluster::resource_type;
use crate::error::ErrorKind;

/// Step or passage, where its test is (from the workspace's root), and the test.
const TABLE: &[(&str, &str, &str)] = &[
    (
        "planning: the cluster comes before Message Queuing",
        "tests/tests/refusals.rs",
        "message_queuing_is_not_installed_before_the_cluster_exists",
    ),
    (
        "planning: the same subcomponents on each node",
        HERE,
        "planning_each_node_has_the_same_subcomponents",
    ),
    (
        "planning: installed before an MSMQ resource is created",
        HERE,
        "planning_message_queuing_is_installed_before_its_resource",
    ),
    (
        "planning: no downlevel client support",
        HERE,
        "planning_downlevel_client_support_cannot_run_on_a_virtual_server",
    ),
    (
        "planning: one MSMQ resource in a group",
        HERE,
        "planning_a_group_holds_one_queue_manager",
    ),
    (
        "planning: one DTC in the cluster",
        HERE,
        "planning_there_is_one_coordinator_in_the_cluster",
    ),
    (
        "planning: the storage folder cannot be modified",
        HERE,
        "planning_the_storage_folder_stays_where_it_was_allocated",
    ),
    (
        "planning: no rename after creation",
        HERE,
        "planning_nothing_of_message_queuing_is_renamed_after_creation",
    ),
    (
        "planning: node service manual, resources return",
        "core/src/cluster/engine/alternatives.rs",
        "after_a_restart_the_clustered_resources_return_by_themselves_and_nothing_else_starts",
    ),
    (
        "planning: MSMQ comes online without DTC",
        HERE,
        "planning_message_queuing_starts_without_a_coordinator",
    ),
    (
        "planning: device not ready, when it is not installed",
        "core/src/resource_types/stories/mod.rs",
        "message_queuing_says_what_is_missing",
    ),
    (
        "planning: that error is in the cluster log",
        "core/src/cluster/engine/alternatives.rs",
        "device_not_ready_is_in_the_log_when_message_queuing_is_missing_on_the_node",
    ),
    (
        "step 4: no routing in workgroup mode",
        HERE,
        "step_04_there_is_no_routing_in_workgroup_mode",
    ),
    (
        "step 12: DTC goes into the first group that fits",
        HERE,
        "step_12_the_coordinator_goes_into_the_first_group_with_address_name_and_disk",
    ),
    (
        "step 14: DTC depends on the disk",
        HERE,
        "step_14_the_coordinator_depends_on_the_disk",
    ),
    (
        "step 18: online brings the disk online",
        HERE,
        "step_18_bringing_online_brings_the_disk_online_too",
    ),
    (
        "step 26: MSMQ depends on name and disk",
        HERE,
        "step_26_message_queuing_depends_on_name_and_disk",
    ),
    (
        "step 45: an application uses the network name",
        "tests/tests/application.rs",
        "an_application_that_uses_the_network_name_sees_the_virtual_server_as_its_host_on_every_node",
    ),
    (
        "step 48: dependents are deleted too, offline first",
        "core/src/cluster/configuration/tests.rs",
        "removing_takes_dependents_along_and_waits_until_they_are_offline",
    ),
    (
        "step 52: a group is deleted when it is empty",
        HERE,
        "step_52_a_group_is_deleted_after_its_resources",
    ),
    (
        "step 53: the resource goes before the installation",
        HERE,
        "step_53_message_queuing_is_uninstalled_after_its_resource_is_deleted",
    ),
    (
        "step 56: deleting queues is confirmed",
        HERE,
        "step_56_uninstalling_and_deleting_ask_first",
    ),
    (
        "step 64: triggers depend on MSMQ and name",
        HERE,
        "step_64_triggers_depend_on_message_queuing_and_name",
    ),
    (
        "planning: the node's own service is started by hand",
        "tests/tests/node_service.rs",
        "a_node_has_queues_of_its_own_and_starts_its_service_by_hand_only",
    ),
    (
        "step 56: uninstalling deletes the node's own queues",
        "tests/tests/node_service.rs",
        "uninstalling_stops_first_and_deletes_the_queues_of_the_node",
    ),
    (
        "addresses: which one is used for messaging",
        "core/src/cluster/messaging_address.rs",
        "managing_addresses_each_rule_chooses_in_its_turn_and_says_so",
    ),
    (
        "addresses: the same on a host with two networks",
        "tests/tests/hosts.rs",
        "as_root_a_node_chooses_its_address_for_messaging_by_the_rules_of_the_guide",
    ),
    (
        "addresses: which one is used for multicast",
        "core/src/cluster/messaging_address.rs",
        "multicast_has_a_setting_of_its_own_and_follows_messaging_without",
    ),
    (
        "troubleshooting: private queues in their own context",
        "tests/tests/seed.rs",
        "private_queues_are_managed_in_the_context_of_their_own_virtual_server",
    ),
    (
        "troubleshooting: three instances, and the way to more",
        HERE,
        "troubleshooting_three_queue_managers_fit_on_a_node_until_its_pool_is_enlarged",
    ),
];
const HERE: &str = "core/src/cluster/configuration/seed_rules.rs";

#[test]
fn each_rule_of_the_table_has_its_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap();
    for (rule, file, test) in TABLE {
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(
            source.contains(&format!("fn {test}(")),
            "{rule}: {file} has no test {test}"
        );
    }
}

const DTC: &str = "Distributed Transaction Coordinator";

fn features(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn planning_each_node_has_the_same_subcomponents() {
    let mut lab = Lab::new();
    let one = install_feature(&lab.0, &features(&["n1"]), &features(&["MSMQ-Triggers"]));
    refused(
        one,
        ErrorKind::InvalidRequest,
        "Install-MsmqFeature -Feature MSMQ-Triggers",
    );
    lab.apply(|v| install_feature(v, &[], &features(&["MSMQ-Triggers"])));
    // Before there is an MSMQ resource nodes are installed one after the other; it is added after the last.
    let mut lab = Lab::new();
    lab.apply(|v| remove_resource(v, "VS1-MSMQ"));
    lab.apply(|v| install_feature(v, &features(&["n1"]), &features(&["MSMQ-Triggers"])));
    let early = add_resource(&lab.0, &new("Q", "VS1", "MSMQ", &[], &["VS1-Name"]));
    refused(early, ErrorKind::InvalidRequest, "same subcomponents");
    lab.apply(|v| install_feature(v, &features(&["n2"]), &features(&["MSMQ-Triggers"])));
    lab.add("Q", "VS1", "MSMQ", &[], &["VS1-Name"]);
}

#[test]
fn planning_message_queuing_is_installed_before_its_resource() {
    let mut lab = Lab::new();
    lab.apply(|v| remove_resource(v, "VS1-MSMQ"));
    for node in ["n1", "n2"] {
        lab.apply(|v| uninstall_feature(v, node));
    }
    let early = add_resource(&lab.0, &new("Q", "VS1", "MSMQ", &[], &[]));
    refused(early, ErrorKind::InvalidRequest, "Install-MsmqFeature");
    // One node is enough: on the others it fails with "device not ready".
    lab.apply(|v| install_feature(v, &features(&["n1"]), &[]));
    lab.add("Q", "VS1", "MSMQ", &[], &[]);
}

#[test]
fn planning_downlevel_client_support_cannot_run_on_a_virtual_server() {
    let Lab(view) = Lab::new();
    let downlevel = install_feature(&view, &[], &features(&["msmq-downlevelclientsupport"]));
    let error = refused(downlevel, ErrorKind::InvalidRequest, "outside the cluster");
    assert!(
        error.message.contains("virtual server cannot run it"),
        "{error}"
    );
}

#[test]
fn planning_a_group_holds_one_queue_manager() {
    let mut lab = Lab::new();
    let second = add_resource(&lab.0, &new("Q2", "VS1", "Message Queuing", &[], &[]));
    refused(second, ErrorKind::InvalidRequest, "Add-ClusterGroup");
    lab.add("Q2", "VS2", "MSMQ", &[], &[]);
}

#[test]
fn planning_there_is_one_coordinator_in_the_cluster() {
    let mut lab = Lab::new();
    lab.add("DTC", "VS1", DTC, &[], &["VS1-Disk"]);
    let error = refused(
        add_resource(&lab.0, &new("DTC2", "VS2", "DTC", &[], &[])),
        ErrorKind::InvalidRequest,
        "serves all groups",
    );
    assert!(error.message.contains("DTC in group VS1"), "{error}");
}

#[test]
fn planning_the_storage_folder_stays_where_it_was_allocated() {
    let mut lab = Lab::new();
    set_parameter(&lab.0, "VS1-Disk", "DiskPath", "/srv/other").unwrap();
    lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
    for (property, value) in [("DiskPath", "/srv/other"), ("Device", "/dev/sdb1")] {
        let moved = set_parameter(&lab.0, "VS1-Disk", property, value);
        refused(
            moved,
            ErrorKind::InvalidRequest,
            "Remove-ClusterResource VS1-MSMQ",
        );
    }
    assert!(
        resource_type::find("MSMQ")
            .unwrap()
            .parameter("StoragePath")
            .is_none(),
        "the folder is msmq/storage on the disk, and no property"
    );
}

#[test]
fn planning_nothing_of_message_queuing_is_renamed_after_creation() {
    let mut lab = Lab::new();
    lab.apply(|v| set_parameter(v, "VS1-Name", "Name", "VS1"));
    lab.apply(|v| install_feature(v, &[], &features(&["MSMQ-Triggers"])));
    lab.add("T", "VS1", "MSMQ Triggers", &[], &["VS1-MSMQ"]);
    for resource in ["VS1-MSMQ", "T"] {
        let renamed = set_parameter(&lab.0, resource, "Name", "other");
        refused(renamed, ErrorKind::InvalidRequest, "under the new name");
    }
    let renamed = set_parameter(&lab.0, "VS1-Name", "Name", "VS9");
    refused(
        renamed,
        ErrorKind::InvalidRequest,
        "Remove-ClusterResource VS1-MSMQ",
    );
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let commands = std::fs::read_to_string(root.join("src/api/mod.rs")).unwrap();
    assert!(!commands.contains("Rename"), "a command that renames");
}

#[test]
fn planning_message_queuing_starts_without_a_coordinator() {
    let mut lab = Lab::new();
    lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
    assert!(lab.0.resources.values().all(|r| r.resource_type != DTC));
    lab.apply(|v| start_resource(v, "VS1-MSMQ"));
    // One that is there and offline is no obstacle, and is not started by the way.
    lab.add("DTC", "VS1", DTC, &[], &["VS1-Disk"]);
    lab.apply(|v| start_resource(v, "VS1-MSMQ"));
    assert!(!lab.0.resources["dtc"].persistent_online);
}

#[test]
fn step_04_there_is_no_routing_in_workgroup_mode() {
    let mut lab = Lab::new();
    let workgroup = install_feature(&lab.0, &[], &features(&["MSMQ-Routing"]));
    let error = refused(workgroup, ErrorKind::InvalidRequest, "MSMQ-ADIntegration");
    assert!(error.message.contains("workgroup mode"), "{error}");
    lab.apply(|v| install_feature(v, &[], &features(&["MSMQ-Routing", "MSMQ-ADIntegration"])));
}

#[test]
fn step_12_the_coordinator_goes_into_the_first_group_with_address_name_and_disk() {
    let mut lab = Lab::new();
    let without = add_resource(&lab.0, &new("DTC", "VS2", DTC, &[], &[]));
    let error = refused(
        without,
        ErrorKind::DependencyNotFound,
        "Add-ClusterResource NAME VS2",
    );
    assert!(
        error.message.contains("group VS2 has no IP Address"),
        "{error}"
    );
    lab.add("DTC", "", DTC, &[], &[]);
    assert_eq!(lab.0.resources["dtc"].group, "VS1");
    let nowhere = add_resource(&lab.0, &new("X", "", "Generic Script", &[], &[]));
    refused(nowhere, ErrorKind::GroupNotFound, "-Group");
}

#[test]
fn step_14_the_coordinator_depends_on_the_disk() {
    let mut lab = Lab::new();
    lab.add("DTC", "", DTC, &[], &[]);
    let start = start_resource(&lab.0, "DTC");
    refused(
        start,
        ErrorKind::DependencyNotFound,
        "Add-ClusterResourceDependency DTC VS1-Disk",
    );
}

#[test]
fn step_18_bringing_online_brings_the_disk_online_too() {
    let mut lab = Lab::new();
    lab.add("DTC", "", DTC, &[], &["VS1-Disk"]);
    lab.apply(|v| start_resource(v, "DTC"));
    assert!(lab.0.resources["vs1-disk"].persistent_online);
    assert!(!lab.0.resources["vs1-name"].persistent_online);
}

#[test]
fn step_26_message_queuing_depends_on_name_and_disk() {
    let mut lab = Lab::new();
    let start = start_resource(&lab.0, "VS1-MSMQ");
    refused(
        start,
        ErrorKind::DependencyNotFound,
        "Add-ClusterResourceDependency VS1-MSMQ VS1-Disk",
    );
    lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
    lab.apply(|v| remove_dependency(v, "VS1-MSMQ", "VS1-Name"));
    let start = start_resource(&lab.0, "VS1-MSMQ");
    refused(
        start,
        ErrorKind::DependencyNotFound,
        "Add-ClusterResourceDependency VS1-MSMQ VS1-Name",
    );
}

#[test]
fn step_52_a_group_is_deleted_after_its_resources() {
    let mut lab = Lab::new();
    refused(
        remove_group(&lab.0, "VS1"),
        ErrorKind::InvalidRequest,
        "-RemoveResources",
    );
    lab.apply(|v| remove_resource(v, "VS1-IP"));
    lab.apply(|v| remove_resource(v, "VS1-Disk"));
    lab.apply(|v| remove_group(v, "VS1"));
    assert!(!lab.0.groups.contains_key("vs1"));
}

#[test]
fn step_53_message_queuing_is_uninstalled_after_its_resource_is_deleted() {
    let mut lab = Lab::new();
    let early = uninstall_feature(&lab.0, "n1");
    refused(
        early,
        ErrorKind::InvalidRequest,
        "Remove-ClusterResource VS1-MSMQ",
    );
    lab.apply(|v| remove_resource(v, "VS1-MSMQ"));
    lab.apply(|v| uninstall_feature(v, "n1"));
}

/// The shell asks before each command of high risk; `-Force` answers for scripts.
#[test]
fn step_56_uninstalling_and_deleting_ask_first() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    for (file, command) in [
        ("feature.rs", "Uninstall-MsmqFeature"),
        ("resource.rs", "Remove-ClusterResource"),
        ("group.rs", "Remove-ClusterGroup"),
        ("queue.rs", "Remove-MsmqQueue"),
    ] {
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        let declared = source.split(&format!("= \"{command}\"")).nth(1).unwrap();
        let line = declared.lines().next().unwrap();
        assert!(line.contains("risk High"), "{command}: {line}");
    }
}

#[test]
fn step_64_triggers_depend_on_message_queuing_and_name() {
    let mut lab = Lab::new();
    lab.apply(|v| install_feature(v, &[], &features(&["MSMQ-Triggers"])));
    lab.add("T", "VS1", "Message Queuing Triggers", &[], &[]);
    let start = start_resource(&lab.0, "T");
    refused(
        start,
        ErrorKind::DependencyNotFound,
        "Add-ClusterResourceDependency T VS1-MSMQ",
    );
    lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
    lab.apply(|v| add_dependency(v, "T", "VS1-MSMQ"));
    lab.apply(|v| start_resource(v, "T"));
    let second = add_resource(&lab.0, &new("T2", "VS1", "MSMQTriggers", &[], &[]));
    refused(second, ErrorKind::InvalidRequest, "at most one");
}

#[test]
fn troubleshooting_three_queue_managers_fit_on_a_node_until_its_pool_is_enlarged() {
    let mut lab = Lab::new();
    let each = resource_type::find("MSMQ").unwrap().message_memory_mb;
    assert_eq!((each, memory_pool_mb(&lab.0, "n1") / each), (4, 3));
    lab.apply(|v| set_memory_pool(v, "N1", 32));
    assert_eq!(
        (memory_pool_mb(&lab.0, "n1"), memory_pool_mb(&lab.0, "n2")),
        (32, MEMORY_POOL_DEFAULT_MB)
    );
    refused(
        set_memory_pool(&lab.0, "n1", 3),
        ErrorKind::InvalidParameter,
        "4 MB for each",
    );
    refused(
        set_memory_pool(&lab.0, "n9", 8),
        ErrorKind::NodeNotFound,
        "n",
    );
}
