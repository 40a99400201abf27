from itertools import product
from pathlib import Path, PurePath, PurePosixPath

import pytest

from moeclip_cli.runs.names import output_path

OUT = Path("out")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("part.png", "part.png"),
        ("part.jpg", "part.jpg.png"),
        ("part.jpg.png", "part.jpg.png.png"),
        ("part", "part%.png"),
        ("PART.PNG", "PART.PNG.png"),
        (".png", ".png"),
        ("sub/deep er/part.jpg", "sub/deep er/part.jpg.png"),
        ("部品/ü.png", "部品/ü.png"),
        ("10:30.png", "10%3A30.png"),
        ('a<b>c"d|e?f*g\n.png', "a%3Cb%3Ec%22d%7Ce%3Ff%2Ag%0A.png"),
        ("100%.png", "100%25.png"),
        ("con.png", "%63on.png"),
        ("sub/LPT1/x.png", "sub/%4CPT1/x.png"),
        ("console.png", "console.png"),
        ("folder./x.png", "folder%2E/x.png"),
        ("folder /x.png", "folder%20/x.png"),
        ("../../etc/x.png", ".%2E/.%2E/etc/x.png"),
        ("./x.png", "x.png"),
        ("caf\udce9.png", "caf%ED%B3%A9.png"),
    ],
)
def test_names_for_png(name: str, expected: str) -> None:
    assert output_path(OUT, name, ".png") == OUT / expected


def test_a_folder_is_not_named_like_an_output_of_another_suffix() -> None:
    large = output_path(OUT, "x.png", ".jpg", (".png",))
    small = output_path(OUT, "x.png.jpg/y.png", ".png", (".jpg",))
    assert large == OUT / "x.png.jpg"
    assert large not in small.parents
    assert small.parent == output_path(OUT, "x.png.jpg/z.png", ".jpg", (".png",)).parent


def test_another_suffix_is_added() -> None:
    assert output_path(OUT, "sub/part.png", ".npy") == OUT / "sub/part.png.npy"


@pytest.mark.skipif(not isinstance(PurePath(), PurePosixPath), reason="the system's own notation")
@pytest.mark.parametrize(
    ("name", "expected"),
    [("/data/x.png", "%2F/data/x.png"), ("C:\\data\\x.png", "C%3A%5Cdata%5Cx.png")],
)
def test_absolute_names_stay_in_the_folder(name: str, expected: str) -> None:
    assert output_path(OUT, name, ".png") == OUT / expected


def test_no_two_outputs_have_the_same_path_or_folder() -> None:
    pieces = ["a", ".png", ".jpg", "%", ":", ".", " ", "%2E"]
    parts = {"".join(part) for count in (1, 2, 3, 4) for part in product(pieces, repeat=count)}
    parts -= {".", ".."}
    files = {output_path(OUT, part, ".png") for part in parts}
    assert len(files) == len(parts)
    # A file and a folder of one name cannot both be in an input tree; all other pairs can.
    by_folder = {output_path(OUT, f"{part}/x.png", ".png").parent: part for part in parts}
    assert len(by_folder) == len(parts)
    met = {part for part in parts if by_folder.get(output_path(OUT, part, ".png"), part) != part}
    assert met == set()


@pytest.mark.parametrize("letter", ["x", "部", ":"])
def test_long_names_are_truncated_and_stay_different(letter: str) -> None:
    count = 255 // len(letter.encode()) - 2
    names = [f"{letter * count}{end}/{letter * count}{end}" for end in (".jp", "b", "c")]
    paths = [output_path(OUT, name, ".png") for name in names]
    assert len(set(paths)) == len({path.parent for path in paths}) == 3
    assert all(len(part.encode()) <= 255 for path in paths for part in path.parts)
    assert all(path.name.startswith(("x", "部", "%3A")) for path in paths)
    assert all(path.suffix == ".png" for path in paths)


def test_a_name_of_255_bytes_is_not_truncated() -> None:
    assert output_path(OUT, "x" * 251 + ".png", ".png").name == "x" * 251 + ".png"
