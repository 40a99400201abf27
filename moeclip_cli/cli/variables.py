"""Variables `MOECLIP_*` that nothing reads: a typo would otherwise change a result in silence."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

from moeclip_cli.cli import console

PREFIX = "MOECLIP_"
TOKEN = "MOECLIP_TOKEN"
"""The token of `moeclip serve`; not an option, as other users can see command lines."""

# Those that are no options: moeclip itself sets the first one in the processes that it starts, and
# `watch` reads the second one.
_OTHERS = frozenset({"MOECLIP_LAUNCHED", "MOECLIP_WEBHOOK_SECRET", TOKEN})


def warn_about_unknown(known: Iterable[str]) -> None:
    """Warn about variables with the prefix that are not among `known`."""
    names = set(known)
    for name in sorted(os.environ):
        if not name.startswith(PREFIX) or name in names | _OTHERS:
            continue
        # Without the prefix, which makes any two of them similar.
        ends = [known_name.removeprefix(PREFIX) for known_name in names]
        near = difflib.get_close_matches(name.removeprefix(PREFIX), ends, n=1, cutoff=0.7)
        remedy = (
            f"did you mean {PREFIX}{near[0]}?" if near else "its name is not that of an option."
        )
        console.warn(f"The variable {name} is unknown and has no effect; {remedy}")
