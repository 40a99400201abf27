from __future__ import annotations

import os
import subprocess
import sys

import pytest

from moeclip_cli.parallel.cores import available_cores, choose_workers

LEFT_ONE_CORE = """
import os
from moeclip_cli.parallel.cores import available_cores, choose_workers
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(available_cores(), choose_workers(None), choose_workers(3))
"""


def test_there_are_no_more_cores_than_the_machine_has():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot withhold cores")
def test_cores_that_were_not_given_do_not_count():
    run = [sys.executable, "-c", LEFT_ONE_CORE]
    assert subprocess.run(run, check=True, capture_output=True, text=True).stdout == "1 1 3\n"


def test_no_workers_can_be_asked_for():
    assert choose_workers(0) == 0
