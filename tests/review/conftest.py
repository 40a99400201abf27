from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from support.review import GrowingRun, LiveReview

OUT = Path("out")
SCORES = [("a/1.png", 0.9), ("a/2.png", 0.2), ("b/3.png", 0.6), ("b/4.png", None)]


@pytest.fixture
def growing(tmp_path):
    """A run of four images that goes on."""
    run = GrowingRun(tmp_path / OUT)
    run.add(*SCORES)
    return run


@pytest.fixture
def serve(tmp_path):
    """Start the server of a folder: serve() -> server."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(LiveReview(tmp_path / OUT, **options).running())
