"""The native half; see the modules that use it."""

from datetime import datetime
from pathlib import Path
from typing import Any, final

from ._convert import Choice, Outgoing, Readable

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
    def what_if(self, name: str, arguments: dict[str, object]) -> list[dict[str, Any]]: ...
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
    def queue(self, queue: str) -> dict[str, Any]: ...
    def manage(self, name: str, arguments: dict[str, object]) -> list[dict[str, Any]]: ...
    def delete_queue(self, queue: str) -> dict[str, Any]: ...
    def purge(self, queue: str) -> dict[str, Any]: ...
    def queues(self, all: bool) -> list[dict[str, Any]]: ...
    def send(self, queue: str, outgoing: Outgoing, transaction: int | None) -> dict[str, Any]: ...
    def send_many(
        self, queue: str, outgoing: list[Outgoing], transaction: int | None
    ) -> list[tuple[Any, bool]]: ...
    def send_stream(
        self, queue: str, outgoing: Outgoing, body: Readable, transaction: int | None
    ) -> dict[str, Any]: ...
    def receive(
        self,
        queue: str,
        choice: Choice,
        timeout_ms: int | None,
        transaction: int | None,
        whole: bool,
    ) -> Message: ...
    def receive_at(
        self,
        queue: str,
        cursor: Cursor,
        action: str,
        timeout_ms: int | None,
        transaction: int | None,
    ) -> Message: ...
    def read_body(self, queue: str, lookup_id: int, offset: int, length: int) -> bytes: ...
    def move_message(
        self, queue: str, lookup_id: int, to: str, transaction: int | None
    ) -> None: ...
    def reject(self, transaction: int, queue: str, lookup_id: int) -> None: ...
    def settle(self, queue: str, lease: str, how: str, extend_ms: int) -> None: ...
    def begin(self) -> int: ...
    def commit(self, transaction: int) -> None: ...
    def abort(self, transaction: int) -> None: ...
    def abandon(self, transaction: int) -> None: ...
    def close(self) -> None: ...

@final
class Cursor:
    def __new__(cls) -> Cursor: ...

@final
class Message:
    """A message as it was received or peeked. It never changes."""

    @property
    def body(self) -> bytes:
        """The content."""
    @property
    def text(self) -> str:
        """The body as text (UTF-8)."""
    def json(self) -> Any:
        """The body as what its JSON says."""
    @property
    def extension(self) -> bytes:
        """More bytes of the application."""
    @property
    def idempotency_key(self) -> bytes:
        """A second message with this key is the same message; empty for none."""
    @property
    def time_to_reach_queue(self) -> int | None:
        """Seconds it may take to reach its queue; None: for ever."""
    @property
    def time_to_be_received(self) -> int | None:
        """Seconds after its sending in which it may be received; None: for ever."""
    @property
    def queue(self) -> str:
        """The path name of the queue it is or was in."""
    @property
    def label(self) -> str:
        """A free text."""
    @property
    def body_size(self) -> int:
        """How many bytes its body has."""
    @property
    def body_type(self) -> int:
        """The VARTYPE of the body, as the sender set it; 0 for none."""
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
    def message_class(self) -> int:
        """0, or what an acknowledgement or a dead letter says."""
    @property
    def acknowledge(self) -> str:
        """Which acknowledgements were asked for."""
    @property
    def admin_queue(self) -> str:
        """Where acknowledgements go; empty: nowhere."""
    @property
    def response_queue(self) -> str:
        """Where answers go; empty: the sender wants none."""
    @property
    def destination_queue(self) -> str:
        """Where a copy in a journal or a dead-letter queue was going; else empty."""
    @property
    def dead_letter_queue(self) -> str:
        """The sender's own dead-letter queue; empty: the system's."""
    @property
    def journal(self) -> bool:
        """Whether a copy is kept in the journal of the sender's computer."""
    @property
    def dead_letter(self) -> bool:
        """Whether it becomes a dead letter when it cannot be delivered."""
    @property
    def trace(self) -> bool:
        """Whether reports on its route are sent."""
    @property
    def soap_header(self) -> str:
        """More of the SOAP header; empty for none."""
    @property
    def soap_body(self) -> str:
        """More of the SOAP body; empty for none."""
    @property
    def connector_type(self) -> str:
        """The connector that protected it, a GUID; empty: none."""
    @property
    def privacy_level(self) -> str:
        """How its connector encrypted it: None, Body, BodyEnhanced or BodyAes."""
    @property
    def encryption_algorithm(self) -> str:
        """The algorithm of that; empty: not said."""
    @property
    def symmetric_key(self) -> bytes:
        """The encrypted key of that."""
    @property
    def signature(self) -> bytes:
        """Its connector's signature, which no queue manager has verified."""
    @property
    def hash_algorithm(self) -> str:
        """The algorithm of the signature's hash; empty: not said."""
    @property
    def sender_certificate(self) -> bytes:
        """The certificate that its connector gave (X.509, DER)."""
    @property
    def sender(self) -> str:
        """Who sent it, as the queue manager saw it; empty: unknown."""
    @property
    def abort_count(self) -> int:
        """Aborted receives since it entered this queue."""
    @property
    def move_count(self) -> int:
        """How often it was moved."""
    @property
    def transaction_id(self) -> int | None:
        """The transaction that sent it, or None."""
    @property
    def first_in_transaction(self) -> bool:
        """Whether it is the first of its transaction."""
    @property
    def last_in_transaction(self) -> bool:
        """Whether it is the last of its transaction."""
    @property
    def lease_id(self) -> str | None:
        """The lease that must be settled, or None."""
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
