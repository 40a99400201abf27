from __future__ import annotations

import pytest
import torch

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.device import (
    choose_device,
    choose_precision,
    default_batch_size,
    describe_device,
    ran_out_of_memory,
)


def test_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")
    assert default_batch_size(torch.device("cpu")) >= 1
    assert describe_device(torch.device("cpu")).startswith("cpu, ")


def test_auto_is_a_device_that_works():
    torch.zeros(1, device=choose_device("auto"))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "CPU", "", "cuda:"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(UsageError, match="is no device"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_missing_gpu_says_what_to_use_instead():
    with pytest.raises(UsageError, match="use --device cpu"):
        choose_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_gpu_that_is_not_there():
    with pytest.raises(UsageError, match="There is no cuda:99"):
        choose_device("cuda:99")


def test_precisions():
    assert choose_precision("auto") is torch.float32
    assert choose_precision("bf16") is torch.bfloat16
    with pytest.raises(UsageError, match="fp8"):
        choose_precision("fp8")


def test_running_out_of_memory_is_told_from_other_failures():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert not ran_out_of_memory(caught.value)
