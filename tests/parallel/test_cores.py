from __future__ import annotations

import os
import subprocess
import sys

import pytest

from moeclip_cli.parallel.cores import available_cores, choose_workers

RESTRICTED_TO_ONE_CORE = """
import os
from moeclip_cli.parallel.cores import available_cores, choose_workers
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(available_cores(), choose_workers(None), choose_workers(3))
"""


def test_available_cores_are_at_most_those_of_the_machine():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"),
    reason="needs CPU affinity",
)
def test_cores_outside_the_affinity_mask_do_not_count():
    run = [sys.executable, "-c", RESTRICTED_TO_ONE_CORE]
    assert subprocess.run(run, check=True, capture_output=True, text=True).stdout == "1 1 3\n"


def test_zero_workers_can_be_requested():
    assert choose_workers(0) == 0
