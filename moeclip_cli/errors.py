"""The errors that a user can meet. Each is one sentence: what is wrong and what to do.

The command line prints the sentence and exits with `exit_code`; Python callers catch the class.
"""


class MoeclipError(Exception):
    """Base of every error that moeclip raises on purpose."""

    exit_code = 4


class UsageError(MoeclipError):
    """Wrong use: an unknown option, no such path, no images there, a folder already in use."""

    exit_code = 2


class ImageError(MoeclipError):
    """One image could not be read. A run records it in that image's row and goes on."""

    exit_code = 3


class ModelError(MoeclipError):
    """A checkpoint or a backbone could not be found, fetched, trusted or made to fit."""


class DatasetError(MoeclipError):
    """A dataset could not be found or is not laid out as expected."""


class MissingExtraError(MoeclipError):
    """An optional dependency is missing; the sentence names the line that installs it."""

    exit_code = 2


class ProcessLostError(MoeclipError):
    """Of several processes that share a run, another one has ended before its time."""

    # That of no other error, by which a launcher tells the cause from what it caused.
    exit_code = 69
