"""What an actor refuses; runs on a cluster are tested with the command."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from moeclip_cli import Inspector
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.runs.ray_actors import Site
from moeclip_cli.runs.ray_scorer import Assignment, ScoringActor
from moeclip_cli.runs.stream import Pace


@pytest.fixture
def assignment(standin, inspector, tmp_path):
    load = partial(
        Inspector.load,
        str(standin.model),
        backbone_weights=standin.backbone,
        image_size=70,
        device="cpu",
    )
    site = Site(tmp_path, ())
    return Assignment(load, inspector.settings, lambda scorer: [], Pace(2, 1), None, False, site)


def test_an_actor_starts_if_everything_is_as_in_the_command(assignment):
    ScoringActor(assignment).start()


def test_a_node_without_the_shared_storage_is_named(assignment):
    missing = Path("/mnt/parts/a.png")
    with pytest.raises(UsageError, match="does not see /mnt/parts/a.png; put inputs, output"):
        ScoringActor(replace(assignment, site=replace(assignment.site, shared=(missing,)))).start()


def test_a_node_with_another_version_or_model_is_refused(assignment):
    with pytest.raises(UsageError, match="the command is of 0.0.1; install the same version"):
        ScoringActor(replace(assignment, site=replace(assignment.site, version="0.0.1"))).start()
    settings = assignment.settings | {"model_digest": "0" * 64}
    with pytest.raises(ModelError, match="differs in model_digest"):
        ScoringActor(replace(assignment, settings=settings)).start()
