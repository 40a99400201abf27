"""What the program says about a problem, in the language of the page."""

from __future__ import annotations

import re

from moeclip_cli.choices import Language
from moeclip_cli.review.german import GERMAN_SENTENCES


def in_language(sentence: str, language: Language) -> str:
    """A sentence of an exception in a language; as it is if there is no translation."""
    if language == "en":
        return sentence
    for pattern, translation in _PATTERNS:
        if found := pattern.fullmatch(sentence):
            parts = (in_language(part, language) for part in found.groups())
            return translation.format(*parts)
    return sentence


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile("(.*)".join(map(re.escape, sentence.split("{}"))), re.DOTALL)


_PATTERNS = [(_pattern(english), german) for english, german in GERMAN_SENTENCES.items()]
