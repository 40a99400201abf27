import dataclasses

import pytest
from mini import Phase
from support.mini import TINY

from moeclip_cli.errors import UsageError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phases": (Phase(0.4, (80,), 2),)}, "must sum to 1"),
        ({"image_size": 100}, "must be a multiple of 16"),
        ({"scales": (100,)}, "must be a multiple of 16"),
        ({"phases": (Phase(1, (64,), 2),)}, "at least 80, not 64"),
        ({"start_share": 0.5}, "requires an initial model"),
    ],
)
def test_invalid_recipes_are_rejected(changes, words):
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(TINY, **changes)


def test_the_learning_rate_warms_up_and_decays():
    recipe = dataclasses.replace(TINY, warmup=10, learning_rate=1.0, decay_from=0.5)

    rates = [recipe.rate_at(step, step / 100) for step in (0, 9, 50, 75, 99)]

    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.02])
