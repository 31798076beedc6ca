//! Commands that send and receive.

use super::spec::{command, record};
use super::value::{Body, Millis, Time};

record! {
    /// A message as it was received or peeked.
    MessageInfo as "MsmqMessage", columns ["Label", "Body", "Priority", "LookupId"], {
        /// The queue it is or was in.
        queue "Queue": String,
        /// A free text, up to 249 characters.
        label "Label": String,
        /// The content: text where it is text, bytes otherwise.
        body "Body": Body,
        /// 0 to 7; always 0 in a transactional queue.
        priority "Priority": u64,
        /// Whether it survives a restart.
        recoverable "Recoverable": bool,
        /// GUID of the queue manager and a number: unique for ever.
        id "Id": String,
        /// The id of the message this one answers; empty for none.
        correlation_id "CorrelationId": String,
        /// Its place in the queue: rises in order of priority and arrival.
        lookup_id "LookupId": u64,
        /// When it was sent.
        sent "SentTime": Time,
        /// When it arrived.
        arrived "ArrivedTime": Time,
        /// A number for the application.
        app_specific "AppSpecific": u64,
    }
}

record! {
    /// What became of a sent message.
    SentInfo as "MsmqSentMessage", columns ["Queue", "Id", "LookupId"], {
        /// The queue.
        queue "Queue": String,
        /// The id it was given.
        id "Id": String,
        /// Its place in the queue.
        lookup_id "LookupId": u64,
    }
}

command! {
    /// Sends a message; it is on disk when the command returns, unless -Express is given.
    ///
    /// To a transactional queue it is sent as a transaction of its own.
    SendMsmqQueue = "Send-MsmqQueue" => SentInfo, at QueueManager, risk Low, aliases ["send"],
    {
        /// The queue's path name.
        name "Name": String, position 0, completes Queue;
        /// The content.
        body "Body": Body, position 1, pipeline value;
        /// A free text, up to 249 characters.
        label "Label": Option<String>;
        /// 0 to 7 (default 3).
        priority "Priority": Option<u64>;
        /// Keep it in memory only: it is lost at a restart or failover.
        express "Express": bool;
        /// The id of the message this one answers.
        correlation_id "CorrelationId": Option<String>;
        /// A number for the application.
        app_specific "AppSpecific": Option<u64>;
    }
    examples { "Send-MsmqQueue VS1/private$/orders 'order 7' -Label new" => "Sends a text." }
}

command! {
    /// Receives a message, or looks at it with -Peek.
    ReceiveMsmqQueue = "Receive-MsmqQueue" => Vec<MessageInfo>, at QueueManager, risk Low, aliases ["recv"],
    {
        /// The queue's path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// How long to wait for one (default 0: fail at once when there is none).
        timeout "Timeout": Option<Millis>;
        /// Leave it in the queue.
        peek "Peek": bool;
        /// How many at most (default 1); the wait is for the first.
        count "Count": Option<u64>;
    }
    examples {
        "Receive-MsmqQueue VS1/private$/orders -Timeout 5s" => "Takes the next message.",
        "Receive-MsmqQueue VS1/private$/orders -Peek -Count 10" => "Looks at the next ten.",
    }
}
