//! The one error of the public surface.
//!
//! Every fallible function of [`crate::api`], of the queue manager and of the cluster returns
//! [`Error`]: a closed [`ErrorKind`], a message that says *what* went wrong and *which* object, and a
//! hint that says what to do. The kind is at once the wire code, the shell's error id and the Python
//! exception class, and carries the number that MSMQ (`MQ_ERROR_*`, MS-MQMQ 2.4) or the Cluster
//! service (Win32, MS-CMRP) gives to the same fault.
//!
//! Inside the core small precise enums are used; they convert into [`Error`] at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of every public operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! error_kinds {
    ($( $(#[doc = $doc:literal])* $name:ident = $code:literal ),+ $(,)?) => {
        /// What went wrong, closed and stable: wire code, shell error id, Python exception class.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorKind {
            $( $(#[doc = $doc])* $name ),+
        }

        impl ErrorKind {
            /// Every kind, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name as scripts and exception classes spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// The MSMQ HRESULT or the Win32 code of the fault.
            #[must_use]
            pub const fn code(self) -> u32 {
                match self { $(Self::$name => $code),+ }
            }
        }
    };
}

error_kinds! {
    /// MQ_ERROR_QUEUE_NOT_FOUND: no such queue.
    QueueNotFound = 0xC00E_0003,
    /// MQ_ERROR_QUEUE_EXISTS.
    QueueExists = 0xC00E_0005,
    /// MQ_ERROR_INVALID_PARAMETER: a value out of range or of the wrong type.
    InvalidParameter = 0xC00E_0006,
    /// MQ_ERROR_OPERATION_CANCELLED: cancelled by its caller (Ctrl-C, a closed connection).
    OperationCancelled = 0xC00E_0008,
    /// MQ_ERROR_SERVICE_NOT_AVAILABLE: no queue manager answers.
    ServiceNotAvailable = 0xC00E_000B,
    /// MQ_ERROR_NO_DS: the operation needs a directory, and there is none.
    NoDirectory = 0xC00E_0013,
    /// MQ_ERROR_ILLEGAL_QUEUE_PATHNAME.
    IllegalQueuePathName = 0xC00E_0014,
    /// MQ_ERROR_ILLEGAL_PROPERTY_VALUE.
    IllegalPropertyValue = 0xC00E_0018,
    /// MQ_ERROR_IO_TIMEOUT: no message arrived in the time given.
    ReceiveTimeout = 0xC00E_001B,
    /// MQ_ERROR_ILLEGAL_CURSOR_ACTION: no next message before the current one was peeked.
    IllegalCursorAction = 0xC00E_001C,
    /// MQ_ERROR_MESSAGE_ALREADY_RECEIVED.
    MessageAlreadyReceived = 0xC00E_001D,
    /// MQ_ERROR_ILLEGAL_FORMATNAME.
    IllegalFormatName = 0xC00E_001E,
    /// MQ_ERROR_UNSUPPORTED_FORMATNAME_OPERATION: this kind of queue is not for that.
    UnsupportedFormatNameOperation = 0xC00E_0020,
    /// MQ_ERROR_ACCESS_DENIED.
    AccessDenied = 0xC00E_0025,
    /// MQ_ERROR_INSUFFICIENT_RESOURCES: a quota or the disk is full; nothing was stored.
    InsufficientResources = 0xC00E_0027,
    /// MQ_ERROR_MESSAGE_STORAGE_FAILED: the store failed a write or a sync and is closed for good.
    MessageStorageFailed = 0xC00E_002A,
    /// MQ_ERROR_TRANSACTION_USAGE: the queue's and the message's transactional nature differ.
    TransactionUsage = 0xC00E_0050,
    /// MQ_ERROR_TRANSACTION_SEQUENCE: the transaction is not in a state for this call, or is gone.
    TransactionAborted = 0xC00E_0051,
    /// MQ_ERROR_STALE_HANDLE: the queue manager restarted and the handle is no longer known.
    StaleHandle = 0xC00E_0056,
    /// MQ_ERROR_QUEUE_DELETED: deleted while a call was waiting on it.
    QueueDeleted = 0xC00E_005A,
    /// MQ_ERROR_LABEL_TOO_LONG: more than 249 characters.
    LabelTooLong = 0xC00E_005D,
    /// MQ_ERROR_REMOTE_MACHINE_NOT_AVAILABLE: the virtual server did not come back in time.
    RemoteMachineNotAvailable = 0xC00E_0069,
    /// MQ_ERROR_MESSAGE_NOT_FOUND.
    MessageNotFound = 0xC00E_0088,
    /// MQ_ERROR_RESOLVE_ADDRESS: a name that no node of the cluster knows.
    ResolveAddress = 0xC00E_0099,
    /// The store belongs to a newer epoch: another node has taken over. Never retried on this node.
    Fenced = 0xC00E_0F01,
    /// The store is damaged beyond the torn end of its log.
    StoreDamaged = 0xC00E_0F02,
    /// ERROR_NOT_READY: "device not ready", Message Queuing is not installed on the node.
    DeviceNotReady = 0x0000_0015,
    /// ERROR_SHARING_PAUSED: the node is paused.
    NodePaused = 0x0000_0046,
    /// ERROR_CIRCULAR_DEPENDENCY.
    CircularDependency = 0x0000_0423,
    /// ERROR_DEPENDENT_RESOURCE_EXISTS: others depend on it.
    DependentResourceExists = 0x0000_1389,
    /// ERROR_DEPENDENCY_NOT_FOUND: a required dependency is missing.
    DependencyNotFound = 0x0000_138A,
    /// ERROR_DEPENDENCY_ALREADY_EXISTS.
    DependencyAlreadyExists = 0x0000_138B,
    /// ERROR_HOST_NODE_NOT_AVAILABLE: the target node is not up or may not own the group.
    HostNodeNotAvailable = 0x0000_138D,
    /// ERROR_RESOURCE_NOT_AVAILABLE: the resource cannot be used now.
    ResourceNotAvailable = 0x0000_138E,
    /// ERROR_RESOURCE_NOT_FOUND.
    ResourceNotFound = 0x0000_138F,
    /// ERROR_OBJECT_ALREADY_EXISTS.
    ObjectAlreadyExists = 0x0000_1392,
    /// ERROR_GROUP_NOT_FOUND.
    GroupNotFound = 0x0000_1395,
    /// ERROR_RESMON_ONLINE_FAILED: the resource did not come online.
    ResourceOnlineFailed = 0x0000_139A,
    /// ERROR_RESOURCE_ONLINE: must be offline for this.
    ResourceOnline = 0x0000_139B,
    /// ERROR_INVALID_STATE: not legal in the present state.
    InvalidState = 0x0000_139F,
    /// ERROR_RESOURCE_FAILED.
    ResourceFailed = 0x0000_13AE,
    /// ERROR_CLUSTER_NODE_NOT_FOUND.
    NodeNotFound = 0x0000_13B2,
    /// ERROR_CLUSTER_INVALID_REQUEST: against a rule of the cluster.
    InvalidRequest = 0x0000_13B8,
    /// ERROR_CLUSTER_NODE_DOWN.
    NodeDown = 0x0000_13BA,
    /// ERROR_CLUSTER_RESOURCE_TYPE_NOT_FOUND.
    ResourceTypeNotFound = 0x0000_13D6,
    /// ERROR_CLUSTER_INVALID_NETWORK / WSAEADDRINUSE: the address is held by another.
    AddressInUse = 0x0000_2740,
    /// ERROR_NO_SUCH_CLUSTER: no cluster of that name is known here or answers.
    ClusterNotFound = 0x0000_13AF,
    /// No such cmdlet, parameter or file format: the caller's text is off.
    Usage = 0x0000_0057,
    /// ERROR_TIMEOUT: a wait for a state ran out.
    Timeout = 0x0000_05B4,
    /// ERROR_NOT_FOUND: a file, a cmdlet, a topic.
    NotFound = 0x0000_0490,
    /// The operating system refused something; the message carries its words.
    System = 0x0000_0001,
    /// A fault of HAMQ itself; please report it.
    Internal = 0x0000_054F,
    /// ERROR_CLUSTER_NODE_EVACUATION_IN_PROGRESS: the node is being drained already.
    NodeEvacuationInProgress = 0x0000_174A,
    /// ERROR_CLUSTER_NODE_NOT_PAUSED.
    NodeNotPaused = 0x0000_13C2,
    /// MQ_ERROR_UNSUPPORTED_OPERATION: not without a directory (in workgroup mode).
    UnsupportedOperation = 0xC00E_006A,
}

impl ErrorKind {
    /// The kind that is spelled `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An operation failed: what, which one, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The closed kind.
    pub kind: ErrorKind,
    /// What went wrong and with which object; lower case, no final stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The operating system's refusal of `what` (for example `open /x/y`).
    #[must_use]
    pub fn system(what: impl fmt::Display, source: &std::io::Error) -> Self {
        let kind = match source.raw_os_error() {
            Some(28 | 122) => ErrorKind::InsufficientResources, // ENOSPC, EDQUOT
            Some(98) => ErrorKind::AddressInUse,                // EADDRINUSE
            Some(1 | 13) => ErrorKind::AccessDenied,            // EPERM, EACCES
            _ => ErrorKind::System,
        };
        Self::new(kind, format!("{what}: {source}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_name_and_comes_back_from_it() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_name(kind.name()), Some(*kind));
        }
    }

    #[test]
    fn a_full_disk_is_insufficient_resources() {
        let source = std::io::Error::from_raw_os_error(28);
        assert_eq!(
            Error::system("write", &source).kind,
            ErrorKind::InsufficientResources
        );
    }
}
