"""The README's Python is run as it stands."""

import os
from pathlib import Path

import pytest

import hamq

README = Path(__file__).parents[2] / "README.md"


def test_the_python_of_the_readme_works(
    cluster: hamq.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, block = README.read_text().split("```python\n", 1)
    source, _ = block.split("\n```", 1)
    if cluster.get_cluster_node("n1")[0].state != "Up":  # other tests of this cluster kill it
        cluster.start_cluster_node("n1")
    cluster.new_msmq_queue("VS1/private$/orders", transactional=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAMQ_HOME", str(cluster.home))
    big = os.urandom(5_000_000)
    Path("big.bin").write_bytes(big)
    assert cluster.name is not None
    names: dict[str, object] = {}
    exec(source.replace('"lab"', repr(cluster.name)), names)
    assert Path("copy.bin").read_bytes() == big
    assert cluster.queue("VS1/private$/orders").poll() is None
    assert cluster.get_cluster_group("VS1")[0].owner_node == "n1"
    cluster.remove_msmq_queue("VS1/private$/orders", force=True)
