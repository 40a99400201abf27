import json
import os
from pathlib import Path

import pytest

from moeclip_cli.discovery.prompts_file import PromptRules
from moeclip_cli.errors import UsageError


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
    prompt = rules(f'"{pattern}" = "it"').prompt_for(Path(path))
    assert prompt == ("it" if expected else None)


def test_absolute_pattern_matches_relative_path(rules, tmp_path, monkeypatch):
    prompts = rules(f'"{tmp_path.as_posix()}/bolts/" = "bolt"')
    monkeypatch.chdir(tmp_path)
    assert prompts.prompt_for(Path("bolts/1.png")) == "bolt"
    assert prompts.prompt_for(Path("nuts/1.png")) is None


def test_first_matching_pattern_decides(rules):
    prompts = rules('"left/*.png" = "left"\n"left/" = "other left"\n"*" = "part"\n')
    assert prompts.prompt_for(Path("left/1.png")) == "left"
    assert prompts.prompt_for(Path("left/1.jpg")) == "other left"
    assert prompts.prompt_for(Path("right/1.jpg")) == "part"


def test_json(rules):
    text = json.dumps({"b*/": " steel bolt ", "bolts/": "never"})
    assert rules(text, "prompts.JSON").prompt_for(Path("bolts/1.png")) == "steel bolt"


def test_byte_order_mark(rules):
    assert rules(b'\xef\xbb\xbf"*" = "part"').prompt_for(Path("1.png")) == "part"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.toml", '"bolts/" = ', "is invalid"),
        ("p.toml", '"a" = "x"\n"a" = "y"', "is invalid"),
        ("p.toml", b'"\xff" = "x"', "is invalid"),
        ("p.toml", 'bolt.png = "bolt"', "quote patterns that contain dots or slashes"),
        ("p.toml", '[prompts]\n"a" = "x"', r"do not use \[sections\]"),
        ("p.toml", '"a" = 7', "must be the quoted name of an object, not 7"),
        ("p.toml", '"a" = "  "', "must be the quoted name of an object"),
        ("p.toml", '"" = "x"', 'use "\\*" for all images'),
        ("p.toml", "", "no rules"),
        ("p.json", "{}", "no rules"),
        ("p.json", '["a"]', "must map patterns to names"),
        ("p.json", '{"a": "x", "a": "y"}', "a pattern is repeated"),
        ("p.json", '{"a": null}', "must be the quoted name of an object"),
        ("p.json", "{", "is invalid"),
        ("p.json", "", "is invalid"),
        ("p.toml", "a." * 50_000 + 'a = "x"', "line 1 has more than 50 dots"),
        ("p.toml", "x = " + "[" * 50_000, "nested too deeply"),
        ("p.json", "[" * 200_000, "nested too deeply"),
        ("p.toml", '"a" = "x" #' + "x" * 1_000_000, "is larger than 1 MB"),
        ("p.json", json.dumps({f"{i}": "x" for i in range(10_001)}), "10,001 rules, more than"),
        ("p.toml", f'"{"x" * 5000}" = "x"', "x{70}.* is longer than 4,096 characters"),
        ("p.toml", f'"{"x" * 900_000}" = 7', r"x{77}\.\.\. must be the quoted name"),
        ("p.toml", f'"x" = ["{"x" * 900_000}"]', r"not \['x{75}\.\.\."),
    ],
)
def test_invalid_files(rules, name, text, words):
    with pytest.raises(UsageError, match=words) as caught:
        rules(text, name)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_unreadable_files(tmp_path):
    with pytest.raises(UsageError, match="Cannot read the prompts file .*: No such file"):
        PromptRules.load(tmp_path / "gone.toml")
    with pytest.raises(UsageError, match="Cannot read the prompts file .*: Is a directory"):
        PromptRules.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires POSIX")
def test_a_pipe_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="pipe, socket or device, not a regular file"):
            PromptRules.load(path)
