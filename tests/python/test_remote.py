"""Queues of a queue manager in another process, without a cluster around it."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hamq

Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def address() -> str:
    """A loopback address of this process's own."""
    number = os.getpid()
    return f"127.{1 + number // 250 % 200}.{1 + number % 250}.7:7801"


@pytest.fixture
def start(tmp_path: Path, address: str) -> Iterator[Start]:
    """Starts the queue manager over one store, each time with a new process."""
    started: list[subprocess.Popen[str]] = []
    command = [sys.executable, "-P", "-m", "hamq", "queue-manager", "--name", "VS1"]
    store = tmp_path / "store"
    store.mkdir()

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*command, "--store", str(store), "--listen", address],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline(), "it says where it listens"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[hamq.Cluster]:
    with hamq.connect(home=tmp_path / "home") as connection:
        yield connection


def test_it_is_the_same_queue_interface(
    start: Start, address: str, connection: hamq.Cluster
) -> None:
    start()
    connection.new_msmq_queue(f"{address}/private$/q", transactional=True, label="remote")
    queue = connection.queue(f"{address}/private$/q")
    assert queue.info().label == "remote"
    sent = queue.send("1", label="one", app_specific=9)
    message = queue.peek(timeout=5)
    assert (message.id, message.label, message.app_specific) == (sent.id, "one", 9)
    with pytest.raises(ZeroDivisionError), queue.process(timeout=5) as message:
        raise ZeroDivisionError(message.text)
    with connection.transaction(address) as tx:
        queue.send(queue.receive(timeout=5, transaction=tx).body + b"!", transaction=tx)
    assert queue.receive(timeout=5).text == "1!"
    with pytest.raises(hamq.ReceiveTimeout):
        queue.receive(timeout=0.3)
    assert len(queue.send_many(str(number) for number in range(3000))) == 3000
    assert [m.text for m in queue.consume(timeout=0)] == [str(n) for n in range(3000)]
    with pytest.raises(hamq.QueueNotFound):
        connection.queue(f"{address}/private$/nowhere").send("x")


def test_a_sender_lives_through_the_death_of_the_queue_manager(
    start: Start, address: str, connection: hamq.Cluster
) -> None:
    process = start()
    connection.new_msmq_queue(f"{address}/private$/q", transactional=True)
    queue = connection.queue(f"{address}/private$/q")
    total = 300
    under_way = threading.Event()

    def send() -> None:
        for number in range(total):
            queue.send(str(number))
            if number == total // 3:
                under_way.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert under_way.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    start()
    sender.join(120)
    assert not sender.is_alive()

    texts = [queue.receive(timeout=30).text for _ in range(total)]
    assert texts == [str(number) for number in range(total)]
    assert queue.poll() is None


def test_a_stream_goes_on_where_it_was_when_the_queue_manager_dies(
    start: Start, address: str, connection: hamq.Cluster
) -> None:
    running = [start()]
    connection.new_msmq_queue(f"{address}/private$/q", transactional=True)
    queue = connection.queue(f"{address}/private$/q")
    data = b"".join(number.to_bytes(4) for number in range(4_000_000))

    class Stream(io.BytesIO):
        """Cannot be read again; in its middle the queue manager dies."""

        def seek(self, offset: int, whence: int = 0, /) -> int:
            raise io.UnsupportedOperation("not again")

        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > len(data) / 2 and len(running) == 1:
                running[0].kill()
                running[0].wait(30)
                running.append(start())
            return super().read(size)

    queue.send(stream=Stream(data), label="whole")
    assert len(running) == 2
    message = queue.receive(timeout=30)
    assert (message.label, message.body) == ("whole", data)
    assert queue.poll() is None, "once"


def test_a_dead_queue_manager_is_an_error_in_the_end(
    start: Start, address: str, tmp_path: Path
) -> None:
    process = start()
    with hamq.connect(home=tmp_path / "home", failover_timeout=0.5) as connection:
        queue = connection.queue(f"{address}/private$/q")
        with pytest.raises(hamq.QueueNotFound):
            queue.send("x")
        process.kill()
        process.wait(30)
        with pytest.raises(hamq.RemoteMachineNotAvailable):
            queue.send("x")


def test_ctrl_c_ends_a_wait_and_the_connection_stays_usable(
    start: Start, address: str, connection: hamq.Cluster
) -> None:
    start()
    connection.new_msmq_queue(f"{address}/private$/q")
    script = (
        "import hamq, sys\n"
        "with hamq.connect() as connection:\n"
        "    queue = connection.queue(sys.argv[1] + '/private$/q')\n"
        "    assert queue.poll() is None\n"
        "    try:\n"
        "        print('waiting', flush=True)\n"
        "        queue.receive()\n"
        "    except KeyboardInterrupt:\n"
        "        queue.send('after')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, address],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HAMQ_HOME": str(connection.home)},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 0
    assert connection.queue(f"{address}/private$/q").receive(timeout=5).text == "after"


def test_an_open_transaction_ends_with_its_connection(
    start: Start, address: str, connection: hamq.Cluster
) -> None:
    process = start()
    connection.new_msmq_queue(f"{address}/private$/q", transactional=True)
    queue = connection.queue(f"{address}/private$/q")
    queue.send("1")
    with pytest.raises(hamq.TransactionAborted), connection.transaction(address) as tx:
        queue.receive(timeout=5, transaction=tx)
        process.kill()
        process.wait(30)
        start()
    assert queue.receive(timeout=5).text == "1"
