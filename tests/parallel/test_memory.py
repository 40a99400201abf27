from __future__ import annotations

import errno

import cv2
import numpy as np
import pytest
import torch

from moeclip_cli.errors import ModelError
from moeclip_cli.parallel.memory import memory_errors, ran_out_of_memory


def exhaust_python():
    return bytearray(2**62)


def exhaust_numpy():
    return np.empty(2**60, np.uint8)


def exhaust_torch():
    return torch.empty(2**60, dtype=torch.uint8)


def exhaust_opencv():
    return cv2.copyMakeBorder(np.zeros((1, 1), np.uint8), 0, 2**30, 0, 2**30, cv2.BORDER_CONSTANT)


@pytest.mark.parametrize("exhaust", [exhaust_python, exhaust_numpy, exhaust_torch, exhaust_opencv])
def test_every_library_runs_out_of_memory_in_its_own_words(exhaust):
    with pytest.raises(Exception) as caught:
        exhaust()
    assert ran_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("could not create a primitive"),  # oneDNN
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_words_that_only_a_full_machine_produces(error):
    assert ran_out_of_memory(error)


def test_other_errors_are_not_about_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert not ran_out_of_memory(caught.value)
    with pytest.raises(cv2.error) as damaged:
        cv2.imdecode(np.zeros(0, np.uint8), cv2.IMREAD_COLOR)
    assert not ran_out_of_memory(damaged.value)
    assert not ran_out_of_memory(ValueError("out of memory"))
    assert not ran_out_of_memory(OSError(errno.ENOSPC, "No space left on device"))


def test_memory_errors_get_their_sentence_and_others_pass():
    with pytest.raises(ModelError, match="It does not fit"), memory_errors("It does not fit."):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="else"), memory_errors("It does not fit."):
        raise RuntimeError("something else")
