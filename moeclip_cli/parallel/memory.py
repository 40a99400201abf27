"""Recognition of errors that mean that memory ran out, without importing the libraries."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from moeclip_cli.errors import ModelError

_WORDS = re.compile(
    r"out of memory|insufficient memory|not enough memory"
    r"|can.?t allocate memory|cannot allocate memory|failed to allocate|unable to allocate"
    r"|bad_alloc|bad allocation"
    # The dynamic loader, for a library that no longer fits.
    r"|failed to map segment"
    # oneDNN, which PyTorch uses on CPUs.
    r"|could not create a (primitive|memory object)"
    # The stack of a thread.
    r"|can't start new thread",
    re.IGNORECASE,
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Return True if an error means that memory ran out, on any device.

    Python, NumPy, PyTorch, OpenCV and the operating system each report it in another way.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    # RuntimeError: PyTorch. ImportError: the dynamic loader. cv2.error derives from Exception.
    kinds = isinstance(error, (RuntimeError, ImportError)) or type(error).__module__ == "cv2"
    return kinds and bool(_WORDS.search(str(error)))


@contextmanager
def memory_errors(sentence: str) -> Iterator[None]:
    """Turn every error of the block that means that memory ran out into a `ModelError`.

    Args:
        sentence: its message: what does not fit, and the remedy.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        raise ModelError(sentence) from error
