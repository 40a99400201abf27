from __future__ import annotations

import runpy
from pathlib import Path

import pytest

WORKSHOP = Path(__file__).parents[2] / "workshop"
# make_images.py imports packages that the tests do not require.
SCRIPTS = [
    path
    for path in sorted(WORKSHOP.glob("*.py"))
    if "__main__" in path.read_text(encoding="utf-8") and path.name != "make_images.py"
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_has_a_help_text(script, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    assert f"python workshop/{script.name}" in script.read_text(encoding="utf-8")
    assert f"usage: {script.name}" in capsys.readouterr().out
