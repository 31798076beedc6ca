"""A connection to a failover cluster: the commands as methods, and its queues."""

import os
import threading
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import _native
from ._commands import Commands
from ._program import PROGRAM
from .queue import Queue
from .transaction import Transaction


def connect(
    target: str | None = None,
    *,
    home: str | PathLike[str] | None = None,
    failover_timeout: float = 30,
) -> "Cluster":
    """Connects to a cluster: a name known on this machine, or ``HOST[:PORT],...`` of its nodes.

    Without a target the only cluster known is taken, or the one that
    :meth:`Cluster.new_cluster` makes. A request is tried again for ``failover_timeout`` seconds
    before it fails, so that a failover needs no code of yours.
    """
    return Cluster(target, home=home, failover_timeout=failover_timeout)


class Cluster(Commands):
    """A connection to a cluster; every command of the shell is a method. Threads may share it.

    Closing it (or leaving its ``with`` block) ends the nodes that it started and did not detach.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        home: str | PathLike[str] | None = None,
        failover_timeout: float = 30,
    ) -> None:
        self.home: Path = Path(home) if home is not None else _home()
        """Where the clusters of this machine are written down."""
        self._client = _native.Client(self.home, PROGRAM, failover_timeout)
        self._doors: dict[str, _native.Door] = {}
        self._doors_lock = threading.Lock()
        if target is not None:
            self._client.connect(target)

    @property
    def name(self) -> str | None:
        """The name of the cluster in use."""
        return self._client.cluster

    def connect(self, target: str) -> None:
        """Chooses another cluster for later commands."""
        self._client.connect(target)
        with self._doors_lock:
            self._doors.clear()

    def queue(self, path: str) -> Queue:
        """The queue with this path name, for example ``VS1/private$/orders``."""
        computer, name = _native.Door.parse_path(path)
        return Queue(self._door(computer), name)

    def transaction(self, computer: str) -> Transaction:
        """A transaction over queues of one virtual server, to be used in a ``with`` block."""
        return Transaction(self._door(computer))

    def cancel(self) -> None:
        """Ends every call of this connection that is waiting, from any thread."""
        self._client.cancel()

    def close(self) -> None:
        """Ends the nodes that this connection started and did not detach, and waits for it."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Cluster {self.name or 'not connected'}>"

    def _door(self, computer: str) -> _native.Door:
        key = computer.lower()
        with self._doors_lock:
            if door := self._doors.get(key):
                return door
        door = self._client.session(computer)
        with self._doors_lock:
            return self._doors.setdefault(key, door)

    def _call(self, command: str, arguments: Mapping[str, object]) -> list[dict[str, Any]]:
        given = {name: value for name, value in arguments.items() if value is not None}
        return self._client.invoke(command, given)


def _home() -> Path:
    """The user's state folder, the same as the shell's."""
    if own := os.environ.get("HAMQ_HOME"):
        return Path(own)
    if state := os.environ.get("XDG_STATE_HOME"):
        return Path(state) / "hamq"
    return Path.home() / ".local" / "state" / "hamq"
