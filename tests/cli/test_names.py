"""Any byte in names and arguments of a real command line, in any locale."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from support.samples import save_image

from moeclip_cli.runs.run_card import read_card

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def strange(tmp_path):
    """A folder whose name and files have names that are not UTF-8, one of them damaged."""
    save_image(tmp_path / "a.png")
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    for name in (b"x\xfe.png", "\u00fc\u6f22.png".encode()):
        shutil.copy(tmp_path / "a.png", folder / os.fsdecode(name))
    (folder / os.fsdecode(b"bad\xfd.png")).write_bytes(b"\x89PNG\r\n\x1a\n, cut short")
    return folder


def run(standin, *args, **env):
    command = [sys.executable, "-m", "moeclip_cli", "score", *standin.options, *args]
    return subprocess.run(
        [os.fsencode(arg) for arg in command],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | env,
        capture_output=True,
        timeout=100,
    )


@pytest.mark.parametrize("env", [C_LOCALE, {"PYTHONIOENCODING": "ascii:strict"}])
def test_bytes_in_arguments(standin, strange, env, tmp_path):
    args = [b"d\xff", b"--out", b"o\xfc", b"--prompt", b"m\xfcll \xc3\xbc", b"--report"]
    done = run(standin, *args, **env)
    assert done.returncode == 3, done.stderr
    assert b"x\\udcfe.png" in done.stdout
    assert b"bad\\udcfd.png: " in done.stderr
    card = read_card(tmp_path / os.fsdecode(b"o\xfc"))
    assert card["settings"]["prompt"] == "m\\xfcll \u00fc"
    # ASCII and UTF-8 as the encoding of arguments decode to other characters, but equal bytes.
    command = card["environment"]["command"].encode("utf-8", "surrogateescape")
    assert b"m\xfcll \xc3\xbc" in command
    assert run(standin, *args, b"--resume", b"--quiet", **env).returncode == 3


@pytest.mark.parametrize("encoding", ["utf-8:strict", "cp1252:strict"])
def test_json_is_ascii_and_reads_back_as_the_names(standin, strange, encoding, tmp_path):
    done = run(standin, b"d\xff", b"--json", b"--quiet", b"--out", b"o", PYTHONIOENCODING=encoding)
    assert done.returncode == 3, done.stderr
    assert done.stdout.isascii()
    paths = {tmp_path / json.loads(line)["path"] for line in done.stdout.splitlines()}
    assert paths == set(strange.iterdir())
    # Neither the damaged image nor a library may write there; only what was not inspected is said.
    assert re.fullmatch(rb"Warning: 1 image [^\n]*\n", done.stderr)
