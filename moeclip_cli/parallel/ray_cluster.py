"""A Ray cluster: joining it, and how many actors of which size it has room for."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_extra
from moeclip_cli.parallel.cores import available_cores

LOCAL = "local"
_OBJECT_STORE = 512 * 2**20


@dataclass(frozen=True)
class Share:
    """What the actors of a run take.

    Attributes:
        actors: number of actors.
        cpus: CPU cores of each.
        device: "cuda" for one GPU each, or "cpu".
        nodes: number of machines of the cluster.
    """

    actors: int
    cpus: int
    device: Literal["cpu", "cuda"]
    nodes: int

    def __str__(self) -> str:
        """Such as "cuda, 8 Ray actors with 16 CPU cores each, 2 nodes"."""
        actors = f"{self.actors} Ray actor{'s' * (self.actors > 1)}"
        cores = f"{self.cpus} CPU core{'s' * (self.cpus > 1)}{' each' * (self.actors > 1)}"
        return f"{self.device}, {actors} with {cores}, {self.nodes} node{'s' * (self.nodes > 1)}"


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Be a driver of a cluster during the block; all its actors end with it.

    Args:
        address: "local" for a cluster of this machine that ends with the block, "auto" for the one
            that runs here, HOST:PORT, or ray://HOST:PORT.

    Raises:
        MissingExtraError: if Ray is not installed.
        UsageError: if there is no such cluster, or it does not accept this process.
    """
    require_extra("ray", "ray")
    import ray
    import ray._private.worker as driver

    # The threads of a driver print what happens to actors to standard output, where results belong;
    # there is no public switch.
    driver._worker_logs_enabled = False
    # Ray installs its own, with which SIGTERM would look like an error.
    before = signal.getsignal(signal.SIGTERM)
    options: dict[str, object] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        # Ray's workers otherwise make way for every other program.
        os.environ.setdefault("RAY_worker_niceness", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options |= {
            "num_cpus": available_cores(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE,
        }
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise UsageError(
            f"Cannot join the Ray cluster '{address}': {reason}. Start one with 'ray start --head',"
            " or use `ray` with local."
        ) from error
    try:
        signal.signal(signal.SIGTERM, before)
        yield
    finally:
        ray.shutdown()


def share_of_cluster(device: str, actors: int | None) -> Share:
    """Divide the cluster that this process has joined.

    Args:
        device: "auto" for GPUs if the cluster has any, "cuda", or "cpu".
        actors: number of actors; None for one per GPU or, without GPUs, per machine.

    Raises:
        UsageError: if the cluster has no GPU although "cuda" is wanted, or too few GPUs or cores.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return divided(
        [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes], device, actors
    )


def divided(nodes: Sequence[tuple[int, int]], device: str, actors: int | None) -> Share:
    """Divide machines among actors; see `share_of_cluster`.

    Args:
        nodes: CPU cores and GPUs of each machine.
        device: as for `share_of_cluster`.
        actors: likewise.
    """
    gpus = sum(node[1] for node in nodes)
    if device == "cuda" and not gpus:
        raise UsageError("The Ray cluster has no GPU; see 'ray status', or set `device` to cpu.")
    if gpus and device != "cpu":
        wanted = actors or gpus
        if wanted > gpus:
            raise UsageError(f"The Ray cluster has {gpus} GPUs; set `actors` to at most {gpus}.")
        cores = min(cpus // count for cpus, count in nodes if count)
        return Share(wanted, cores, "cuda", len(nodes))
    total = sum(cpus for cpus, _ in nodes)
    wanted = actors or max(1, sum(cpus > 0 for cpus, _ in nodes))
    if wanted > total:
        raise UsageError(f"The Ray cluster has {total} CPU cores; set `actors` to at most {total}.")
    fitting = (
        cores for cores in range(total, 0, -1) if sum(cpus // cores for cpus, _ in nodes) >= wanted
    )
    return Share(wanted, next(fitting), "cpu", len(nodes))
