from __future__ import annotations

import pytest
import torch

from moeclip_cli import __version__
from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.launch import launch

CPU = torch.device("cpu")


def test_only_the_first_process_prints(capfd):
    assert launch(["--version"], 2, CPU) == 0
    assert capfd.readouterr().out == f"moeclip {__version__}\n"


def test_an_error_of_all_processes_is_printed_once_with_its_exit_code(capfd):
    assert launch(["nonsense"], 2, CPU) == 2
    assert capfd.readouterr().err.count("No such command") == 1


def test_each_process_needs_its_own_gpu(capfd):
    gpus = torch.cuda.device_count()
    with pytest.raises(UsageError, match=f"set `processes` to at most {gpus}"):
        launch(["--version"], gpus + 1, torch.device("cuda"))
    assert capfd.readouterr().out == ""
