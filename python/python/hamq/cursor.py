"""Cursors: places in a queue from which a reader goes forward."""

from collections.abc import Iterator

from . import _native
from ._convert import Duration, milliseconds
from .errors import IllegalCursorAction, ReceiveTimeout
from .transaction import Transaction


class Cursor:
    """A place in a queue, as MSMQ's cursors: it goes forward only, and each has its own.

    It is at a message once that was peeked. :meth:`peek` gives the message it is at (or goes to the
    first one behind its place), :meth:`next` goes to the following one, :meth:`receive` takes the
    one it is at; then it is between two messages. What arrives before its place (for its higher
    priority) it does not see.

    Iterating goes to message after message and leaves each where it is; ``receive()`` in the loop
    takes the one it is at::

        cursor = queue.cursor()
        for message in cursor:
            if message.label == "mine":
                cursor.receive()

    A message that somebody else took meanwhile is :class:`hamq.MessageAlreadyReceived`;
    :meth:`next` goes on behind it. Threads need cursors of their own.
    """

    def __init__(self, door: _native.Door, queue: str) -> None:
        self._door = door
        self._queue = queue
        self._place = _native.Cursor()

    def peek(self, timeout: Duration | None = 0) -> _native.Message:
        """The message at the cursor, left in the queue (MQ_ACTION_PEEK_CURRENT)."""
        return self._at("peek_current", timeout, None)

    def next(self, timeout: Duration | None = 0) -> _native.Message:
        """The message behind the one at the cursor, left in the queue (MQ_ACTION_PEEK_NEXT).

        Raises :class:`hamq.IllegalCursorAction` before the current one was peeked.
        """
        return self._at("peek_next", timeout, None)

    def receive(
        self, timeout: Duration | None = 0, *, transaction: Transaction | None = None
    ) -> _native.Message:
        """Takes the message at the cursor (MQ_ACTION_RECEIVE)."""
        return self._at("receive", timeout, transaction)

    def __iter__(self) -> Iterator[_native.Message]:
        while True:
            try:
                try:
                    message = self.next()
                except IllegalCursorAction:  # it is at none: the first one behind its place
                    message = self.peek()
            except ReceiveTimeout:
                return
            yield message

    def __repr__(self) -> str:
        return f"<Cursor {self._door.path(self._queue)}>"

    def _at(
        self, action: str, timeout: Duration | None, transaction: Transaction | None
    ) -> _native.Message:
        number = None if transaction is None else transaction._within(self._door)
        wait = milliseconds(timeout)
        return self._door.receive_at(self._queue, self._place, action, wait, number)
