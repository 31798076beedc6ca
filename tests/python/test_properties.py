"""What a sender can say about a message, and the ways to read a queue, in process."""

import copy
import pickle

import pytest

import hamq


@pytest.fixture
def queue(manager: hamq.QueueManager) -> hamq.Queue:
    manager.create_queue("q")
    return manager.queue("q")


def bodies(queue: hamq.Queue) -> list[bytes]:
    return [message.body for message in queue.browse()]


def test_every_property_arrives_and_survives_pickling(
    manager: hamq.QueueManager, queue: hamq.Queue
) -> None:
    manager.create_queue("acks")
    queue.send(
        "x",
        label="l",
        body_type=8209,
        acknowledge=hamq.Acknowledge.FULL_RECEIVE,
        admin_queue=manager.queue("acks"),
        response_queue=".\\private$\\answers",
        ttrq=5,
        ttbr=3600.5,
        journal=True,
        dead_letter=False,
        extension=b"\x00e",
        idempotency_key="k",
        trace=True,
    )
    message = queue.receive()
    assert (message.body_type, message.acknowledge) == (8209, "FullReceive")
    assert message.admin_queue == manager.queue("acks").path
    assert message.response_queue == ".\\private$\\answers"
    assert (message.time_to_reach_queue, message.time_to_be_received) == (5, 3601)
    assert (message.journal, message.dead_letter, message.trace) == (True, False, True)
    assert (message.extension, message.idempotency_key) == (b"\x00e", b"k")
    again = pickle.loads(pickle.dumps(message))
    assert again == message == copy.copy(message)
    assert (again.extension, again.time_to_be_received) == (b"\x00e", 3601)


def test_what_a_connector_protected_is_passed_on_as_it_is(queue: hamq.Queue) -> None:
    connector = "55ee8f33-cce9-11cf-b108-0020afd61ce9"
    queue.send(
        "cipher text",
        connector_type=connector,
        message_class=0x4000,
        privacy_level=5,
        encryption_algorithm=0x6610,
        symmetric_key=b"key",
        authentication_level=1,
        signature=b"signature",
        hash_algorithm=0x800C,
        sender_certificate=b"certificate",
        provider_type=1,
        provider_name="provider",
        sender_id_type=2,
        soap_header="<h/>",
        soap_body="<b/>",
    )
    message = queue.receive()
    assert (message.connector_type, message.message_class) == (connector, 0x4000)
    assert (message.privacy_level, message.encryption_algorithm) == ("BodyAes", "AES256")
    assert (message.hash_algorithm, message.signature) == ("SHA256", b"signature")
    assert (message.symmetric_key, message.sender_certificate) == (b"key", b"certificate")
    assert (message.soap_header, message.soap_body) == ("<h/>", "<b/>")


def test_a_received_message_is_acknowledged(manager: hamq.QueueManager, queue: hamq.Queue) -> None:
    manager.create_queue("acks")
    acks = manager.queue("acks")
    sent = queue.send("x", acknowledge=hamq.Acknowledge.FULL_RECEIVE, admin_queue=acks)
    assert acks.poll() is None
    queue.receive()
    ack = acks.receive(5)
    assert (ack.message_class, ack.correlation_id) == (0x4000, sent.id)


def test_acknowledgements_need_a_queue(queue: hamq.Queue) -> None:
    with pytest.raises(hamq.MqError) as caught:
        queue.send("x", acknowledge=hamq.Acknowledge.FULL_RECEIVE)
    assert "admin_queue" in str(caught.value.hint)


def test_the_same_key_is_the_same_message(queue: hamq.Queue) -> None:
    first = queue.send("once", idempotency_key="job 7")
    second = queue.send("once", idempotency_key="job 7")
    assert (first.id, len(queue)) == (second.id, 1)


def test_a_delayed_message_comes_later(queue: hamq.Queue) -> None:
    queue.send("later", delay=0.3)
    queue.send("now")
    assert queue.receive().body == b"now"
    assert (queue.poll(), queue.info().delayed_count) == (None, 1)
    assert queue.receive(30).body == b"later"


def test_messages_are_found_by_id_place_and_correlation(queue: hamq.Queue) -> None:
    sent = queue.send_many(["a", "b", "c"])
    answer = queue.send("answer", correlation_id=sent[0].id)
    assert bodies(queue) == [b"a", b"b", b"c", b"answer"]
    assert queue.receive_by_id(sent[1].id).body == b"b"
    assert queue.receive_by_correlation_id(sent[0].id).id == answer.id
    assert queue.peek_by_lookup_id(sent[2].lookup_id).body == b"c"
    assert queue.receive_by_lookup_id(sent[2].lookup_id).body == b"c"
    with pytest.raises(hamq.MqError):
        queue.receive_by_lookup_id(sent[2].lookup_id)
    assert bodies(queue) == [b"a"]


def test_a_lease_hides_until_it_is_settled(queue: hamq.Queue) -> None:
    queue.send("job")
    with queue.lease(30, timeout=0) as message:
        assert message.body == b"job"
        assert queue.poll() is None
        queue.extend(message, 60)
    assert len(queue) == 0
    queue.send("job")
    with pytest.raises(RuntimeError), queue.lease(30, timeout=0):
        raise RuntimeError("the work failed")
    again = queue.receive_leased(30, 0)
    assert again.abort_count == 1
    queue.reject(again)
    assert queue.poll() is None


def test_what_was_not_leased_cannot_be_settled(queue: hamq.Queue) -> None:
    queue.send("x")
    with pytest.raises(ValueError, match="lease"):
        queue.complete(queue.receive())


def test_a_message_moves_to_a_subqueue_and_back(queue: hamq.Queue) -> None:
    queue.send("x")
    queue.move(queue.peek(), "later")
    later = queue.subqueue("later")
    assert (queue.poll(), later.peek().move_count) == (None, 1)
    later.move(later.peek(), "")
    assert queue.receive().body == b"x"


def test_a_rejected_message_becomes_a_dead_letter(manager: hamq.QueueManager) -> None:
    manager.create_queue("t", transactional=True)
    queue = manager.queue("t")
    queue.send("bad")
    with manager.transaction() as transaction:
        message = queue.receive(0, transaction=transaction)
        queue.reject(message, transaction=transaction)
    dead = manager.queue("system$;DEADXACT").receive(0)
    assert (dead.body, dead.message_class) == (b"bad", 0xC004)


def test_a_large_body_is_whole(queue: hamq.Queue, tmp_path: object) -> None:
    queue.send(b"7" * (4 * 1024 * 1024 - 1024))
    assert queue.receive().body_size == 4 * 1024 * 1024 - 1024
