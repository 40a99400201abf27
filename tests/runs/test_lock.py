from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.faults import Faults, file_faults

import moeclip_cli
from moeclip_cli.errors import UsageError
from moeclip_cli.runs.lock import LOCK, WriterLock, is_locked

PROGRAM = """
import sys, time
from pathlib import Path
from moeclip_cli.runs.lock import WriterLock
lock = WriterLock.of_folder(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(600)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that has locked the folder."""
    root = Path(moeclip_cli.__file__).parents[1]
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_another_process_is_refused_until_the_first_one_is_killed(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        assert is_locked(tmp_path)
        pattern = rf"^Another moeclip \(process {process.pid} on .+, since .+\) is writing to "
        with pytest.raises(UsageError, match=pattern + r".*; wait for it, or choose another `out`"):
            WriterLock.of_folder(tmp_path)
        process.send_signal(signal.SIGKILL)
    assert not is_locked(tmp_path)
    WriterLock.of_folder(tmp_path).close()


def test_a_lock_without_a_named_holder_is_refused_as_well(tmp_path: Path) -> None:
    with WriterLock.of_folder(tmp_path):
        (tmp_path / f"{LOCK}.json").write_text("damaged")
        with pytest.raises(UsageError, match=r"^Another moeclip is writing to"):
            WriterLock.of_folder(tmp_path)


def test_a_lock_beside_a_file_leaves_nothing(tmp_path: Path) -> None:
    with WriterLock.of_file(tmp_path / "p.json", "profile") as lock:
        lock.require_held()
        with pytest.raises(UsageError, match=r"is writing to .*p\.json; .* another `profile`"):
            WriterLock.of_file(tmp_path / "p.json", "profile")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_replaced_is_not_held(tmp_path: Path) -> None:
    with WriterLock.of_folder(tmp_path / "out") as lock:
        (tmp_path / "out").rename(tmp_path / "moved")
        with pytest.raises(UsageError, match="removed or replaced during the run"):
            lock.require_held()


def test_a_lock_that_cannot_be_described_is_released(tmp_path):
    with file_faults(Faults(tmp_path)) as counted:
        WriterLock.of_folder(tmp_path).close()
    assert counted.calls > 1
    for number in range(1, counted.calls):
        faults = Faults(tmp_path, number)
        with file_faults(faults), contextlib.suppress(UsageError):
            WriterLock.of_folder(tmp_path).close()
        assert faults.failed
        assert not is_locked(tmp_path)


def test_a_folder_that_cannot_be_read_was_not_removed(tmp_path):
    with WriterLock.of_folder(tmp_path) as lock:
        lock.require_held()
        with (
            file_faults(Faults(tmp_path, at=1)),
            pytest.raises(UsageError, match="Input/output error"),
        ):
            lock.require_held()
