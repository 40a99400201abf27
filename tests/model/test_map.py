"""The map from the paper's figure to the code, in the docstring of the package."""

from __future__ import annotations

import importlib
import re
from functools import reduce

import pytest

import moeclip_cli.model

ENTRIES = re.findall(r"^ {4}(\S.*?) {2,}([\w.]+)$", moeclip_cli.model.__doc__, re.MULTILINE)

BOXES = (
    "router", "LoRA experts", "FOFS", "ETF loss", "balance loss", "patch average aggregation",
    "projections", "image head", "text layer", "prompt ensemble", "vision tower", "text tower",
    "anomaly map", "image score",
)  # fmt: skip


@pytest.mark.parametrize(("box", "name"), ENTRIES, ids=[box for box, _ in ENTRIES])
def test_every_name_on_the_map_exists(box, name):
    parts = f"moeclip_cli.model.{name}".split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        assert reduce(getattr, parts[length:], module) is not None
        return
    pytest.fail(f"{name} is not in moeclip_cli.model")


def test_every_box_is_on_the_map():
    assert set(BOXES) <= {box for box, _ in ENTRIES}
    lines = [line for line in moeclip_cli.model.__doc__.splitlines() if line.startswith("    ")]
    assert len(lines) == len(ENTRIES)
