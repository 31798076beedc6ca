//! Commands on who may do what with queues and with queue managers.

use super::spec::{command, record};

record! {
    /// What one user or group may, or may not, do.
    AccessInfo as "MsmqAccess", columns ["Name", "UserName", "AccessType", "Rights"], {
        /// The queue's path name, or the computer.
        name "Name": String,
        /// A user, a group, Everyone, ANONYMOUS LOGON or Administrators.
        user_name "UserName": String,
        /// Owner, Allow or Deny. A denial counts more than any permission.
        access_type "AccessType": String,
        /// Which rights; the owner's are to see and to change the list.
        rights "Rights": Vec<String>,
    }
}

command! {
    /// Shows who may do what with a queue.
    GetMsmqQueueACL = "Get-MsmqQueueACL" => Vec<AccessInfo>, at QueueManager, risk None, aliases [],
    {
        /// The queue's path name.
        name "Name": String, position 0, pipeline value, completes Queue;
    }
    examples { "Get-MsmqQueueACL VS1/private$/orders" => "Its owner and its list." }
}

command! {
    /// Changes who may do what with a queue.
    ///
    /// Rights that are allowed are no longer denied, and the other way round; what is not named stays.
    SetMsmqQueueACL = "Set-MsmqQueueACL" => Vec<AccessInfo>, at QueueManager, risk Medium, aliases [],
    {
        /// The queue's path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// Users and groups, Everyone, ANONYMOUS LOGON or Administrators.
        user_name "UserName": Vec<String>, position 1;
        /// Rights to allow, for example ReceiveMessage,WriteMessage or FullControl.
        allow "Allow": Vec<String>;
        /// Rights to deny.
        deny "Deny": Vec<String>;
        /// Rights that are neither allowed nor denied any more.
        remove "Remove": Vec<String>;
        /// A new owner of the queue.
        owner "Owner": Option<String>;
    }
    examples { "Set-MsmqQueueACL VS1/private$/orders Everyone -Allow WriteMessage" => "Everybody may send to it." }
}

command! {
    /// Shows who may do what with a queue manager.
    GetMsmqQueueManagerACL = "Get-MsmqQueueManagerACL" => Vec<AccessInfo>, at QueueManager, risk None, aliases [],
    {
        /// The virtual server or node.
        name "ComputerName": String, position 0;
    }
    examples { "Get-MsmqQueueManagerACL VS1" => "Its owner and its list." }
}

command! {
    /// Changes who may do what with a queue manager; WriteMessage is the right to create queues there.
    SetMsmqQueueManagerACL = "Set-MsmqQueueManagerACL" => Vec<AccessInfo>, at QueueManager, risk Medium, aliases [],
    {
        /// The virtual server or node.
        name "ComputerName": String, position 0;
        /// Users and groups, Everyone, ANONYMOUS LOGON or Administrators.
        user_name "UserName": Vec<String>, position 1;
        /// Rights to allow.
        allow "Allow": Vec<String>;
        /// Rights to deny.
        deny "Deny": Vec<String>;
        /// Rights that are neither allowed nor denied any more.
        remove "Remove": Vec<String>;
        /// A new owner.
        owner "Owner": Option<String>;
    }
    examples { "Set-MsmqQueueManagerACL VS1 developers -Allow WriteMessage" => "They may create queues." }
}
