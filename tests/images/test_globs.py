import pytest

from moeclip_cli.images.globs import covers, has_magic, matches, may_contain_matches


def split(text):
    return tuple(text.split("/")) if text else ()


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.png", "a.png", True),
        ("a.png", "*.png", True),
        ("a.png", "?.p[mn]g", True),
        ("left/a.png", "*.png", False),
        ("left/a.png", "*/*.png", True),
        ("left/a.png", "**/*.png", True),
        ("a.png", "**/*.png", True),
        ("x/y/z/a.png", "x/**/a.png", True),
        ("x/y/z/a.png", "x/**/y/**", True),
        ("x/y/z/a.png", "**", True),
        ("x/y", "x", False),
        ("x", "x/y", False),
        ("x/y/a.png", "**/x/*.png", False),
        ("", "**", True),
        ("", "*", False),
    ],
)
def test_matches(path, pattern, expected):
    assert matches(split(path), split(pattern)) is expected


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("lot/a/1.png", "lot", True),
        ("lot/a/1.png", "lot/*", True),
        ("lot/a/1.png", "**/a", True),
        ("lot/a/1.png", "a", False),
        ("lot", "lot/*", False),
    ],
)
def test_covers_what_lies_below_a_match(path, pattern, expected):
    assert covers(split(path), split(pattern)) is expected


@pytest.mark.parametrize(
    ("folder", "pattern", "expected"),
    [
        ("lot", "*/*.png", True),
        ("lot", "l*/x/*.png", True),
        ("lot", "*.png", False),
        ("lot/x", "*/*.png", False),
        ("lot", "m*/*.png", False),
        ("any/depth/at/all", "any/**/*.png", True),
        ("other/depth", "any/**/*.png", False),
    ],
)
def test_where_to_look(folder, pattern, expected):
    assert may_contain_matches(split(folder), split(pattern)) is expected


def test_magic():
    assert all(has_magic(text) for text in ("*", "a?", "[1]"))
    assert not any(has_magic(text) for text in ("", "a.png", "]", "{a,b}"))
