"""How machines are divided among actors."""

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.ray_cluster import Share, divided

GPUS = [(4, 0), (64, 8), (32, 8)]
CPUS = [(16, 0), (8, 0)]


@pytest.mark.parametrize(
    ("nodes", "device", "actors", "share"),
    [
        (GPUS, "auto", None, Share(16, 4, "cuda", 3)),
        (GPUS, "cuda", 2, Share(2, 4, "cuda", 3)),
        (GPUS, "cpu", None, Share(3, 32, "cpu", 3)),
        (CPUS, "auto", None, Share(2, 8, "cpu", 2)),
        (CPUS, "auto", 5, Share(5, 4, "cpu", 2)),
        (CPUS, "auto", 24, Share(24, 1, "cpu", 2)),
        ([(2, 0)], "auto", None, Share(1, 2, "cpu", 1)),
    ],
)
def test_actors_get_equal_shares_that_fit_on_the_machines(nodes, device, actors, share):
    assert divided(nodes, device, actors) == share


@pytest.mark.parametrize(
    ("nodes", "device", "actors", "message"),
    [
        (CPUS, "cuda", None, "has no GPU"),
        (GPUS, "auto", 17, "at most 16"),
        (CPUS, "auto", 25, "at most 24"),
    ],
)
def test_more_than_there_is_is_refused(nodes, device, actors, message):
    with pytest.raises(UsageError, match=message):
        divided(nodes, device, actors)


def test_a_share_in_words():
    assert str(Share(1, 2, "cpu", 1)) == "cpu, 1 Ray actor with 2 CPU cores, 1 node"
    assert str(Share(16, 4, "cuda", 3)) == "cuda, 16 Ray actors with 4 CPU cores each, 3 nodes"
