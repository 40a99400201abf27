from __future__ import annotations

import pytest


@pytest.fixture
def run(moeclip, standin):
    """A command with the stand-in model."""

    def with_standin(command, *args):
        return moeclip(command, *args, *standin.options)

    return with_standin
