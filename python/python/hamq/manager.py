"""The queue manager in this process, with no server: a message store in a folder."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import _native
from ._commands import MsmqQueueInfo, QueueCommands
from .queue import Queue
from .transaction import Transaction


class QueueManager(QueueCommands):
    """A message store of this process's own. Threads may share it.

    Opening a store takes it over: a process that had it open before is fenced and acknowledges
    nothing any more (:class:`hamq.Fenced`). The commands that manage queues are methods, as of
    :class:`hamq.Cluster`; a queue is called by its own name, the computer is ``"."``.
    """

    def __init__(self, door: _native.Door) -> None:
        self._door = door

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Opens the store in a folder; an absent or empty one becomes a new store."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(_native.Door.open(folder))

    create_queue = QueueCommands.new_msmq_queue
    set_queue = QueueCommands.set_msmq_queue
    queue_acl = QueueCommands.get_msmq_queue_acl
    set_queue_acl = QueueCommands.set_msmq_queue_acl

    def delete_queue(self, name: str) -> MsmqQueueInfo:
        """Deletes a queue and the messages in it."""
        return MsmqQueueInfo._of(self._door.delete_queue(name))

    def queues(self) -> list[MsmqQueueInfo]:
        """All queues, in order of their names."""
        return [MsmqQueueInfo._of(record) for record in self._door.queues(False)]

    def queue(self, name: str) -> Queue:
        """The queue of this name."""
        return Queue(self._door, name)

    def transaction(self) -> Transaction:
        """A transaction over queues of this store, to be used in a ``with`` block."""
        return Transaction(self._door)

    def close(self) -> None:
        """Closes the store; open transactions are aborted."""
        self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, command: str, arguments: Mapping[str, object]) -> list[dict[str, Any]]:
        given = {name: value for name, value in arguments.items() if value is not None}
        name = given.get("Name")
        if isinstance(name, str) and name != "." and not set(name) & set("/\\="):
            given["Name"] = self._door.path(name)
        return self._door.manage(command, given)
