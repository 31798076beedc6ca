//! Commands on message stores that nobody serves, as `hamq store` has them.

use std::path::Path;

use super::role::{check_store, salvage_store};
use super::spec::{command, record};
use super::what_if::StepInfo;
use crate::error::Result;

record! {
    /// What is in a message store.
    StoreInfo as "MsmqStore", columns ["Path", "Sound", "Queues", "MessageCount", "Faults"], {
        /// The folder.
        path "Path": String,
        /// Whether nothing is wrong.
        sound "Sound": bool,
        /// Its GUID.
        id "Id": String,
        /// Queues in it, journals and dead letters among them.
        queues "Queues": u64,
        /// Messages in them, express ones aside.
        message_count "MessageCount": u64,
        /// Bytes of their bodies.
        bytes "Bytes": u64,
        /// Prepared transactions that wait for their coordinator.
        prepared "Prepared": u64,
        /// What is wrong, a line each.
        faults "Faults": Vec<String>,
        /// What is unusual and loses nothing.
        remarks "Remarks": Vec<String>,
    }
}

record! {
    /// What was saved of a message store.
    RepairedStoreInfo as "MsmqRepairedStore", columns ["Destination", "Queues", "MessageCount", "Lost"], {
        /// The new store.
        destination "Destination": String,
        /// Users' queues in it.
        queues "Queues": u64,
        /// Messages in it.
        message_count "MessageCount": u64,
        /// Bytes of their bodies.
        bytes "Bytes": u64,
        /// What was lost or is wrong, a line each.
        lost "Lost": Vec<String>,
    }
}

command! {
    /// Reads a message store that nobody serves, and says whether it is sound and what is in it.
    ///
    /// Only on the machine that has the disk; nothing is written, nothing taken over.
    TestMsmqStore = "Test-MsmqStore" => StoreInfo, at Client, risk None, aliases [],
    {
        /// The store's folder: `msmq/storage` on the disk of a virtual server.
        path "Path": String, position 0, completes File;
    }
    examples { "Test-MsmqStore store" => "Whether it is sound." }
}

command! {
    /// Writes a new store with everything that is intact in a damaged one, which is only read.
    RepairMsmqStore = "Repair-MsmqStore" => RepairedStoreInfo, at Client, risk Low, aliases [],
    {
        /// The damaged store's folder.
        path "Path": String, position 0, completes File;
        /// An empty or new folder elsewhere.
        destination "Destination": String, position 1, completes File;
    }
    examples { "Repair-MsmqStore store saved" => "What is intact in store comes into saved." }
}

pub(super) fn test(command: &TestMsmqStore) -> Result<StoreInfo> {
    let report = check_store(Path::new(&command.path))?;
    Ok(StoreInfo {
        path: command.path.clone(),
        sound: report.is_sound(),
        id: report.id.to_string(),
        queues: report.queues.len() as u64,
        message_count: report.queues.iter().map(|queue| queue.messages).sum(),
        bytes: report.queues.iter().map(|queue| queue.bytes).sum(),
        prepared: report.prepared,
        faults: report.faults,
        remarks: report.remarks,
    })
}

pub(super) fn repair(command: &RepairMsmqStore) -> Result<RepairedStoreInfo> {
    let rescued = salvage_store(Path::new(&command.path), Path::new(&command.destination))?;
    Ok(RepairedStoreInfo {
        destination: command.destination.clone(),
        queues: rescued.queues,
        message_count: rescued.messages,
        bytes: rescued.bytes,
        lost: rescued.lost,
    })
}

/// What a repair would write.
pub(super) fn what_if(command: &RepairMsmqStore) -> Result<Vec<StepInfo>> {
    let report = check_store(Path::new(&command.path))?;
    let messages: u64 = report.queues.iter().map(|queue| queue.messages).sum();
    let (found, faults) = (report.queues.len(), report.faults.len());
    let note = format!(
        "{found} queues with {messages} messages; {faults} things are wrong with the source"
    );
    Ok(vec![StepInfo::new(
        "Write store",
        &command.destination,
        "",
        note,
    )])
}
