"""What is slow to import and not needed is not imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The built-in models one after the other in one process, each with the command that users run.
SCORE = """
import sys
from moeclip_cli.__main__ import main
for options in ([], ["--model", "moeclip-small"], ["--reference", "parts"]):
    sys.argv = ["moeclip", "score", "parts/d.png", *options, "--overwrite", "--quiet"]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
slow = {"open_clip", "timm", "torchvision", "huggingface_hub", "torch._dynamo", "sympy"}
print(*sorted(slow & sys.modules.keys()))
"""


@pytest.mark.usefixtures("parts")
def test_the_built_in_models_score_without_open_clip():
    done = subprocess.run([sys.executable, "-c", SCORE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
