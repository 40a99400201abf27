from __future__ import annotations

import pytest
import torch

from moeclip_cli.errors import UsageError
from moeclip_cli.training.engine import Engine, tower_dtype

CPU = torch.device("cpu")


def test_a_second_engine_in_the_same_process_may_have_another_precision():
    for precision in ("bf16", "fp32", "bf16"):
        engine = Engine(CPU, precision, 1)
        with engine.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == tower_dtype(precision)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_gradients_are_applied_after_all_parts_of_a_step(accumulate):
    engine = Engine(CPU, "fp32", accumulate)
    layer = torch.nn.Linear(2, 1)
    model, optimiser = engine.accelerator.prepare(layer, torch.optim.SGD(layer.parameters(), 0.1))
    updates = []
    for _ in range(2 * accumulate):
        before = layer.weight.detach().clone()
        with engine.accelerator.accumulate(model):
            engine.accelerator.backward(model(torch.ones(1, 2)).sum())
            optimiser.step()
            optimiser.zero_grad()
        updates.append(not torch.equal(layer.weight, before))
    assert updates == ([False] * (accumulate - 1) + [True]) * 2


def test_fp16_needs_a_gpu():
    with pytest.raises(UsageError, match="fp16 cannot be trained on a CPU; use `precision`"):
        Engine(CPU, "fp16", 1)


def test_a_single_process_exchanges_with_itself():
    engine = Engine(CPU, "fp32", 1)
    assert (engine.processes, engine.rank) == (1, 0)
    values = torch.tensor([1.0, 2.0])
    assert torch.equal(engine.sum(values), values)
    assert torch.equal(engine.mean(values), values)
    assert engine.any(True, False) == [True, False]
    assert engine.gather("value") == ["value"]
