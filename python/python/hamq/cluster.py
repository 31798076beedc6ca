"""A connection to a failover cluster: the commands as methods, and its queues."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import _native
from ._commands import ClusterGroupInfo, ClusterLogInfo, Commands, MsmqMessageInfo
from ._convert import Duration, milliseconds
from ._program import PROGRAM
from .errors import ReceiveTimeout
from .plan import Asked, Listener, PlannedStep
from .queue import Queue
from .transaction import Transaction

_WAIT_MS = 5000
"""One request waits so long, so that Ctrl-C is never far."""

_LATE = 30.0
"""How far back a log that is followed is looked at for lines that come late, in seconds."""


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

    def get_cluster_group(
        self, name: str | None = None, *, node: str | None = None
    ) -> list[ClusterGroupInfo]:
        """Shows the groups, with ``node`` only those that it owns.

        The shell's ``Get-ClusterGroup -Node``.
        """
        groups = super().get_cluster_group(name)
        if node is None:
            return groups
        return [group for group in groups if (group.owner_node or "").lower() == node.lower()]

    def receive_messages(
        self, name: str, *, timeout: Duration | None = None
    ) -> Iterator[MsmqMessageInfo]:
        """Takes message after message; ends when none came for ``timeout`` seconds, or never.

        The shell's ``Receive-MsmqQueue -Wait``. A message is taken when the loop asks for it, so
        that leaving the loop leaves the next one in its queue; Ctrl-C ends the wait. For messages
        that a failure must put back see :meth:`hamq.Queue.process`.
        """
        patience = milliseconds(timeout)
        while True:
            end = None if patience is None else time.monotonic() + patience / 1000
            while True:
                left = _WAIT_MS if end is None else int((end - time.monotonic()) * 1000)
                wait = max(1, min(left, _WAIT_MS))
                try:
                    messages = self.receive_msmq_queue(name, timeout=wait / 1000)
                    break
                except ReceiveTimeout:
                    if left <= _WAIT_MS and end is not None:
                        return
            yield from messages

    def follow_cluster_log(
        self,
        *,
        node: str | Iterable[str] = (),
        group: str | None = None,
        time_span: Duration | None = None,
        interval: float = 0.5,
    ) -> Iterator[ClusterLogInfo]:
        """The lines of the cluster log (of the last ``time_span``), then those that come, for ever.

        The shell's ``Get-ClusterLog -Follow``. The log is looked at every ``interval`` seconds;
        leaving the loop, or Ctrl-C, ends it.
        """
        nodes = [node] if isinstance(node, str) else list(node)
        span = time_span
        seen: set[ClusterLogInfo] = set()
        while True:
            lines = self.get_cluster_log(node=nodes, group=group, time_span=span)
            for line in lines:
                if line not in seen:
                    seen.add(line)
                    yield line
            # What is older than the next look back cannot come again.
            seen = set(lines)
            span = max(_LATE, 4 * interval)
            time.sleep(interval)

    def what_if(self, give: Callable[[Commands], object]) -> list[PlannedStep]:
        """What a command would do, step by step, decided by whoever would do it; nothing is done.

        The shell's ``-WhatIf``::

            for step in cluster.what_if(lambda c: c.move_cluster_group("VS1", node="n2")):
                print(step.step, step.action, step.object, step.node, step.note)

        No step: nothing would change. What would be refused raises the same error here.
        """
        try:
            give(Listener())
        except Asked as asked:
            steps = self._client.what_if(asked.command, asked.arguments)
            return [PlannedStep._of(step) for step in steps]
        raise TypeError("what_if takes a function that gives one command: lambda c: c.command(...)")

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
