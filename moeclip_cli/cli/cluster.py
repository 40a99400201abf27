"""`--ray`: images scored by the actors of a Ray cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moeclip_cli.checkpoints.names import is_graph
from moeclip_cli.cli import console, options
from moeclip_cli.cli.exported import graph_loader
from moeclip_cli.cli.image_options import ImageOptions
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.product_options import Product
from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_extra

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.parallel.ray_cluster import Share
    from moeclip_cli.runs.ray_scorer import RayScorer
    from moeclip_cli.runs.stream import Pace
    from moeclip_cli.tiles.framing import Framing

_ADDRESS = re.compile(r"local|auto|(ray://)?[^\s/:]+:\d+")


@dataclass(frozen=True)
class ClusterOptions(options.RunOptions):
    """Use of this machine, or of a Ray cluster.

    Attributes:
        ray: score on a Ray cluster: local for one of this machine, auto for the one that runs
            here, HOST:PORT, or ray://HOST:PORT.
        actors: processes on the Ray cluster. Default: one per GPU or, without GPUs, per machine.
    """

    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", show_default=False)] = None
    actors: Annotated[int | None, typer.Option(min=1, show_default=False)] = None

    def check_cluster(self, *, mutual: bool = False, live: bool = False) -> None:
        """Refuse what cannot be combined, before PyTorch is imported.

        Args:
            mutual: whether images are compared with each other.
            live: whether the images are frames of a camera or a stream.

        Raises:
            MissingExtraError: if Ray is needed and not installed.
            UsageError: if options contradict each other.
        """
        if self.ray is None:
            if self.actors is not None:
                raise UsageError("`actors` are processes of a Ray cluster; give its `ray` address.")
            return
        if not _ADDRESS.fullmatch(self.ray):
            raise UsageError(
                f"`ray` must be local, auto, HOST:PORT or ray://HOST:PORT, not '{self.ray}'."
            )
        if mutual:
            raise UsageError(
                "`mutual` compares all images with each other in one process; omit `ray`."
            )
        if self.precision == "auto":
            raise UsageError(
                "`precision` auto is measured on one machine; name a precision with `ray`."
            )
        if live:
            raise UsageError("The frames of a stream are scored where it is read; omit `ray`.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(
                f"Ray gives each actor its GPU; set `device` to cuda or cpu, not {self.device}."
            )
        require_extra("ray", "ray")

    @contextmanager
    def joined(self, model: ModelOptions | None = None, *, quiet: bool) -> Iterator[Share | None]:
        """Be part of the cluster during the block; gives what actors take, None without a cluster.

        Args:
            model: the model, which takes no GPU if it is a graph.
            quiet: show no status.

        Raises:
            UsageError: see `joined` and `share_of_cluster`.
        """
        if self.ray is None:
            yield None
            return
        from moeclip_cli.parallel.ray_cluster import joined, share_of_cluster

        with ExitStack() as stack:
            with console.status("Joining the Ray cluster", quiet=quiet):
                stack.enter_context(joined(self.ray))
            graph = model is not None and model.model is not None and is_graph(model.model)
            yield share_of_cluster("cpu" if graph else self.device, self.actors)

    def here(self, share: Share | None) -> ClusterOptions:
        """The options for loading the model in this process, which beside actors uses no GPU."""
        return self if share is None else replace(self, device="cpu")

    def pace_with(self, default_batch_size: int, share: Share | None) -> Pace:
        """As `pace`, but for the actors of a cluster if there is one."""
        if share is None:
            return self.pace(default_batch_size)
        if share.device == "cuda":
            import torch

            from moeclip_cli.parallel import device

            default_batch_size = device.default_batch_size(torch.device(share.device))
        from moeclip_cli.parallel.cores import choose_workers

        workers = choose_workers(self.workers, max(1, share.cpus))
        return replace(self, workers=workers).pace(default_batch_size)


def remark_unless(quiet: bool) -> Callable[[str], None]:
    """What is called with a sentence about a lost actor: a warning, or nothing."""
    return (lambda sentence: None) if quiet else console.warn


@dataclass(frozen=True)
class ActorModel:
    """The model of the actors of a cluster.

    Attributes:
        model: options of the command.
        run: likewise.
        images: likewise.
        product: threshold or profile.
        framing: tiles and region of the images.
    """

    model: ModelOptions
    run: ClusterOptions
    images: ImageOptions
    product: Product
    framing: Framing

    def source(
        self,
        inspector: Inspector | OnnxInspector,
        share: Share | None,
        folder: Path | None,
        *,
        keep_map: bool,
        quiet: bool,
    ) -> Inspector | OnnxInspector | RayScorer:
        """What scores the images: the actors of a cluster, or without one the inspector itself.

        Args:
            inspector: the model in this process.
            share: number and size of the actors, if there is a cluster.
            folder: the output folder, if files are written there for each image.
            keep_map: whether results of actors keep their probability map.
            quiet: do not warn of lost actors.
        """
        if share is None:
            return inspector
        from moeclip_cli.runs.ray_scorer import RayScorer

        return RayScorer(
            inspector,
            self._loader(inspector, share),
            share,
            folder,
            keep_map,
            remark=remark_unless(quiet),
        )

    def _loader(
        self, inspector: Inspector | OnnxInspector, share: Share
    ) -> Callable[[], Inspector | OnnxInspector]:
        """What loads the model in an actor."""
        if self.model.model is not None and is_graph(self.model.model):
            return graph_loader(self.model.model, self.images, self.product, self.framing)
        load = self.model.inspector_loader(
            replace(self.run, device=share.device),
            images=self.images,
            product=self.product,
            framing=self.framing,
        )
        if self.model.reference:  # computed once; another device would round differently
            return partial(load, references=vars(inspector)["references"])
        return load
