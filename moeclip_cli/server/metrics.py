"""Counts and times of the server in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from moeclip_cli.inspection.result import Result
from moeclip_cli.server.limits import InHand

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What the server counts.

    Args:
        in_hand: what the server has in hand.
    """

    def __init__(self, in_hand: InHand) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "moeclip_requests", "Answered requests.", ("path", "status"), registry=registry
        )
        self._seconds = Histogram(
            "moeclip_request_seconds",
            "Time from the head of a request to its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._pictures = Counter(
            "moeclip_pictures",
            "Pictures by verdict; error: not inspected.",
            ("profile", "verdict"),
            registry=registry,
        )
        self.batches = Histogram(
            "moeclip_batch_pictures",
            "Pictures of one product that were scored together.",
            buckets=_PICTURES,
            registry=registry,
        )
        self.ready = Gauge("moeclip_ready", "1 if pictures are inspected.", registry=registry)
        for name, what in (
            ("requests", "Inspections that were admitted and not yet answered."),
            ("pictures", "Pictures that wait or are in work."),
            ("bytes", "Bytes of the bodies in memory."),
        ):
            gauge = Gauge(f"moeclip_{name}_in_hand", what, registry=registry)
            gauge.set_function(partial(getattr, in_hand, name))

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def inspected(self, profile: str, results: Iterable[Result]) -> None:
        """Count pictures of a product."""
        for result in results:
            self._pictures.labels(profile, result.verdict or "error").inc()

    def text(self) -> bytes:
        """All counts."""
        return generate_latest(self._registry)
