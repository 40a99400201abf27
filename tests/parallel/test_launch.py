from __future__ import annotations

import pytest
import torch

from moeclip_cli import __version__
from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.launch import launch

CPU = torch.device("cpu")


def test_the_first_process_speaks_for_all(capfd):
    assert launch(["--version"], 2, CPU) == 0
    assert capfd.readouterr().out == f"moeclip {__version__}\n"


def test_what_all_processes_meet_is_said_once_and_is_the_exit_code(capfd):
    assert launch(["nonsense"], 2, CPU) == 2
    assert capfd.readouterr().err.count("No such command") == 1


def test_there_must_be_a_gpu_for_each_process(capfd):
    gpus = torch.cuda.device_count()
    with pytest.raises(UsageError, match=f"use at most {gpus}"):
        launch(["--version"], gpus + 1, torch.device("cuda"))
    assert capfd.readouterr().out == ""
