"""What the shell does with -Node, -Wait and -Follow, as iterators.

The connection answers from a list.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pytest

import hamq


class Scripted(hamq.Cluster):
    """Answers each request with the next of ``answers``; an exception is raised."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers: Iterator[Any] = iter(answers)
        self.asked: list[tuple[str, dict[str, object]]] = []

    def _call(self, command: str, arguments: Mapping[str, object]) -> list[dict[str, Any]]:
        self.asked.append((command, dict(arguments)))
        answer = next(self.answers)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, list)
        return answer


def line(text: str) -> dict[str, Any]:
    return {
        "Time": "2026-01-01T00:00:00.000Z",
        "ProcessId": 1,
        "Node": "n1",
        "Level": "INFO",
        "Component": "RCM",
        "Group": None,
        "Text": text,
    }


def test_a_log_that_is_followed_tells_each_line_once() -> None:
    answers = [[line("a"), line("b")], [line("b"), line("c")], [line("c")], [line("d")]]
    connection = Scripted(answers)
    lines = connection.follow_cluster_log(node="n1", interval=0)
    assert [found.text for found in islice(lines, 4)] == ["a", "b", "c", "d"]
    spans = [arguments["TimeSpan"] for _, arguments in connection.asked]
    assert spans == [None, 30000, 30000, 30000]


def test_an_interrupt_ends_a_log_that_is_followed() -> None:
    lines = Scripted([[line("a")], KeyboardInterrupt()]).follow_cluster_log(interval=0)
    assert next(lines).text == "a"
    with pytest.raises(KeyboardInterrupt):
        next(lines)
    with pytest.raises(StopIteration):
        next(lines)


def test_groups_of_a_node(cluster: hamq.Cluster) -> None:
    owners = {group.name: group.owner_node for group in cluster.get_cluster_group()}
    for node in ("n1", "n2", "n3"):
        expected = [name for name, owner in owners.items() if owner == node]
        assert [group.name for group in cluster.get_cluster_group(node=node.upper())] == expected
    assert cluster.get_cluster_group("VS1", node="nobody") == []


def test_messages_are_taken_as_they_are_asked_for(cluster: hamq.Cluster) -> None:
    cluster.new_msmq_queue("VS1/private$/stream")
    queue = cluster.queue("VS1/private$/stream")
    queue.send_many(["1", "2", "3"])
    first = next(cluster.receive_messages("VS1/private$/stream"))
    assert first.body == b"1" and len(queue) == 2
    rest = list(cluster.receive_messages("VS1/private$/stream", timeout=0.2))
    assert [message.body for message in rest] == [b"2", b"3"]
