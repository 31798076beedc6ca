//! Commands on queue managers: their properties, counters and prepared transactions.

use super::spec::{command, record};
use super::value::Millis;

record! {
    /// A queue manager.
    QueueManagerInfo as "MsmqQueueManager", columns ["Name", "MessageCount", "BytesInQueues", "MessageQuota"], {
        /// The virtual server or node.
        name "Name": String,
        /// Its GUID, with which its message ids begin.
        id "Id": String,
        /// Messages in all of its queues.
        message_count "MessageCount": u64,
        /// Their bodies together.
        bytes_in_queues "BytesInQueues": u64,
        /// Bytes in journals and dead-letter queues.
        bytes_in_journals "BytesInJournals": u64,
        /// Bytes of all messages at most; nothing: no limit.
        message_quota "MessageQuota": Option<u64>,
        /// Bytes of all journals and dead-letter queues at most; nothing: no limit.
        journal_quota "JournalQuota": Option<u64>,
        /// The longest time to reach a queue.
        long_live_time "LongLiveTime": Millis,
    }
}

record! {
    /// A performance counter.
    CounterInfo as "MsmqCounter", columns ["Object", "Instance", "Counter", "Value"], {
        /// `MSMQ Queue`, `MSMQ Service` or `HAMQ Store`.
        object "Object": String,
        /// The queue, or `Computer Queues`; empty for the service.
        instance "Instance": String,
        /// `Messages in Queue` and its like.
        counter "Counter": String,
        /// The value.
        value "Value": u64,
        /// Whether it only rises, from 0 at the start of the queue manager.
        total "Total": bool,
    }
}

record! {
    /// A transaction that is prepared and waits for its coordinator.
    PreparedInfo as "MsmqPreparedTransaction", columns ["ComputerName", "Id"], {
        /// The virtual server or node.
        computer "ComputerName": String,
        /// The coordinator's name for it, in hexadecimal digits.
        id "Id": String,
    }
}

command! {
    /// Shows a queue manager.
    GetMsmqQueueManager = "Get-MsmqQueueManager" => QueueManagerInfo, at QueueManager, risk None, aliases [],
    {
        /// The virtual server or node.
        computer "ComputerName": String, position 0;
    }
    examples { "Get-MsmqQueueManager VS1" => "What it holds, and its quotas." }
}

command! {
    /// Changes properties of a queue manager; what is not given stays.
    SetMsmqQueueManager = "Set-MsmqQueueManager" => QueueManagerInfo, at QueueManager, risk Low, aliases [],
    {
        /// The virtual server or node.
        computer "ComputerName": String, position 0;
        /// Bytes of all messages at most, as 5000000, 5GB or None.
        message_quota "MessageQuota": Option<String>;
        /// Bytes of all journals and dead-letter queues at most, in the same way.
        journal_quota "JournalQuota": Option<String>;
        /// The longest time to reach a queue, in whole seconds.
        long_live_time "LongLiveTime": Option<Millis>;
    }
    examples { "Set-MsmqQueueManager VS1 -MessageQuota 8GB" => "Sends beyond that are refused." }
}

command! {
    /// Shows performance counters of queues, idle ones included, and of the service.
    GetMsmqCounter = "Get-MsmqCounter" => Vec<CounterInfo>, at QueueManager, risk None, aliases [],
    {
        /// The virtual server or node.
        computer "ComputerName": String, position 0;
        /// A pattern for the queue.
        instance "Instance": Option<String>, position 1;
        /// A pattern for the counter, for example 'Messages*'.
        counter "Counter": Option<String>;
    }
    examples { "Get-MsmqCounter VS1 orders" => "All counters of one queue." }
}

command! {
    /// Shows transactions that are prepared and wait for the decision of their coordinator.
    GetMsmqPreparedTransaction = "Get-MsmqPreparedTransaction" => Vec<PreparedInfo>, at QueueManager, risk None, aliases [],
    {
        /// The virtual server or node.
        computer "ComputerName": String, position 0;
    }
    examples { "Get-MsmqPreparedTransaction VS1" => "Those whose messages are held." }
}

command! {
    /// Decides a prepared transaction in place of its coordinator.
    ///
    /// Only when the coordinator will never come back: it may have decided otherwise elsewhere.
    ResolveMsmqPreparedTransaction = "Resolve-MsmqPreparedTransaction" => PreparedInfo, at QueueManager, risk High, aliases [],
    {
        /// The virtual server or node.
        computer "ComputerName": String, position 0, pipeline property;
        /// Its id, as Get-MsmqPreparedTransaction shows it.
        id "Id": String, position 1, pipeline property;
        /// Commit, or Abort.
        decision "Decision": String, position 2, completes Choice(&["Commit", "Abort"]);
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Resolve-MsmqPreparedTransaction VS1 0A0B Abort -Force" => "Its messages are back." }
}
