"""Bodies that are larger than memory should hold: sent from and received into streams and files."""

import hashlib
import io
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hamq

MIB = 1024 * 1024


@pytest.fixture
def queue(manager: hamq.QueueManager) -> hamq.Queue:
    manager.create_queue("q")
    return manager.queue("q")


def pattern(count: int) -> bytes:
    """So many bytes of which no MiB is like another."""
    blocks = (hashlib.sha256(str(number).encode()).digest() for number in range(count // 4096 + 1))
    return b"".join(block * 128 for block in blocks)[:count]


class Counted(io.RawIOBase):
    """A stream that cannot be read twice, and gives a little at a time."""

    def __init__(self, data: bytes, after: Callable[[int], None] = lambda _: None) -> None:
        self.data = memoryview(data)
        self.at = 0
        self.after = after

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        part = bytes(self.data[self.at : self.at + min(size, 300_000)])
        self.at += len(part)
        self.after(self.at)
        return part


@pytest.mark.parametrize("count", [0, 10, 4 * MIB, 4 * MIB + 1, 9 * MIB])
def test_a_stream_of_any_length_arrives_as_it_is(
    queue: hamq.Queue, count: int, tmp_path: Path
) -> None:
    data = pattern(count)
    sent = queue.send(stream=Counted(data), label="streamed")
    message = queue.peek()
    assert (message.id, message.label, message.body_size) == (sent.id, "streamed", count)
    assert message.body == data
    with queue.body_stream(queue.peek(whole=False)) as body:
        assert body.read() == data
    target = tmp_path / "body"
    target.write_bytes(b"before")
    received = queue.receive_file(target, timeout=5)
    assert received.id == sent.id and target.read_bytes() == data
    assert queue.poll() is None
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".body")] == []


def test_a_large_body_in_memory_needs_no_other_call(queue: hamq.Queue) -> None:
    data = pattern(5 * MIB)
    queue.send(data)
    queue.send(json="x" * (5 * MIB))
    assert queue.receive(timeout=5).body == data
    assert queue.receive(timeout=5).json() == "x" * (5 * MIB)


def test_a_large_body_is_part_of_a_transaction(manager: hamq.QueueManager, tmp_path: Path) -> None:
    manager.create_queue("t", transactional=True)
    queue = manager.queue("t")
    file = tmp_path / "large"
    file.write_bytes(pattern(6 * MIB))
    with pytest.raises(ZeroDivisionError), manager.transaction() as tx:
        queue.send_file(file, transaction=tx)
        raise ZeroDivisionError
    assert queue.poll() is None
    with manager.transaction() as tx:
        queue.send_file(file, label="large", transaction=tx)
        queue.send("small", transaction=tx)
    queue.send_file(file)
    with queue.receive_stream(timeout=5) as body:
        assert (body.message.label, body.read()) == ("large", file.read_bytes())
    assert [message.body_size for message in queue.browse(whole=False)] == [5, 6 * MIB]


def test_a_large_body_is_read_within_the_transaction_that_takes_it(
    manager: hamq.QueueManager,
) -> None:
    manager.create_queue("t", transactional=True)
    queue = manager.queue("t")
    data = pattern(5 * MIB)
    queue.send(data)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), manager.transaction() as tx:
            message = queue.receive(timeout=5, transaction=tx, whole=False)
            assert (message.body, message.body_size) == (b"", 5 * MIB)
            assert queue.body_stream(message).read() == data
            raise ZeroDivisionError
    with pytest.raises(ValueError, match="receive_stream"):
        queue.receive(whole=False)
    assert len(queue) == 1


def test_a_failure_while_it_is_read_gives_the_message_back(
    queue: hamq.Queue, tmp_path: Path
) -> None:
    queue.send(pattern(5 * MIB))
    with pytest.raises(ZeroDivisionError), queue.receive_stream(timeout=5) as body:
        assert len(body.read(MIB)) == MIB
        assert queue.poll() is None, "it is hidden meanwhile"
        raise ZeroDivisionError
    with pytest.raises(FileNotFoundError):
        queue.receive_file(tmp_path / "no folder" / "body")
    assert queue.peek(whole=False).body_size == 5 * MIB


def test_a_stream_that_fails_sends_nothing(queue: hamq.Queue) -> None:
    def fail(at: int) -> None:
        if at > 5 * MIB:
            raise OSError("the disk fell off")

    with pytest.raises(OSError, match="fell off"):
        queue.send(stream=Counted(pattern(6 * MIB), fail))
    with pytest.raises(TypeError, match="binary"):
        queue.send(stream=io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        queue.send("body", stream=io.BytesIO(b"and stream"))
    assert queue.poll() is None


SCRIPT = """
import hamq, hashlib, resource, sys
path, source, target = sys.argv[1:]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with hamq.connect() as connection:
    queue = connection.queue(path)
    queue.send("warm"), queue.receive(timeout=10)
    before = peak()
    with open(source, "rb") as file:
        queue.send(stream=file)
    queue.receive_file(target, timeout=10)
    print(peak() - before)
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A queue manager of its own process."""
    number = os.getpid()
    address = f"127.{1 + number // 250 % 200}.{1 + number % 250}.9:7801"
    command = [sys.executable, "-P", "-m", "hamq", "queue-manager", "--name", "VS1"]
    with subprocess.Popen(
        [*command, "--store", str(tmp_path / "store"), "--listen", address],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline()
        yield address
        process.kill()


def test_64_mib_pass_through_a_few_mib_of_memory(address: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    data = pattern(64 * MIB)
    source.write_bytes(data)
    path = f"{address}/private$/large"
    with hamq.connect(home=tmp_path / "home") as connection:
        connection.new_msmq_queue(path, transactional=True)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, path, str(source), str(target)],
        env={**os.environ, "HAMQ_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    grown_kib = int(ran.stdout)
    assert grown_kib < 32 * 1024, "of 64 MiB only the parts under way are in memory"
    assert target.read_bytes() == data
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 64 * 1024, "the figure is in KiB"
