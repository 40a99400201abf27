"""The version, alone, so that every floor of the package can read it."""

__version__ = "0.1.0"
