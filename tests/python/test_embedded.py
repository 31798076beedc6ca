"""The queue engine in this process: no server, no cluster."""

import copy
import json
import pickle
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import hamq


def test_what_is_sent_is_received_with_all_its_properties(manager: hamq.QueueManager) -> None:
    manager.create_queue("orders", label="All orders")
    orders = manager.queue("orders")
    before = datetime.now(UTC) - timedelta(seconds=1)
    question = orders.send("any order?")
    sent = orders.send(
        b"order 7\x00\xff",
        label="new",
        priority=5,
        correlation_id=question.id,
        app_specific=42,
    )

    message = orders.receive(timeout=5)

    assert message.body == b"order 7\x00\xff"
    assert (message.label, message.priority, message.app_specific) == ("new", 5, 42)
    assert (message.id, message.lookup_id) == (sent.id, sent.lookup_id)
    assert message.correlation_id == question.id
    assert message.recoverable
    assert message.queue == ".\\private$\\orders" == sent.queue == orders.path
    assert before <= message.sent_time <= message.arrived_time
    assert message.arrived_time - before < timedelta(minutes=5)
    assert orders.receive(timeout=5).text == "any order?"


def test_priority_goes_first_and_arrival_second(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    sent = [("c", 1), ("a", 7), ("d", 1), ("b", 7)]
    queue.send_many({"body": name, "priority": priority} for name, priority in sent)
    assert [message.text for message in queue.consume(timeout=0)] == ["a", "b", "c", "d"]


def test_an_object_travels_as_json(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    order = {"id": 7, "items": ["a", "ä"], "paid": False, "total": 1.5}
    queue.send(json=order)
    assert queue.peek().json() == order
    assert json.loads(queue.receive(timeout=1).body) == order


def test_a_message_shows_what_one_debugs_by_and_can_be_copied(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    queue.send("x" * 40, label="it's new")
    message = queue.receive(timeout=1)
    shown = repr(message)
    for fact in (message.queue, message.id, "it's new", "xxx", "40 bytes"):
        assert fact in shown
    with pytest.raises(AttributeError):
        message.label = "other"  # type: ignore[misc]
    for twin in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
        assert twin == message and hash(twin) == hash(message)
    queue.send("x" * 40, label="it's new")
    assert queue.receive(timeout=1) != message


def test_a_body_is_bytes_or_text_and_nothing_by_accident(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    for bad in ({"body": {"id": 7}}, {"body": 7}, {}, {"body": "a", "json": 1}):
        with pytest.raises(TypeError):
            queue.send(**bad)
    assert queue.poll() is None


def test_nothing_to_receive_is_a_timeout_error(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    with pytest.raises(hamq.ReceiveTimeout) as caught:
        queue.receive(timeout=0.3)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.code == 0xC00E001B
    assert "private$\\q" in caught.value.message and "300ms" in caught.value.message
    assert queue.poll() is None


def test_a_waiting_receive_lets_other_threads_run_and_is_woken(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(queue.receive(timeout=30).text))
    waiting.start()
    queue.send("for the thread")
    waiting.join(timeout=30)
    assert got == ["for the thread"]


def test_a_transaction_is_seen_as_a_whole_or_not_at_all(manager: hamq.QueueManager) -> None:
    manager.create_queue("in", transactional=True)
    manager.create_queue("out", transactional=True)
    source, sink = manager.queue("in"), manager.queue("out")
    source.send("1")

    with pytest.raises(ZeroDivisionError), manager.transaction() as tx:
        sink.send(source.receive(timeout=1, transaction=tx).body, transaction=tx)
        assert sink.poll() is None and source.poll() is None
        assert source.info().locked_count == 1
        raise ZeroDivisionError
    assert sink.poll() is None and source.peek().text == "1"

    with manager.transaction() as tx:
        sink.send(source.receive(timeout=1, transaction=tx).body, transaction=tx)
    assert sink.receive(timeout=1).text == "1" and source.poll() is None


def test_a_failed_process_block_puts_the_message_back(manager: hamq.QueueManager) -> None:
    manager.create_queue("q", transactional=True)
    queue = manager.queue("q")
    queue.send_many(["1", "2"])
    with pytest.raises(ValueError), queue.process(timeout=1) as message:
        raise ValueError(message.text)
    with queue.process(timeout=1) as message:
        assert message.text == "1"
    assert [message.text for message in queue.consume(timeout=0)] == ["2"]
    with pytest.raises(hamq.ReceiveTimeout), queue.process(timeout=0):
        pytest.fail("there was no message to process")


def test_a_transaction_that_nobody_holds_any_more_is_aborted(manager: hamq.QueueManager) -> None:
    manager.create_queue("q", transactional=True)
    queue = manager.queue("q")
    queue.send("1")
    forgotten = manager.transaction()
    queue.receive(timeout=1, transaction=forgotten)
    del forgotten
    assert queue.receive(timeout=5).text == "1"


def test_an_ended_transaction_and_one_of_another_manager_are_refused(
    manager: hamq.QueueManager, tmp_path: Path
) -> None:
    manager.create_queue("q", transactional=True)
    queue = manager.queue("q")
    with manager.transaction() as tx:
        queue.send("1", transaction=tx)
    for use in (tx.commit, tx.abort, lambda: queue.send("2", transaction=tx)):
        with pytest.raises(hamq.TransactionUsage):
            use()
    with hamq.QueueManager.open(tmp_path / "other") as other:
        foreign = other.transaction()
        with pytest.raises(hamq.TransactionUsage, match="queue manager"):
            queue.send("3", transaction=foreign)
        foreign.abort()
    assert [message.text for message in queue.consume(timeout=0)] == ["1"]


def test_a_queue_made_anew_with_another_nature_takes_sends(manager: hamq.QueueManager) -> None:
    queue = manager.queue("q")
    for transactional in (False, True, False):
        assert manager.create_queue("q", transactional=transactional).transactional == transactional
        queue.send("1")
        assert queue.receive(timeout=1).text == "1"
        manager.delete_queue("q")


def test_a_reopened_store_has_its_recoverable_messages_in_order(tmp_path: Path) -> None:
    with hamq.QueueManager.open(tmp_path) as first:
        first.create_queue("q", transactional=True, label="kept")
        first.create_queue("fast")
        first.queue("q").send_many(str(number) for number in range(2500))
        first.queue("q").receive(timeout=1)
        first.queue("fast").send("gone", express=True)
        first.queue("fast").send("kept")
    with hamq.QueueManager.open(tmp_path) as second:
        assert [queue.name for queue in second.queues()] == [".\\private$\\fast", ".\\private$\\q"]
        info = second.queue("q").info()
        assert (info.label, info.transactional, info.message_count) == ("kept", True, 2499)
        texts = [message.text for message in second.queue("q").consume(timeout=0)]
        assert texts == [str(number) for number in range(1, 2500)]
        assert [message.text for message in second.queue("fast").consume(timeout=0)] == ["kept"]


def test_a_store_that_was_taken_over_acknowledges_nothing(tmp_path: Path) -> None:
    first = hamq.QueueManager.open(tmp_path)
    first.create_queue("q")
    with hamq.QueueManager.open(tmp_path) as second:
        with pytest.raises(hamq.Fenced):
            first.queue("q").send("from the old owner")
        assert second.queue("q").poll() is None
        second.queue("q").send("from the new one")
        assert second.queue("q").receive(timeout=1).text == "from the new one"


def test_a_batch_tells_which_of_its_messages_failed(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    with pytest.raises(hamq.BatchError) as caught:
        queue.send_many(["a", {"body": "b", "label": "l" * 250}, "c"])
    error = caught.value
    assert [(place, failure.kind) for place, failure in error.failed] == [(1, "LabelTooLong")]
    assert [type(result).__name__ for result in error.results] == [
        "MsmqSentMessageInfo",
        "LabelTooLong",
        "MsmqSentMessageInfo",
    ]
    assert [message.text for message in queue.consume(timeout=0)] == ["a", "c"]


def test_purge_leaves_an_empty_queue(manager: hamq.QueueManager) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    queue.send_many(["a", "b"])
    assert len(queue) == 2
    assert queue.purge().message_count == 0
    assert len(queue) == 0 and queue


def test_many_threads_send_and_receive_each_message_once(manager: hamq.QueueManager) -> None:
    manager.create_queue("q", transactional=True)
    queue = manager.queue("q")
    got: list[str] = []

    def send(sender: int) -> None:
        for number in range(50):
            queue.send(f"{sender}/{number}")

    def receive() -> None:
        for _ in range(100):
            got.append(queue.receive(timeout=60).text)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    threads += [threading.Thread(target=receive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(got) == sorted(f"{s}/{n}" for s in range(4) for n in range(50))
    assert queue.poll() is None
