"""Queues and transactions: the same behind a cluster and behind an embedded queue manager."""

import json as _json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from types import TracebackType
from typing import Any, Self

from . import _native
from ._commands import MsmqQueueInfo, MsmqSentMessageInfo
from ._convert import Duration, Outgoing, content, milliseconds
from .errors import (
    BatchError,
    MqError,
    QueueNotFound,
    ReceiveTimeout,
    TransactionAborted,
    TransactionUsage,
)

Body = bytes | bytearray | memoryview | str
"""What is sent as it is; text in UTF-8."""

_BATCH = 1024
"""How many messages of :meth:`Queue.send_many` are under way at a time."""

_ATTEMPTS = 3
"""How often :meth:`Queue.process` begins: once, and once more for each failover in its wait."""


class Transaction:
    """Sends and receives that become effective together, or not at all.

    ``with cluster.transaction("VS1") as tx:`` commits at the end of the block and aborts when an
    exception leaves it. Outside of ``with``, call :meth:`commit` or :meth:`abort`.
    """

    def __init__(self, door: _native.Door) -> None:
        self._door = door
        self._id: int | None = door.begin()

    @property
    def active(self) -> bool:
        """Whether it is neither committed nor aborted."""
        return self._id is not None

    def commit(self) -> None:
        """Makes everything done in it durable and visible together."""
        self._door.commit(self._end())

    def abort(self) -> None:
        """Undoes it: received messages are back in their old place."""
        self._door.abort(self._end())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.active:
            return
        if kind is None:
            self.commit()
            return
        try:
            self.abort()
        except MqError as failed:
            # What went wrong first is what the caller must see; the manager aborts by itself.
            if error is not None:
                error.add_note(f"the abort of the transaction failed as well: {failed}")

    def __del__(self) -> None:
        if hasattr(self, "_id"):  # it has begun
            self._abandon()

    def _abandon(self) -> None:
        """Aborts it without waiting, if it has not ended."""
        if self._id is not None:
            self._door.abandon(self._end())

    def _end(self) -> int:
        number, self._id = self._within(self._door), None
        return number

    def _within(self, door: _native.Door) -> int:
        if self._id is None:
            raise TransactionUsage(
                "the transaction has ended", "begin another one with transaction()"
            )
        if door is not self._door:
            raise TransactionUsage(
                f"the transaction is one of {self._door.computer}, the queue is on {door.computer}",
                "a transaction covers the queues of one queue manager",
            )
        return self._id


class Queue:
    """A queue. Threads may share it."""

    def __init__(self, door: _native.Door, name: str) -> None:
        self._door = door
        self._name = name
        self.path: str = door.path(name)
        """Its path name."""

    def send(
        self,
        body: Body | None = None,
        *,
        json: object = None,
        label: str = "",
        priority: int = 3,
        express: bool = False,
        correlation_id: str = "",
        app_specific: int = 0,
        transaction: Transaction | None = None,
    ) -> MsmqSentMessageInfo:
        """Sends a message: a body of bytes or text, or an object as JSON.

        It is on disk when this returns, unless ``express`` is set. In a transaction it is sent when
        that commits, and has no id before.
        """
        outgoing = _outgoing(body, json, label, priority, express, correlation_id, app_specific)
        sent = self._door.send(self._name, outgoing, self._number(transaction))
        return MsmqSentMessageInfo._of(sent)

    def send_many(
        self,
        messages: Iterable[Body | Mapping[str, Any]],
        *,
        transaction: Transaction | None = None,
    ) -> list[MsmqSentMessageInfo]:
        """Sends many messages without waiting for one before the next; they stay in order.

        An item is a body, or a mapping of what :meth:`send` takes, for example
        ``{"json": order, "label": "new"}``.
        When some fail, :class:`hamq.BatchError` has the result of each one.
        """
        results: list[MsmqSentMessageInfo | MqError] = []
        remaining = iter(messages)
        while batch := [_item(message) for message in islice(remaining, _BATCH)]:
            outcomes = self._door.send_many(self._name, batch, self._number(transaction))
            results.extend(_result(outcome) for outcome in outcomes)
        sent = [result for result in results if isinstance(result, MsmqSentMessageInfo)]
        if len(sent) < len(results):
            raise BatchError(results)
        return sent

    def receive(
        self,
        timeout: Duration | None = None,
        *,
        transaction: Transaction | None = None,
    ) -> _native.Message:
        """Takes the next message; waits for one at most ``timeout`` seconds, or for ever.

        Raises :class:`hamq.ReceiveTimeout` (a ``TimeoutError``) when none came.
        """
        return self._receive(False, milliseconds(timeout), transaction)

    def peek(self, timeout: Duration | None = 0) -> _native.Message:
        """The next message, left in the queue."""
        return self._receive(True, milliseconds(timeout), None)

    def poll(self, *, transaction: Transaction | None = None) -> _native.Message | None:
        """Takes the next message if there is one, or None; never waits for one to come."""
        try:
            return self._receive(False, 0, transaction)
        except ReceiveTimeout:
            return None

    def consume(self, timeout: Duration | None = None) -> Iterator[_native.Message]:
        """Takes message after message; ends when none came for ``timeout`` seconds.

        Each one has left the queue when the loop's body begins: use :meth:`process` where a failure
        in the body must put it back.
        """
        while True:
            try:
                message = self.receive(timeout)
            except ReceiveTimeout:
                return
            yield message

    @contextmanager
    def process(self, timeout: Duration | None = None) -> Iterator[_native.Message]:
        """Takes the next message for the length of a ``with`` block.

        It leaves the queue when the block ends, and is back in its old place when an exception
        leaves the block or the process dies in it.
        """
        transaction, message = self._begin_and_receive(timeout)
        with transaction:
            yield message

    def purge(self) -> MsmqQueueInfo:
        """Deletes all messages that no transaction holds."""
        return MsmqQueueInfo._of(self._door.purge(self._name))

    def info(self) -> MsmqQueueInfo:
        """The queue's properties and counters."""
        wanted = self.path.lower()
        for record in self._door.queues():
            if record["Name"].lower() == wanted:
                return MsmqQueueInfo._of(record)
        raise QueueNotFound(f"there is no queue {self.path}", "create it, or look for its name")

    def __len__(self) -> int:
        return self.info().message_count

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<Queue {self.path}>"

    def _begin_and_receive(self, timeout: Duration | None) -> tuple[Transaction, _native.Message]:
        """A transaction with a message in it; begun again if a failover ended it meanwhile."""
        for attempt in range(1, _ATTEMPTS + 1):
            transaction = Transaction(self._door)
            try:
                return transaction, self.receive(timeout, transaction=transaction)
            except BaseException as error:
                transaction._abandon()
                if attempt == _ATTEMPTS or not isinstance(error, TransactionAborted):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _receive(
        self, peek: bool, timeout_ms: int | None, transaction: Transaction | None
    ) -> _native.Message:
        return self._door.receive(self._name, peek, timeout_ms, self._number(transaction))

    def _number(self, transaction: Transaction | None) -> int | None:
        return None if transaction is None else transaction._within(self._door)


def _outgoing(
    body: Body | None = None,
    json: object = None,
    label: str = "",
    priority: int = 3,
    express: bool = False,
    correlation_id: str = "",
    app_specific: int = 0,
) -> Outgoing:
    """A message in the order in which the native half takes it apart."""
    if (body is None) == (json is None):
        raise TypeError("a message has either a body or json=...")
    data = content(body) if body is not None else _json.dumps(json).encode()
    return (data, label, priority, express, correlation_id, app_specific)


def _item(message: Body | Mapping[str, Any]) -> Outgoing:
    return _outgoing(**message) if isinstance(message, Mapping) else _outgoing(message)


def _result(outcome: tuple[Any, bool]) -> MsmqSentMessageInfo | MqError:
    value, failed = outcome
    if not failed:
        return MsmqSentMessageInfo._of(value)
    assert isinstance(value, MqError)
    return value
