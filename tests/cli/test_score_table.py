from __future__ import annotations

import pytest
from rich.cells import cell_len

from moeclip_cli.cli.score_table import print_highest, shorten_middle
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.common_folder import common_folder
from moeclip_cli.runs.summary import Summary


def row(path, score, box=None):
    x0, y0, x1, y1 = box or (None,) * 4
    return Row(
        path,
        score=score,
        verdict="anomalous" if score >= 0.5 else "normal",
        area_fraction=0.05 if box else 0.0,
        peak=0.4,
        peak_x=31,
        peak_y=7,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
    )


def printed(capsys, *rows):
    summary = Summary()
    for each in rows:
        summary.add(each)
    print_highest(summary, 0)
    return capsys.readouterr().out.splitlines()


def test_every_anomalous_image_has_a_place(capsys):
    lines = printed(
        capsys, row("in/a.png", 0.9, (1, 2, 3, 4)), row("in/b.png", 0.8), row("in/c.png", 0.1)
    )
    assert [line.split() for line in lines] == [
        ["Most", "anomalous", "in", "in"],
        ["score", "verdict", "area", "x0", "y0", "x1", "y1", "image"],
        ["0.900", "anomalous", "5.0%", "1", "2", "3", "4", "a.png"],
        ["0.800", "anomalous", "0.0%", "peak", "31", "7", "b.png"],
        ["0.100", "normal", "0.0%", "c.png"],
    ]


def test_the_heading_says_when_all_images_are_normal(capsys):
    assert printed(capsys, row("a.png", 0.1))[0] == "All normal. Highest scores"
    broken = Row("b.png", error="The file is empty.")
    assert printed(capsys, row("a.png", 0.1), broken)[0] == "Highest scores"


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["in/left/a.png", "in/right/b.png"], "in"),
        (["in/left/a.png"], "in/left"),
        (["inner/a.png", "in/b.png"], ""),
        (["a.png", "in/b.png"], ""),
        (["/a.png", "/in/b.png"], ""),
        (["/in/a.png", "in/b.png"], ""),
        (["/data/in/a.png", "/data/in/b/c.png"], "/data/in"),
    ],
)
def test_the_common_folder_is_named_once(paths, folder):
    assert common_folder(paths) == folder


@pytest.mark.parametrize("width", [12, 20, 31, 47])
def test_a_long_path_loses_its_middle(width):
    path = "Fotos Schicht Früh/Linie 3/部品/Teil 00017 Kamera links.jpg"
    short = shorten_middle(path, width)
    assert cell_len(short) in (width - 1, width)  # a wide character may not fit
    head, tail = short.split("…")
    assert path.startswith(head)
    assert path.endswith(tail)
    assert len(tail) > len(head) > 0


def test_a_path_that_fits_is_left_alone():
    assert shorten_middle("a/b.png", 12) == "a/b.png"
