"""Text cells that a spreadsheet would run as a formula, made harmless and back.

Such a cell gets a leading apostrophe. A cell that already looks escaped gets another one, so that
escaping is reversible.
"""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@\t\r]")


def escape_formula(cell: Any) -> Any:
    """`cell` with a leading apostrophe if it is text that looks like a formula."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unescape_formula(text: str) -> str:
    """The text that `escape_formula` was given."""
    return text[1:] if _ESCAPED_FORMULA.match(text) else text
