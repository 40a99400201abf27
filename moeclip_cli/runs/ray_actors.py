"""What all actors of a Ray cluster have in common: the check of their node, and their start."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moeclip_cli._version import __version__
from moeclip_cli.errors import ModelError, UsageError

if TYPE_CHECKING:
    from moeclip_cli.parallel.ray_cluster import Share
    from moeclip_cli.parallel.ray_pool import RayPool


@dataclass(frozen=True)
class Site:
    """What a node must have.

    Attributes:
        directory: current folder of the command, for relative paths.
        shared: files that every node must see.
        version: of moeclip.
    """

    directory: Path
    shared: tuple[Path, ...]
    version: str = __version__

    def enter(self) -> None:
        """Make this process, an actor on a node, work where the command does.

        Raises:
            UsageError: if this machine has another version of moeclip, or lacks a shared file.
        """
        node = platform.node()
        if self.version != __version__:
            raise UsageError(
                f"The node {node} has moeclip {__version__}, the command is of {self.version}; "
                "install the same version on all nodes."
            )
        for path in (self.directory, *self.shared):
            if not (self.directory / path).exists():
                raise UsageError(
                    f"The node {node} does not see {path}; put inputs, output folder and current "
                    "folder on storage that all nodes share."
                )
        os.chdir(self.directory)


def require_equal(expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse a model that differs from that of the command.

    Args:
        expected: settings of the model in the command.
        found: those of the model in this actor.

    Raises:
        ModelError: that names the node and the settings.
    """
    names = [name for name in expected if found.get(name) != expected[name]]
    if names:
        raise ModelError(
            f"The model on the node {platform.node()} differs in {', '.join(names)}; give all "
            "nodes the same files."
        )


def actor_pool(
    kind: type,
    assignment: object,
    share: Share,
    *,
    at_a_time: int,
    depth: int,
    remark: Callable[[str], None],
) -> RayPool[Any, Any]:
    """Start actors on the cluster that this process has joined.

    Args:
        kind: class of the actors, see `RayPool`.
        assignment: its only argument.
        share: number and size of the actors.
        at_a_time: number of tasks that an actor works on.
        depth: number of tasks that an actor has.
        remark: called with a sentence about what was lost and is tried again.
    """
    import ray

    from moeclip_cli.parallel.ray_pool import RayPool

    actor = ray.remote(kind).options(
        num_cpus=share.cpus,
        num_gpus=int(share.device == "cuda"),
        max_concurrency=at_a_time,
        max_restarts=0,
        max_task_retries=0,
    )
    stored = ray.put(assignment)  # once, however many actors there are
    return RayPool(lambda: actor.remote(stored), share.actors, depth, remark=remark)
