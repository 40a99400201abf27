import pytest

from moeclip_cli.discovery.globs import covers, has_magic, matches, may_contain_matches


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
def test_covers_includes_everything_below_a_match(path, pattern, expected):
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
def test_may_contain_matches(folder, pattern, expected):
    assert may_contain_matches(split(folder), split(pattern)) is expected


def test_has_magic():
    assert all(has_magic(text) for text in ("*", "a?", "[1]"))
    assert not any(has_magic(text) for text in ("", "a.png", "]", "{a,b}"))


def test_many_wildcards_of_any_depth_take_no_exponential_time():
    # Trying them one after the other would take longer than the age of the universe.
    folders, pattern = ["folder"] * 200, ["**", "*"] * 50 + ["other"]
    assert not matches(folders, pattern)
    assert not covers(folders, pattern)
    assert matches([*folders, "other"], pattern)
