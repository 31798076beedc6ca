"""Bodies that are larger than memory should hold: streams to and from files."""

import io
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import _native
from ._convert import Readable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STREAM_LEASE_MS = 60_000
"""How long a message is hidden while its body is read; it is extended as long as somebody reads."""

_PART_BYTES = 1024 * 1024


class BodyStream(io.RawIOBase):
    """The body of a message in a queue, read in parts as a binary stream."""

    def __init__(self, door: _native.Door, queue: str, message: _native.Message) -> None:
        super().__init__()
        self.message = message
        """Everything but the body."""
        self._door = door
        self._queue = queue
        self._at = 0
        self._part = memoryview(message.body)
        self._read_until = len(message.body)
        self._renewed = time.monotonic()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Reads the next bytes."""
        if not self._part and self._read_until < self.message.body_size:
            self._renew()
            part = self._door.read_body(
                self._queue, self.message.lookup_id, self._read_until, _PART_BYTES
            )
            self._part = memoryview(part)
            self._read_until += len(part)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._part))
        target[:count] = self._part[:count]
        self._part = self._part[count:]
        return count

    def _renew(self) -> None:
        """Gives a leased message more time: a gigabyte may take longer than one lease."""
        now = time.monotonic()
        lease = self.message.lease_id
        if lease is not None and now - self._renewed > STREAM_LEASE_MS / 3000:
            self._door.settle(self._queue, lease, "extend", STREAM_LEASE_MS)
            self._renewed = now


class _Joined:
    """What was read of a stream already, and the rest of it."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return bytes(part)
        return self._rest.read(size)


def split(stream: Readable, whole_bytes: int) -> tuple[bytes, Readable | None]:
    """A short stream as one body; a long one as a stream, with an empty body."""
    head = bytearray()
    while len(head) <= whole_bytes:
        part = stream.read(whole_bytes + 1 - len(head))
        if not isinstance(part, (bytes, bytearray)):
            name = type(part).__name__
            raise TypeError(f"a body is read from a binary stream, not one of {name}")
        if not part:
            return bytes(head), None
        head += part
    return b"", _Joined(bytes(head), stream)


def save(body: BodyStream, path: Path) -> None:
    """Writes a body to a file, which is there with all of it or as it was before."""
    folder = path.parent
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}.", delete=False) as file:
        try:
            shutil.copyfileobj(body, file, _PART_BYTES)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """The file's name is on disk as well."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
