import dataclasses

import pytest
from mini.network import fresh_network
from mini.validation import validate
from support.mini import TINY

from moeclip_cli.errors import UsageError


def test_all_scales_of_the_recipe_are_used():
    network = fresh_network(TINY)

    one_scale = validate(network, dataclasses.replace(TINY, scales=()))
    two_scales = validate(network, TINY)

    assert one_scale.pairs == two_scales.pairs == 4
    assert one_scale.threshold != two_scales.threshold


def test_validation_requires_pairs():
    with pytest.raises(UsageError, match="Too few pairs"):
        validate(fresh_network(TINY), dataclasses.replace(TINY, validation_pairs=0))
