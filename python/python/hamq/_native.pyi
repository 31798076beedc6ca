"""The native half; see the modules that use it."""

from datetime import datetime
from pathlib import Path
from typing import Any, final

from ._convert import Outgoing

__version__: str

def run_shell(arguments: list[str], program: list[str]) -> int: ...
def _after_fork_in_child() -> None: ...
def _command_names() -> list[tuple[str, str]]: ...
def _error_kinds() -> list[tuple[str, int]]: ...

@final
class Client:
    def __new__(cls, home: Path, program: list[str], failover_timeout: float) -> Client: ...
    def connect(self, target: str) -> None: ...
    @property
    def cluster(self) -> str | None: ...
    def invoke(self, name: str, arguments: dict[str, object]) -> list[dict[str, Any]]: ...
    def session(self, computer: str) -> Door: ...
    def cancel(self) -> None: ...
    def close(self) -> None: ...

@final
class Door:
    @staticmethod
    def open(path: Path) -> Door: ...
    @staticmethod
    def parse_path(path: str) -> tuple[str, str]: ...
    @property
    def computer(self) -> str: ...
    def path(self, queue: str) -> str: ...
    def create_queue(self, queue: str, transactional: bool, label: str) -> dict[str, Any]: ...
    def delete_queue(self, queue: str) -> dict[str, Any]: ...
    def purge(self, queue: str) -> dict[str, Any]: ...
    def queues(self) -> list[dict[str, Any]]: ...
    def send(self, queue: str, outgoing: Outgoing, transaction: int | None) -> dict[str, Any]: ...
    def send_many(
        self, queue: str, outgoing: list[Outgoing], transaction: int | None
    ) -> list[tuple[Any, bool]]: ...
    def receive(
        self, queue: str, peek: bool, timeout_ms: int | None, transaction: int | None
    ) -> Message: ...
    def begin(self) -> int: ...
    def commit(self, transaction: int) -> None: ...
    def abort(self, transaction: int) -> None: ...
    def abandon(self, transaction: int) -> None: ...
    def close(self) -> None: ...

@final
class Message:
    """A message as it was received or peeked. It never changes."""

    def __new__(
        cls,
        queue: str,
        body: bytes,
        label: str,
        priority: int,
        recoverable: bool,
        id: str,
        correlation_id: str,
        lookup_id: int,
        app_specific: int,
        sent_ms: int,
        arrived_ms: int,
    ) -> Message: ...
    @property
    def queue(self) -> str:
        """The path name of the queue it is or was in."""
    @property
    def body(self) -> bytes:
        """The content."""
    @property
    def text(self) -> str:
        """The body as text (UTF-8)."""
    def json(self) -> Any:
        """The body as what its JSON says."""
    @property
    def label(self) -> str:
        """A free text."""
    @property
    def priority(self) -> int:
        """0 to 7; always 0 in a transactional queue."""
    @property
    def recoverable(self) -> bool:
        """Whether it survives a restart."""
    @property
    def id(self) -> str:
        """GUID of the queue manager and a number: unique for ever."""
    @property
    def correlation_id(self) -> str:
        """The id of the message this one answers; empty for none."""
    @property
    def lookup_id(self) -> int:
        """Its place in the queue."""
    @property
    def app_specific(self) -> int:
        """A number for the application."""
    @property
    def sent_ms(self) -> int:
        """When it was sent, in milliseconds since 1970."""
    @property
    def arrived_ms(self) -> int:
        """When it arrived, in milliseconds since 1970."""
    @property
    def sent_time(self) -> datetime:
        """When it was sent, in UTC."""
    @property
    def arrived_time(self) -> datetime:
        """When it arrived, in UTC."""
    def __hash__(self) -> int: ...
