"""The queue manager in this process, with no server: a message store in a folder."""

from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from . import _native
from ._commands import MsmqQueueInfo
from .queue import Queue, Transaction


class QueueManager:
    """A message store of this process's own. Threads may share it.

    Opening a store takes it over: a process that had it open before is fenced and acknowledges
    nothing any more (:class:`hamq.Fenced`).
    """

    def __init__(self, door: _native.Door) -> None:
        self._door = door

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Opens the store in a folder; an absent or empty one becomes a new store."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(_native.Door.open(folder))

    def create_queue(
        self, name: str, *, transactional: bool = False, label: str = ""
    ) -> MsmqQueueInfo:
        """Creates a queue; a transactional one takes each message exactly once and in order."""
        return MsmqQueueInfo._of(self._door.create_queue(name, transactional, label))

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
