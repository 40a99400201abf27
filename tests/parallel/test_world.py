from __future__ import annotations

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.world import (
    World,
    is_main_process,
    join_world,
    process_count,
    process_device,
)


@pytest.mark.parametrize("items", [0, 1, 16, 83])
@pytest.mark.parametrize("batch", [1, 4, 16])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_shares_are_whole_batches_in_order(items, batch, size):
    shares = [list(range(items))[World(rank, size).share(items, batch)] for rank in range(size)]
    assert [item for share in shares for item in share] == list(range(items))
    assert all(share[0] % batch == 0 for share in shares if share)
    batches = [-(-len(share) // batch) for share in shares]
    assert max(batches) - min(batches) <= 1


def test_a_single_process_exchanges_nothing():
    with join_world() as world:
        assert (world.rank, world.size) == (0, 1)
        assert world.broadcast("plan") == "plan"
        part: set[int] = {1}
        assert world.gather(part) is part
        assert [world.add_to_count(2), world.add_to_count(3)] == [2, 5]
    assert is_main_process()
    assert process_count() == 1
    assert process_device("cpu").type == "cpu"


def test_incomplete_launcher_environment_is_rejected(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UsageError, match="MASTER_ADDR is not set"), join_world():
        pass
