"""An embedded queue manager takes the commands of one in a cluster, with the same parameters."""

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import hamq
from hamq._commands import QueueCommands

PROPERTIES: dict[str, Any] = {
    "transactional": True,
    "label": "All of them",
    "journaling": True,
    "queue_quota": "5MB",
    "journal_quota": "1000000",
    "privacy_level": "None",
    "multicast_address": "234.1.1.1:8001",
    "service_type": "55ee8f33-cce9-11cf-b108-0020afd61ce9",
    "base_priority": "-7",
    "receive_retry_count": 3,
    "max_retry_cycles": 4,
    "retry_cycle_delay": timedelta(minutes=5),
    "receive_error_handling": "Reject",
    "duplicate_window": 60,
    "authenticate": True,
}


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[tuple[hamq.Cluster, str]]:
    """A connection, and the address of a queue manager of its own process."""
    number = os.getpid()
    address = f"127.{1 + number // 250 % 200}.{1 + number % 250}.11:7801"
    command = [sys.executable, "-P", "-m", "hamq", "queue-manager", "--name", "VS1"]
    with (
        subprocess.Popen(
            [*command, "--store", str(tmp_path / "remote"), "--listen", address],
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
        hamq.connect(home=tmp_path / "home") as connection,
    ):
        assert process.stdout is not None and process.stdout.readline()
        yield connection, address
        process.kill()


@pytest.mark.parametrize("leave_out", ["transactional", "multicast_address"])
def test_every_property_of_a_new_queue_is_set_the_same_way_in_both(
    manager: hamq.QueueManager, remote: tuple[hamq.Cluster, str], leave_out: str
) -> None:
    connection, address = remote
    # A queue is not both of these.
    given = {name: value for name, value in PROPERTIES.items() if name != leave_out}
    parameters = set(inspect.signature(hamq.Cluster.new_msmq_queue).parameters)
    assert parameters == {"self", "name", *PROPERTIES}, "no property is left out here"

    def plain(info: hamq.MsmqQueueInfo) -> hamq.MsmqQueueInfo:
        return replace(info, name="", create_time="", last_modify_time="")

    far = connection.new_msmq_queue(f"{address}/private$/all", **given)
    near = manager.create_queue("all", **given)
    assert near.name == ".\\private$\\all"
    assert near.transactional == ("transactional" in given)
    assert plain(near) == plain(far)
    assert (near.queue_quota, near.base_priority, near.retry_cycle_delay) == (5 << 20, -7, 300)
    far = connection.set_msmq_queue(f"{address}/private$/all", queue_quota="None", label="")
    near = manager.set_queue("all", queue_quota="None", label="")
    assert plain(near) == plain(far) and near.queue_quota is None


def test_access_lists_are_set_the_same_way_in_both(
    manager: hamq.QueueManager, remote: tuple[hamq.Cluster, str]
) -> None:
    connection, address = remote
    manager.create_queue("q")
    connection.new_msmq_queue(f"{address}/private$/q")
    near = manager.set_queue_acl("q", "Everyone", allow=["WriteMessage"], deny="PeekMessage")
    far = connection.set_msmq_queue_acl(
        f"{address}/private$/q", "Everyone", allow=["WriteMessage"], deny="PeekMessage"
    )

    def entries(lines: list[hamq.MsmqAccessInfo]) -> list[tuple[str, str, tuple[str, ...]]]:
        others = [line for line in lines if line.access_type != "Owner"]
        return sorted((line.user_name, line.access_type, tuple(line.rights)) for line in others)

    assert entries(near) == entries(far) == entries(manager.queue_acl("q"))
    assert ("Everyone", "Deny", ("PeekMessage",)) in entries(near)


def test_an_embedded_queue_manager_takes_every_command_that_manages(
    manager: hamq.QueueManager,
) -> None:
    manager.create_queue("q", transactional=True)
    sent = manager.queue("q").send("one")
    assert [queue.name for queue in manager.get_msmq_queue(".")] == [".\\private$\\q"]
    assert manager.get_msmq_queue("q")[0].message_count == 1
    assert manager.set_msmq_queue_manager(".", message_quota="1GB").message_quota == 1 << 30
    assert [step.what for step in manager.trace_msmq_message(".", sent.id)][-1] == "Waiting"
    counters = manager.get_msmq_counter(".", instance="*q", counter="Messages in Queue")
    assert [counter.value for counter in counters] == [1]
    assert manager.clear_msmq_queue("q").message_count == 0
    assert manager.remove_msmq_queue("q").name == ".\\private$\\q"
    assert manager.queues() == []
    with pytest.raises(hamq.QueueNotFound):
        manager.set_queue("q", label="gone")
    assert isinstance(manager, QueueCommands)
