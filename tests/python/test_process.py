"""The module and the operating system: Ctrl-C, fork, and the command that the wheel installs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hamq

HAMQ = Path(sys.executable).with_name("hamq")


def test_the_wheel_installs_the_command() -> None:
    for command in ([str(HAMQ)], [sys.executable, "-m", "hamq"]):
        run = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        assert hamq.__version__ in run.stdout


def test_the_command_tells_a_usage_error_by_its_exit_code() -> None:
    run = subprocess.run([str(HAMQ), "--nonsense"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert "nonsense" in run.stderr


def test_ctrl_c_ends_a_receive_that_waits_for_ever(tmp_path: Path) -> None:
    script = (
        "import hamq, sys\n"
        "with hamq.QueueManager.open(sys.argv[1]) as manager:\n"
        "    manager.create_queue('q')\n"
        "    try:\n"
        "        print('waiting', flush=True)\n"
        "        manager.queue('q').receive()\n"
        "    except KeyboardInterrupt:\n"
        "        manager.queue('q').send('after')\n"
        "        print(manager.queue('q').receive(timeout=5).text, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=30)
    assert (child.returncode, out) == (0, "after\n")


def test_a_forked_child_is_told_to_reconnect(manager: hamq.QueueManager, tmp_path: Path) -> None:
    manager.create_queue("q")
    queue = manager.queue("q")
    queue.send("parent's")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            queue.receive(timeout=5)
        except hamq.ForkedProcessError as error:
            with hamq.QueueManager.open(tmp_path / "child's own") as own:
                own.create_queue("q")
                own.queue("q").send("works")
                code = 0 if "reconnect" in str(error) and own.queue("q").poll() else 2
        finally:
            os._exit(code)
    assert _exit_code(child) == 0
    assert queue.receive(timeout=5).text == "parent's"


def _exit_code(child: int) -> int:
    """The exit code of a child that gets half a minute."""
    for _ in range(300):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the forked child hangs")
