//! The one surface: everything a person or a program can ask for.
//!
//! ```text
//!  shell ─┐                                             ┌─ node agent ──── cluster
//!  rhai  ─┼─ COMMANDS ─ Client ─ transport ─ wire ─ server
//!  Python ┘   (spec)                                    └─ queue manager ─ queue, log
//! ```
//!
//! A command is an argument struct, an output record and a spec, written once in the file of its
//! noun. [`COMMANDS`] is the only list of them.

pub mod access;
pub mod agent_host;
pub mod agents;
pub mod arguments;
pub mod client;
pub mod cursor;
pub mod host;
mod local_cluster;
mod queue_commands;
pub mod reference;
pub mod registry;
pub mod role;
pub mod server;
pub mod session;
pub mod spec;
pub mod value;
pub mod wire;

pub mod backup;
pub mod checkpoint;
pub mod cluster;
pub mod clustered_role;
pub mod dependency;
pub mod diagnostic;
pub mod drill;
pub mod explain;
pub mod feature;
pub mod group;
mod log_subject;
pub mod message;
pub mod message_object;
pub mod message_service;
pub mod metrics;
pub mod network;
pub mod node;
pub mod parameter;
pub mod policy;
mod protection;
pub mod queue;
pub mod queue_access;
pub mod queue_manager;
pub mod resource;
pub mod store;
pub mod transaction;
pub mod trust;
pub mod validation;
pub mod what_if;

pub use queue_commands::{Asks, MANAGEMENT, manage};
use spec::{Command, CommandSpec};

/// Every command there is, by noun.
pub const COMMANDS: &[&CommandSpec] = &[
    cluster::NewCluster::SPEC,
    cluster::GetCluster::SPEC,
    cluster::StartCluster::SPEC,
    cluster::StopCluster::SPEC,
    cluster::GetClusterQuorum::SPEC,
    cluster::SetClusterQuorum::SPEC,
    cluster::RemoveCluster::SPEC,
    cluster::UpdateClusterFunctionalLevel::SPEC,
    backup::BackupCluster::SPEC,
    backup::RestoreCluster::SPEC,
    policy::SetCluster::SPEC,
    node::AddClusterNode::SPEC,
    node::GetClusterNode::SPEC,
    node::StartClusterNode::SPEC,
    node::StopClusterNode::SPEC,
    node::RestartClusterNode::SPEC,
    node::SuspendClusterNode::SPEC,
    node::ResumeClusterNode::SPEC,
    node::RemoveClusterNode::SPEC,
    node::ClearClusterNode::SPEC,
    group::AddClusterGroup::SPEC,
    group::GetClusterGroup::SPEC,
    group::RemoveClusterGroup::SPEC,
    group::StartClusterGroup::SPEC,
    group::StopClusterGroup::SPEC,
    group::MoveClusterGroup::SPEC,
    policy::SetClusterGroup::SPEC,
    resource::AddClusterResource::SPEC,
    resource::GetClusterResource::SPEC,
    resource::RemoveClusterResource::SPEC,
    resource::MoveClusterResource::SPEC,
    clustered_role::AddClusterGenericApplicationRole::SPEC,
    clustered_role::AddClusterGenericServiceRole::SPEC,
    clustered_role::AddClusterGenericScriptRole::SPEC,
    resource::StartClusterResource::SPEC,
    resource::StopClusterResource::SPEC,
    resource::TestClusterResourceFailure::SPEC,
    resource::SuspendClusterResource::SPEC,
    resource::ResumeClusterResource::SPEC,
    resource::GetClusterResourceType::SPEC,
    policy::SetClusterResource::SPEC,
    dependency::AddClusterResourceDependency::SPEC,
    dependency::RemoveClusterResourceDependency::SPEC,
    dependency::SetClusterResourceDependency::SPEC,
    dependency::GetClusterResourceDependency::SPEC,
    dependency::GetClusterResourceDependencyReport::SPEC,
    checkpoint::AddClusterCheckpoint::SPEC,
    checkpoint::GetClusterCheckpoint::SPEC,
    checkpoint::RemoveClusterCheckpoint::SPEC,
    checkpoint::GetClusterNodeSetting::SPEC,
    checkpoint::SetClusterNodeSetting::SPEC,
    parameter::GetClusterParameter::SPEC,
    parameter::SetClusterParameter::SPEC,
    parameter::GetClusterOwnerNode::SPEC,
    parameter::SetClusterOwnerNode::SPEC,
    feature::InstallMsmqFeature::SPEC,
    feature::UninstallMsmqFeature::SPEC,
    feature::GetMsmqFeature::SPEC,
    message_service::GetMsmqService::SPEC,
    message_service::StartMsmqService::SPEC,
    message_service::StopMsmqService::SPEC,
    message_service::RestartMsmqService::SPEC,
    feature::GetMsmqMemoryPool::SPEC,
    feature::SetMsmqMemoryPool::SPEC,
    network::GetClusterNetwork::SPEC,
    network::GetClusterNetworkInterface::SPEC,
    network::SetClusterNetwork::SPEC,
    trust::NewClusterJoinToken::SPEC,
    trust::NewClusterClientCertificate::SPEC,
    access::GetClusterAccess::SPEC,
    access::GrantClusterAccess::SPEC,
    access::BlockClusterAccess::SPEC,
    access::RemoveClusterAccess::SPEC,
    explain::GetClusterLog::SPEC,
    explain::SetClusterLog::SPEC,
    explain::GetClusterWhy::SPEC,
    diagnostic::GetClusterDiagnosticInfo::SPEC,
    validation::TestCluster::SPEC,
    queue::NewMsmqQueue::SPEC,
    queue::GetMsmqQueue::SPEC,
    queue::SetMsmqQueue::SPEC,
    queue::RemoveMsmqQueue::SPEC,
    queue::ClearMsmqQueue::SPEC,
    queue::GetMsmqOutgoingQueue::SPEC,
    queue_access::GetMsmqQueueACL::SPEC,
    queue_access::SetMsmqQueueACL::SPEC,
    queue_access::GetMsmqQueueManagerACL::SPEC,
    queue_access::SetMsmqQueueManagerACL::SPEC,
    queue_manager::GetMsmqQueueManager::SPEC,
    queue_manager::SetMsmqQueueManager::SPEC,
    queue_manager::GetMsmqCounter::SPEC,
    queue_manager::GetMsmqPreparedTransaction::SPEC,
    queue_manager::ResolveMsmqPreparedTransaction::SPEC,
    message_object::NewMsmqMessage::SPEC,
    message::SendMsmqQueue::SPEC,
    message::ReceiveMsmqQueue::SPEC,
    message::GetMsmqMessage::SPEC,
    message::TraceMsmqMessage::SPEC,
    message::MoveMsmqMessage::SPEC,
    message::CompleteMsmqMessage::SPEC,
    message::UndoMsmqMessage::SPEC,
    message::DenyMsmqMessage::SPEC,
    message::UpdateMsmqMessage::SPEC,
    store::TestMsmqStore::SPEC,
    store::RepairMsmqStore::SPEC,
    transaction::StartTransaction::SPEC,
    transaction::GetTransaction::SPEC,
    transaction::CompleteTransaction::SPEC,
    transaction::UndoTransaction::SPEC,
    drill::StartDrillWorkload::SPEC,
    drill::GetDrillWorkload::SPEC,
    drill::StopDrillWorkload::SPEC,
    drill::InvokeFault::SPEC,
    drill::MeasureDrillFault::SPEC,
    drill::GetDrillPlan::SPEC,
    drill::StartDrill::SPEC,
    drill::ExportDrillReport::SPEC,
    drill::CompareDrill::SPEC,
    drill::AssertNoLoss::SPEC,
    drill::AssertNoDuplicate::SPEC,
    drill::AssertInOrder::SPEC,
    drill::WaitClusterGroup::SPEC,
];

/// The command that is spelled `name`, ignoring case; aliases count.
#[must_use]
pub fn find(name: &str) -> Option<&'static CommandSpec> {
    COMMANDS.iter().copied().find(|spec| {
        spec.name.eq_ignore_ascii_case(name)
            || spec
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    })
}
