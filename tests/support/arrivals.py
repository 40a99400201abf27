"""Pictures that another process copies slowly into a watched folder, and kills of the watch."""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from support.kills import ForkedCommands
from support.samples import save_image

# Every third file is renamed into place, every third one grows in two steps.
_COPY = """
import random, sys, time
from pathlib import Path
source, target, pause, seed = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
chance = random.Random(seed)
for number, path in enumerate(sorted(source.iterdir())):
    content = path.read_bytes()
    place = target / f"line {number % 2}"
    place.mkdir(exist_ok=True)
    if number % 3 == 0:
        (place / f"{path.name}.part").write_bytes(content)
        (place / f"{path.name}.part").rename(place / path.name)
    elif number % 3 == 1:
        with (place / path.name).open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            time.sleep(chance.uniform(0, 2 * pause))
            file.write(content[len(content) // 2 :])
    else:
        (place / path.name).write_bytes(content)
    time.sleep(chance.uniform(0, 2 * pause))
"""


def make_pictures(folder: Path, count: int) -> None:
    """Make small pictures, each with other content."""
    folder.mkdir()
    for number in range(count):
        save_image(folder / f"{number:05}.png", seed=number, width=24, height=16)


def kill_while_pictures_arrive(
    model: Sequence[str], count: int, kills: int, pause: float, chance: random.Random
) -> int:
    """Watch a folder that fills slowly, with kills in between, in the current folder.

    Args:
        model: options that select the model.
        count: number of pictures.
        kills: attempts to kill the watch.
        pause: mean pause of the other process in seconds.
        chance: decides the moments.

    Returns:
        The number of watches that were killed.

    Raises:
        AssertionError: if a picture has no row, several, or one with an error, or was not moved.
    """
    pictures, folder = Path("pictures"), Path("in")
    make_pictures(pictures, count)
    folder.mkdir()
    commands = ForkedCommands(Path("log.txt"))
    watch = ["watch", folder, *model, "--heatmaps", "--move", "--poll", "0.05", "--quiet"]
    commands.prepare([*watch, "--out", "prepared", "--stop-when-idle", "0"])
    seed = str(chance.random())
    arguments = [pictures, folder, str(pause), seed]
    copying = subprocess.Popen([sys.executable, "-c", _COPY, *arguments])
    watch += ["--out", "out"]
    killed = 0
    try:
        for _ in range(kills):
            killed += commands.run(watch, chance.uniform(0.2, 2)) == -signal.SIGKILL
    finally:
        copying.wait()
    code = commands.run([*watch, "--stop-when-idle", "1"])
    assert code == 0, f"exit code {code}, see {commands.log}"
    require_each_once(count)
    assert commands.run(["verify", "out"]) == 0
    return killed


def require_each_once(count: int) -> None:
    """Check rows and places of the pictures of `kill_while_pictures_arrive`.

    Raises:
        AssertionError: if they are not those of an undisturbed watch.
    """
    with Path("out/results.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["path"] for row in rows if row["error"]] == []
    names = Counter(Path(row["path"]).name for row in rows)
    assert names == Counter(path.name for path in Path("pictures").iterdir())
    moved = [path for kind in ("good", "bad") for path in Path("out", kind).rglob("*.png")]
    assert len(moved) == count
    for path in moved:
        assert path.read_bytes() == Path("pictures", path.name).read_bytes()
    assert [path for path in Path("in").rglob("*") if path.is_file()] == []
