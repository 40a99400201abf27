from __future__ import annotations

import pytest

from moeclip_cli import Inspector

SIDE = 70


@pytest.fixture(scope="module")
def load(standin):
    """Loads the stand-in with further options."""

    def load_with(**options):
        return Inspector.load(
            str(standin.model),
            backbone_weights=standin.backbone,
            image_size=SIDE,
            device="cpu",
            **options,
        )

    return load_with
