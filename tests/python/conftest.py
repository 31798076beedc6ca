"""A store per test, and one cluster of three nodes on this machine for all tests that need one."""

import ipaddress
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import hamq

# Whoever runs the tests in the background has told them, and all their children, to ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[hamq.QueueManager]:
    with hamq.QueueManager.open(tmp_path / "store") as manager:
        yield manager


@pytest.fixture(scope="session")
def state_folder() -> Iterator[Path]:
    """The state folder of the cluster's clients."""
    with tempfile.TemporaryDirectory(prefix="hamq-") as folder:
        yield Path(folder) / "state"


@pytest.fixture(scope="session")
def cluster(state_folder: Path) -> Iterator[hamq.Cluster]:
    """Three nodes, Message Queuing on each, and the virtual server VS1 on n1."""
    home = state_folder.parent
    with hamq.connect(home=state_folder) as cluster:
        cluster.new_cluster("pytest", ["n1", "n2", "n3"], local=True, path=str(home / "data"))
        _make_virtual_server(cluster, home)
        yield cluster
        cluster.stop_cluster("pytest")


def _make_virtual_server(cluster: hamq.Cluster, home: Path) -> None:
    cluster.install_msmq_feature(["n1", "n2", "n3"])
    first = cluster.get_cluster_node("n1")[0].address.rpartition(":")[0]
    address = ipaddress.ip_address(first or cluster.get_cluster_node("n1")[0].address) + 100
    disk = home / "disk"
    cluster.add_cluster_group("VS1", preferred_owners=["n1", "n2", "n3"])
    cluster.add_cluster_resource(
        "VS1-IP", "VS1", resource_type="IP Address", parameters=f"Address={address}"
    )
    cluster.add_cluster_resource(
        "VS1-Name",
        "VS1",
        resource_type="Network Name",
        parameters="Name=VS1",
        depends_on="VS1-IP",
    )
    cluster.add_cluster_resource(
        "VS1-Disk", "VS1", resource_type="Physical Disk", parameters=f"DiskPath={disk}"
    )
    cluster.add_cluster_resource(
        "VS1-MSMQ", "VS1", resource_type="MSMQ", depends_on=["VS1-Disk", "VS1-Name"]
    )
    cluster.start_cluster_group("VS1", wait=30)
