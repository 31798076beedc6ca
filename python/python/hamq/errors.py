"""Exceptions: one class per kind of error, the same kinds as in the shell.

Every one has ``message`` (what went wrong, and with which object), ``hint`` (what to do), ``kind``
(the class's name) and ``code`` (the number that MSMQ or the Cluster service gives to the same
fault).
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class MqError(Exception):
    """An operation failed: what, which one, what to do."""

    code: ClassVar[int] = 0
    """MQ_ERROR_* or Win32 code."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    @property
    def kind(self) -> str:
        """The name of the kind, as the shell's error id spells it."""
        return type(self).__name__

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} (hint: {self.hint})"


class QueueNotFound(MqError):
    """MQ_ERROR_QUEUE_NOT_FOUND: no such queue."""

    code = 0xC00E_0003


class QueueExists(MqError):
    """MQ_ERROR_QUEUE_EXISTS."""

    code = 0xC00E_0005


class InvalidParameter(MqError):
    """MQ_ERROR_INVALID_PARAMETER: a value out of range or of the wrong type."""

    code = 0xC00E_0006


class OperationCancelled(MqError):
    """MQ_ERROR_OPERATION_CANCELLED: cancelled by its caller (Ctrl-C, a closed connection)."""

    code = 0xC00E_0008


class ServiceNotAvailable(MqError):
    """MQ_ERROR_SERVICE_NOT_AVAILABLE: no queue manager answers."""

    code = 0xC00E_000B


class NoDirectory(MqError):
    """MQ_ERROR_NO_DS: the operation needs a directory, and there is none."""

    code = 0xC00E_0013


class IllegalQueuePathName(MqError):
    """MQ_ERROR_ILLEGAL_QUEUE_PATHNAME."""

    code = 0xC00E_0014


class IllegalPropertyValue(MqError):
    """MQ_ERROR_ILLEGAL_PROPERTY_VALUE."""

    code = 0xC00E_0018


class ReceiveTimeout(MqError, TimeoutError):
    """MQ_ERROR_IO_TIMEOUT: no message arrived in the time given."""

    code = 0xC00E_001B


class IllegalCursorAction(MqError):
    """MQ_ERROR_ILLEGAL_CURSOR_ACTION: no next message before the current one was peeked."""

    code = 0xC00E001C


class MessageAlreadyReceived(MqError):
    """MQ_ERROR_MESSAGE_ALREADY_RECEIVED."""

    code = 0xC00E_001D


class IllegalFormatName(MqError):
    """MQ_ERROR_ILLEGAL_FORMATNAME."""

    code = 0xC00E_001E


class UnsupportedFormatNameOperation(MqError):
    """MQ_ERROR_UNSUPPORTED_FORMATNAME_OPERATION: a name of this form cannot be used so."""

    code = 0xC00E_0020


class AccessDenied(MqError):
    """MQ_ERROR_ACCESS_DENIED."""

    code = 0xC00E_0025


class InsufficientResources(MqError):
    """MQ_ERROR_INSUFFICIENT_RESOURCES: a quota or the disk is full; nothing was stored."""

    code = 0xC00E_0027


class MessageStorageFailed(MqError):
    """MQ_ERROR_MESSAGE_STORAGE_FAILED: the store failed a write or a sync and is closed."""

    code = 0xC00E_002A


class TransactionUsage(MqError):
    """MQ_ERROR_TRANSACTION_USAGE: the queue's and the message's transactional nature differ."""

    code = 0xC00E_0050


class TransactionAborted(MqError):
    """MQ_ERROR_TRANSACTION_SEQUENCE: the transaction is in no state for this call, or is gone."""

    code = 0xC00E_0051


class StaleHandle(MqError):
    """MQ_ERROR_STALE_HANDLE: the queue manager restarted and the handle is no longer known."""

    code = 0xC00E_0056


class QueueDeleted(MqError):
    """MQ_ERROR_QUEUE_DELETED: deleted while a call was waiting on it."""

    code = 0xC00E_005A


class LabelTooLong(MqError):
    """MQ_ERROR_LABEL_TOO_LONG: more than 249 characters."""

    code = 0xC00E_005D


class RemoteMachineNotAvailable(MqError):
    """MQ_ERROR_REMOTE_MACHINE_NOT_AVAILABLE: the virtual server did not come back in time."""

    code = 0xC00E_0069


class MessageNotFound(MqError):
    """MQ_ERROR_MESSAGE_NOT_FOUND."""

    code = 0xC00E_0088


class ResolveAddress(MqError):
    """MQ_ERROR_RESOLVE_ADDRESS: a name that no node of the cluster knows."""

    code = 0xC00E_0099


class Fenced(MqError):
    """The store belongs to a newer epoch: another process has taken over."""

    code = 0xC00E_0F01


class StoreDamaged(MqError):
    """The store is damaged beyond the torn end of its log."""

    code = 0xC00E_0F02


class DeviceNotReady(MqError):
    """ERROR_NOT_READY: "device not ready", Message Queuing is not installed on the node."""

    code = 0x0000_0015


class NodePaused(MqError):
    """ERROR_SHARING_PAUSED: the node is paused."""

    code = 0x0000_0046


class CircularDependency(MqError):
    """ERROR_CIRCULAR_DEPENDENCY."""

    code = 0x0000_0423


class DependentResourceExists(MqError):
    """ERROR_DEPENDENT_RESOURCE_EXISTS: others depend on it."""

    code = 0x0000_1389


class DependencyNotFound(MqError):
    """ERROR_DEPENDENCY_NOT_FOUND: a required dependency is missing."""

    code = 0x0000_138A


class DependencyAlreadyExists(MqError):
    """ERROR_DEPENDENCY_ALREADY_EXISTS."""

    code = 0x0000_138B


class HostNodeNotAvailable(MqError):
    """ERROR_HOST_NODE_NOT_AVAILABLE: the target node is not up or may not own the group."""

    code = 0x0000_138D


class ResourceNotAvailable(MqError):
    """ERROR_RESOURCE_NOT_AVAILABLE: the resource cannot be used now."""

    code = 0x0000_138E


class ResourceNotFound(MqError):
    """ERROR_RESOURCE_NOT_FOUND."""

    code = 0x0000_138F


class ObjectAlreadyExists(MqError):
    """ERROR_OBJECT_ALREADY_EXISTS."""

    code = 0x0000_1392


class GroupNotFound(MqError):
    """ERROR_GROUP_NOT_FOUND."""

    code = 0x0000_1395


class ResourceOnlineFailed(MqError):
    """ERROR_RESMON_ONLINE_FAILED: the resource did not come online."""

    code = 0x0000_139A


class ResourceOnline(MqError):
    """ERROR_RESOURCE_ONLINE: must be offline for this."""

    code = 0x0000_139B


class InvalidState(MqError):
    """ERROR_INVALID_STATE: not legal in the present state."""

    code = 0x0000_139F


class ResourceFailed(MqError):
    """ERROR_RESOURCE_FAILED."""

    code = 0x0000_13AE


class NodeNotFound(MqError):
    """ERROR_CLUSTER_NODE_NOT_FOUND."""

    code = 0x0000_13B2


class InvalidRequest(MqError):
    """ERROR_CLUSTER_INVALID_REQUEST: against a rule of the cluster."""

    code = 0x0000_13B8


class NodeDown(MqError):
    """ERROR_CLUSTER_NODE_DOWN."""

    code = 0x0000_13BA


class ResourceTypeNotFound(MqError):
    """ERROR_CLUSTER_RESOURCE_TYPE_NOT_FOUND."""

    code = 0x0000_13D6


class AddressInUse(MqError):
    """ERROR_CLUSTER_INVALID_NETWORK / WSAEADDRINUSE: the address is held by another."""

    code = 0x0000_2740


class ClusterNotFound(MqError):
    """ERROR_NO_SUCH_CLUSTER: no cluster of that name is known here or answers."""

    code = 0x0000_13AF


class Usage(MqError):
    """No such cmdlet, parameter or file format: the caller's text is off."""

    code = 0x0000_0057


class Timeout(MqError):
    """ERROR_TIMEOUT: a wait for a state ran out."""

    code = 0x0000_05B4


class NotFound(MqError):
    """ERROR_NOT_FOUND: a file, a cmdlet, a topic."""

    code = 0x0000_0490


class System(MqError):
    """The operating system refused something; the message carries its words."""

    code = 0x0000_0001


class Internal(MqError):
    """A fault of HAMQ itself; please report it."""

    code = 0x0000_054F


class NodeEvacuationInProgress(MqError):
    """ERROR_CLUSTER_NODE_EVACUATION_IN_PROGRESS: the node is being drained already."""

    code = 0x0000_174A


class NodeNotPaused(MqError):
    """ERROR_CLUSTER_NODE_NOT_PAUSED."""

    code = 0x0000_13C2


class UnsupportedOperation(MqError):
    """MQ_ERROR_UNSUPPORTED_OPERATION: not without a directory (in workgroup mode)."""

    code = 0xC00E_006A


KINDS: dict[str, type[MqError]] = {
    "QueueNotFound": QueueNotFound,
    "QueueExists": QueueExists,
    "InvalidParameter": InvalidParameter,
    "OperationCancelled": OperationCancelled,
    "ServiceNotAvailable": ServiceNotAvailable,
    "NoDirectory": NoDirectory,
    "IllegalQueuePathName": IllegalQueuePathName,
    "IllegalPropertyValue": IllegalPropertyValue,
    "ReceiveTimeout": ReceiveTimeout,
    "IllegalCursorAction": IllegalCursorAction,
    "MessageAlreadyReceived": MessageAlreadyReceived,
    "IllegalFormatName": IllegalFormatName,
    "UnsupportedFormatNameOperation": UnsupportedFormatNameOperation,
    "AccessDenied": AccessDenied,
    "InsufficientResources": InsufficientResources,
    "MessageStorageFailed": MessageStorageFailed,
    "TransactionUsage": TransactionUsage,
    "TransactionAborted": TransactionAborted,
    "StaleHandle": StaleHandle,
    "QueueDeleted": QueueDeleted,
    "LabelTooLong": LabelTooLong,
    "RemoteMachineNotAvailable": RemoteMachineNotAvailable,
    "MessageNotFound": MessageNotFound,
    "ResolveAddress": ResolveAddress,
    "Fenced": Fenced,
    "StoreDamaged": StoreDamaged,
    "DeviceNotReady": DeviceNotReady,
    "NodePaused": NodePaused,
    "CircularDependency": CircularDependency,
    "DependentResourceExists": DependentResourceExists,
    "DependencyNotFound": DependencyNotFound,
    "DependencyAlreadyExists": DependencyAlreadyExists,
    "HostNodeNotAvailable": HostNodeNotAvailable,
    "ResourceNotAvailable": ResourceNotAvailable,
    "ResourceNotFound": ResourceNotFound,
    "ObjectAlreadyExists": ObjectAlreadyExists,
    "GroupNotFound": GroupNotFound,
    "ResourceOnlineFailed": ResourceOnlineFailed,
    "ResourceOnline": ResourceOnline,
    "InvalidState": InvalidState,
    "ResourceFailed": ResourceFailed,
    "NodeNotFound": NodeNotFound,
    "InvalidRequest": InvalidRequest,
    "NodeDown": NodeDown,
    "ResourceTypeNotFound": ResourceTypeNotFound,
    "AddressInUse": AddressInUse,
    "ClusterNotFound": ClusterNotFound,
    "Usage": Usage,
    "Timeout": Timeout,
    "NotFound": NotFound,
    "System": System,
    "Internal": Internal,
    "NodeEvacuationInProgress": NodeEvacuationInProgress,
    "NodeNotPaused": NodeNotPaused,
    "UnsupportedOperation": UnsupportedOperation,
}
"""Every kind with its class."""


class ForkedProcessError(InvalidState):
    """A connection or store of the parent was used in a forked child."""

    def __init__(self) -> None:
        super().__init__(
            "this object belongs to the parent of this forked process", "reconnect in the child"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), ())

    @property
    def kind(self) -> str:
        """The kind of the errors it belongs to."""
        return "InvalidState"


class BatchError(MqError):
    """Some messages of a batch were not sent; the others were."""

    def __init__(self, results: Sequence[object]) -> None:
        self.results: list[Any] = list(results)
        """For each message, in order: the record of the sent one, or the error."""
        self.failed: list[tuple[int, MqError]] = [
            (index, result) for index, result in enumerate(results) if isinstance(result, MqError)
        ]
        """Place and error of each message that was not sent."""
        first = self.failed[0][1] if self.failed else None
        super().__init__(
            f"{len(self.failed)} of {len(self.results)} messages were not sent; the first: {first}",
            "see .failed for the place and error of each",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.results,))

    @property
    def kind(self) -> str:
        """The kind of the first failure."""
        return self.failed[0][1].kind if self.failed else "Internal"


def make(kind: str, message: str, hint: str | None, code: int) -> MqError:
    """The exception for an error of the native half."""
    error = KINDS.get(kind, MqError)(message, hint)
    if type(error) is MqError:  # a kind that this package does not know yet
        error.code = code  # type: ignore[misc]
    return error


__all__ = [
    "BatchError",
    "ForkedProcessError",
    "MqError",
    "AccessDenied",
    "AddressInUse",
    "CircularDependency",
    "ClusterNotFound",
    "DependencyAlreadyExists",
    "DependencyNotFound",
    "DependentResourceExists",
    "DeviceNotReady",
    "Fenced",
    "GroupNotFound",
    "HostNodeNotAvailable",
    "IllegalFormatName",
    "IllegalPropertyValue",
    "IllegalQueuePathName",
    "InsufficientResources",
    "Internal",
    "InvalidParameter",
    "InvalidRequest",
    "InvalidState",
    "LabelTooLong",
    "IllegalCursorAction",
    "MessageAlreadyReceived",
    "MessageNotFound",
    "MessageStorageFailed",
    "NoDirectory",
    "NodeDown",
    "NodeEvacuationInProgress",
    "NodeNotFound",
    "NodeNotPaused",
    "NodePaused",
    "NotFound",
    "ObjectAlreadyExists",
    "OperationCancelled",
    "QueueDeleted",
    "QueueExists",
    "QueueNotFound",
    "ReceiveTimeout",
    "RemoteMachineNotAvailable",
    "ResolveAddress",
    "ResourceFailed",
    "ResourceNotAvailable",
    "ResourceNotFound",
    "ResourceOnline",
    "ResourceOnlineFailed",
    "ResourceTypeNotFound",
    "ServiceNotAvailable",
    "StaleHandle",
    "StoreDamaged",
    "System",
    "Timeout",
    "TransactionAborted",
    "TransactionUsage",
    "UnsupportedFormatNameOperation",
    "UnsupportedOperation",
    "Usage",
]
