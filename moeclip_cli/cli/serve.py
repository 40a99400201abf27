"""`moeclip serve`: inspect pictures that other programs send over HTTP."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.arguments import require_prompt
from moeclip_cli.cli import console, options, product_options
from moeclip_cli.cli.exported import check_exported, load_scorer
from moeclip_cli.cli.failures import failure_of
from moeclip_cli.cli.framing import warn_about_threshold
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.image_options import ImageOptions
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.variables import TOKEN
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_extra
from moeclip_cli.server.settings import (
    DEFAULT_HOST,
    DEFAULT_MAX_BYTES,
    DEFAULT_PORT,
    DEFAULT_QUEUE,
    DEFAULT_TIMEOUT,
    Limits,
    is_loopback,
    read_token,
)
from moeclip_cli.tiles.framing import Framing

if TYPE_CHECKING:
    import socket

    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.server.app import Service
    from moeclip_cli.server.products import Product

_EXTRA = "server"
_PACKAGES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")
_UNNAMED = "default"
SERVER, LIMITS = "Server", "Limits"


@dataclass(frozen=True)
class ServerOptions:
    """Where the server listens, and for whom.

    Attributes:
        host: address to listen on. 0.0.0.0 is all addresses of this machine.
        port: port to listen on; 0 for any free one.
        token_file: file with the token that clients have to send as Authorization: Bearer TOKEN.
            Default: the variable MOECLIP_TOKEN, if it is set.
        verbose: print a line about each request.
    """

    PANEL: ClassVar[str] = SERVER

    host: str = DEFAULT_HOST
    port: Annotated[int, typer.Option(min=0, max=65535)] = DEFAULT_PORT
    token_file: Path | None = None
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False


@dataclass(frozen=True)
class LimitOptions:
    """What clients may ask of the server.

    Attributes:
        max_bytes: refuse bodies with more bytes than this.
        max_pixels: refuse pictures with more pixels than this.
        decode_seconds: stop decoding a picture after this many seconds.
        queue: most pictures that wait or are in work; more are refused.
        timeout: seconds for a body to arrive, and again for its pictures to be inspected.
    """

    PANEL: ClassVar[str] = LIMITS

    max_bytes: Annotated[int, typer.Option(min=1)] = DEFAULT_MAX_BYTES
    max_pixels: Annotated[int | None, typer.Option(min=1)] = None
    decode_seconds: Annotated[float | None, typer.Option(min=0.1, show_default="20")] = None
    queue: Annotated[int, typer.Option(min=1)] = DEFAULT_QUEUE
    timeout: Annotated[float, typer.Option(min=0.1)] = DEFAULT_TIMEOUT

    @property
    def of_images(self) -> ImageOptions:
        """The limits on each picture."""
        return ImageOptions([], max_pixels=self.max_pixels, decode_seconds=self.decode_seconds)


@dataclass(frozen=True)
class ProfileOptions:
    """The products that are inspected.

    Attributes:
        profile: profile file written by `moeclip calibrate`. Can be repeated; requests then name
            one, such as ?profile=bracket for bracket.json.
        threshold: score from which a picture is anomalous. Default: threshold of the profile or the
            checkpoint.
        unsure: lower score from which a picture that is not anomalous is unsure. Default: that of
            the profile or none.
    """

    PANEL: ClassVar[str] = options.MODEL

    prompt: options.Prompt = DEFAULT_PROMPT
    profile: Annotated[list[Path] | None, typer.Option(show_default=False)] = None
    threshold: options.Threshold = None
    unsure: options.Unsure = None

    def named(self) -> dict[str, product_options.ProductOptions]:
        """The options of each product by its name, after a check that needs no PyTorch.

        Raises:
            UsageError: if a profile cannot be read, two have one name, or options contradict.
        """
        require_prompt(self.prompt)
        paths = self.profile or []
        for name in ("threshold", "unsure"):
            if len(paths) > 1 and getattr(self, name) is not None:
                raise UsageError(f"`{name}` is for one product; each profile has its own.")
        found: dict[str, product_options.ProductOptions] = {}
        for path in paths:
            from moeclip_cli.inspection.profile import Profile

            Profile.load_threshold(path)
            if path.stem in found:
                raise UsageError(
                    f"Two profiles are called {path.stem}; rename one, as requests name them."
                )
            found[path.stem] = self._product(path)
        return found or {_UNNAMED: self._product()}

    def _product(self, profile: Path | None = None) -> product_options.ProductOptions:
        return product_options.ProductOptions(
            self.prompt, threshold=self.threshold, unsure=self.unsure, profile=profile
        )


@grouped
def serve(
    products: ProfileOptions,
    server: ServerOptions,
    limits: LimitOptions,
    model: ModelOptions,
    run: options.RunOptions,
    general: options.GeneralOptions,
) -> None:
    """Inspect pictures that other programs send over HTTP, with one model that stays loaded.

    POST /inspect takes a picture as the body, or several as a form, and answers with the JSON of
    `moeclip score --json`; ?overlay=1 with a PNG. GET /health, /ready, /metrics and /openapi.json.
    SIGTERM and Ctrl-C finish what is in hand.

    Exit codes: 0 stopped, 2 usage error, 4 model not loaded, 130 interrupted twice.

    Example: moeclip serve --profile bracket.json
    """
    for package in _PACKAGES:
        require_extra(package, _EXTRA)
    named = products.named()
    model.check(run, products.threshold, products.unsure)
    check_exported(model, run, Framing())

    from moeclip_cli.parallel.cores import choose_workers
    from moeclip_cli.server.app import Service
    from moeclip_cli.server.listening import listen
    from moeclip_cli.server.running import run as run_server

    token = read_token(server.token_file, os.environ.get(TOKEN))
    service = Service(
        _Loader(named, limits, model, run, general).load,
        tuple(named),
        Limits(
            limits.max_bytes, limits.queue, limits.timeout, run.batch_size,
            choose_workers(run.workers),
        ),
        token,
        lambda error: _report(error, debug=general.debug),
    )  # fmt: skip
    listener = listen(server.host, server.port)
    run_server(
        service,
        listener,
        log=console.note if server.verbose else lambda line: None,
        listening=lambda: _announce(
            server.host, listener, token=token is not None, quiet=general.quiet
        ),
        ready=lambda: None if general.quiet else console.note(_ready(service)),
    )
    if not general.quiet:
        console.note("Stopped; all requests that were accepted are answered.")


@dataclass(frozen=True)
class _Loader:
    """Loads the model of each profile, once for all that have the same."""

    named: Mapping[str, product_options.ProductOptions]
    limits: LimitOptions
    model: ModelOptions
    run: options.RunOptions
    general: options.GeneralOptions

    def load(self) -> dict[str, Product]:
        """The products by name; called in the thread that owns the model."""
        from moeclip_cli.server.products import Product, on_same_network

        found: dict[str, Product] = {}
        for name, given in self.named.items():
            product = given.read()
            shared = product.profile and on_same_network(
                found.values(),
                product.profile,
                device=self.run.device,
                precision=self.run.precision,
            )
            inspector, product = (shared, product) if shared else self._scorer(product)
            warn_about_threshold(inspector, quiet=self.general.quiet)
            found[name] = Product(name, product.prompt, inspector)
        return found

    def _scorer(
        self, product: product_options.Product
    ) -> tuple[Inspector | OnnxInspector, product_options.Product]:
        images = self.limits.of_images
        return load_scorer(self.model, self.run, images, product, Framing(), quiet=True)


def _announce(host: str, listener: socket.socket, *, token: bool, quiet: bool) -> None:
    """Say where the server listens, and who can reach it."""
    address, port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    if not quiet:
        console.note(f"Listening on http://{shown}:{port}. Loading the model.")
    if is_loopback(host):
        return
    if not token:
        console.warn(
            "ANYONE in the network can send pictures and read the results: there is no token. Give "
            "one with --token-file, or listen on 127.0.0.1."
        )
    elif not quiet:
        console.warn(
            f"Other computers can reach {address}, and HTTP is not encrypted: the token and the "
            "pictures can be read on the way, unless a proxy with TLS is in front."
        )


def _ready(service: Service) -> str:
    products = service.model.products
    first = next(iter(products.values())).inspector
    names = ", ".join(f"{name} ({each.prompt})" for name, each in products.items())
    return f"Ready for {names}; {first.model.name} on {first.device_name}."


def _report(error: Exception, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    console.warn(f"A request failed. {failure_of(error).message}")
