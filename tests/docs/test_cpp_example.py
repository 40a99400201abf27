"""The C++ example of the guide on exports compiles and prints what moeclip computes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.samples import colour_picture

SOURCE = Path(__file__).parents[2] / "docs" / "examples" / "score.cpp"
HEADER = "onnxruntime_cxx_api.h"
# A folder that the user names, and where Linux distributions put it.
FOLDERS = (
    os.environ.get("ONNXRUNTIME_INCLUDE", ""),
    "/usr/include/onnxruntime",
    "/usr/include/onnxruntime/core/session",
    "/usr/local/include/onnxruntime",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled example, and the environment in which it finds ONNX Runtime's library."""
    runtime = pytest.importorskip("onnxruntime")
    compiler = shutil.which("c++")
    include = next((folder for folder in FOLDERS if (Path(folder) / HEADER).is_file()), None)
    libraries = [*(Path(runtime.__file__).parent / "capi").glob("libonnxruntime.so.*")]
    if compiler is None or include is None or not libraries:
        pytest.skip(f"needs a C++ compiler, {HEADER} (ONNXRUNTIME_INCLUDE) and a .so in the wheel")
    folder = tmp_path_factory.mktemp("cpp")
    (folder / "libonnxruntime.so.1").symlink_to(libraries[0])
    target = folder / "score"
    options = ["-std=c++17", "-Wall", "-Wextra", "-I", include, "-o", target]
    subprocess.run([compiler, *options, SOURCE, libraries[0]], check=True, cwd=folder)
    return target, os.environ | {"LD_LIBRARY_PATH": str(folder)}


def run(program, *arguments):
    target, environment = program
    return subprocess.run([target, *arguments], env=environment, capture_output=True, text=True)


def test_the_example_prints_score_and_verdict(program, resizing_content, tmp_path):
    from moeclip_cli import OnnxInspector
    from moeclip_cli.exports.onnx_session import OnnxSession

    pixels = colour_picture(40, 60, 3)
    height, width, _ = pixels.shape
    picture, graph = tmp_path / "part.ppm", tmp_path / "graph.onnx"
    picture.write_bytes(f"P6\n{width} {height}\n255\n".encode() + pixels.tobytes())
    graph.write_bytes(resizing_content)

    done = run(program, graph, picture)

    (result,) = OnnxInspector(OnnxSession(graph)).score(pixels)
    assert done.returncode == 0, done.stderr
    score, verdict = done.stdout.split()
    assert float(score) == pytest.approx(result.score, abs=1e-4)
    assert verdict == result.verdict


def test_what_is_not_a_picture_is_said(program, tmp_path):
    picture = tmp_path / "part.ppm"
    for content, words in ((b"P5 1 1 255 \0", "is not a binary PPM"), (b"P6 9 9 255 \0", "ends")):
        picture.write_bytes(content)
        done = run(program, "graph.onnx", picture)
        assert done.returncode == 1
        assert f"{picture} {words}" in done.stderr
