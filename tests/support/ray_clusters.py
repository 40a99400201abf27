"""A small Ray cluster of this machine, whose processes and nodes tests can kill."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

_MEMORY = 100 * 2**20


class SmallCluster:
    """A cluster with two CPU cores on one node; others can be added."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        os.environ |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        head = {"num_cpus": 2, "object_store_memory": _MEMORY, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self._cluster.address

    def add_node(self):
        """Add a node with one core."""
        return self._cluster.add_node(num_cpus=1, object_store_memory=_MEMORY)

    def kill_node(self, node) -> None:
        """Kill all processes of a node."""
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_actor(self, method: str, seconds: float = 120) -> None:
        """Kill an actor as soon as one executes a method, such as "ScoringActor.work"."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for pid in self._workers():
                if method in _title(pid):
                    os.kill(pid, signal.SIGKILL)
                    return
        raise AssertionError(f"no process executed {method}")

    def stop(self) -> None:
        """End all processes."""
        self._cluster.shutdown()

    def _workers(self) -> list[int]:
        raylets = {
            each.process.pid
            for node in self._cluster.list_all_nodes()
            for each in node.all_processes["raylet"]
        }
        stats = Path("/proc").glob("[0-9]*/stat")
        return [int(stat.parent.name) for stat in stats if _parent(stat) in raylets]


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:  # ended meanwhile
        return 0


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # ended meanwhile
        return ""


@pytest.fixture(scope="session")
def small_cluster():
    pytest.importorskip("ray")
    cluster = SmallCluster()
    yield cluster
    cluster.stop()
