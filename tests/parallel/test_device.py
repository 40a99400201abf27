from __future__ import annotations

import pytest
import torch

from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.device import (
    choose_device,
    choose_precision,
    default_batch_size,
    describe_device,
)


def test_cpu_is_always_available():
    assert choose_device("cpu") == torch.device("cpu")
    assert default_batch_size(torch.device("cpu")) >= 1
    assert describe_device(torch.device("cpu")).startswith("cpu, ")


def test_auto_selects_a_working_device():
    torch.zeros(1, device=choose_device("auto"))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "CPU", "", "cuda:"])
def test_unknown_devices_are_rejected(name):
    with pytest.raises(UsageError, match="Unknown device"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_missing_gpu_error_suggests_the_cpu():
    with pytest.raises(UsageError, match="set `device` to cpu"):
        choose_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_gpu_index_out_of_range():
    with pytest.raises(UsageError, match="cuda:99 does not exist"):
        choose_device("cuda:99")


def test_precision_names():
    assert choose_precision("auto") is torch.float32
    assert choose_precision("bf16") is torch.bfloat16
    with pytest.raises(UsageError, match="fp8"):
        choose_precision("fp8")
