from __future__ import annotations

import pytest


@pytest.fixture
def run(moeclip, standin):
    """A command with the stand-in model."""

    def with_standin(command, *args):
        return moeclip(command, *args, *standin.options)

    return with_standin


@pytest.fixture
def score(moeclip, standin):
    """`moeclip score` with the stand-in model: score("parts", ...) -> result."""

    def run(*args, **kwargs):
        return moeclip("score", *standin.options, *args, **kwargs)

    return run


@pytest.fixture
def benchmark(moeclip, standin):
    """A benchmark of the stand-in model: benchmark("mvtec", ...) -> result."""

    def run(*args, **kwargs):
        return moeclip("benchmark", *args, *standin.options, "--workers", "1", **kwargs)

    return run
