from __future__ import annotations

import pytest
import torch

from moeclip_cli.errors import ModelError
from moeclip_cli.training.state import (
    TrainingState,
    read_state,
    write_state,
    write_torch_file,
)


def test_a_state_is_read_back_as_it_was_written(tmp_path):
    state = TrainingState(
        7,
        {"router": torch.arange(3.0)},
        {"state": {0: {"step": torch.tensor(7.0)}}, "param_groups": [{"lr": 0.1}]},
        recent=[1.0, 2.0],
        recent_steps=3,
        validated=5,
        best_measure=0.5,
        best_epoch=1,
    )
    write_state(tmp_path / "state.pt", state)
    restored = read_state(tmp_path / "state.pt")
    assert torch.equal(restored.adapters.pop("router"), state.adapters.pop("router"))
    assert restored == state


@pytest.mark.parametrize(
    "content",
    [
        {"format": 1, **vars(TrainingState(0, {}, {}))},
        {"format": 2, "step": 0},
        {"format": 2, **vars(TrainingState(0, {}, {})), "more": 1},
        {"router": torch.zeros(2)},
    ],
)
def test_another_format_is_refused_with_a_remedy(tmp_path, content):
    write_torch_file(tmp_path / "state.pt", content)
    with pytest.raises(ModelError, match="not the state of a training.*`overwrite`"):
        read_state(tmp_path / "state.pt")


def test_losses_are_averaged_since_the_last_row():
    state = TrainingState(0, {}, {}, recent=[0.0, 0.0])
    for losses in ([1.0, 4.0], [2.0, 0.0]):
        state.add(losses)
    assert (state.step, state.recent_steps) == (2, 2)
    assert state.pop_mean_losses() == [1.5, 2.0]
    state.add([5.0, 6.0])
    assert (state.step, state.pop_mean_losses()) == (3, [5.0, 6.0])
