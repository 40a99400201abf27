"""The n-th call to the file system fails, or the n-th allocation: for every n, in every command.

`FAULT_POINTS=0 python -m pytest tests/faults -rP` tries every n, otherwise 25 in equal
distances, and prints the number of faults. `FAULT_FROM=2000` begins with that n.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.benchmark_data import own_folder
from support.faults import Faults, allocation_faults, file_faults
from support.kills import Job, jobs
from support.outputs import content

POINTS = int(os.environ.get("FAULT_POINTS", "25"))
FIRST = int(os.environ.get("FAULT_FROM", "1"))
OUT = Path("out")
TABLES = ("results.csv", "metrics.csv", "validation.csv")
# Complete at any time, but not yet those of a finished run.
GROWING = (*TABLES, "inputs.jsonl", "report.html", "state.pt", "model.safetensors")
_NUMBER = re.compile(rb"\d+\.\d+(?:e-?\d+)?")


@pytest.fixture
def size() -> tuple[int, int]:
    """Images of each label, and epochs of training."""
    return 3, 2


@pytest.fixture(params=["score", "train", "benchmark"])
def job(request, standin, tmp_path, size) -> Job:
    images, epochs = size
    own_folder(tmp_path / "own", per_label=images)
    return jobs(standin.options, standin.backbone, epochs)[request.param]


@pytest.fixture
def run(job, moeclip):
    def run(*options):
        return moeclip(*job.command(OUT, *options))

    return run


@pytest.fixture
def resume(job, run):
    def resume(code):
        if job.name == "benchmark" and code == 3:  # finished without some images
            return run("--overwrite")
        result = run(*job.resume)
        if "Leave out --resume" in result.stderr:  # nothing had been written
            result = run()
        return result

    return resume


@pytest.fixture
def reference(run):
    """The files of an undisturbed run."""
    assert run().exit_code == 0
    files = content(OUT)
    shutil.rmtree(OUT)
    return files


def points(calls: int, most: int = POINTS) -> range:
    """Numbers of calls in equal distances; all if `most` is 0."""
    return range(FIRST, calls + 1, max(1, calls // most) if most else 1)


def problems(result, reference, differ) -> list[str]:
    """Broken promises of a command that met a fault."""
    found = []
    if result.exit_code not in (0, 2, 3, 4):
        found.append(f"exit code {result.exit_code}")
    if result.exit_code == 0 and differ(reference):
        found.append(f"exit code 0, but {differ(reference)} differ")
    said = result.stderr.strip().splitlines()[-1:] or [""]
    if result.exit_code in (2, 4) and not re.fullmatch(r"Error: .+\.", said[0]):
        found.append(f"no sentence: {said[0]!r}")
    if "Traceback" in result.stderr or "Internal error" in result.stderr:
        found.append(f"internal error: {said[0]!r}")
    if (OUT / "run.json").exists():
        json.loads((OUT / "run.json").read_bytes())
    if result.exit_code in (2, 4):
        for name in content(OUT).keys() & set(TABLES):
            rows = (OUT / name).read_bytes()
            if rows and not rows.endswith(b"\n"):
                found.append(f"{name} ends in a torn row: {rows[-30:]!r}")
        torn = {name for name in differ(reference) if name in content(OUT)} - set(GROWING)
        found += [f"{name} is torn" for name in sorted(torn)]
    return found


def different(reference) -> list[str]:
    """Names of the files that are not those of the undisturbed run."""
    found = content(OUT)
    names = sorted(found.keys() | reference.keys())
    return [name for name in names if found.get(name) != reference.get(name)]


def different_beyond_rounding(reference) -> list[str]:
    """The same after memory ran out: smaller batches change scores by rounding."""
    found = content(OUT)
    return [
        name
        for name in different(reference)
        # Their pictures of mistakes are left out if an image cannot be decoded a second time.
        if not name.startswith(("categories/", "report.html"))
        if name not in found or name not in reference or not _close(found[name], reference[name])
    ]


def _close(data: bytes, expected: bytes) -> bool:
    if data.startswith(b"\x93NUMPY"):
        maps = [np.load(io.BytesIO(each)) for each in (data, expected)]
        return np.allclose(*maps, atol=1e-4)
    if not data.isascii():  # pictures
        return True
    texts = [_NUMBER.sub(b"N", each) for each in (data, expected)]
    numbers = [[float(each) for each in _NUMBER.findall(text)] for text in (data, expected)]
    return texts[0] == texts[1] and np.allclose(*numbers, atol=1e-3)


def sweep(run, resume, reference, inject, numbers, differ=different, **kind) -> list[str]:
    """Meet each fault in an empty folder, then continue without one."""
    found = []
    codes: Counter[int] = Counter()
    for number in numbers:
        shutil.rmtree(OUT, ignore_errors=True)
        with inject(Faults(OUT, number, **kind)) as faults:
            result = run()
        codes[int(result.exit_code)] += 1
        broken = problems(result, reference, differ)
        # If nothing was written, the next run is an undisturbed one.
        if result.exit_code and OUT.exists():
            again = resume(result.exit_code)
            if again.exit_code:
                broken.append(f"resumed with exit code {again.exit_code}: {again.stderr}")
            elif differ(reference):
                broken.append(f"resumed, but {differ(reference)} differ")
            if left := list(OUT.rglob("*.partial")):
                broken.append(f"left {left}")
        found += [f"{number}, {faults.failed[:1]}: {each}" for each in broken]
    print(*found[:40], sep="\n")
    print(f"{len(numbers)} faults in {numbers.stop - 1} calls, by exit code: {dict(codes)}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_any_failing_file_operation(run, resume, reference, lasting):
    with file_faults(Faults(OUT)) as counted:
        assert run().exit_code == 0
    assert counted.counts["write"] > 5
    assert counted.counts["rename"] > 5
    numbers = points(counted.calls)
    assert not sweep(run, resume, reference, file_faults, numbers, lasting=lasting)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(2, 1)], ids=["small"])
def test_any_failing_allocation(job, run, resume, reference):
    with allocation_faults(Faults(OUT)) as counted:
        assert run().exit_code == 0
    assert counted.counts["torch"] > 1000
    differ = different if job.name == "train" else different_beyond_rounding
    assert not sweep(run, resume, reference, allocation_faults, points(counted.calls), differ)
