import json
from pathlib import Path

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.images.prompts_file import PromptRules


@pytest.fixture
def rules(tmp_path):
    def load(text, name="prompts.toml"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return PromptRules.load(path)

    return load


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("bolts", "parts/bolts/1.png", True),
        ("bolts", "bolts/deep/down/1.png", True),
        ("bolts", "parts/bolts", True),
        ("bolts", "parts/bolts2/1.png", False),
        ("bolts", "parts/big bolts/1.png", False),
        ("bolts/", "parts/bolts/1.png", True),
        ("bolts/", "parts/bolts", False),
        ("bolts/*.png", "parts/bolts/1.png", True),
        ("bolts/*.png", "parts/bolts/1.jpg", False),
        ("bolts/*.png", "parts/bolts/deep/1.png", False),
        ("bolts/**/*.png", "parts/bolts/deep/down/1.png", True),
        ("parts/bolts/", "data/parts/bolts/1.png", True),
        ("parts/bolts/", "data/bolts/parts/1.png", False),
        ("./bolts/", "bolts/1.png", True),
        ("**/left/*", "a/left/1.png", True),
        ("**/left/*", "left/1.png", True),
        ("**/left/*", "right/1.png", False),
        ("bolt_*.png", "parts/bolt_17.png", True),
        ("*.png", "parts/bolts/1.png", True),
        ("*.png", "parts/bolts/1.jpg", False),
        ("lot?/", "lot7/1.png", True),
        ("lot[12]/", "lot3/1.png", False),
        ("*", "1.png", True),
        ("1.png", "parts/1.png", True),
        ("деталь/", "деталь/1.png", True),
        ("/data/bolts/", "/data/bolts/1.png", True),
        ("/bolts/", "/data/bolts/1.png", False),
        ("/data/*/", "/data/bolts/deep/1.png", True),
    ],
)
def test_patterns(rules, pattern, path, expected):
    found = rules(f'"{pattern}" = "it"').prompt_for(Path(path))
    assert found == ("it" if expected else None)


def test_absolute_pattern_and_relative_path(rules, tmp_path, monkeypatch):
    found = rules(f'"{tmp_path.as_posix()}/bolts/" = "bolt"')
    monkeypatch.chdir(tmp_path)
    assert found.prompt_for(Path("bolts/1.png")) == "bolt"
    assert found.prompt_for(Path("nuts/1.png")) is None


def test_first_match_counts(rules):
    found = rules('"left/*.png" = "left"\n"left/" = "other left"\n"*" = "part"\n')
    assert found.prompt_for(Path("left/1.png")) == "left"
    assert found.prompt_for(Path("left/1.jpg")) == "other left"
    assert found.prompt_for(Path("right/1.jpg")) == "part"


def test_json(rules):
    text = json.dumps({"b*/": " steel bolt ", "bolts/": "never"})
    assert rules(text, "prompts.JSON").prompt_for(Path("bolts/1.png")) == "steel bolt"


def test_byte_order_mark(rules):
    assert rules(b'\xef\xbb\xbf"*" = "part"').prompt_for(Path("1.png")) == "part"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.toml", '"bolts/" = ', "not valid"),
        ("p.toml", '"a" = "x"\n"a" = "y"', "not valid"),
        ("p.toml", b'"\xff" = "x"', "not valid"),
        ("p.toml", 'bolt.png = "bolt"', "put patterns with dots or slashes into quotes"),
        ("p.toml", '[prompts]\n"a" = "x"', r"use no \[sections\]"),
        ("p.toml", '"a" = 7', "needs the name of an object in quotes, not 7"),
        ("p.toml", '"a" = "  "', "needs the name of an object"),
        ("p.toml", '"" = "x"', 'use "\\*" for all images'),
        ("p.toml", "", "no rules"),
        ("p.json", "{}", "no rules"),
        ("p.json", '["a"]', "must map patterns to names"),
        ("p.json", '{"a": "x", "a": "y"}', "occurs twice"),
        ("p.json", '{"a": null}', "needs the name of an object"),
        ("p.json", "{", "not valid"),
        ("p.json", "", "not valid"),
    ],
)
def test_bad_files(rules, name, text, words):
    with pytest.raises(UsageError, match=words) as caught:
        rules(text, name)
    assert name in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        PromptRules.load(tmp_path / "gone.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        PromptRules.load(tmp_path)
