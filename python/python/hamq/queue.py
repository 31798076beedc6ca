"""Queues and transactions: the same behind a cluster and behind an embedded queue manager."""

import io
import json as _json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntFlag
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, TypedDict, Unpack

from . import _native
from ._commands import MsmqQueueInfo, MsmqSentMessageInfo
from ._convert import Choice, Duration, Outgoing, Readable, content, milliseconds
from .body import STREAM_LEASE_MS, BodyStream, save, split
from .cursor import Cursor
from .errors import BatchError, MqError, ReceiveTimeout, TransactionAborted
from .transaction import Transaction

Body = bytes | bytearray | memoryview | str
"""What is sent as it is; text in UTF-8."""

_TAKE_FIRST: Choice = ("first", 0, "", None)
_PEEK_FIRST: Choice = ("first", 0, "", 0)

_WHOLE_BYTES = 4 * 1024 * 1024
"""A larger body is sent in parts."""

_BATCH = 1024
"""How many messages of :meth:`Queue.send_many` are under way at a time."""

_ATTEMPTS = 3
"""How often :meth:`Queue.process` begins: once, and once more for each failover in its wait."""


class Acknowledge(IntFlag):
    """Which acknowledgements the administration queue gets."""

    NONE = 0
    POSITIVE_ARRIVAL = 1
    POSITIVE_RECEIVE = 2
    NEGATIVE_ARRIVAL = 4
    NEGATIVE_RECEIVE = 8
    FULL_REACH_QUEUE = 5
    NACK_RECEIVE = 12
    FULL_RECEIVE = 14


class Properties(TypedDict, total=False):
    """Properties of a sent message that most messages do not have."""

    body_type: int
    """The VARTYPE of the body."""
    acknowledge: Acknowledge | int
    """Which acknowledgements ``admin_queue`` gets."""
    admin_queue: "Queue | str"
    """Where they go: a queue that is not transactional."""
    response_queue: "Queue | str"
    """Where answers go."""
    dead_letter_queue: "Queue | str"
    """Where it goes when it cannot be delivered; by default the system's queue for that."""
    dead_letter: bool
    """False loses it silently when it cannot be delivered."""
    journal: bool
    """Keep a copy in the journal of the sender's computer."""
    ttrq: Duration | None
    """How long it may take to reach its queue."""
    ttbr: Duration | None
    """How long it may be received, from its sending."""
    delay: Duration | None
    """Not to be received before so much time has passed."""
    idempotency_key: bytes | str
    """A second message with the same key in the queue's window is the same message."""
    extension: bytes
    """More bytes of the application."""
    trace: bool
    """Send reports on its route."""
    soap_header: str
    """More of the SOAP header."""
    soap_body: str
    """More of the SOAP body."""
    connector_type: str
    """A GUID by which an application says that it has itself protected the message. Without it a
    signature and a privacy level are refused (:class:`hamq.UnsupportedOperation`): a queue manager
    neither signs nor encrypts."""
    message_class: int
    """What an acknowledgement or a dead letter says (MQMSG_CLASS_*)."""
    privacy_level: int
    """How the body was encrypted: 1, 3 or 5 (MQMSG_PRIV_LEVEL_*)."""
    encryption_algorithm: int
    """The algorithm of that (ALG_ID)."""
    symmetric_key: bytes
    """The encrypted key of that."""
    authentication_level: int
    """1: sign it always."""
    signature: bytes
    """The signature."""
    hash_algorithm: int
    """The algorithm of its hash (ALG_ID)."""
    sender_certificate: bytes
    """The certificate of the signature (X.509, DER)."""
    provider_type: int
    """The type of the cryptographic provider."""
    provider_name: str
    """The name of the cryptographic provider."""
    sender_id_type: int | None
    """What the sender is called by: 0 nothing, 1 a SID, 2 a queue manager."""


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
        stream: Readable | None = None,
        label: str = "",
        priority: int = 3,
        express: bool = False,
        correlation_id: str = "",
        app_specific: int = 0,
        transaction: Transaction | None = None,
        **properties: Unpack[Properties],
    ) -> MsmqSentMessageInfo:
        """Sends a message: a body of bytes or text, an object as JSON, or what a stream gives.

        It is on disk when this returns, unless ``express`` is set. In a transaction it is sent when
        that commits, and has no id before. For the rarer ``properties`` see :class:`Properties`.
        A body may have up to 1 GiB. A ``stream`` is read in parts while it is sent, so that only a
        few MiB of it are in memory; what was sent of it survives a failover.
        """
        if stream is not None:
            if body is not None or json is not None:
                raise TypeError("a message has either a body, json=... or stream=...")
            body, stream = split(stream, _WHOLE_BYTES)
        outgoing = _outgoing(
            body, json, label, priority, express, correlation_id, app_specific, **properties
        )
        number = self._number(transaction)
        if stream is None and len(outgoing[0]) > _WHOLE_BYTES:
            stream, outgoing = io.BytesIO(outgoing[0]), (b"", *outgoing[1:])
        if stream is None:
            sent = self._door.send(self._name, outgoing, number)
        else:
            sent = self._door.send_stream(self._name, outgoing, stream, number)
        return MsmqSentMessageInfo._of(sent)

    def send_file(
        self,
        path: str | PathLike[str],
        *,
        label: str = "",
        priority: int = 3,
        express: bool = False,
        correlation_id: str = "",
        app_specific: int = 0,
        transaction: Transaction | None = None,
        **properties: Unpack[Properties],
    ) -> MsmqSentMessageInfo:
        """Sends what a file contains, up to 1 GiB; see :meth:`send`."""
        with open(path, "rb") as file:
            return self.send(
                stream=file,
                label=label,
                priority=priority,
                express=express,
                correlation_id=correlation_id,
                app_specific=app_specific,
                transaction=transaction,
                **properties,
            )

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
        whole: bool = True,
    ) -> _native.Message:
        """Takes the next message; waits for one at most ``timeout`` seconds, or for ever.

        Raises :class:`hamq.ReceiveTimeout` (a ``TimeoutError``) when none came. In a transaction,
        without ``whole``, a body above 4 MiB stays where it is until the commit, and
        :meth:`body_stream` reads it. Without a transaction, :meth:`receive_stream` does that.
        """
        if not whole and transaction is None:
            raise ValueError("a message that is gone has no body to read; use receive_stream()")
        return self._receive(_TAKE_FIRST, timeout, transaction, whole)

    def peek(self, timeout: Duration | None = 0, *, whole: bool = True) -> _native.Message:
        """The next message, left in the queue.

        Without ``whole`` a body above 4 MiB stays there too: :meth:`body_stream` reads it.
        """
        return self._receive(_PEEK_FIRST, timeout, None, whole)

    def cursor(self) -> Cursor:
        """A cursor at the beginning of the queue. A queue has any number of them."""
        return Cursor(self._door, self._name)

    def receive_file(
        self, path: str | PathLike[str], timeout: Duration | None = None
    ) -> _native.Message:
        """Takes the next message and writes its body to a file; returns it without its body.

        The message is hidden meanwhile and leaves the queue when the file is on disk; when
        something fails it is back, and the file is as it was.
        """
        with self.receive_stream(timeout) as body:
            save(body, Path(path))
            return body.message

    @contextmanager
    def receive_stream(self, timeout: Duration | None = None) -> Iterator[BodyStream]:
        """Takes the next message for the length of a ``with`` block, to read its body as a stream.

        The stream's ``message`` has everything but the body. The message is hidden from others,
        leaves the queue when the block ends, and is back at once when an exception leaves it.
        """
        choice: Choice = ("first", 0, "", STREAM_LEASE_MS)
        message = self._receive(choice, timeout, None, False)
        with self._settled(message):
            yield BodyStream(self._door, self._name, message)

    def body_stream(self, message: _native.Message) -> BodyStream:
        """The body of a message that is in the queue, peeked or leased, as a stream."""
        return BodyStream(self._door, self._name, message)

    def receive_by_id(
        self,
        id: str,
        timeout: Duration | None = 0,
        *,
        transaction: Transaction | None = None,
    ) -> _native.Message:
        """Takes the message with this id."""
        return self._receive(("id", 0, id, None), timeout, transaction)

    def receive_by_correlation_id(
        self,
        correlation_id: str,
        timeout: Duration | None = None,
        *,
        transaction: Transaction | None = None,
    ) -> _native.Message:
        """Takes the first message with this correlation id; waits for it as :meth:`receive`."""
        choice = ("correlation_id", 0, correlation_id, None)
        return self._receive(choice, timeout, transaction)

    def receive_by_lookup_id(
        self, lookup_id: int, *, transaction: Transaction | None = None
    ) -> _native.Message:
        """Takes the message at this place."""
        return self._receive(("lookup_id", lookup_id, "", None), 0, transaction)

    def peek_by_lookup_id(self, lookup_id: int, *, whole: bool = True) -> _native.Message:
        """The message at this place, left in the queue; for ``whole`` see :meth:`peek`."""
        return self._receive(("lookup_id", lookup_id, "", 0), 0, None, whole)

    def browse(self, *, whole: bool = True) -> Iterator[_native.Message]:
        """The messages that are in the queue, in their order; each is left there.

        For ``whole`` see :meth:`peek`.
        """
        choice = _PEEK_FIRST
        while True:
            try:
                message = self._receive(choice, 0, None, whole)
            except ReceiveTimeout:
                return
            yield message
            choice = ("after", message.lookup_id, "", 0)

    @contextmanager
    def lease(
        self, length: Duration = 30, timeout: Duration | None = None
    ) -> Iterator[_native.Message]:
        """Hides the next message from others in a ``with`` block, for at most ``length``.

        It leaves the queue when the block ends, and is back at once when an exception leaves it.
        Unlike :meth:`process` it survives this process's connection; when the block takes longer
        than ``length``, somebody else may get the message and the end of the block raises
        :class:`hamq.MessageAlreadyReceived`. :meth:`extend` gives it more time.
        """
        message = self.receive_leased(length, timeout)
        with self._settled(message):
            yield message

    @contextmanager
    def _settled(self, message: _native.Message) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            try:
                self.release(message)
            except MqError as failed:
                # What went wrong first is what the caller must see; the lease runs out by itself.
                error.add_note(f"giving the message back failed as well: {failed}")
            raise
        self.complete(message)

    def receive_leased(self, length: Duration, timeout: Duration | None = None) -> _native.Message:
        """Hides the next message for ``length``; it is back then, unless it is settled before."""
        return self._receive(("first", 0, "", _length(length)), timeout, None)

    def complete(self, message: _native.Message) -> None:
        """Deletes a leased message: it was dealt with."""
        self._door.settle(self._name, _lease(message), "complete", 0)

    def release(self, message: _native.Message) -> None:
        """Gives a leased message back; that counts as an aborted receive."""
        self._door.settle(self._name, _lease(message), "release", 0)

    def extend(self, message: _native.Message, length: Duration) -> None:
        """Lets a lease last for ``length`` from now on."""
        self._door.settle(self._name, _lease(message), "extend", _length(length))

    def reject(self, message: _native.Message, *, transaction: Transaction | None = None) -> None:
        """Makes a message a dead letter: a leased one at once, a received one at the commit."""
        if transaction is None:
            self._door.settle(self._name, _lease(message), "reject", 0)
        else:
            number = transaction._within(self._door)
            self._door.reject(number, self._name, message.lookup_id)

    def move(
        self,
        message: _native.Message | int,
        subqueue: str,
        *,
        transaction: Transaction | None = None,
    ) -> None:
        """Moves a message (or the one at a place) to a subqueue; "" is the queue itself."""
        place = message if isinstance(message, int) else message.lookup_id
        main = self._name.partition(";")[0]
        target = f"{main};{subqueue}" if subqueue else main
        self._door.move_message(self._name, place, target, self._number(transaction))

    def subqueue(self, name: str) -> "Queue":
        """A subqueue of the queue, as ``queue.subqueue("retry")``."""
        return Queue(self._door, f"{self._name};{name}")

    @property
    def journal(self) -> "Queue":
        """Copies of what was received from the queue, if it keeps them."""
        return Queue(self._door, f"{self._name};JOURNAL")

    def poll(self, *, transaction: Transaction | None = None) -> _native.Message | None:
        """Takes the next message if there is one, or None; never waits for one to come."""
        try:
            return self._receive(_TAKE_FIRST, 0, transaction)
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
        return MsmqQueueInfo._of(self._door.queue(self._name))

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
        self,
        choice: Choice,
        timeout: Duration | None,
        transaction: Transaction | None,
        whole: bool = True,
    ) -> _native.Message:
        number = self._number(transaction)
        return self._door.receive(self._name, choice, milliseconds(timeout), number, whole)

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
    **properties: Unpack[Properties],
) -> Outgoing:
    """A message in the order in which the native half takes it apart."""
    if (body is None) == (json is None):
        raise TypeError("a message has either a body or json=...")
    data = content(body) if body is not None else _json.dumps(json).encode()
    rare = _rare(properties) if properties else None
    return (data, label, priority, express, correlation_id, app_specific, rare)


def _rare(given: Properties) -> dict[str, object]:
    """The rarer properties as the native half takes them."""
    dead_letter = 1 if given.get("dead_letter", True) else 0
    return {
        "body_type": given.get("body_type", 0),
        "acknowledge": int(given.get("acknowledge", Acknowledge.NONE)),
        "admin_queue": _path(given.get("admin_queue", "")),
        "response_queue": _path(given.get("response_queue", "")),
        "dead_letter_queue": _path(given.get("dead_letter_queue", "")),
        "journal": dead_letter | (2 if given.get("journal", False) else 0),
        "time_to_reach_queue": _lifetime(given.get("ttrq")),
        "time_to_be_received": _lifetime(given.get("ttbr")),
        "delay_ms": milliseconds(given.get("delay")) or 0,
        "idempotency_key": content(given.get("idempotency_key", b"")),
        "extension": content(given.get("extension", b"")),
        "trace": given.get("trace", False),
        "message_class": given.get("message_class", 0),
        "soap_header": given.get("soap_header", ""),
        "soap_body": given.get("soap_body", ""),
        "sender_id_type": given.get("sender_id_type"),
        "privacy_level": given.get("privacy_level", 0),
        "authentication_level": given.get("authentication_level", 0),
        "hash_algorithm": given.get("hash_algorithm", 0),
        "encryption_algorithm": given.get("encryption_algorithm", 0),
        "sender_certificate": content(given.get("sender_certificate", b"")),
        "symmetric_key": content(given.get("symmetric_key", b"")),
        "signature": content(given.get("signature", b"")),
        "provider_type": given.get("provider_type", 0),
        "provider_name": given.get("provider_name", ""),
        "connector_type": given.get("connector_type", ""),
    }


def _path(queue: "Queue | str") -> str:
    return queue.path if isinstance(queue, Queue) else queue


def _lifetime(value: Duration | None) -> int:
    """Whole seconds, rounded up; None is for ever."""
    ms = milliseconds(value)
    if ms is None:
        return 0xFFFFFFFF
    seconds = -(-ms // 1000)
    if seconds >= 0xFFFFFFFE:
        raise ValueError(f"{value!r} is too long; None is for ever")
    return seconds


def _length(value: Duration) -> int:
    ms = milliseconds(value)
    if not ms or ms > 0xFFFFFFFF:
        raise ValueError(f"{value!r} is no length of a lease; give seconds, more than 0")
    return ms


def _lease(message: _native.Message) -> str:
    if message.lease_id is None:
        raise ValueError(f"{message!r} was not received with a lease")
    return message.lease_id


def _item(message: Body | Mapping[str, Any]) -> Outgoing:
    return _outgoing(**message) if isinstance(message, Mapping) else _outgoing(message)


def _result(outcome: tuple[Any, bool]) -> MsmqSentMessageInfo | MqError:
    value, failed = outcome
    if not failed:
        return MsmqSentMessageInfo._of(value)
    assert isinstance(value, MqError)
    return value
