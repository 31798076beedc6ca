"""The commands as Python methods: all of them, typed, with frozen records."""

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

import hamq
from hamq import _native
from hamq._commands import Commands


class Recorded(Commands):
    """Takes down what would be asked, and answers with one prepared record."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, object]]] = []

    def _call(self, command: str, arguments: Mapping[str, object]) -> list[dict[str, Any]]:
        self.asked.append((command, dict(arguments)))
        return [self.answer]


GROUP = {
    "Name": "VS1",
    "OwnerNode": None,
    "State": "Online",
    "Epoch": 3,
    "PersistentState": 1,
    "PreferredOwners": ["n1"],
    "AutoFailbackType": 1,
    "FailoverThreshold": 2,
    "FailoverPeriod": 6,
    "FailbackWindow": "",
    "Priority": 2000,
    "AntiAffinityClassNames": [],
    "DefaultOwner": None,
    "StatusInformation": None,
}


def test_every_command_is_a_documented_and_annotated_method() -> None:
    names = _native._command_names()
    assert len(names) > 30
    for name, snake in names:
        method = getattr(hamq.Cluster, snake)
        assert name in method.__doc__
        hints = typing.get_type_hints(method)
        parameters = [p for p in inspect.signature(method).parameters if p != "self"]
        assert set(hints) == {*parameters, "return"}, name


def test_a_method_hands_its_arguments_over_and_returns_a_frozen_record() -> None:
    double = Recorded(GROUP)
    group = double.move_cluster_group("VS1", "n2", wait=timedelta(seconds=1.5))
    assert double.asked == [("Move-ClusterGroup", {"Name": "VS1", "Node": "n2", "Wait": 1500})]
    assert (group.name, group.owner_node, group.preferred_owners) == (
        "VS1",
        None,
        ["n1"],
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        group.name = "other"  # type: ignore[misc]
    assert [found.epoch for found in double.get_cluster_group()] == [3]


def test_an_unconnected_cluster_knows_none_and_says_so(tmp_path: Any) -> None:
    with hamq.connect(home=tmp_path) as cluster:
        assert cluster.name is None
        with pytest.raises(hamq.MqError) as caught:
            cluster.get_cluster_group()
        assert caught.value.kind == "ClusterNotFound"
        with pytest.raises(hamq.ClusterNotFound):
            cluster.connect("nowhere")
        with pytest.raises(hamq.IllegalQueuePathName):
            cluster.queue("orders")


def test_what_does_not_fit_is_refused_before_anything_is_asked(tmp_path: Any) -> None:
    with hamq.connect(home=tmp_path) as cluster:
        with pytest.raises(TypeError):
            cluster.move_cluster_group()  # type: ignore[call-arg]
        with pytest.raises(ValueError):
            cluster.move_cluster_group("VS1", wait=-1)
        with pytest.raises(TypeError):
            cluster.set_cluster_parameter("VS1-IP", "Address", object())
    with pytest.raises(ValueError):
        hamq.connect(home=tmp_path, failover_timeout=-1)
