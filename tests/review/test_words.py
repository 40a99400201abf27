from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import moeclip_cli.review
from moeclip_cli.review.words import REVIEW_WORDS

SCRIPTS = Path(moeclip_cli.review.__file__).parent.glob("*.js")


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
    of_the_report = {"decimal", "thousands", "overlay_of", "no_picture"}
    assert used - of_the_report <= own
    # Those of the state are found by its name.
    assert own - used == {"finished", "running", "interrupted"}
