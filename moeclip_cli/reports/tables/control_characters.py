r"""Characters that act on a terminal or reorder a line, made visible and back.

They are written as Python spells them: ESC becomes `\x1b`, a right-to-left override `\u202e`. A
backslash that already starts such a spelling becomes `\x5c`, so that escaping is reversible; other
backslashes, such as those of Windows paths, are left alone.
"""

from __future__ import annotations

import re

# C0, DEL and C1; line and paragraph separators; embeddings, overrides and isolates of the
# bidirectional algorithm; the lone surrogates that stand for undecodable bytes of a path.
_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_SPELLING = (
    r"\\(?:x(?:[01][0-9a-f]|7f|[89][0-9a-f]|5c)|u(?:202[89a-e]|206[6-9]|d[89a-f][0-9a-f]{2}))"
)
_ACTIVE = re.compile(rf"[{_CONTROL}]|\\(?={_SPELLING[2:]})")
_SPELT = re.compile(_SPELLING)


def escape_controls(text: str) -> str:
    r"""`text` with its control characters spelt out, e.g. `\x1b`."""
    return _ACTIVE.sub(_spell, text)


def unescape_controls(text: str) -> str:
    """The text that `escape_controls` was given."""
    return _SPELT.sub(lambda spelt: chr(int(spelt[0][2:], 16)), text)


def _spell(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
