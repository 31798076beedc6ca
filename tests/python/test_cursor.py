"""Cursors: places in a queue from which a reader goes forward."""

import threading

import pytest

import hamq


@pytest.fixture
def queue(manager: hamq.QueueManager) -> hamq.Queue:
    manager.create_queue("q")
    queue = manager.queue("q")
    queue.send_many(["a", "b", "c", "d"])
    return queue


def test_a_cursor_goes_from_message_to_message_and_leaves_them(queue: hamq.Queue) -> None:
    cursor = queue.cursor()
    assert [message.text for message in cursor] == ["a", "b", "c", "d"]
    assert len(queue) == 4
    queue.send("e")
    assert [message.text for message in cursor] == ["e"], "it goes on where it was"
    assert repr(cursor) == f"<Cursor {queue.path}>"


def test_each_action_in_each_state_does_what_msmq_does(queue: hamq.Queue) -> None:
    cursor = queue.cursor()
    with pytest.raises(hamq.IllegalCursorAction) as caught:
        cursor.next()
    assert caught.value.code == 0xC00E001C
    assert [cursor.peek().text for _ in range(2)] == ["a", "a"]
    assert cursor.next().text == "b"
    assert cursor.receive().text == "b"
    with pytest.raises(hamq.IllegalCursorAction):
        cursor.next()
    assert cursor.peek().text == "c", "the one behind the one that was taken"
    assert cursor.receive().text == "c"
    assert cursor.receive().text == "d", "forward from between two messages"
    with pytest.raises(hamq.ReceiveTimeout) as timeout:
        cursor.peek(timeout=0.2)
    assert timeout.value.code == 0xC00E001B
    assert [message.text for message in queue.browse()] == ["a"]


def test_cursors_of_one_queue_are_independent(queue: hamq.Queue) -> None:
    first, second = queue.cursor(), queue.cursor()
    assert (first.peek().text, first.next().text) == ("a", "b")
    assert second.peek().text == "a"
    assert second.receive().text == "a"
    assert first.next().text == "c"


def test_a_message_that_somebody_else_took_is_named_and_left_behind(queue: hamq.Queue) -> None:
    cursor = queue.cursor()
    cursor.peek()
    assert queue.receive(timeout=1).text == "a"
    for use in (cursor.peek, cursor.receive):
        with pytest.raises(hamq.MessageAlreadyReceived) as caught:
            use()
        assert caught.value.code == 0xC00E001D and caught.value.hint
    assert cursor.next().text == "b"


def test_what_arrives_before_its_place_is_not_seen(queue: hamq.Queue) -> None:
    cursor = queue.cursor()
    assert (cursor.peek().text, cursor.next().text) == ("a", "b")
    queue.send("urgent", priority=7)
    assert [message.text for message in cursor] == ["c", "d"]
    assert queue.cursor().peek().text == "urgent"


def test_a_loop_may_take_some_of_the_messages(queue: hamq.Queue) -> None:
    cursor = queue.cursor()
    taken = [cursor.receive().text for message in cursor if message.text in "bd"]
    assert taken == ["b", "d"]
    assert [message.text for message in queue.browse()] == ["a", "c"]


def test_a_cursor_waits_for_the_next_message(queue: hamq.Queue) -> None:
    cursor = queue.cursor()
    assert len(list(cursor)) == 4
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(cursor.next(timeout=30).text))
    waiting.start()
    queue.send("awaited")
    waiting.join(timeout=30)
    assert got == ["awaited"]


def test_a_cursor_receives_in_a_transaction(manager: hamq.QueueManager) -> None:
    manager.create_queue("t", transactional=True)
    queue = manager.queue("t")
    queue.send_many(["a", "b"])
    cursor = queue.cursor()
    assert (cursor.peek().text, cursor.next().text) == ("a", "b")
    with pytest.raises(ZeroDivisionError), manager.transaction() as tx:
        assert cursor.receive(transaction=tx).text == "b"
        raise ZeroDivisionError
    assert [message.text for message in queue.browse()] == ["a", "b"]
