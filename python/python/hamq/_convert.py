"""Python values as the command surface takes them, and its values as Python shows them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

Duration = float | timedelta
"""A length of time: seconds, or a timedelta."""

Outgoing = tuple[bytes, str, int, bool, str, int, dict[str, object] | None]
"""A message to send: body, label, priority, express, correlation id, number for the application and
its rarer properties by their names."""

Choice = tuple[str, int, str, int | None]
"""Which message to receive (a word, with a place or an id) and what becomes of it: None takes it, 0
leaves it, a number of milliseconds leases it."""


class Readable(Protocol):
    """A binary stream: an open file, a pipe, a socket's file."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


def milliseconds(value: Duration | None) -> int | None:
    """A length of time in whole milliseconds, rounded up; None stays None."""
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not 0 <= seconds <= 1e12:  # NaN, negative, or beyond any clock
        raise ValueError(f"{value!r} is no length of time; give seconds, not negative")
    return -int(-seconds * 1000 // 1)


def texts(value: str | Iterable[str]) -> list[str]:
    """Several texts; a single one counts as a list of one."""
    return [value] if isinstance(value, str) else list(value)


def content(value: bytes | bytearray | memoryview | str) -> bytes:
    """A body: bytes as they are, text in UTF-8."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    name = type(value).__name__
    raise TypeError(f"a body is bytes or str, not {name}; use json=... to send an object")
