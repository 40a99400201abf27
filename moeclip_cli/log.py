"""The logger `moeclip`, which says nothing unless the program that uses the library asks for it."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("moeclip")
# Instead of Python's handler of last resort, which prints warnings to standard error.
LOGGER.addHandler(logging.NullHandler())
