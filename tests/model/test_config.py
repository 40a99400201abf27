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
        ({"moe_layers": (12, 6)}, "`moe_layers` must be ascending block numbers from 1"),
        ({"moe_layers": (6,), "adapted_tower": False}, "omit `moe_layers`"),
        ({"moe_layers": ()}, "`moe_layers` must be ascending"),
        ({"moe_layers": (6, 257)}, "`moe_layers` must be at most 256, not 257"),
        ({"layers": ()}, "ascending"),
        ({"layers": (0, 6)}, "from 1"),
        ({"layers": (6, 257)}, "`layers` must be at most 256, not 257"),
        ({"rank": 0}, "`rank` must be at least 1 and at most 1024, not 0"),
        ({"rank": 1025}, "`rank` must be at least 1 and at most 1024, not 1025"),
        ({"experts": 10**6}, "`experts` must be at least 1 and at most 256, not 1000000"),
        ({"top_k": 0}, "`top_k` must be at least 1 and at most 256, not 0"),
        ({"image_size": 0}, "`image_size` must be at least 1 and at most 4096 pixels, not 0"),
        (
            {"image_size": 10**30},
            "`image_size` must be at least 1 and at most 4096 pixels, not 10{30}",
        ),
        ({"alpha": 0.0}, "`alpha` must be above 0 and at most 1,000,000, not 0.0"),
        ({"alpha": 1e308}, "`alpha` must be above 0"),
        ({"alpha": float("nan")}, "`alpha` must be above 0"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1, not 1.0"),
        ({"dropout": float("nan")}, "`dropout` must be"),
        ({"mix": 1.5}, "`mix` must be between 0 and 1, not 1.5"),
        ({"mix": -0.1}, "`mix` must be"),
        ({"mix": float("nan")}, "`mix` must be"),
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
