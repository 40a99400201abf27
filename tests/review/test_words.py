from __future__ import annotations

import ast
import re
from dataclasses import asdict
from pathlib import Path

import moeclip_cli
from moeclip_cli.review.german import GERMAN_SENTENCES
from moeclip_cli.review.sentences import in_language
from moeclip_cli.review.words import REVIEW_WORDS

PACKAGE = Path(moeclip_cli.__file__).parent
SCRIPTS = (PACKAGE / "review").glob("*.js")


def test_texts_take_the_same_values_in_both_languages():
    english, german = (asdict(REVIEW_WORDS[language]) for language in ("en", "de"))
    scripts = english.pop("script"), german.pop("script")
    for ours, theirs in ((english, german), scripts):
        assert ours.keys() == theirs.keys()
        for name, text in ours.items():
            places = [sorted(re.findall(r"{\w*}", each)) for each in (text, theirs[name])]
            assert places[0] == places[1], name


def test_every_text_of_the_scripts_exists_and_is_used():
    used = set(re.findall(r"words\.(\w+)", "".join(path.read_text("utf-8") for path in SCRIPTS)))
    own = REVIEW_WORDS["en"].script.keys()
    of_the_report = {"decimal", "thousands", "overlay_of", "no_picture", "verdicts", "labels"}
    assert used - of_the_report <= own
    # Those of the state are found by its name.
    assert own - used == {"finished", "running", "interrupted"}


def texts(path):
    """The texts of a module, each value and each parameter name a brace."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts
        )
        yield re.sub(r"`\{?\w*\}?`", "{}", text)


def test_every_translated_sentence_is_one_of_the_program():
    own = [
        *(PACKAGE / "review").glob("*.py"), *(PACKAGE / "runs").glob("*.py"),
        PACKAGE / "files.py", PACKAGE / "inspection/division.py",
    ]  # fmt: skip
    own.remove(PACKAGE / "review/german.py")
    assert GERMAN_SENTENCES.keys() <= {text for path in own for text in texts(path)}


def test_sentences_are_said_with_their_values():
    sentence = "Cannot write out/run.json: permission denied; choose another folder."
    assert in_language(sentence, "en") == sentence
    assert in_language(sentence, "de") == (
        "out/run.json kann nicht geschrieben werden: die Rechte fehlen."
    )
    locked = "Another moeclip is writing to out; wait for it, or choose another out."
    assert (
        in_language(locked, "de") == "Ein anderes moeclip schreibt gerade nach out; bitte warten."
    )
    assert in_language("Something else.", "de") == "Something else."
