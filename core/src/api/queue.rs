//! Commands on queues.

use super::spec::{command, record};
use super::value::Time;

record! {
    /// A queue.
    QueueInfo as "MsmqQueue", columns ["Name", "Transactional", "MessageCount", "BytesInQueue"], {
        /// Its path name: `VS1\private$\orders`.
        name "Name": String,
        /// Whether it takes only messages that are sent in a transaction.
        transactional "Transactional": bool,
        /// A free text, up to 124 characters.
        label "Label": String,
        /// Messages that can be received now or are held by a transaction.
        message_count "MessageCount": u64,
        /// Their bodies together.
        bytes_in_queue "BytesInQueue": u64,
        /// Messages held by transactions that are not finished.
        locked_count "LockedCount": u64,
        /// When it was created.
        created "CreateTime": Time,
    }
}

command! {
    /// Creates a private queue on a virtual server.
    NewMsmqQueue = "New-MsmqQueue" => QueueInfo, at QueueManager, risk Low, aliases [],
    {
        /// Its path name.
        name "Name": String, position 0, completes Queue;
        /// Take only messages that are sent in a transaction, each exactly once and in order.
        transactional "Transactional": bool;
        /// A free text, up to 124 characters.
        label "Label": Option<String>;
    }
    examples { "New-MsmqQueue VS1/private$/orders -Transactional" => "An exactly-once queue." }
}

command! {
    /// Shows queues.
    GetMsmqQueue = "Get-MsmqQueue" => Vec<QueueInfo>, at QueueManager, risk None, aliases ["gq"],
    {
        /// A path name, whose last part may be a pattern with * and ?; VS1 alone means all queues of VS1.
        name "Name": String, position 0, pipeline value, completes Queue;
    }
    examples { "Get-MsmqQueue VS1" => "All queues of VS1." }
}

command! {
    /// Deletes a queue and the messages in it.
    RemoveMsmqQueue = "Remove-MsmqQueue" => QueueInfo, at QueueManager, risk High, aliases [],
    {
        /// Its path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Remove-MsmqQueue VS1/private$/old -Force" => "Deletes it." }
}

command! {
    /// Deletes all messages of a queue.
    ClearMsmqQueue = "Clear-MsmqQueue" => QueueInfo, at QueueManager, risk High, aliases [],
    {
        /// Its path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Clear-MsmqQueue VS1/private$/test -Force" => "Empties it." }
}
