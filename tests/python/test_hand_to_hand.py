"""A body typed by hand goes from the shell, a runbook and Python to each of the others."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import hamq

HAMQ = Path(sys.executable).with_name("hamq")
BODY = 'order 7, für Ólafsdóttir: 3 of "Ink", 5 €'


class Doors:
    """Three ways to send a text to a queue of VS1, and to receive one."""

    def __init__(self, cluster: hamq.Cluster, home: Path, folder: Path) -> None:
        self._cluster, self._home, self._folder = cluster, home, folder

    def _hamq(self, *arguments: str) -> str:
        environment = {**os.environ, "HAMQ_HOME": str(self._home)}
        run = subprocess.run(
            [str(HAMQ), "--cluster", "pytest", *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        return run.stdout.rstrip("\n")

    def _runbook(self, text: str, *arguments: str) -> str:
        file = self._folder / "hand.rhai"
        file.write_text(text)
        return self._hamq("run", str(file), *arguments)

    def shell_send(self, queue: str, body: str) -> None:
        self._hamq("-c", f"Send-MsmqQueue {queue} '{body}' | Out-Null")

    def shell_receive(self, queue: str) -> str:
        command = f"Receive-MsmqQueue {queue} -Timeout 5s | Select-Object -ExpandProperty Body"
        return self._hamq("-c", command)

    def runbook_send(self, queue: str, body: str) -> None:
        text = "let q = ARGS.queue; let b = ARGS.body;\nSend-MsmqQueue $q -Body $b | Out-Null\n"
        self._runbook(text, "--queue", queue, "--body", body)

    def runbook_receive(self, queue: str) -> str:
        text = "let q = ARGS.queue;\nlet m = Receive-MsmqQueue $q -Timeout 5s;\nprint(m.Body)\n"
        return self._runbook(text, "--queue", queue)

    def python_send(self, queue: str, body: str) -> None:
        self._cluster.queue(queue).send(body)

    def python_receive(self, queue: str) -> str:
        text = self._cluster.queue(queue).receive(timeout=5).text
        assert text is not None
        return text


@pytest.mark.parametrize(
    ("sender", "receiver"), list(itertools.product(("shell", "runbook", "python"), repeat=2))
)
def test_a_body_typed_by_hand(
    cluster: hamq.Cluster, state_folder: Path, tmp_path: Path, sender: str, receiver: str
) -> None:
    queue = f"VS1/private$/hand-{sender}-{receiver}"
    cluster.new_msmq_queue(queue, transactional=sender != receiver)
    doors = Doors(cluster, state_folder, tmp_path)
    send: Callable[[str, str], None] = getattr(doors, f"{sender}_send")
    receive: Callable[[str], str] = getattr(doors, f"{receiver}_receive")
    send(queue, BODY)
    assert receive(queue) == BODY
