"""Transactions over the queues of one queue manager."""

from types import TracebackType
from typing import Self

from . import _native
from .errors import MqError, RemoteMachineNotAvailable, TransactionUsage


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
        """Makes everything done in it durable and visible together.

        On :class:`RemoteMachineNotAvailable` it is not known whether it happened: the transaction
        stays active, and committing it once more tells.
        """
        number = self._within(self._door)
        try:
            self._door.commit(number)
        except RemoteMachineNotAvailable:
            raise
        except BaseException:
            self._id = None
            raise
        self._id = None

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
