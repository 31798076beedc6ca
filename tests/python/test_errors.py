"""Errors: the same kinds and numbers as in the core, each a class of its own."""

import pickle

import pytest

import hamq
from hamq import _native, errors


def test_there_is_one_class_per_kind_of_the_core_and_no_other() -> None:
    core = dict(_native._error_kinds())
    assert {name: kind.code for name, kind in errors.KINDS.items()} == core
    for name, kind in errors.KINDS.items():
        assert kind.__name__ == name and kind.__doc__
        assert getattr(hamq, name) is kind


def test_an_unknown_queue_says_which_and_what_to_do(manager: hamq.QueueManager) -> None:
    queue = manager.queue("nowhere")
    for use in (lambda: queue.send("x"), lambda: queue.receive(timeout=0), queue.purge, queue.info):
        with pytest.raises(hamq.QueueNotFound) as caught:
            use()
        assert caught.value.kind == "QueueNotFound" and caught.value.code == 0xC00E0003
        assert "nowhere" in caught.value.message


@pytest.mark.parametrize("name", ["a;JOURNAL;b", "", "x" * 125, "a b"])
def test_a_name_that_is_none_is_refused(manager: hamq.QueueManager, name: str) -> None:
    with pytest.raises(hamq.IllegalQueuePathName) as caught:
        manager.queue(name)
    assert caught.value.hint


def test_properties_out_of_range_are_refused_and_nothing_is_sent(
    manager: hamq.QueueManager,
) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    with pytest.raises(hamq.IllegalPropertyValue):
        queue.send("x", priority=8)
    with pytest.raises(hamq.LabelTooLong):
        queue.send("x", label="l" * 250)
    with pytest.raises(hamq.IllegalPropertyValue):
        queue.send("x", correlation_id="no id")
    with pytest.raises(hamq.UnsupportedOperation):
        queue.send("x", signature=b"forged")
    with pytest.raises(ValueError):
        queue.receive(timeout=-1)
    with pytest.raises(hamq.QueueExists):
        manager.create_queue("Q")
    assert queue.poll() is None


def test_errors_show_their_hint_and_survive_a_pickle() -> None:
    error = hamq.QueueNotFound("no queue orders", "create it")
    twin = pickle.loads(pickle.dumps(error))
    assert (type(twin), twin.message, twin.hint) == (type(error), error.message, error.hint)
    assert str(error) == "no queue orders (hint: create it)"
    batch = pickle.loads(pickle.dumps(hamq.BatchError([error])))
    assert batch.failed[0][0] == 0 and batch.kind == "QueueNotFound"
    assert "reconnect in the child" in str(pickle.loads(pickle.dumps(hamq.ForkedProcessError())))


def test_a_kind_from_a_newer_core_is_still_an_error() -> None:
    error = errors.make("Unheard", "something new", None, 77)
    assert isinstance(error, hamq.MqError) and error.code == 77
    assert hamq.MqError.code == 0
