"""A real cluster of three nodes on this machine, driven from Python."""

import os
import signal
import subprocess
import sys
import threading

import pytest

import hamq


def test_records_of_a_running_cluster_are_typed(cluster: hamq.Cluster) -> None:
    assert cluster.name == "pytest"
    info = cluster.get_cluster()[0]
    assert (info.name, info.state, sorted(info.nodes)) == ("pytest", "Up", ["n1", "n2", "n3"])
    assert {node.state for node in cluster.get_cluster_node()} == {"Up"}
    group = cluster.get_cluster_group("VS1")[0]
    assert group.state == "Online" and group.epoch >= 1


def test_what_a_command_would_do_is_told_and_not_done(cluster: hamq.Cluster) -> None:
    before = cluster.get_cluster_group("VS1")[0]
    steps = cluster.what_if(lambda c: c.move_cluster_group("VS1"))
    actions = [step.action for step in steps]
    assert actions.index("Take offline") < actions.index("Move") < actions.index("Bring online")
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    (made,) = cluster.what_if(lambda c: c.new_msmq_queue("VS1/private$/made", transactional=True))
    assert (made.action, made.object, made.note) == ("Create queue", "made", "Transactional true")
    with pytest.raises(hamq.QueueNotFound):
        cluster.what_if(lambda c: c.remove_msmq_queue("VS1/private$/made"))
    with pytest.raises(TypeError, match="one command"):
        cluster.what_if(lambda c: None)
    assert cluster.get_cluster_group("VS1")[0] == before


def test_a_queue_of_a_virtual_server(cluster: hamq.Cluster) -> None:
    made = cluster.new_msmq_queue("VS1/private$/plain")
    assert made.name == "VS1\\private$\\plain" and not made.transactional
    queue = cluster.queue("VS1/private$/plain")
    sent = queue.send("order 7", label="new", priority=6)
    assert queue.peek(timeout=5).id == sent.id
    message = queue.receive(timeout=5)
    assert (message.text, message.label, message.priority) == ("order 7", "new", 6)
    with pytest.raises(hamq.ReceiveTimeout):
        queue.receive(timeout=0.3)
    assert len(queue.send_many([str(number) for number in range(3000)])) == 3000
    texts = [message.text for message in queue.consume(timeout=1)]
    assert texts == [str(number) for number in range(3000)]


def test_a_command_and_a_queue_object_meet_in_the_same_queue(cluster: hamq.Cluster) -> None:
    cluster.new_msmq_queue("VS1/private$/both")
    queue = cluster.queue("vs1/private$/BOTH")
    cluster.send_msmq_queue("VS1/private$/both", b"\xff\x00", label="by command")
    assert queue.receive(timeout=5).body == b"\xff\x00"
    queue.send("by object")
    received = cluster.receive_msmq_queue("VS1/private$/both", timeout=5)
    assert [(message.body, message.priority) for message in received] == [(b"by object", 3)]


def test_a_transaction_over_two_queues(cluster: hamq.Cluster) -> None:
    for name in ("in", "out"):
        cluster.new_msmq_queue(f"VS1/private$/{name}", transactional=True)
    source, sink = (cluster.queue(f"VS1/private$/{name}") for name in ("in", "out"))
    source.send("1")
    with pytest.raises(ZeroDivisionError), cluster.transaction("VS1") as tx:
        sink.send(source.receive(timeout=5, transaction=tx).body, transaction=tx)
        raise ZeroDivisionError
    assert sink.poll() is None
    with cluster.transaction("VS1") as tx:
        sink.send(source.receive(timeout=5, transaction=tx).body, transaction=tx)
    assert sink.receive(timeout=5).text == "1" and source.poll() is None


def test_ctrl_c_ends_a_wait_and_the_connection_stays_usable(cluster: hamq.Cluster) -> None:
    cluster.new_msmq_queue("VS1/private$/quiet")
    script = (
        "import hamq, sys\n"
        "with hamq.connect('pytest', home=sys.argv[1]) as cluster:\n"
        "    queue = cluster.queue('VS1/private$/quiet')\n"
        "    assert queue.poll() is None\n"
        "    try:\n"
        "        print('waiting', flush=True)\n"
        "        queue.receive()\n"
        "    except KeyboardInterrupt:\n"
        "        queue.send('after')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(cluster.home)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 0
    assert cluster.queue("VS1/private$/quiet").receive(timeout=5).text == "after"
    assert {node.state for node in cluster.get_cluster_node()} == {"Up"}


def test_errors_of_the_cluster_have_their_class(cluster: hamq.Cluster) -> None:
    with pytest.raises(hamq.GroupNotFound):
        cluster.move_cluster_group("nowhere")
    with pytest.raises(hamq.QueueNotFound):
        cluster.queue("VS1/private$/nowhere").send("x")
    with pytest.raises(hamq.MqError):
        cluster.queue("VS9/private$/q").send("x")


def test_a_sender_lives_through_the_death_of_its_node(cluster: hamq.Cluster) -> None:
    cluster.new_msmq_queue("VS1/private$/drill", transactional=True)
    queue = cluster.queue("VS1/private$/drill")
    total = 300
    killed_at = threading.Event()

    def send() -> None:
        for number in range(total):
            queue.send(str(number))
            if number == total // 3:
                killed_at.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert killed_at.wait(60)
    owner = cluster.get_cluster_group("VS1")[0].owner_node
    node = next(node for node in cluster.get_cluster_node() if node.name == owner)
    assert node.process_id is not None
    os.kill(node.process_id, signal.SIGKILL)
    sender.join(120)
    assert not sender.is_alive()

    received = [queue.receive(timeout=30).text for _ in range(total)]
    assert received == [str(number) for number in range(total)]
    assert queue.poll() is None
    assert cluster.get_cluster_group("VS1")[0].owner_node != owner
