from __future__ import annotations

import pytest

from moeclip_cli.errors import ModelError
from moeclip_cli.model.config import NetworkConfig, quarter_depths


def test_defaults_are_the_papers():
    config = NetworkConfig()
    assert config.maps == 12
    assert config.projections == 4
    assert config.alpha == 2 * config.rank


@pytest.mark.parametrize(
    ("options", "maps", "projections"),
    [
        ({"shared_projections": False}, 12, 12),
        ({"aggregation": False}, 4, 4),
        ({"layers": (3, 9)}, 6, 2),
    ],
)
def test_number_of_maps_and_projections(options, maps, projections):
    config = NetworkConfig(**options)
    assert (config.maps, config.projections) == (maps, projections)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": (12, 6)}, "ascending"),
        ({"layers": ()}, "ascending"),
        ({"layers": (0, 6)}, "from 1"),
        ({"rank": 0}, "rank must be at least 1"),
        ({"top_k": 5}, "only 4 experts"),
    ],
)
def test_impossible_configurations_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        NetworkConfig(**options)


def test_quarter_depths():
    assert quarter_depths(24) == (6, 12, 18, 24)
    assert quarter_depths(12) == (3, 6, 9, 12)
    with pytest.raises(ModelError):
        quarter_depths(3)
